//! What happens without a deploy.

use super::super::{Change, DAY, Event, Made, Plan, Ramp, Rate, Surge};
use super::effects::effect;
use super::{add_release, with_end};
use crate::causes::{Mechanism, Null};
use crate::random::Random;

pub(super) fn no_deploy(random: &mut Random, plan: &mut Plan, made: &mut Made, null: Null, onset: i64) {
    let key = made.keys[0];
    let factor = 1.0 + random.log_between(0.3, 3.0);
    made.size = factor - 1.0;
    let surge = |key, ramp| Surge { key, factor, ramp };
    match null {
        Null::Growth => {
            let hours = random.log_between(8.0, 48.0) as i64;
            made.ramp = Ramp {
                points: vec![(onset, 0.0), (onset + hours * 60, 1.0)],
                is_linear: true,
            };
            plan.surges.push(surge(key, made.ramp.clone()));
            made.step = None;
        }
        Null::Campaign => {
            let keys: Vec<usize> = if random.chance(0.4) {
                (0..plan.keys.len()).collect()
            } else {
                vec![key]
            };
            for key in &keys {
                plan.surges.push(surge(*key, Ramp::at_once(onset)));
            }
            made.keys = keys;
            made.step = None;
        }
        Null::BatchJob => {
            let end = onset + random.log_between(120.0, 900.0) as i64;
            made.ramp = with_end(Ramp::at_once(onset), end);
            plan.surges.push(Surge {
                key,
                factor: factor * 2.0,
                ramp: made.ramp.clone(),
            });
            made.step = None;
        }
        Null::Price => {
            let model = plan.keys[key].steps[made.step.unwrap_or(0)].models[0].0;
            let at = if random.chance(0.5) {
                onset / DAY * DAY
            } else {
                onset
            };
            let rate = |of: i64| (of as f64 * (1.0 + made.size * 0.5)) as i64;
            let old = plan
                .rates
                .iter()
                .find(|row| row.model == plan.models[model].name)
                .cloned();
            if let Some(old) = old {
                plan.rates.push(Rate {
                    from: at,
                    input: rate(old.input),
                    cache_read: rate(old.cache_read),
                    output: rate(old.output),
                    ..old
                });
            }
            made.ramp = Ramp::at_once(at);
            made.keys = users_of(plan, model, key);
        }
        Null::Drift | Null::Outage => {
            let model = plan.keys[key].steps[made.step.unwrap_or(0)].models[0].0;
            let changes = match (null, random.whole(0, 2)) {
                (Null::Outage, 0) => vec![Change::Slow(factor)],
                (Null::Outage, _) => vec![
                    Change::Errors(random.log_between(0.03, 0.5)),
                    Change::Slow(random.between(1.0, 1.6)),
                ],
                (_, 0) => vec![Change::Slow(factor)],
                _ => vec![Change::Output(factor)],
            };
            if null == Null::Outage {
                let end = onset + random.log_between(60.0, 600.0) as i64;
                made.ramp = with_end(Ramp::at_once(onset), end);
            }
            let ramp = made.ramp.clone();
            plan.events.push(Event {
                key: None,
                step: None,
                model: Some(model),
                changes,
                ramp,
                release: None,
            });
            made.keys = users_of(plan, model, key);
        }
        Null::UserMix => {
            let hours = random.log_between(2.0, 36.0) as i64;
            made.ramp = Ramp {
                points: vec![(onset, 0.0), (onset + hours * 60, 1.0)],
                is_linear: true,
            };
            let step = made.step;
            let changes = vec![
                Change::Input(factor),
                Change::Output(1.0 + made.size * random.between(0.0, 0.4)),
            ];
            plan.events.push(Event {
                key: Some(key),
                step,
                model: None,
                changes,
                ramp: made.ramp.clone(),
                release: None,
            });
        }
        Null::Flag | Null::Unrecorded => {
            let mechanism = match null {
                Null::Flag => *random.pick(&[
                    Mechanism::ModelSwitch,
                    Mechanism::LongerPrompt,
                    Mechanism::LongerOutput,
                ]),
                _ => *random.pick(&Mechanism::TRAINED),
            };
            let release = (null == Null::Unrecorded).then(|| add_release(random, plan, Ramp::at_once(onset)));
            made.is_unrecorded = release.is_some();
            made.guilty = release;
            effect(random, plan, made, mechanism, Ramp::at_once(onset), release);
        }
    }
}

/// The keys that call a model, the one that was chosen first.
fn users_of(plan: &Plan, model: usize, chosen: usize) -> Vec<usize> {
    let uses = |key: &crate::world::Key| {
        key.steps
            .iter()
            .any(|step| step.models.iter().any(|(own, _)| *own == model))
    };
    let others = plan
        .keys
        .iter()
        .enumerate()
        .filter(|(index, key)| *index != chosen && uses(key));
    std::iter::once(chosen)
        .chain(others.map(|(index, _)| index))
        .collect()
}
