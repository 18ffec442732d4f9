//! Reading the query of a URL. Done here and not by the router, which decodes values twice: an id may contain `%41`.

/// The parameters of a query, with or without its `?`, in order, decoded; names may repeat.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .trim_start_matches('?')
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// `+` and `%20` are blanks; a `%` that begins no byte stays; what is not UTF-8 is replaced.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use domain::filter::encode_query;

    use super::*;

    #[test]
    fn decodes_once() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let pairs = pairs(query);
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(pairs, expected, "{query}");
        };
        check("", &[]);
        check("?", &[]);
        check("?a=b&c", &[("a", "b"), ("c", "")]);
        check("a=1&a=2", &[("a", "1"), ("a", "2")]);
        check("q=x+y%20z", &[("q", "x y z")]);
        check("id=%2541&p=50%", &[("id", "%41"), ("p", "50%")]);
        check("a=b=c", &[("a", "b=c")]);
        check(
            "u=gr%C3%B6%C3%9Fer&bad=%FF%4",
            &[("u", "größer"), ("bad", "\u{FFFD}%4")],
        );
    }

    #[test]
    fn reads_what_links_write() {
        let text = "a&b=%41 größer+\"<";
        assert_eq!(
            pairs(&encode_query([("id", text)])),
            [("id".to_owned(), text.to_owned())]
        );
    }
}
