//! Where a form leads afterwards: paths of this server, nowhere else.

use std::fmt::Write as _;

/// `next` as it may stand in `Location`, if it is a path of this server; otherwise `/`.
pub(crate) fn local_path(next: &str) -> String {
    // Browsers read a backslash as a slash, and drop tabs and line ends.
    let leaves = next.starts_with("//") || next.contains('\\') || next.chars().any(char::is_control);
    if !next.starts_with('/') || leaves {
        return "/".to_owned();
    }
    let mut path = String::with_capacity(next.len());
    for byte in next.bytes() {
        if byte.is_ascii_graphic() {
            path.push(char::from(byte));
        } else {
            _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// `value` as it may stand in a query.
pub(crate) fn query_value(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_nowhere_else() {
        let check = |next: &str, expected: &str| assert_eq!(local_path(next), expected, "{next}");
        check("/p/acme/runs?status=error", "/p/acme/runs?status=error");
        check("/p/acme/runs?q=ü x", "/p/acme/runs?q=%C3%BC%20x");
        check("", "/");
        check("p/acme", "/");
        check("https://evil.example", "/");
        check("//evil.example", "/");
        check("/\\evil.example", "/");
        check("/a\\..\\b", "/");
        check("\\/evil.example", "/");
        check("/\t/evil.example", "/");
        check("/a\nb", "/");
        check("javascript:alert(1)", "/");
    }

    #[test]
    fn values_stay_in_their_place() {
        let check = |value: &str, expected: &str| assert_eq!(query_value(value), expected);
        check("/p/a/runs?x=1&y=2#z", "/p/a/runs%3Fx%3D1%26y%3D2%23z");
        check("ü", "%C3%BC");
    }
}
