use domain::PromptTemplate;

use super::*;

const HOUR: i64 = 3_600_000_000;

fn used(
    fingerprint: &str,
    first_seen_hour: i64,
    step: &str,
    model: &str,
    calls: i64,
    cost: Option<i64>,
) -> PromptUse {
    PromptUse {
        fingerprint: fingerprint.to_owned(),
        first_seen_at: Timestamp::from_micros(first_seen_hour * HOUR),
        step_name: step.to_owned(),
        model: Some(model.to_owned()),
        calls,
        errors: 0,
        unpriced: if cost.is_some() { 0 } else { calls },
        cost_nano_usd: cost.map(NanoUsd),
        last_hour: Timestamp::from_micros((first_seen_hour + 5) * HOUR),
    }
}

fn template(fingerprint: &str, first_seen_hour: i64) -> PromptTemplate {
    PromptTemplate {
        fingerprint: fingerprint.to_owned(),
        canonical: String::new(),
        first_seen_at: Timestamp::from_micros(first_seen_hour * HOUR),
    }
}

#[test]
fn a_steps_versions_stand_newest_first() {
    let uses = [
        used("old", 1, "parse", "small", 10, Some(1_000)),
        used("new", 9, "parse", "small", 3, Some(600)),
        used("new", 9, "parse", "large", 7, Some(1_400)),
        used("only", 2, "reply", "large", 50, None),
    ];
    let steps = by_step(&uses);
    assert_eq!(steps[0].step_name, "reply");
    assert_eq!(steps[1].calls, 20);
    let versions: Vec<_> = steps[1].versions.iter().map(|v| v.fingerprint.as_str()).collect();
    assert_eq!(versions, ["new", "old"]);
    let newest = &steps[1].versions[0];
    assert_eq!(newest.cost, Some(NanoUsd(2_000)));
    assert_eq!(newest.cost_per_call(), Some(NanoUsd(200)));
    assert_eq!(
        newest.models,
        [(Some("large".to_owned()), 7), (Some("small".to_owned()), 3)]
    );
    assert_eq!(steps[0].versions[0].cost_per_call(), None);
}

#[test]
fn a_change_is_a_newer_template_within_the_window() {
    let uses = [
        used("old", 1, "parse", "m", 10, Some(1_000)),
        used("new", 9, "parse", "m", 10, Some(1_380)),
        used("steady", 1, "reply", "m", 50, Some(1)),
        used("a", 1, "label", "m", 5, None),
        used("b", 12, "label", "m", 5, Some(5)),
    ];
    let check = |from_hour: i64, expected: &[(&str, Option<i64>)]| {
        let found = changes(&by_step(&uses), Timestamp::from_micros(from_hour * HOUR));
        let found: Vec<_> = found
            .iter()
            .map(|c| (c.step_name.as_str(), c.cost_percent))
            .collect();
        assert_eq!(found, expected, "from hour {from_hour}");
    };
    check(0, &[("label", None), ("parse", Some(38))]);
    check(10, &[("label", None)]);
    check(13, &[]);
}

#[test]
fn the_template_before_is_one_of_the_same_step() {
    let uses = [
        used("first", 1, "parse", "m", 1, None),
        used("second", 5, "parse", "m", 1, None),
        used("third", 9, "parse", "m", 1, None),
        used("other", 8, "reply", "m", 1, None),
    ];
    let check = |fingerprint: &str, hour: i64, expected: Option<&str>| {
        assert_eq!(
            used_before(&uses, &template(fingerprint, hour)),
            expected,
            "{fingerprint}"
        );
    };
    check("third", 9, Some("second"));
    check("second", 5, Some("first"));
    check("first", 1, None);
    check("other", 8, None);
    check("unseen", 99, None);
}

#[test]
fn shares_read_as_per_cent() {
    let check = |part: i64, whole: i64, expected: &str| assert_eq!(share(part, whole), expected);
    check(1, 3, "33 %");
    check(2, 3, "67 %");
    check(3, 3, "100 %");
    check(1, 1_000, "< 1 %");
    check(0, 5, "0 %");
    check(5, 0, "–");
}
