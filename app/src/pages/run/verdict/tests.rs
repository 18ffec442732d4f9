use domain::{Condition, NanoUsd, RunProblem};

use super::*;
use crate::pages::run::sample_run;
use crate::timeline::sample::{condition, step};

fn run(status: RunStatus, steps: &[StepSummary]) -> RunSummary {
    RunSummary {
        status,
        step_count: steps.len() as i64,
        cost_nano_usd: Some(NanoUsd(30_200_000)),
        severity: steps.iter().map(|s| s.severity).max().unwrap_or_default(),
        ..sample_run("r", 0)
    }
}

fn failing(id: &str, parent: Option<&str>, error: Option<&str>) -> StepSummary {
    let mut step = step(id, parent, 0, 10);
    step.status = StepStatus::Error;
    step.error = error.map(str::to_owned);
    step
}

fn finding(id: &str, severity: Severity, score: i32, message: &str) -> StepSummary {
    let mut step = step(id, None, 0, 10);
    step.severity = severity;
    step.score = Some(score);
    step.conditions.push(Condition {
        points: score,
        ..condition(2001, message)
    });
    step
}

fn said(words: &[SentencePart]) -> String {
    let word = |w: &SentencePart| match w {
        SentencePart::Text(text) => text.clone(),
        SentencePart::Step { name, .. } => format!("[{name}]"),
    };
    words.iter().map(word).collect()
}

fn check(run: &RunSummary, steps: &[StepSummary], tone: Tone, headline: &str, details: &str) {
    let verdict = verdict(run, steps, false);
    assert_eq!(said(&verdict.headline), headline);
    assert_eq!(said(&verdict.details), details);
    assert_eq!(verdict.tone, tone);
}

#[test]
fn nothing_wrong() {
    let steps = [step("a", None, 0, 10), step("b", None, 0, 10)];
    check(
        &run(RunStatus::Ok, &steps),
        &steps,
        Tone::Ok,
        "Completed in 5.31 s: 2 steps, $0.0302, nothing found",
        "",
    );
    check(
        &run(RunStatus::Running, &steps),
        &steps,
        Tone::Plain,
        "Running, 2 steps so far",
        "",
    );
    let mut unpriced = run(RunStatus::Ok, &steps[..1]);
    unpriced.cost_nano_usd = None;
    unpriced.unpriced_steps = 1;
    check(
        &unpriced,
        &steps[..1],
        Tone::Ok,
        "Completed in 5.31 s: 1 step, nothing found",
        "The cost of 1 step is unknown",
    );
}

#[test]
fn a_failure_leads_with_where_it_came_from() {
    let mut early = failing("early", Some("agent"), Some("503"));
    early.ended_at = Some(early.started_at);
    let mut steps = [
        failing("agent", None, Some("child failed")),
        early,
        failing("fetch", Some("agent"), Some("Timeout after 30 s.\nstack")),
        failing("other", None, None),
    ];
    let mut failed = run(RunStatus::Error, &steps);
    let lead = "[fetch] failed: Timeout after 30 s";
    let rest = "Also [early] and [other] failed";
    check(
        &failed,
        &steps,
        Tone::Critical,
        &format!("Failed after 5.31 s: {lead}"),
        rest,
    );
    failed.problem = Some(RunProblem {
        step_id: "agent".to_owned(),
        step_name: "agent".to_owned(),
        code: None,
        text: "child failed".to_owned(),
    });
    check(&failed, &steps, Tone::Critical, lead, rest);
    // A ring of parents ends somewhere.
    steps[0].parent_step_id = Some("fetch".to_owned());
    assert_eq!(verdict(&failed, &steps, false).tone, Tone::Critical);
    check(
        &run(RunStatus::Error, &[]),
        &[],
        Tone::Critical,
        "Failed after 5.31 s",
        "",
    );
}

#[test]
fn findings() {
    let steps = [
        finding("slow", Severity::Warning, 15, "Slower than the limit."),
        finding(
            "parse",
            Severity::Critical,
            105,
            "JSON was asked for and the answer does not parse.",
        ),
    ];
    check(
        &run(RunStatus::Ok, &steps),
        &steps,
        Tone::Critical,
        "Completed in 5.31 s with problems: [parse]: JSON was asked for and the answer does not parse",
        "Also [slow] has a warning",
    );
    check(
        &run(RunStatus::Ok, &steps[..1]),
        &steps[..1],
        Tone::Plain,
        "Completed in 5.31 s with a warning: [slow]: slower than the limit",
        "",
    );
}

#[test]
fn a_cascade_names_its_origin_and_its_consequence() {
    let at = |mut found: StepSummary, from_ms: i64, to_ms: i64| {
        let timed = step(&found.step_id, Some("chain"), from_ms, to_ms - from_ms);
        found.parent_step_id = timed.parent_step_id;
        (found.started_at, found.ended_at) = (timed.started_at, timed.ended_at);
        found
    };
    let coded = |mut found: StepSummary, code: u16| {
        found.conditions[0].code = code;
        found.conditions[0].observed = "17 identical calls".to_owned();
        found
    };
    let parse = finding(
        "parse",
        Severity::Critical,
        105,
        "JSON was asked for and it does not parse.",
    );
    let enrich = coded(finding("enrich", Severity::Warning, 35, "It took 6 s."), 4007);
    let asks = coded(finding("asks", Severity::Warning, 20, "The same call."), 4012);
    let again = || {
        let mut reply = failing("reply", None, Some("TypeError: null has no 'entities'\nstack"));
        reply.score = Some(200);
        reply
    };
    let mut second = at(again(), 90, 95);
    second.step_id = "reply-2".to_owned();
    let steps = [
        failing("chain", None, Some("reply failed")),
        at(parse, 0, 10),
        at(enrich, 12, 60),
        at(again(), 70, 80),
        second,
        asks,
        failing("fetch", Some("elsewhere"), Some("503")),
    ];
    let mut failed = run(RunStatus::Error, &steps);
    failed.problem = Some(RunProblem {
        step_id: "chain".to_owned(),
        step_name: "chain".to_owned(),
        code: None,
        text: String::new(),
    });
    check(
        &failed,
        &steps,
        Tone::Critical,
        "[reply] failed: TypeError: null has no 'entities'. Probable origin: [parse], 60 ms earlier: JSON was asked \
         for and it does not parse",
        "The cascade starts at [parse] (105), passes [enrich] (35) and fails [reply] 2 times. Separately, [asks] made \
         17 identical calls. [fetch] failed",
    );
}

#[test]
fn long_lists_are_cut() {
    let mut steps: Vec<_> = (0..9).map(|n| failing(&format!("s{n}"), None, None)).collect();
    steps[0].name = "  ".to_owned();
    check(
        &run(RunStatus::Error, &steps),
        &steps,
        Tone::Critical,
        "Failed after 5.31 s: [unnamed step] failed without an error text",
        "Also [s1], [s2], [s3], [s4] and 4 more failed",
    );
}
