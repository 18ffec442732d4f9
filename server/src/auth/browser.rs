//! What a browser calls itself, in a few words.

/// Each is looked for in this order: browsers name those they want to be taken for.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// `Firefox on Linux` from the header `User-Agent`; of other programs the first word, shortened.
pub(super) fn browser_name(user_agent: &[u8]) -> String {
    const MAX_CHARS: usize = 40;
    let text = String::from_utf8_lossy(user_agent);
    let find = |list: &[(&str, &'static str)]| {
        let found = list.iter().find(|(word, _)| text.contains(word));
        found.map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ => {
            let word = text.split([' ', '/']).next().unwrap_or_default();
            let word: String = word.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
            if word.is_empty() {
                "unknown".to_owned()
            } else {
                word
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_in_a_few_words() {
        let check = |user_agent: &str, expected: &str| {
            assert_eq!(browser_name(user_agent.as_bytes()), expected, "{user_agent}");
        };
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on Linux",
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36 Edg/131.0",
            "Edge on Windows",
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1",
            "Chrome on iOS",
        );
        check("curl/8.5.0", "curl");
        check("", "unknown");
        check("a\u{1b}[31m/1", "a[31m");
        assert_eq!(browser_name(&[b'x'; 60_000]).len(), 40);
        assert_eq!(browser_name(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
