//! Which of a file's stored encodings a client gets (RFC 9110, 12.5.3).

/// How the bytes of an answer are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// The word for `Content-Encoding`; none for plain bytes.
    pub(super) fn token(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }
}

/// The encoding the client wants most among those at hand; at equal wish the smaller one.
///
/// `accepted` are the values of `Accept-Encoding`. A client that refuses everything we have gets plain bytes, which
/// the RFC permits and which beats an error page.
pub(super) fn choose<'a>(accepted: impl Iterator<Item = &'a str>, brotli: bool, gzip: bool) -> Encoding {
    // Thousandths, the finest step the RFC allows. None: not mentioned.
    let (mut brotli_wish, mut gzip_wish, mut identity_wish, mut any_wish) = (None, None, None, None);
    for item in accepted.flat_map(|value| value.split(',')) {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let wish = Some(wish_milli(parameters));
        match coding.trim().to_ascii_lowercase().as_str() {
            "br" => brotli_wish = wish,
            "gzip" | "x-gzip" => gzip_wish = wish,
            "identity" => identity_wish = wish,
            "*" => any_wish = wish,
            _ => {}
        }
    }
    let wish_of = |at_hand: bool, own: Option<u16>| if at_hand { own.or(any_wish).unwrap_or(0) } else { 0 };
    let (brotli_wish, gzip_wish) = (wish_of(brotli, brotli_wish), wish_of(gzip, gzip_wish));
    // Unmentioned, plain bytes are acceptable but never preferred to something asked for.
    let identity_wish = identity_wish.unwrap_or(0);

    if brotli_wish > 0 && brotli_wish >= gzip_wish && brotli_wish >= identity_wish {
        Encoding::Brotli
    } else if gzip_wish > 0 && gzip_wish >= identity_wish {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// `q=0.5` → 500; no q and anything above 1 is 1000; a q that is no number is 0, a refusal.
fn wish_milli(parameters: &str) -> u16 {
    let Some(q) = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    }) else {
        return 1000;
    };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, digits) {
        ("1", true) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_wish_decides_then_size() {
        let check = |accepted: &[&str], expected: Encoding| {
            assert_eq!(
                choose(accepted.iter().copied(), true, true),
                expected,
                "{accepted:?}"
            );
        };
        check(&[], Encoding::Identity);
        check(&[""], Encoding::Identity);
        check(&["gzip, deflate, br, zstd"], Encoding::Brotli);
        check(&["gzip", "br"], Encoding::Brotli);
        check(&["gzip"], Encoding::Gzip);
        check(&["GZIP"], Encoding::Gzip);
        check(&["br;q=0.5, gzip;q=0.8"], Encoding::Gzip);
        check(&["br;q=0.05, gzip;q=0.5"], Encoding::Gzip);
        check(&["br;q=0, gzip"], Encoding::Gzip);
        check(&["br ; q=1.000 , gzip;q=1"], Encoding::Brotli);
        check(&["*"], Encoding::Brotli);
        check(&["*, br;q=0"], Encoding::Gzip);
        check(&["*;q=0"], Encoding::Identity);
        check(&["identity, br;q=0.5"], Encoding::Identity);
        check(&["identity;q=0.5, br"], Encoding::Brotli);
        check(&["identity;q=0"], Encoding::Identity);
        check(&["br;q=nonsense, gzip;q=0.1"], Encoding::Gzip);
        check(&["br;q=1.5"], Encoding::Brotli);
        check(&["deflate, zstd"], Encoding::Identity);
    }

    #[test]
    fn only_what_is_at_hand_is_chosen() {
        let check = |brotli: bool, gzip: bool, expected: Encoding| {
            assert_eq!(choose(["br, gzip"].into_iter(), brotli, gzip), expected);
        };
        check(false, true, Encoding::Gzip);
        check(false, false, Encoding::Identity);
        check(true, false, Encoding::Brotli);
    }
}
