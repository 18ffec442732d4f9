//! A small part of the benchmark on seeds of its own, so that an ordinary test notices a loss. The bars are below what is
//! measured by what so few incidents say by chance.

use bench_incidents::outcome::{Outcome, onset_error_hours, outcome};
use bench_incidents::{REGRESSION, in_parallel, threads};
use engine::incidents::Weights;
use incident_generator::Options;

const INCIDENTS: u64 = 120;

fn part(outcomes: &[&Outcome], is_so: impl Fn(&Outcome) -> bool) -> f64 {
    outcomes.iter().filter(|outcome| is_so(outcome)).count() as f64 / outcomes.len().max(1) as f64
}

#[test]
fn incidents_are_found_and_their_causes_named_as_well_as_before() {
    let weights = Weights::shipped();
    let all = in_parallel(threads(None), REGRESSION, INCIDENTS, |seed| {
        outcome(seed, Options { held_out: true }, &weights)
    });
    let all: Vec<Outcome> = all.into_iter().flatten().collect();
    let large: Vec<&Outcome> = all
        .iter()
        .filter(|outcome| outcome.truth.gates >= 1.0 && outcome.truth.calls_after >= 100.0)
        .collect();
    let found: Vec<&Outcome> = large
        .iter()
        .copied()
        .filter(|outcome| outcome.found.is_some())
        .collect();
    let (deploys, nulls): (Vec<&Outcome>, Vec<&Outcome>) =
        found.iter().copied().partition(|outcome| outcome.is_deploy());
    let is_right = |outcome: &Outcome| {
        let top = outcome.found.as_ref().and_then(|found| found.top());
        top.is_some_and(|(label, ..)| outcome.is_right(label))
    };
    let says_none = |outcome: &Outcome| outcome.found.as_ref().is_some_and(|found| found.says_no_deploy());
    let is_close = |outcome: &Outcome| {
        let found = outcome.found.as_ref();
        found.is_some_and(|found| onset_error_hours(found, &outcome.truth) <= 1.0)
    };
    let measured = [
        ("found", part(&large, |outcome| outcome.found.is_some()), 0.80),
        ("deploys right", part(&deploys, is_right), 0.60),
        ("no deploy said so", part(&nulls, says_none), 0.70),
        ("onset within an hour", part(&found, is_close), 0.70),
    ];
    for (name, part, bar) in measured {
        assert!(part >= bar, "{name}: {part:.2}, not {bar}; all: {measured:?}");
    }
}
