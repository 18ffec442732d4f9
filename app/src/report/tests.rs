use domain::DeployRecord;
use domain::series::{CallSums, WindowSums};
use engine::rollout::{Windows, rollout_effect};

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn deploy(id: &str, number: i64, title: &str, live: &str) -> Deploy {
    let record = DeployRecord {
        id: Some(id.to_owned()),
        sha: "c4e2117".to_owned(),
        pr_number: Some(number),
        title: Some(title.to_owned()),
        completed_at: Some(at(live)),
        ..DeployRecord::default()
    };
    record.applied_to(None, at(live))
}

/// A deploy after which calls of `key` cost `factor` times as much.
fn rollout(deploy: &Deploy, key: &str, factor: i64) -> (Deploy, RolloutEffect) {
    let pivot = deploy.at();
    let reach = 2 * DAY_MICROS;
    let windows = Windows {
        before_from: pivot.plus_micros(-reach),
        before_to: pivot,
        after_from: pivot,
        after_to: pivot.plus_micros(reach),
    };
    let row = |window: usize, nano_usd: i128| WindowSums {
        window,
        key: key.to_owned(),
        step: "summarize".to_owned(),
        model: Some(if window == 0 { "haiku" } else { "sonnet" }.to_owned()),
        template: None,
        sums: CallSums {
            calls: 400,
            cost_nano_usd: Some(domain::NanoUsd((nano_usd * 400) as i64)),
            // Every other call costs a tenth more, the others a tenth less.
            cost_squares: (nano_usd * nano_usd * 404),
            ..CallSums::default()
        },
    };
    let rows = [row(0, 8_400_000), row(1, 8_400_000 * i128::from(factor))];
    (deploy.clone(), rollout_effect(windows, &rows))
}

fn report(rollouts: Vec<(Deploy, RolloutEffect)>) -> Report {
    Report {
        project: "default".to_owned(),
        pages: "http://127.0.0.1:3000/p/default".to_owned(),
        from: at("2026-11-01T00:00:00Z"),
        to: at("2026-12-01T00:00:00Z"),
        made_at: at("2026-11-30T09:00:00Z"),
        key: None,
        figures: vec![Figure {
            metric: Metric::Cost,
            now: Some(21.87e9),
            before: Some(8.66e9),
        }],
        series: vec![MetricByKey {
            metric: Metric::Cost,
            keys: vec![("<prod>".to_owned(), vec![Some(1e9); 30])],
        }],
        deploys: rollouts.iter().map(|(deploy, _)| deploy.clone()).collect(),
        rollouts,
        tables: Vec::new(),
        expected: Vec::new(),
    }
}

#[test]
fn the_deploy_that_raised_the_bill_is_named_first() {
    let (one, two) = (
        deploy("pr-1", 1, "bump the SDK", "2026-11-20T13:35:00Z"),
        deploy("pr-2", 2, "switch <the> model", "2026-11-22T14:12:00Z"),
    );
    let report = report(vec![rollout(&two, "prod", 3), rollout(&one, "prod", 1)]);
    let verdict = report.verdict();
    assert_eq!(
        verdict.head,
        "After PR 2 cost per call of prod rose ×3.0: $0.0084 → $0.0252"
    );
    assert_eq!(verdict.deploy_id.as_deref(), Some("pr-2"));
    for part in [
        "PR 2 “switch <the> model”, live since 2026-11-22 14:12 UTC: 400 calls before, 400 after",
        "On prod, sonnet went from 0 % to 100 % of its calls.",
        "One other deploy was compared",
    ] {
        assert!(verdict.reason.contains(part), "{part}: {}", verdict.reason);
    }
    assert_eq!(report.days(), "1 – 30 Nov 2026");
}

#[test]
fn the_document_needs_nothing_else_and_escapes_what_came_from_elsewhere() {
    let two = deploy("pr/2", 2, "switch <the> model", "2026-11-22T14:12:00Z");
    let html = report(vec![rollout(&two, "<prod>", 3)]).to_html();
    for part in [
        "http://127.0.0.1:3000/p/default/deploys/pr%2F2",
        "class=\"ch-marker\"",
        "deploy-line cause",
        "&lt;prod&gt;",
        "switch &lt;the&gt; model",
        "×2.5",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for foreign in [
        "<prod>", "<the>", "<script", "<link", "@import", "url(", " src=", "onload",
    ] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn without_a_deploy_to_name_it_is_about_cost() {
    let verdict = report(Vec::new()).verdict();
    assert_eq!(
        verdict.head,
        "Cost rose ×2.5 against the 30 days before: $8.66 → $21.87"
    );
    assert!(verdict.reason.starts_with("No deploy is recorded"), "{verdict:?}");
    assert_eq!(verdict.deploy_id, None);
}

#[test]
fn figures_say_what_they_were_and_whether_that_is_worse() {
    let check = |metric: Metric, now: f64, before: Option<f64>, words: [&str; 3], is_worse: bool| {
        let figure = Figure {
            metric,
            now: Some(now),
            before,
        };
        let said = figure.words();
        assert_eq!([said.0.as_str(), said.1.as_str(), said.2.as_str()], words);
        assert_eq!(figure.is_worse(), is_worse, "{figure:?}");
    };
    check(
        Metric::Cost,
        21.87e9,
        Some(8.66e9),
        ["$21.87", "$8.66", "×2.5"],
        true,
    );
    check(
        Metric::ErrorRate,
        0.05,
        Some(0.02),
        ["5.00 %", "2.00 %", "+3.0 pt"],
        true,
    );
    check(Metric::Calls, 100.0, Some(50.0), ["100", "50", "×2.0"], false);
    check(Metric::LatencyP95, 900.0, None, ["900 ms", "-", "-"], false);
}
