//! How large an incident is, by what its calls are expected to be like with and without it.

use super::{Change, DAY, Deploy, Event, Made, Neighbour, Plan, Touched, Truth};
use crate::causes::{Cause, Null};
use crate::world::Step;

/// What a step's calls are like, a run.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    calls: f64,
    nano: f64,
    output: f64,
    ms: f64,
    errors: f64,
    anomalies: f64,
    prose: f64,
}

fn expected(plan: &Plan, step: &Step, at: i64, model_changes: &[(usize, Vec<Change>)]) -> Expected {
    let mut sum = Expected::default();
    for (model, part) in &step.models {
        let mut own = step.clone();
        for (of, changes) in model_changes {
            if of == model {
                changes.iter().for_each(|change| own.apply(change));
            }
        }
        let kind = &plan.models[*model];
        let rate = plan
            .rates
            .iter()
            .filter(|row| row.model == kind.name && row.from <= at)
            .max_by_key(|row| row.from);
        let Some(rate) = rate else { continue };
        let n = step.per_run * part;
        let output = own.output * kind.verbosity;
        let input =
            own.input * ((1.0 - own.cached) * rate.input as f64 + own.cached * rate.cache_read as f64);
        sum.calls += n;
        sum.nano += n * (input + output * rate.output as f64) / 1e6;
        sum.output += n * output;
        sum.ms += n * own.slowness * (kind.first_ms + output * kind.token_ms);
        sum.errors += n * own.errors;
        sum.anomalies += n * own.anomalies;
        sum.prose += n * own.shapes[1];
    }
    sum
}

pub(super) fn truth(plan: &Plan, made: &Made, records: &[Deploy], order: &[usize], onset: i64) -> Truth {
    let onset = if made.null == Some(Null::Price) {
        made.ramp.begins()
    } else {
        onset
    };
    let place = |release: Option<usize>| release.and_then(|own| order.iter().position(|index| *index == own));
    let guilty = place(made.guilty).filter(|_| !made.is_unrecorded);
    let cause = match (guilty, made.mechanism, made.null) {
        (Some(index), Some(mechanism), _) => Cause::Deploy { index, mechanism },
        (_, _, Some(null)) => Cause::Null(null),
        _ => Cause::Null(Null::Unrecorded),
    };
    let (gates, deviations, calls_after) = size(plan, made, onset);
    let neighbours = records
        .iter()
        .zip(order)
        .map(|(deploy, release)| Neighbour {
            recorded_after_onset: deploy.started - onset,
            begun_after_onset: plan.releases[*release].1.begins() - onset,
            trace: trace(plan, made, *release),
            is_partial: [1, 20].iter().all(|after| {
                let share = plan.releases[*release].1.share((onset + after) as f64);
                share > 0.0 && share < 1.0
            }),
            names_it: names_it(plan, made, &deploy.title),
            touched: made
                .touched
                .iter()
                .find(|(own, _)| own == release)
                .map_or(Touched::Nothing, |(_, touched)| *touched),
        })
        .collect();
    let start = guilty.map_or(onset, |index| records[index].started);
    Truth {
        cause,
        second: place(made.second),
        onset,
        half: made.ramp.half(),
        keys: made
            .keys
            .iter()
            .map(|key| plan.keys[*key].label.clone())
            .collect(),
        steps: made
            .step
            .map(|step| plan.keys[made.keys[0]].steps[step].name.clone())
            .into_iter()
            .collect(),
        gates,
        deviations,
        calls_after,
        neighbours,
        leaves_trace: plan
            .events
            .iter()
            .any(|event| is_of_cause(made, event) && leaves_trace(event)),
        looks_like_a_deploy: looks_like_a_deploy(plan, made),
        is_tagged: plan.is_tagged,
        within_an_hour: records
            .iter()
            .filter(|deploy| (deploy.started - start).abs() <= 60)
            .count(),
    }
}

/// The largest effect over the metrics, in multiples of what matters; how far it is beyond the wandering; and calls.
fn size(plan: &Plan, made: &Made, onset: i64) -> (f64, f64, f64) {
    let (before, after) = (onset - 1, plan.now.max(onset + 1));
    let full = made
        .ramp
        .points
        .iter()
        .find(|(_, share)| *share > 0.99)
        .map_or(onset, |(at, _)| *at);
    let at = if full > plan.now { plan.now } else { full } as f64 + 1.0;
    let (mut best, mut far) = (0.0f64, 0.0f64);
    let mut calls = 0.0;
    let force = Force::of(plan, made, onset);
    for key in &made.keys {
        let of = &plan.keys[*key];
        let surge: f64 = plan
            .surges
            .iter()
            .filter(|surge| surge.key == *key)
            .map(|surge| surge.factor)
            .product();
        let (mut old, mut new) = (Expected::default(), Expected::default());
        for (index, step) in of.steps.iter().enumerate() {
            let (mut was, mut is) = (step.clone(), step.clone());
            let mut by_model: Vec<(usize, Vec<Change>)> = Vec::new();
            for event in &plan.events {
                let fits =
                    event.key.is_none_or(|own| own == *key) && event.step.is_none_or(|own| own == index);
                if !fits {
                    continue;
                }
                if event.ramp.share(before as f64) > 0.5 {
                    event
                        .changes
                        .iter()
                        .for_each(|change| super::simulate::apply(&mut was, change));
                    event
                        .changes
                        .iter()
                        .for_each(|change| super::simulate::apply(&mut is, change));
                } else if event.ramp.share(at) > 0.5 || event.ramp.begins() == onset {
                    match event.model {
                        Some(model) => by_model.push((model, event.changes.clone())),
                        None => event
                            .changes
                            .iter()
                            .for_each(|change| super::simulate::apply(&mut is, change)),
                    }
                }
            }
            let a = expected(plan, &was, before, &[]);
            let b = expected(plan, &is, after, &by_model);
            add(&mut old, &a);
            add(&mut new, &b);
            let runs_a_day = of.traffic.base * 24.0;
            let gate = 2.0 * step.wander;
            let relative = |a: f64, b: f64| {
                if a > 0.0 {
                    b / a - 1.0
                } else {
                    f64::from(u8::from(b > 0.0))
                }
            };
            if a.calls > 0.0 && b.calls > 0.0 {
                let each = |sum: f64, of: &Expected| sum / of.calls;
                let most = force.most;
                let dollars = runs_a_day * (b.nano - a.nano) / 1e9 * force.day;
                let cost = relative(each(a.nano, &a), each(b.nano, &b)) * most;
                let output = relative(each(a.output, &a), each(b.output, &b)) * most;
                let slow = relative(each(a.ms, &a), each(b.ms, &b)) * most;
                let slow_ms = (each(b.ms, &b) - each(a.ms, &a)) * 2.0 * most;
                let errors = (each(b.errors, &b) - each(a.errors, &a)) * most;
                let anomalies = (each(b.anomalies, &b) - each(a.anomalies, &a)) * most;
                let prose = (each(b.prose, &b) - each(a.prose, &a)).abs() * most;
                for (effect, noise) in [
                    ((cost / gate.max(0.1)).min(dollars), cost / step.wander),
                    (output / gate.max(0.1), output / step.wander),
                    ((slow / 0.2).min(slow_ms / 200.0), slow / 0.08),
                    (errors / 0.02f64.max(step.errors / 2.0), errors / 0.01),
                    (anomalies / 0.02f64.max(step.anomalies / 2.0), anomalies / 0.02),
                    (prose / 0.1, prose / 0.03),
                ] {
                    if effect > best {
                        (best, far) = (effect, noise);
                        calls = a.calls * of.traffic.base;
                    }
                }
            }
        }
        let dollars = of.traffic.base * 24.0 * (new.nano * surge - old.nano) / 1e9 * force.day;
        let relative = if old.nano > 0.0 {
            (new.nano * surge / old.nano - 1.0) * force.most
        } else {
            0.0
        };
        let effect = (relative / 0.5).min(dollars);
        if effect > best {
            (best, far) = (effect, relative / 0.3);
            calls = old.calls * of.traffic.base;
        }
    }
    (best, far, calls * force.hours)
}

/// How much of what happened was in force: what is taken back after two hours, or reaches one call of twenty, is smaller
/// than what it would have become.
struct Force {
    /// The largest part of calls.
    most: f64,
    /// The mean part of the first day: minimum effects on cost are of a day.
    day: f64,
    /// Hours of the two days after, each as much as its part of calls.
    hours: f64,
}

impl Force {
    fn of(plan: &Plan, made: &Made, onset: i64) -> Self {
        const STEP: i64 = 5;
        let mut force = Self {
            most: 0.0,
            day: 0.0,
            hours: 0.0,
        };
        for at in (onset..plan.now.min(onset + 2 * DAY)).step_by(STEP as usize) {
            let share = made.ramp.share(at as f64 + 0.5);
            force.most = force.most.max(share);
            force.hours += share * STEP as f64 / 60.0;
            if at < onset + DAY {
                force.day += share * STEP as f64 / DAY as f64;
            }
        }
        force
    }
}

fn leaves_trace(event: &Event) -> bool {
    event.changes.iter().any(|change| match change {
        Change::Template(_) | Change::Model(..) => true,
        Change::PerRun(per_run) => *per_run < 0.0,
        _ => false,
    })
}

/// Whether an event is what happened: it came into force when that did, on what changed.
fn is_of_cause(made: &Made, event: &Event) -> bool {
    event.release == made.guilty && (made.guilty.is_some() || event.ramp.begins() == made.ramp.begins())
}

/// What can be seen of a release.
fn trace(plan: &Plan, made: &Made, release: usize) -> Touched {
    let own = plan
        .events
        .iter()
        .filter(|event| event.release == Some(release) && leaves_trace(event));
    let mut seen = Touched::Nothing;
    for event in own {
        if event.key == made.keys.first().copied() && event.step == made.step {
            return Touched::WhatChanged;
        }
        seen = Touched::Elsewhere;
    }
    seen
}

fn names_it(plan: &Plan, made: &Made, title: &str) -> bool {
    let step = made
        .step
        .and_then(|step| plan.keys[*made.keys.first()?].steps.get(step));
    step.is_some_and(|step| title.contains(&step.name))
}

fn looks_like_a_deploy(plan: &Plan, made: &Made) -> bool {
    match made.null {
        None | Some(Null::Flag) => true,
        // A release without a record says that there was one.
        Some(Null::Unrecorded) => !plan.is_tagged,
        Some(Null::Drift | Null::Outage) => {
            // Where one step alone has the model, nothing else says whose doing it was.
            let steps = plan.keys.iter().flat_map(|key| &key.steps);
            let model = plan
                .events
                .iter()
                .find_map(|event| event.model.filter(|_| event.ramp.begins() == made.ramp.begins()));
            let users = steps.filter(|step| step.models.iter().any(|(own, _)| Some(*own) == model));
            users.count() <= 1
        }
        Some(Null::Growth | Null::Campaign | Null::BatchJob | Null::Price | Null::UserMix) => false,
    }
}

fn add(sum: &mut Expected, more: &Expected) {
    sum.calls += more.calls;
    sum.nano += more.nano;
    sum.output += more.output;
    sum.ms += more.ms;
    sum.errors += more.errors;
    sum.anomalies += more.anomalies;
    sum.prose += more.prose;
}
