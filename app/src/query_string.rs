//! Reading the query of a URL. Done here and not by the router, which decodes values twice: an id may contain `%41`.

/// The parameters of a query, with or without its `?`, in order, decoded; names may repeat.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.trim_start_matches('?').as_bytes())
        .into_owned()
        .collect()
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
