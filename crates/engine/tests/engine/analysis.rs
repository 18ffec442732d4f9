//! The analysis by rules over made-up failures, what a model is told of a long run, and whether false claims are found.

use std::collections::BTreeMap;

use domain::{Severity, StepStatus, StepSummary};
use engine::analysis::{StepTexts, context, evidence, links, report};
use engine::citations::{Cite, Claim, verify};

use crate::failing_runs::{FailingRun, MECHANISMS, failing_run};
use crate::planted_claims::{Verifying, verifying};

fn by_rules(made: &FailingRun) -> engine::analysis::Report {
    let found = links(&made.steps, &made.texts);
    report(&made.run, &made.steps, &found)
}

/// Whether a step is the origin, or an attempt at the same.
fn is_origin(made: &FailingRun, id: &str) -> bool {
    let step = |id: &str| made.steps.iter().find(|step| step.step_id == id).unwrap();
    let (named, known) = (step(id), step(&made.origin));
    named.name == known.name && named.parent_step_id == known.parent_step_id
}

#[test]
fn the_origin_is_named_where_first_and_last_errors_are_not() {
    let (mut right, mut first, mut last) = (0, 0, 0);
    let mut wrong: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..60 {
        let made = failing_run(seed);
        let named = by_rules(&made)
            .root_cause
            .and_then(|cause| cause.step_id)
            .unwrap();
        if is_origin(&made, &named) {
            right += 1;
        } else {
            *wrong.entry(made.mechanism).or_default() += 1;
        }
        let failed = || made.steps.iter().filter(|step| step.status == StepStatus::Error);
        let leaf = |step: &&StepSummary| {
            made.steps
                .iter()
                .all(|other| other.parent_step_id.as_ref() != Some(&step.step_id))
        };
        let earliest = failed().filter(leaf).min_by_key(|step| step.started_at).unwrap();
        let latest = failed().filter(leaf).max_by_key(|step| step.started_at).unwrap();
        first += u32::from(is_origin(&made, &earliest.step_id));
        last += u32::from(is_origin(&made, &latest.step_id));
    }
    assert!(right >= 54, "{right} of 60; wrong: {wrong:?}");
    assert!(
        first < right && last < right,
        "first error {first}, last error {last}, rules {right}"
    );
    assert_eq!(MECHANISMS.len(), 10);
}

#[test]
fn a_report_says_where_why_and_what_to_do() {
    let made = failing_run(0);
    let said = by_rules(&made);
    let cause = said.root_cause.unwrap();
    assert_eq!(cause.step_name.as_deref(), Some("parse-request"));
    assert!(
        cause.cites.contains(&Cite::Step(made.origin.clone())) && cause.cites.contains(&Cite::Code(2001))
    );
    assert!(said.summary.contains("parse-request"), "{}", said.summary);
    assert!(
        said.recommendations[0].text.contains("schema"),
        "{:?}",
        said.recommendations
    );
    let names: Vec<&str> = said.cascade.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names[..2], ["parse-request", "enrich"]);
    // What rules say holds by the measure that models are held to.
    let evidence = evidence(&made.run, &made.steps, &made.texts, &[]);
    for advice in said.recommendations {
        let claim = Claim {
            text: advice.text,
            cites: advice.cites,
            is_advice: true,
        };
        let verified = verify(vec![claim], &evidence);
        assert!(verified.dropped.is_empty(), "{:?}", verified.dropped);
    }
}

#[test]
fn a_run_without_a_failure_has_no_cause() {
    let mut made = failing_run(3);
    made.run.status = domain::RunStatus::Ok;
    for step in &mut made.steps {
        step.status = StepStatus::Ok;
        step.severity = Severity::Ok;
        step.conditions.clear();
    }
    let said = report(&made.run, &made.steps, &[]);
    assert_eq!(said.root_cause, None);
    assert!(said.summary.contains("found nothing grave"), "{}", said.summary);
    assert!(report(&made.run, &[], &[]).root_cause.is_none());
}

fn plain_fence(label: &str, text: &str, limit: usize) -> String {
    format!("[{label}]\n{}\n[/]", &text[..text.floor_char_boundary(limit)])
}

#[test]
fn a_run_of_five_thousand_steps_fits_and_its_origin_is_in_it() {
    let mut made = failing_run(0);
    let mut filler = made
        .steps
        .iter()
        .find(|step| step.name == "enrich")
        .unwrap()
        .clone();
    filler.conditions.clear();
    filler.severity = Severity::Ok;
    filler.score = Some(0);
    for number in 0..5_000_i64 {
        let mut step = filler.clone();
        step.step_id = format!("filler-{number}");
        step.name = format!("work-{}", number % 40);
        step.started_at = step.started_at.plus_micros(number);
        made.steps.push(step);
    }
    made.steps.sort_by_key(|step| step.started_at);
    made.run.step_count = i64::try_from(made.steps.len()).unwrap();
    for texts in made.texts.values_mut() {
        texts.input = texts.input.take().map(|text| text.repeat(400));
    }
    let found = links(&made.steps, &made.texts);
    let rules = report(&made.run, &made.steps, &found);
    let told = context(
        &made.run,
        &made.steps,
        (&found, &made.texts),
        &[],
        &rules,
        (60_000, plain_fence),
    );
    assert!(told.text.len() <= 66_000, "{}", told.text.len());
    assert!(
        told.text.contains(&format!("step_id {}", made.origin)),
        "the origin is not in it"
    );
    assert!(told.text.contains("steps left out)") && told.text.contains("Left out for want of room"));
    assert!(told.steps_read > 50 && told.steps_read < 5_000);
}

#[test]
fn of_long_histories_what_lies_nearest_to_the_end_is_compared() {
    let mut made = failing_run(0);
    let one = made.steps[0].clone();
    (made.steps, made.texts) = (Vec::new(), BTreeMap::new());
    let answer = |number: i64| format!("the answer of step {number} and of no other step");
    for number in 0..40_i64 {
        let mut step = one.clone();
        step.step_id = format!("s{number}");
        step.started_at = step.started_at.plus_micros(number * 1_000);
        step.ended_at = Some(step.started_at);
        let texts = StepTexts {
            input: Some(format!("{} {}", answer(number - 1), "word ".repeat(12_000))),
            output: Some(answer(number)),
        };
        made.texts.insert(step.step_id.clone(), texts);
        made.steps.push(step);
    }
    let found = links(&made.steps, &made.texts);
    let last = found.last().unwrap();
    assert_eq!((last.from.as_str(), last.to.as_str()), ("s38", "s39"));
    assert!((5..39).contains(&found.len()), "{}", found.len());
}

#[test]
fn false_claims_are_dropped_and_true_ones_kept() {
    let Verifying {
        kept,
        all_true,
        dropped,
        all_false,
        mut missed,
    } = verifying(40);
    missed.truncate(20);
    assert!(all_true > 200 && all_false > 1_500, "{all_true} {all_false}");
    assert!(
        kept * 100 >= all_true * 95,
        "{kept} of {all_true} true ones kept: {missed:#?}"
    );
    assert!(
        dropped * 100 >= all_false * 99,
        "{dropped} of {all_false} false ones dropped: {missed:#?}"
    );
}
