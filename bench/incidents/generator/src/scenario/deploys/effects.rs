//! What a guilty change does.

use super::super::{Change, Event, Made, Plan, Ramp};
use crate::causes::Mechanism;
use crate::random::Random;

/// Makes the change, and returns what its author would call it.
pub(super) fn effect(
    random: &mut Random,
    plan: &mut Plan,
    made: &mut Made,
    mechanism: Mechanism,
    ramp: Ramp,
    release: Option<usize>,
) -> String {
    let (key, step) = (made.keys[0], made.step.unwrap_or(0));
    let name = plan.keys[key].steps[step].name.clone();
    let template = Change::Template((random.unit() * 1e15) as u64);
    let size = random.log_between(0.06, 3.0);
    made.size = size;
    let mut event = Event {
        key: Some(key),
        step: Some(step),
        model: None,
        changes: Vec::new(),
        ramp,
        release,
    };
    let title;
    match mechanism {
        Mechanism::ModelSwitch => {
            let own = plan.keys[key].steps[step].models[0].0;
            let price = plan.models[own].output;
            let dearer: Vec<usize> = (0..plan.models.len())
                .filter(|at| plan.models[*at].output > price)
                .collect();
            let to = if dearer.is_empty() {
                (own + 1) % plan.models.len()
            } else {
                *random.pick(&dearer)
            };
            event.changes = vec![Change::Model(to, random.between(0.5, 1.0))];
            title = format!("switch {name} to {}", plan.models[to].name);
        }
        Mechanism::LongerPrompt => {
            event.changes = vec![template, Change::Input(1.0 + size * 1.5)];
            title = format!("add examples to the {name} prompt");
        }
        Mechanism::LongerOutput => {
            event.changes = vec![template, Change::Output(1.0 + size)];
            title = format!("{name}: explain the answer");
        }
        Mechanism::RetryLoop => {
            event.changes = vec![Change::PerRun(1.0 + size)];
            if random.chance(0.3) {
                event.changes.push(template);
            }
            title = format!("retry {name} until it parses");
        }
        Mechanism::CacheCollapse => {
            let own = &mut plan.keys[key].steps[step];
            own.cached = own.cached.max(random.between(0.4, 0.85));
            event.changes = vec![Change::Cached(random.between(0.0, 0.1))];
            if random.chance(0.6) {
                event.changes.push(template);
            }
            title = format!("{name}: put the date into the prompt");
        }
        Mechanism::ExtraStep => {
            let mut extra = plan.keys[key].steps[step].clone();
            extra.name = format!("verify-{name}");
            extra.template = (random.unit() * 1e15) as u64;
            extra.per_run *= random.between(0.5, 1.0) * size.clamp(0.2, 1.5);
            let per_run = extra.per_run;
            extra.per_run = 0.0;
            plan.keys[key].steps.push(extra);
            let index = plan.keys[key].steps.len() - 1;
            event.step = Some(index);
            // From nothing: what is multiplied is set in the simulation.
            event.changes = vec![Change::PerRun(-per_run)];
            made.step = Some(index);
            title = format!("verify answers of {name}");
        }
        Mechanism::Slower => {
            event.changes = vec![Change::Slow(1.0 + size)];
            title = format!("run {name} one after the other");
        }
        Mechanism::Errors => {
            event.changes = vec![Change::Errors(random.log_between(0.005, 0.30))];
            if random.chance(0.4) {
                event.changes.push(template);
            }
            title = format!("stricter schema for {name}");
        }
        Mechanism::Format => {
            let moved = random.log_between(0.03, 0.8);
            let own = &mut plan.keys[key].steps[step];
            own.shapes = [0.95, 0.04, 0.01];
            event.changes = vec![template, Change::Prose(moved), Change::Anomalies(moved * 0.7)];
            title = format!("reword the {name} prompt");
        }
        Mechanism::Reasoning => {
            event.changes = vec![Change::Output(1.0 + size)];
            title = format!("{name}: think harder");
        }
        Mechanism::FanOut => {
            for at in 0..plan.keys[key].steps.len() {
                let mut all = event.clone();
                all.step = Some(at);
                all.changes = vec![Change::PerRun(1.0 + size)];
                plan.events.push(all);
            }
            title = "fan out".to_owned();
        }
        Mechanism::Timeout => {
            event.changes = vec![
                Change::Errors(random.log_between(0.01, 0.25)),
                Change::CutSlow(0.8),
            ];
            title = format!("lower the timeout of {name}");
        }
    }
    plan.events.push(event);
    title
}
