//! Rules beside each other, and causes one by one.

use std::collections::BTreeMap;

use engine::incidents::attribution::NAMED;
use incident_generator::{Cause, Touched};

use super::{ENOUGH_CALLS, detected, is_top, line, rate};
use crate::baselines::{Answer, ceiling, latest_before, nearest, prior_only, rubric};
use crate::convert::at;
use crate::outcome::{Label, Outcome};

/// Rules beside each other on the same incidents.
pub fn beside_each_other(outcomes: &[Outcome]) -> String {
    let detected = detected(outcomes);
    type Rule = fn(&Outcome) -> Option<Answer>;
    let rules: [(&str, Rule); 7] = [
        ("this engine", ours),
        ("rubric (ties share)", |outcome| {
            Some(rubric(outcome.found.as_ref()?))
        }),
        ("latest deploy before the onset", |outcome| {
            Some(latest_before(outcome, onset_of(outcome)?))
        }),
        ("the same, told when half of the change was in force", |outcome| {
            Some(latest_before(outcome, at(outcome.truth.half)))
        }),
        ("nearest deploy", |outcome| {
            Some(nearest(outcome, onset_of(outcome)?))
        }),
        ("prior only", |outcome| Some(prior_only(outcome.found.as_ref()?))),
        (
            "ceiling: the generator's own likelihood, told the onset",
            |outcome| Some(ceiling(&outcome.truth)),
        ),
    ];
    let mut out = String::from(
        "| rule | deploy-caused, top-1 | two or more inside an hour | no deploy, said so | all | right when a deploy has ≥ 0.60 |\n|---|---|---|---|---|---|\n",
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
        let named: Vec<bool> = detected
            .iter()
            .filter_map(|outcome| {
                let answer = rule(outcome)?;
                let best = answer.deploys.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
                (best.1 >= NAMED).then(|| outcome.is_right(&Label::Deploy(best.0)))
            })
            .collect();
        let right = named.iter().filter(|right| **right).count() as f64;
        let precision = format!(
            "{:.1} % (n {})",
            right / named.len().max(1) as f64 * 100.0,
            named.len()
        );
        line(
            &mut out,
            &[name, &deploys, &crowded, &nulls, &score(&|_| true), &precision],
        );
    }
    out.push('\n');
    out.push_str(&ceiling_apart(&detected));
    out
}

/// Where even the generator's own likelihood does not know: what evidence there is decides, not who reads it.
fn ceiling_apart(detected: &[&Outcome]) -> String {
    type Chosen = fn(&Outcome) -> bool;
    let kinds: [(&str, Chosen); 6] = [
        ("calls say their release", |outcome| outcome.truth.is_tagged),
        ("they don’t", |outcome| !outcome.truth.is_tagged),
        ("the change switched a template, model or step", |outcome| {
            outcome.truth.leaves_trace
        }),
        ("it did not", |outcome| !outcome.truth.leaves_trace),
        (
            "another deploy without a trace begins within 15 minutes",
            has_silent_neighbour,
        ),
        ("none does", |outcome| !has_silent_neighbour(outcome)),
    ];
    let mut out =
        String::from("| deploy-caused, where | incidents | ceiling | this engine |\n|---|---|---|---|\n");
    for (name, chosen) in kinds {
        let some: Vec<&&Outcome> = detected
            .iter()
            .filter(|outcome| outcome.is_deploy() && chosen(outcome))
            .collect();
        let mean = |score: &dyn Fn(&Outcome) -> f64| {
            let sum: f64 = some.iter().map(|outcome| score(outcome)).sum();
            format!("{:.1} %", sum / some.len().max(1) as f64 * 100.0)
        };
        let best = mean(&|outcome| ceiling(&outcome.truth).top_one(outcome));
        let own = mean(&|outcome| ours(outcome).map_or(0.0, |answer| answer.top_one(outcome)));
        line(&mut out, &[name, &some.len().to_string(), &best, &own]);
    }
    out
}

/// Whether an innocent deploy that left nothing to be seen begins as close to the change as the guilty one may.
fn has_silent_neighbour(outcome: &Outcome) -> bool {
    let guilty = match outcome.truth.cause {
        Cause::Deploy { index, .. } => index,
        Cause::Null(_) => return false,
    };
    let mut near = outcome.truth.neighbours.iter().enumerate();
    near.any(|(index, near)| {
        index != guilty && near.trace == Touched::Nothing && near.recorded_after_onset.abs() <= 15
    })
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
        "| cause | incidents | of them ≥ the minimum | found of those | right of found | ceiling |\n|---|---|---|---|---|---|\n",
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
        let best = found
            .iter()
            .map(|outcome| ceiling(&outcome.truth).top_one(outcome));
        let best = format!("{:.1} %", best.sum::<f64>() / found.len().max(1) as f64 * 100.0);
        line(
            &mut out,
            &[&name, &all, &enough, &seen, &rate(&found, is_top), &best],
        );
    }
    out
}
