//! E-mail addresses: what stands around an `@` (RFC 5321 without quoted local parts and address literals).

/// The longest part of a domain, which is the only one that is looked at for what ends it.
const MAX_LABEL_BYTES: usize = 63;

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('@') {
        let local = bytes
            .get(..at)
            .unwrap_or_default()
            .iter()
            .rev()
            .take_while(|byte| is_local(**byte))
            .count();
        let domain = bytes
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| is_domain(**byte))
            .count();
        let domain = text.get(at + 1..at + 1 + domain).unwrap_or_default();
        // The end of a sentence is no part of it.
        let domain = domain.trim_end_matches(['.', '-']);
        if local > 0 && is_host(domain) {
            push(at - local, at + 1 + domain.len());
        }
    }
}

/// Letters of other scripts are allowed in both (RFC 6531).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-')
}

/// Two labels at least, the last of them of letters.
fn is_host(domain: &str) -> bool {
    let Some((rest, last)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_last =
        (2..=MAX_LABEL_BYTES).contains(&last.len()) && !last.bytes().any(|byte| byte.is_ascii_digit());
    let is_punycode = last.starts_with("xn--");
    (is_last || is_punycode) && !rest.is_empty() && !rest.starts_with('.')
}
