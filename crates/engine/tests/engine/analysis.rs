//! The analysis by rules over made-up failures, what a model is told of a long run, and whether false claims are found.

use std::collections::BTreeMap;

use domain::{Severity, StepStatus, StepSummary};
use engine::analysis::{StepTexts, context, evidence, links, report};
use engine::citations::{Cite, Claim, verify};

use crate::failing_runs::maker::Dice;
use crate::failing_runs::{FailingRun, MECHANISMS, failing_run};

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

/// What a careful model would say of a step, and the same with one thing wrong.
fn claims_of(made: &FailingRun, step: &StepSummary, dice: &mut Dice) -> (Claim, Vec<Claim>) {
    let claim = |text: String, cites: Vec<Cite>| Claim {
        text,
        cites,
        is_advice: false,
    };
    let own = Cite::Step(step.step_id.clone());
    let seconds = step.latency_ms.unwrap() / 1_000.0;
    let money = step.cost_nano_usd.map_or_else(String::new, |cost| {
        format!(" and cost ${:.6}", cost.0 as f64 / 1e9)
    });
    let mut cites = vec![own.clone()];
    let code = step.conditions.first().map(|found| found.code);
    cites.extend(code.map(Cite::Code));
    let quote = made.texts[&step.step_id]
        .output
        .clone()
        .filter(|output| output.len() > 20);
    let quoted = quote.as_ref().map_or_else(String::new, |text| {
        format!(" and answered `{}`", &text[..16].replace('`', "'"))
    });
    let true_one = claim(
        format!("{} took {seconds:.3} s{money}{quoted}.", step.name),
        cites.clone(),
    );
    let off = 1.07 + dice.below(50) as f64 / 100.0;
    let mut false_ones = vec![
        claim(true_one.text.clone(), vec![Cite::Step("s999-nowhere".to_owned())]),
        claim(true_one.text.clone(), Vec::new()),
        claim(true_one.text.clone(), vec![own.clone(), Cite::Code(2999)]),
        claim(
            true_one.text.clone(),
            vec![own.clone(), Cite::Deploy("deploy-7".to_owned())],
        ),
        claim(
            format!("{} took {:.3} s.", step.name, seconds * off),
            vec![own.clone()],
        ),
        claim(
            format!("{} answered `the moon is made of cheese`.", step.name),
            vec![own.clone()],
        ),
        claim(format!("{} was called 4711 times.", step.name), vec![own.clone()]),
    ];
    if step.status == StepStatus::Ok
        && made
            .steps
            .iter()
            .all(|other| other.name != step.name || other.status == StepStatus::Ok)
    {
        false_ones.push(claim(format!("{} failed.", step.name), vec![own]));
    }
    (true_one, false_ones)
}

#[test]
fn false_claims_are_dropped_and_true_ones_kept() {
    let mut dice = Dice::new(7);
    let (mut kept, mut all_true, mut dropped, mut all_false) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut missed = Vec::new();
    for seed in 0..40 {
        let made = failing_run(seed);
        let evidence = evidence(&made.run, &made.steps, &made.texts, &[]);
        for step in &made.steps {
            let (true_one, false_ones) = claims_of(&made, step, &mut dice);
            all_true += 1;
            let verified = verify(vec![true_one], &evidence);
            kept += verified.kept.len();
            missed.extend(
                verified
                    .dropped
                    .into_iter()
                    .map(|dropped| format!("{}: {}", dropped.reason, dropped.claim.text)),
            );
            all_false += false_ones.len();
            let verified = verify(false_ones, &evidence);
            dropped += verified.dropped.len();
            missed.extend(
                verified
                    .kept
                    .into_iter()
                    .map(|claim| format!("kept: {} {:?}", claim.text, claim.cites)),
            );
        }
    }
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
