use super::*;

fn query(pairs: &[(&str, &str)]) -> OverviewQuery {
    OverviewQuery::from_pairs(pairs.iter().copied())
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn url_form() {
    let check = |pairs: &[(&str, &str)], expected: &str| {
        assert_eq!(query(pairs).to_href(), expected, "{pairs:?}");
    };
    check(&[], "?");
    check(
        &[
            ("range", "30d"),
            ("metric", "cost"),
            ("by", "key"),
            ("view", "chart"),
        ],
        "?",
    );
    check(
        &[
            ("range", "15m"),
            ("metric", "latency_p95"),
            ("by", "model"),
            ("drawn", "stacked"),
        ],
        "?range=15m&metric=latency_p95&by=model&drawn=stacked",
    );
    check(&[("range", "2w"), ("metric", "coast"), ("by", "user")], "?");
    check(
        &[("ask", "1"), ("view", "table"), ("key", "")],
        "?view=table&ask=1",
    );
    check(
        &[("key", "a&b"), ("environment", "production")],
        "?key=a%26b&environment=production",
    );
    check(
        &[("template", "0f"), ("against", "c4e2117@production")],
        "?template=0f&against=c4e2117%40production",
    );
    check(
        &[
            ("from", "2026-11-12T00:00:00Z"),
            ("to", "2026-11-13T00:00:00Z"),
            ("range", "7d"),
        ],
        "?from=2026-11-12T00%3A00%3A00Z&to=2026-11-13T00%3A00%3A00Z",
    );
    check(
        &[("from", "2026-11-13T00:00:00Z"), ("to", "2026-11-12T00:00:00Z")],
        "?",
    );
}

#[test]
fn moments_may_be_typed() {
    let check = |text: &str, expected: Option<&str>| assert_eq!(moment(text), expected.map(at), "{text}");
    check("2026-11-12", Some("2026-11-12T00:00:00Z"));
    check("2026-11-12 14:05", Some("2026-11-12T14:05:00Z"));
    check("2026-11-12T14:05:30", Some("2026-11-12T14:05:30Z"));
    check("2026-11-12T14:05:00+02:00", Some("2026-11-12T12:05:00Z"));
    check("yesterday", None);
}

#[test]
fn windows_are_whole_buckets_and_end_with_the_one_that_goes_on() {
    let now = at("2026-11-21T09:12:27Z");
    let check = |pairs: &[(&str, &str)], from: &str, to: &str, buckets: usize| {
        let span = query(pairs).span(now);
        assert_eq!(
            (span.from, span.to, span.buckets().len()),
            (at(from), at(to), buckets),
            "{pairs:?}"
        );
        let before = span.from.micros() - span.before_from.micros();
        assert_eq!(before, span.to.micros() - span.from.micros());
    };
    check(&[], "2026-10-23T00:00:00Z", "2026-11-22T00:00:00Z", 30);
    check(
        &[("range", "7d")],
        "2026-11-14T10:00:00Z",
        "2026-11-21T10:00:00Z",
        168,
    );
    check(
        &[("range", "15m")],
        "2026-11-21T08:58:00Z",
        "2026-11-21T09:13:00Z",
        15,
    );
    let free = [("from", "2026-11-12T13:30:00Z"), ("to", "2026-11-12T16:00:00Z")];
    check(&free, "2026-11-12T13:30:00Z", "2026-11-12T16:00:00Z", 30);
    let ahead = [("from", "2026-11-21T09:00:00Z"), ("to", "2030-01-01T00:00:00Z")];
    check(&ahead, "2026-11-21T09:00:00Z", "2026-11-21T09:13:00Z", 13);
    let future = query(&[("from", "2030-01-01T00:00:00Z"), ("to", "2030-01-02T00:00:00Z")]).span(now);
    assert!(future.from < future.to);
}

#[test]
fn the_middle_is_a_bucket_s_beginning() {
    let span = query(&[("range", "24h")]).span(at("2026-11-21T09:12:27Z"));
    assert_eq!(span.middle(), at("2026-11-20T22:00:00Z"));
}

#[test]
fn one_window_back_and_forth() {
    let now = at("2026-11-21T09:12:27Z");
    let here = query(&[("range", "7d")]);
    assert_eq!(here.moved(here.span(now), now, 1), None);
    let before = here.moved(here.span(now), now, -1).unwrap();
    assert_eq!(
        before.range,
        Range::Between(at("2026-11-07T10:00:00Z"), at("2026-11-14T10:00:00Z"))
    );
    assert_eq!(before.moved(before.span(now), now, 1), Some(here));
}

#[test]
fn a_range_that_is_drawn_is_part_of_the_url() {
    let here = query(&[("range", "24h"), ("by", "model")]);
    let span = here.span(at("2026-11-21T09:12:27Z"));
    let zoomed = here.zoomed(span, (0.25, 0.5));
    assert_eq!(
        zoomed.to_href(),
        "?from=2026-11-20T16%3A00%3A00Z&to=2026-11-20T22%3A00%3A00Z&by=model"
    );
    let dot = here.zoomed(span, (0.5, 0.5));
    let Range::Between(from, to) = dot.range else {
        panic!("{dot:?}")
    };
    assert_eq!(to.micros() - from.micros(), 5 * MINUTE);
}

#[test]
fn ranges_in_words() {
    let check = |range: Range, expected: &str| assert_eq!(range.label(), expected);
    check(Range::Last(15), "15 minutes");
    check(Range::Last(1_440), "24 hours");
    check(Range::Last(43_200), "30 days");
    check(
        Range::Between(at("2026-11-12T00:00:00Z"), at("2026-11-12T01:00:00Z")),
        "1 hour",
    );
}

#[test]
fn the_time_since_a_deploy_is_compared_with_as_much_before_it() {
    let check = |range: &str, now: &str, deploy: &str, expected: Option<[&str; 3]>| {
        let span = query(&[("range", range)]).span(at(now));
        let found = span.around(at(deploy)).map(|(a, b, c)| [a, b, c]);
        assert_eq!(found, expected.map(|times| times.map(at)), "{range} {deploy}");
    };
    let now = "2026-11-20T15:20:00Z";
    // A window of days ends with the day that goes on.
    check(
        "30d",
        now,
        "2026-11-12T14:12:00Z",
        Some([
            "2026-11-04T04:00:00Z",
            "2026-11-12T14:00:00Z",
            "2026-11-21T00:00:00Z",
        ]),
    );
    check(
        "24h",
        now,
        "2026-11-20T10:40:00Z",
        Some([
            "2026-11-20T06:00:00Z",
            "2026-11-20T11:00:00Z",
            "2026-11-20T16:00:00Z",
        ]),
    );
    check(
        "1h",
        now,
        "2026-11-20T15:10:20Z",
        Some([
            "2026-11-20T15:00:00Z",
            "2026-11-20T15:10:00Z",
            "2026-11-20T15:20:00Z",
        ]),
    );
    check("24h", now, "2026-11-12T14:12:00Z", None);
}

#[test]
fn a_window_of_days_may_be_cut_into_hours() {
    let check = |pairs: &[(&str, &str)], bucket: Bucket, buckets: usize| {
        let span = query(pairs).span(at("2026-11-20T15:20:00Z"));
        assert_eq!(
            (span.bucket, span.buckets().len()),
            (bucket, buckets),
            "{pairs:?}"
        );
    };
    check(&[("range", "90d"), ("bucket", "1h")], Bucket::Hour, 2_160);
    check(&[("range", "7d"), ("bucket", "1d")], Bucket::Day, 7);
    check(&[("range", "90d")], Bucket::Day, 90);
    check(&[("range", "24h"), ("bucket", "1d")], Bucket::Hour, 24);
    check(
        &[("from", "2026-01-01"), ("to", "2026-11-01"), ("bucket", "1h")],
        Bucket::Day,
        304,
    );
}
