//! Where a form leads afterwards: paths of this server, nowhere else.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may not stand in a header, nor end it.
const NOT_GRAPHIC: &AsciiSet = &CONTROLS.add(b' ');
/// What would end a value or begin something else; a slash reads better as it is.
const NOT_IN_VALUES: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// `next` as it may stand in `Location`, if it is a path of this server; otherwise `/`.
pub(crate) fn local_path(next: &str) -> String {
    // Browsers read a backslash as a slash, and drop tabs and line ends.
    let leaves = next.starts_with("//") || next.contains('\\') || next.chars().any(char::is_control);
    if !next.starts_with('/') || leaves {
        return "/".to_owned();
    }
    utf8_percent_encode(next, NOT_GRAPHIC).to_string()
}

/// `value` as it may stand in a query.
pub(crate) fn query_value(value: &str) -> String {
    utf8_percent_encode(value, NOT_IN_VALUES).to_string()
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
