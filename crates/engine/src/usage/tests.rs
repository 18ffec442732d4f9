use super::*;

const NONE: Option<i64> = None;

#[test]
fn buckets() {
    use InputMeaning::{ExcludesCache as Excludes, IncludesCache as Includes, Unknown};
    // Reported: input, output, reasoning, total, cache read, cache write. Expected: fresh input, cache read, cache
    // write, output, reasoning.
    let check = |meaning: InputMeaning, r: [Option<i64>; 6], expected: [Option<i64>; 5]| {
        let reported = ReportedTokens {
            input: r[0],
            output: r[1],
            reasoning: r[2],
            total: r[3],
            cache_read: r[4],
            cache_write: r[5],
            cache_write_1h: None,
            input_meaning: meaning,
        };
        let (u, word) = normalise(&reported);
        let found = [u.input_fresh, u.cache_read, u.cache_write, u.output, u.reasoning];
        assert_eq!(found, expected, "{meaning:?} {r:?}");
        assert_eq!(word.is_some(), found.iter().any(Option::is_some), "{r:?}");
    };
    let n = |count: i64| Some(count);
    check(Excludes, [NONE; 6], [NONE; 5]);
    // A total alone fills no bucket.
    check(Excludes, [NONE, NONE, NONE, n(9), NONE, NONE], [NONE; 5]);
    let plain = [n(48), n(11), NONE, NONE, NONE, NONE];
    check(Excludes, plain, [n(48), NONE, NONE, n(11), NONE]);
    check(Unknown, plain, [n(48), NONE, NONE, n(11), NONE]);
    // The cache, by what the input is said to contain.
    let cached = [n(100), n(5), NONE, NONE, n(80), NONE];
    check(Excludes, cached, [n(100), n(80), NONE, n(5), NONE]);
    check(Includes, cached, [n(20), n(80), NONE, n(5), NONE]);
    check(Unknown, cached, [n(20), n(80), NONE, n(5), NONE]);
    // Less input than cache can't contain it, whatever is said.
    let smaller = [n(10), n(5), NONE, NONE, n(80), NONE];
    check(Includes, smaller, [n(10), n(80), NONE, n(5), NONE]);
    check(Unknown, smaller, [n(10), n(80), NONE, n(5), NONE]);
    // Not stated: the total decides.
    check(
        Unknown,
        [n(100), n(5), NONE, n(185), n(80), NONE],
        [n(100), n(80), NONE, n(5), NONE],
    );
    check(
        Unknown,
        [n(100), n(5), NONE, n(105), n(80), NONE],
        [n(20), n(80), NONE, n(5), NONE],
    );
    check(
        Unknown,
        [n(100), n(5), n(3), n(188), n(80), NONE],
        [n(100), n(80), NONE, n(8), n(3)],
    );
    check(
        Unknown,
        [n(100), n(5), n(3), n(108), n(80), NONE],
        [n(20), n(80), NONE, n(8), n(3)],
    );
    check(
        Unknown,
        [n(100), n(5), NONE, n(999), n(80), NONE],
        [n(20), n(80), NONE, n(5), NONE],
    );
    // Reasoning, by the total.
    check(
        Excludes,
        [n(10), n(30), n(20), n(40), NONE, NONE],
        [n(10), NONE, NONE, n(30), n(20)],
    );
    check(
        Excludes,
        [n(10), n(30), n(20), n(60), NONE, NONE],
        [n(10), NONE, NONE, n(50), n(20)],
    );
    check(
        Excludes,
        [n(10), n(5), n(20), n(35), NONE, NONE],
        [n(10), NONE, NONE, n(25), n(20)],
    );
    check(
        Excludes,
        [n(10), n(5), n(20), NONE, NONE, NONE],
        [n(10), NONE, NONE, n(25), n(20)],
    );
    check(
        Excludes,
        [n(10), n(30), n(20), NONE, NONE, NONE],
        [n(10), NONE, NONE, n(30), n(20)],
    );
    check(
        Excludes,
        [n(10), n(30), n(20), n(99), NONE, NONE],
        [n(10), NONE, NONE, n(30), n(20)],
    );
    check(
        Excludes,
        [NONE, NONE, n(7), NONE, NONE, NONE],
        [NONE, NONE, NONE, n(7), n(7)],
    );
    // A count below zero fills no bucket and takes nothing from others.
    check(
        Excludes,
        [n(-3), n(2), NONE, NONE, NONE, NONE],
        [NONE, NONE, NONE, n(2), NONE],
    );
    check(
        Includes,
        [n(9), n(2), NONE, NONE, n(-4), NONE],
        [n(9), NONE, NONE, n(2), NONE],
    );
    check(
        Excludes,
        [n(9), n(-2), n(-1), NONE, NONE, n(-5)],
        [n(9), NONE, NONE, NONE, NONE],
    );
}

#[test]
fn an_hour_of_cache_is_a_part_of_the_writing() {
    let check = |write: Option<i64>, hour: Option<i64>, expected: (Option<i64>, Option<i64>)| {
        let reported = ReportedTokens {
            input: Some(900),
            cache_write: write,
            cache_write_1h: hour,
            input_meaning: InputMeaning::IncludesCache,
            ..ReportedTokens::default()
        };
        let (usage, _) = normalise(&reported);
        assert_eq!((usage.cache_write, usage.cache_write_1h), expected);
        let written = expected.0.unwrap_or(0);
        assert_eq!(
            usage.input_fresh,
            Some(900 - written),
            "the part is not taken off twice"
        );
    };
    check(Some(500), Some(200), (Some(500), Some(200)));
    check(Some(500), None, (Some(500), None));
    check(None, Some(200), (Some(200), Some(200)));
    check(Some(100), Some(200), (Some(100), Some(100)));
}

#[test]
fn a_shape_has_names_and_no_values_that_somebody_made_names_of() {
    let check = |usage: serde_json::Value, expected: &str| {
        assert_eq!(shape(&usage).as_deref(), Some(expected), "{usage}");
    };
    check(
        serde_json::json!({ "tokensIn": 3, "x_groq": { "cache-5m": 1, "_v1.out": 2 }, "gone": null }),
        "tokensIn x_groq._v1.out x_groq.cache-5m",
    );
    check(
        serde_json::json!({
            "by_user": { "mara@acme.dev": { "n1": 2 }, "jürgen": 1, "+43 660 1234567": 1, "4111111111111111": 1 },
            "": 1
        }),
        "? by_user.? by_user.?.n1",
    );
}
