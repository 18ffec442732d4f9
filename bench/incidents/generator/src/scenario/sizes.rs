//! How large an incident is, by what its calls are expected to be like with and without it.

use super::{Change, Deploy, Made, Neighbour, Plan, Touched, Truth};
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
                let dollars = runs_a_day * (b.nano - a.nano) / 1e9;
                let cost = relative(each(a.nano, &a), each(b.nano, &b));
                let output = relative(each(a.output, &a), each(b.output, &b));
                let slow = relative(each(a.ms, &a), each(b.ms, &b));
                let slow_ms = (each(b.ms, &b) - each(a.ms, &a)) * 2.0;
                let errors = each(b.errors, &b) - each(a.errors, &a);
                let anomalies = each(b.anomalies, &b) - each(a.anomalies, &a);
                let prose = (each(b.prose, &b) - each(a.prose, &a)).abs();
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
        let dollars = of.traffic.base * 24.0 * (new.nano * surge - old.nano) / 1e9;
        let relative = if old.nano > 0.0 {
            new.nano * surge / old.nano - 1.0
        } else {
            0.0
        };
        let effect = (relative / 0.5).min(dollars);
        if effect > best {
            (best, far) = (effect, relative / 0.3);
            calls = old.calls * of.traffic.base;
        }
    }
    let hours = ((plan.now - onset) as f64 / 60.0).min(48.0);
    (best, far, calls * hours)
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
