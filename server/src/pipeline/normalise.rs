//! Token counts as reported, sorted into disjoint billable buckets.

use domain::TokenUsage;
use domain::step::ReportedTokens;

/// The buckets, and in a word how they were found; no word when nothing was reported. Never a negative bucket
/// that was not reported as negative.
pub fn normalise(reported: &ReportedTokens) -> (TokenUsage, Option<&'static str>) {
    if [
        reported.input,
        reported.output,
        reported.reasoning,
        reported.cache_read,
        reported.cache_write,
    ]
    .iter()
    .all(Option::is_none)
    {
        return (TokenUsage::default(), None);
    }
    let cached = reported
        .cache_read
        .unwrap_or(0)
        .saturating_add(reported.cache_write.unwrap_or(0));
    let cache_inside = reported.input_includes_cache && reported.input.is_some_and(|input| input >= cached);
    let input_fresh = if cache_inside {
        reported.input.map(|input| input.saturating_sub(cached))
    } else {
        reported.input
    };
    let reasoning_beside = reasoning_is_beside(reported);
    let output = match (reported.output, reported.reasoning) {
        (Some(output), Some(reasoning)) if reasoning_beside => Some(output.saturating_add(reasoning)),
        (None, Some(reasoning)) => Some(reasoning),
        (output, _) => output,
    };
    let word = match (cache_inside, reasoning_beside) {
        (false, false) => "exclusive",
        (true, false) => "inclusive",
        (false, true) => "exclusive, reasoning beside output",
        (true, true) => "inclusive, reasoning beside output",
    };
    let usage = TokenUsage {
        input_fresh,
        cache_read: reported.cache_read,
        cache_write: reported.cache_write,
        output,
        reasoning: reported.reasoning,
    };
    (usage, Some(word))
}

/// The total decides: input + output and no more reasoning than output is inside; input + output + reasoning is
/// beside. Without a total that tells, inside, unless the reasoning is larger than the output it would be part of.
fn reasoning_is_beside(reported: &ReportedTokens) -> bool {
    let (Some(output), Some(reasoning)) = (reported.output, reported.reasoning) else {
        return false;
    };
    if reasoning <= 0 {
        return false;
    }
    let Some(total) = reported.total else { return false };
    let input = reported.input.unwrap_or(0);
    let cached = reported
        .cache_read
        .unwrap_or(0)
        .saturating_add(reported.cache_write.unwrap_or(0));
    let without = input.saturating_add(output);
    let matches = |sum: i64| total == sum || total == sum.saturating_add(cached);
    if matches(without) && reasoning <= output {
        false
    } else {
        matches(without.saturating_add(reasoning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (input, output, reasoning, total, cache read, cache write, inclusive)
    type Reported = (
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        bool,
    );

    #[test]
    fn buckets() {
        let check = |r: Reported, expected: [Option<i64>; 5]| {
            let reported = ReportedTokens {
                input: r.0,
                output: r.1,
                reasoning: r.2,
                total: r.3,
                cache_read: r.4,
                cache_write: r.5,
                input_includes_cache: r.6,
            };
            let (u, _) = normalise(&reported);
            assert_eq!(
                [u.input_fresh, u.cache_read, u.cache_write, u.output, u.reasoning],
                expected,
                "{r:?}"
            );
        };
        let none = None;
        check((none, none, none, none, none, none, false), [none; 5]);
        check(
            (Some(48), Some(11), none, none, none, none, false),
            [Some(48), none, none, Some(11), none],
        );
        check(
            (Some(100), Some(5), none, none, Some(80), none, false),
            [Some(100), Some(80), none, Some(5), none],
        );
        check(
            (Some(100), Some(5), none, none, Some(80), none, true),
            [Some(20), Some(80), none, Some(5), none],
        );
        check(
            (Some(10), Some(5), none, none, Some(80), none, true),
            [Some(10), Some(80), none, Some(5), none],
        );
        check(
            (Some(10), Some(30), Some(20), Some(40), none, none, false),
            [Some(10), none, none, Some(30), Some(20)],
        );
        check(
            (Some(10), Some(30), Some(20), Some(60), none, none, false),
            [Some(10), none, none, Some(50), Some(20)],
        );
        check(
            (Some(10), Some(5), Some(20), Some(35), none, none, false),
            [Some(10), none, none, Some(25), Some(20)],
        );
        check(
            (Some(10), Some(30), Some(20), none, none, none, false),
            [Some(10), none, none, Some(30), Some(20)],
        );
        check(
            (Some(10), Some(30), Some(20), Some(99), none, none, false),
            [Some(10), none, none, Some(30), Some(20)],
        );
        check(
            (none, none, Some(7), none, none, none, false),
            [none, none, none, Some(7), Some(7)],
        );
        check(
            (Some(-3), Some(2), none, none, none, none, false),
            [Some(-3), none, none, Some(2), none],
        );
    }
}
