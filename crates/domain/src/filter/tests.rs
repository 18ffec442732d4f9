use super::*;

#[test]
fn url_form_round_trips() {
    let check = |query: &[(&str, &str)], expected: &str| {
        let filter = RunFilter::from_query(query.iter().copied()).unwrap();
        assert_eq!(filter.to_query(), expected);
        let again = filter.to_pairs();
        let again = RunFilter::from_query(again.iter().map(|(n, v)| (*n, v.as_str()))).unwrap();
        assert_eq!(again, filter);
    };
    check(&[], "");
    check(
        &[("status", "error"), ("model", "a b&c")],
        "status=error&model=a%20b%26c",
    );
    check(
        &[("range", "24h"), ("cost_min", "0.05")],
        "cost_min=0.05&range=24h",
    );
    check(
        &[("from", "2026-11-21T09:00:00Z")],
        "from=2026-11-21T09%3A00%3A00Z",
    );
    check(
        &[("attributes.customer", "acme=1")],
        "attribute=customer%3Dacme%3D1",
    );
    check(
        &[("latency_min", "3000"), ("cursor", "x"), ("q", " ")],
        "latency_min=3000",
    );
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let long = format!("{} x", "q".repeat(199));
    for (name, value) in [
        ("q", long.as_str()),
        ("attributes. customer ", "acme"),
        ("tag", " a  b "),
    ] {
        let filter = RunFilter::from_query([(name, value)]).unwrap();
        let pairs = filter.to_pairs();
        let again = RunFilter::from_query(pairs.iter().map(|(name, value)| (*name, value.as_str())));
        assert_eq!(again.as_ref(), Ok(&filter), "{name}={value}");
    }
    assert!(RunFilter::from_query([("attributes. ", "acme")]).is_err());
}

#[test]
fn names_what_is_wrong() {
    let check = |name: &str, value: &str| {
        assert_eq!(RunFilter::from_query([(name, value)]).unwrap_err().field, name);
    };
    check("status", "broken");
    check("severity", "5");
    check("range", "2w");
    check("from", "yesterday");
    check("cost_min", "much");
    check("tokens_max", "1.5");
    check("attribute", "customer");
    check("attribute", "=acme");
    check("attribute", &format!("{}=acme", "k".repeat(200)));
}

#[test]
fn clearing_every_chip_leaves_the_window() {
    let mut filter = RunFilter::from_query([("status", "ok"), ("q", "x"), ("range", "7d")]).unwrap();
    for (name, _) in filter.chips() {
        filter.clear(name);
    }
    assert_eq!(filter.to_query(), "range=7d");
}
