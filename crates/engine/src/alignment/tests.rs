use domain::{NanoUsd, Severity, StepKind, Timestamp, TokenUsage};
use proptest::prelude::*;

use super::*;

fn step(id: &str, parent: Option<&str>, name: &str) -> StepSummary {
    StepSummary {
        step_id: id.to_owned(),
        parent_step_id: parent.map(str::to_owned),
        name: name.to_owned(),
        kind: StepKind::Tool,
        step_index: None,
        provider: None,
        model: None,
        request_model: None,
        started_at: Timestamp::from_micros(0),
        ended_at: None,
        latency_ms: Some(100.0),
        ttft_ms: None,
        status: StepStatus::Ok,
        error: None,
        error_class: None,
        stop_reason: None,
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: TokenUsage::default(),
        usage_semantics: None,
        usage_details: domain::UsageDetails::default(),
        web_searches: None,
        price_version: None,
        template_fingerprint: None,
        cost_nano_usd: None,
        cost_source: None,
        reported_cost_nano_usd: None,
        key_label: "prod".to_owned(),
        environment: None,
        release: None,
        tool_name: None,
        score: None,
        threshold: None,
        severity: Severity::Ok,
        stopped_at_layer: None,
        conditions: Vec::new(),
    }
}

fn side<'a>(steps: &'a [StepSummary], answers: &'a [Option<[u8; 16]>]) -> Side<'a> {
    Side { steps, answers }
}

/// `>a +b -c`: depth, the name, and the sign of a step that one run alone has.
fn drawn(a: &[StepSummary], b: &[StepSummary]) -> String {
    let rows = align(side(a, &[]), side(b, &[]));
    let words = rows.iter().map(|row| {
        let name = match (row.first, row.second) {
            (Some(index), None) => format!("-{}", a[index].name),
            (None, Some(index)) => format!("+{}", b[index].name),
            (Some(index), _) => a[index].name.clone(),
            (None, None) => String::new(),
        };
        format!("{}{name}", ">".repeat(row.depth))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn steps_are_known_by_their_place_and_name() {
    let tree = |steps: &[(&str, Option<&str>, &str)]| -> Vec<StepSummary> {
        steps
            .iter()
            .map(|(id, parent, name)| step(id, *parent, name))
            .collect()
    };
    let good = tree(&[
        ("1", None, "run"),
        ("2", Some("1"), "fetch"),
        ("3", Some("1"), "decide"),
        ("4", Some("3"), "ask"),
        ("5", Some("1"), "reply"),
        ("6", Some("1"), "log"),
    ]);
    let bad = tree(&[
        ("a", None, "run"),
        ("b", Some("a"), "fetch"),
        ("c", Some("a"), "fetch"),
        ("d", Some("a"), "decide"),
        ("e", Some("d"), "ask"),
        ("f", Some("d"), "ask"),
        ("g", Some("a"), "log"),
    ]);
    assert_eq!(
        drawn(&good, &bad),
        "run >fetch >+fetch >decide >>ask >>+ask >-reply >log"
    );
    assert_eq!(drawn(&good, &[]), "-run >-fetch >-decide >>-ask >-reply >-log");
    assert_eq!(drawn(&[], &[]), "");
    // The same name elsewhere, or doing something else, is another step.
    let mut elsewhere = tree(&[("1", None, "run"), ("2", None, "fetch")]);
    assert_eq!(drawn(&elsewhere, &bad[..2]), "run >+fetch -fetch");
    elsewhere[1].kind = StepKind::Llm;
    assert_eq!(
        drawn(&elsewhere[1..], &tree(&[("9", None, "fetch")])),
        "+fetch -fetch"
    );
    // Rings of parents and parents that never came.
    let ring = tree(&[
        ("1", Some("2"), "a"),
        ("2", Some("1"), "b"),
        ("3", Some("3"), "c"),
        ("4", Some("none"), "d"),
    ]);
    assert_eq!(drawn(&ring, &ring), "b >a c d");
}

#[test]
fn of_several_calls_those_of_one_template_belong_together() {
    let with = |id: &str, template: Option<&str>| {
        let mut step = step(id, None, "decide");
        step.template_fingerprint = template.map(str::to_owned);
        step
    };
    let a = [with("1", Some("t1")), with("2", Some("t2"))];
    let b = [with("a", Some("t2")), with("b", None)];
    let rows = align(side(&a, &[]), side(&b, &[]));
    let pairs: Vec<Pair> = rows.iter().map(|row| (row.first, row.second)).collect();
    assert_eq!(pairs, [(Some(1), Some(0)), (Some(0), Some(1))]);
}

#[test]
fn changes_are_named_where_both_sides_are_known() {
    let check = |change: &dyn Fn(&mut StepSummary, &mut StepSummary), expected: &[StepChange]| {
        let (mut a, mut b) = (step("1", None, "s"), step("2", None, "s"));
        change(&mut a, &mut b);
        let (a, b) = ([a], [b]);
        assert_eq!(align(side(&a, &[]), side(&b, &[]))[0].changes, expected);
    };
    let cost = |nano: i64| Some(NanoUsd(nano));
    check(&|_, _| {}, &[]);
    check(&|_, b| b.latency_ms = Some(149.0), &[]);
    check(&|_, b| b.latency_ms = Some(150.0), &[StepChange::Slower]);
    check(&|a, _| a.latency_ms = Some(300.0), &[StepChange::Faster]);
    check(&|a, _| a.latency_ms = None, &[]);
    check(&|_, b| b.status = StepStatus::Error, &[StepChange::Failed]);
    check(&|a, _| a.status = StepStatus::Error, &[StepChange::Recovered]);
    check(
        &|a, b| (a.cost_nano_usd, b.cost_nano_usd) = (cost(100), cost(110)),
        &[StepChange::Costlier],
    );
    check(
        &|a, b| (a.cost_nano_usd, b.cost_nano_usd) = (cost(100), cost(109)),
        &[],
    );
    check(
        &|a, b| (a.cost_nano_usd, b.cost_nano_usd) = (cost(100), cost(0)),
        &[StepChange::Cheaper],
    );
    check(&|_, b| b.cost_nano_usd = cost(5), &[]);
    check(
        &|a, b| (a.model, b.model) = (Some("x".to_owned()), Some("y".to_owned())),
        &[StepChange::OtherModel],
    );

    let (a, b) = ([step("1", None, "s")], [step("2", None, "s")]);
    let answers = |in_a: Option<u8>, in_b: Option<u8>| {
        let (a_said, b_said) = ([in_a.map(|n| [n; 16])], [in_b.map(|n| [n; 16])]);
        align(side(&a, &a_said), side(&b, &b_said))[0].changes.clone()
    };
    assert_eq!(answers(Some(1), Some(2)), [StepChange::OtherAnswer]);
    assert_eq!(answers(Some(1), Some(1)), []);
    assert_eq!(answers(None, Some(2)), []);
}

/// Steps with any parents, also later ones and themselves, of few names.
fn steps() -> impl Strategy<Value = Vec<StepSummary>> {
    let one = (0_usize..12, 0_usize..3, 0_usize..3, any::<bool>(), 0_i64..400);
    prop::collection::vec(one, 0..12).prop_map(|made| {
        made.into_iter()
            .enumerate()
            .map(|(index, (parent, name, template, failed, ms))| {
                let parent = (parent < 11).then(|| parent.to_string());
                let mut step = step(&index.to_string(), parent.as_deref(), ["a", "b", "c"][name]);
                step.template_fingerprint = [None, Some("t"), Some("u")][template].map(str::to_owned);
                step.status = if failed { StepStatus::Error } else { StepStatus::Ok };
                step.latency_ms = Some(ms as f64);
                step
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_step_stands_there_once(a in steps(), b in steps()) {
        let rows = align(side(&a, &[]), side(&b, &[]));
        let mut firsts: Vec<usize> = rows.iter().filter_map(|row| row.first).collect();
        let mut seconds: Vec<usize> = rows.iter().filter_map(|row| row.second).collect();
        firsts.sort_unstable();
        seconds.sort_unstable();
        prop_assert_eq!(firsts, (0..a.len()).collect::<Vec<_>>());
        prop_assert_eq!(seconds, (0..b.len()).collect::<Vec<_>>());
        prop_assert!(rows.iter().all(|row| row.first.is_some() || row.second.is_some()));
        // A tree: no row is deeper than one below the row before it.
        prop_assert!(rows.windows(2).all(|pair| pair[1].depth <= pair[0].depth + 1));
        prop_assert!(rows.first().is_none_or(|row| row.depth == 0));
    }

    #[test]
    fn a_run_is_equal_to_itself(a in steps()) {
        let rows = align(side(&a, &[]), side(&a, &[]));
        prop_assert!(rows.iter().all(|row| row.first == row.second && row.changes.is_empty()), "{:?}", rows);
    }

    #[test]
    fn the_other_way_round_everything_is_the_opposite(a in steps(), b in steps()) {
        let count = |rows: &[AlignedRow], change: StepChange| rows.iter().filter(|row| row.changes.contains(&change)).count();
        let there = align(side(&a, &[]), side(&b, &[]));
        let back = align(side(&b, &[]), side(&a, &[]));
        for (change, opposite) in [
            (StepChange::Added, StepChange::Missing),
            (StepChange::Failed, StepChange::Recovered),
            (StepChange::Slower, StepChange::Faster),
        ] {
            prop_assert_eq!(count(&there, change), count(&back, opposite));
            prop_assert_eq!(count(&there, opposite), count(&back, change));
        }
        let mut there: Vec<Pair> = there.iter().map(|row| (row.first, row.second)).collect();
        let mut back: Vec<Pair> = back.iter().map(|row| (row.second, row.first)).collect();
        there.sort_unstable();
        back.sort_unstable();
        prop_assert_eq!(there, back);
    }
}
