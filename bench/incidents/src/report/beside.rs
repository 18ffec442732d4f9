//! Rules beside each other, and causes one by one.

use std::collections::BTreeMap;

use incident_generator::Cause;

use super::{ENOUGH_CALLS, detected, is_top, line, rate};
use crate::baselines::{Answer, ceiling, latest_before, nearest, prior_only, rubric};
use crate::outcome::{Label, Outcome};

/// Rules beside each other on the same incidents.
pub fn beside_each_other(outcomes: &[Outcome]) -> String {
    let detected = detected(outcomes);
    type Rule = fn(&Outcome) -> Option<Answer>;
    let rules: [(&str, Rule); 6] = [
        ("this engine", ours),
        ("rubric (ties share)", |outcome| {
            Some(rubric(outcome.found.as_ref()?))
        }),
        ("latest deploy before the onset", |outcome| {
            Some(latest_before(outcome, onset_of(outcome)?))
        }),
        ("nearest deploy", |outcome| {
            Some(nearest(outcome, onset_of(outcome)?))
        }),
        ("prior only", |outcome| Some(prior_only(outcome.found.as_ref()?))),
        ("ceiling: told the onset and what was touched", |outcome| {
            Some(ceiling(&outcome.truth))
        }),
    ];
    let mut out = String::from(
        "| rule | deploy-caused, top-1 | two or more inside an hour | no deploy, said so | all |\n|---|---|---|---|---|\n",
    );
    for (name, rule) in rules {
        let score = |chosen: &dyn Fn(&Outcome) -> bool| {
            let scored: Vec<f64> = detected
                .iter()
                .filter(|outcome| chosen(outcome))
                .filter_map(|outcome| Some(rule(outcome)?.top_one(outcome)))
                .collect();
            format!(
                "{:.1} %",
                scored.iter().sum::<f64>() / scored.len().max(1) as f64 * 100.0
            )
        };
        let crowded = score(&|outcome| outcome.is_deploy() && outcome.truth.within_an_hour >= 2);
        let (deploys, nulls) = (
            score(&|outcome| outcome.is_deploy()),
            score(&|outcome| !outcome.is_deploy()),
        );
        line(&mut out, &[name, &deploys, &crowded, &nulls, &score(&|_| true)]);
    }
    out
}

/// When it began, as far as anybody can see: the middle of what the engine found.
fn onset_of(outcome: &Outcome) -> Option<domain::Timestamp> {
    Some(outcome.found.as_ref()?.incident.onset.at)
}

fn ours(outcome: &Outcome) -> Option<Answer> {
    let found = outcome.found.as_ref()?;
    let mut answer = Answer::default();
    for (label, _, p) in &found.options {
        match label {
            Label::Deploy(index) => answer.deploys.push((*index, *p)),
            _ => answer.no_deploy += p,
        }
    }
    Some(answer)
}

/// By mechanism and by kind of null: how many, found, and right.
pub fn by_cause(outcomes: &[Outcome]) -> String {
    let mut groups: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        let name = match outcome.truth.cause {
            Cause::Deploy { mechanism, .. } => format!("deploy: {mechanism:?}"),
            Cause::Null(null) => format!("no deploy: {null:?}"),
        };
        groups.entry(name).or_default().push(outcome);
    }
    let mut out = String::from(
        "| cause | incidents | of them ≥ the minimum | found of those | right of found |\n|---|---|---|---|---|\n",
    );
    for (name, group) in groups {
        let large: Vec<&Outcome> = group
            .iter()
            .copied()
            .filter(|o| o.truth.gates >= 1.0 && o.truth.calls_after >= ENOUGH_CALLS)
            .collect();
        let found: Vec<&Outcome> = group
            .iter()
            .copied()
            .filter(|o| o.found.is_some() && o.truth.gates >= 1.0)
            .collect();
        let (all, enough) = (group.len().to_string(), large.len().to_string());
        let seen = rate(&large, |outcome| outcome.found.is_some());
        line(&mut out, &[&name, &all, &enough, &seen, &rate(&found, is_top)]);
    }
    out
}
