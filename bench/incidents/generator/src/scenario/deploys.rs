//! Deploys: the guilty one, the innocent ones around it, and what records say of them.

mod effects;
mod nulls;

use super::{Change, DAY, Deploy, Event, Made, Options, Plan, Ramp, Touched};
use crate::causes::{Mechanism, Null};
use crate::random::Random;
use effects::effect;
use nulls::no_deploy;

const HARMLESS: [&str; 8] = [
    "bump anthropic SDK to 0.45",
    "tidy README wording",
    "refactor settings page",
    "update dependencies",
    "fix typo in docs",
    "add index to users table",
    "improve logging",
    "release 2026.11",
];

fn sha(random: &mut Random) -> String {
    (0..40)
        .map(|_| char::from(b"0123456789abcdef"[random.whole(0, 15) as usize]))
        .collect()
}

fn add_release(random: &mut Random, plan: &mut Plan, ramp: Ramp) -> usize {
    plan.releases.push((sha(random), ramp));
    plan.releases.len() - 1
}

/// Deploys of an ordinary project: most change nothing, some edit a prompt a little.
pub(super) fn background(random: &mut Random, plan: &mut Plan, from: i64, to: i64, a_day: f64) {
    let mut at = from as f64;
    loop {
        at += random.exponential(DAY as f64 / a_day).max(30.0);
        if at >= to as f64 {
            return;
        }
        let ramp = Ramp::at_once(at as i64);
        let release = add_release(random, plan, ramp.clone());
        if random.chance(0.25) {
            harmless_edit(random, plan, release, ramp, None);
        }
    }
}

/// A prompt of some step is edited; what its calls are like stays nearly the same. Returns what was touched.
fn harmless_edit(
    random: &mut Random,
    plan: &mut Plan,
    release: usize,
    ramp: Ramp,
    spared: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let places: Vec<(usize, usize)> = plan
        .keys
        .iter()
        .enumerate()
        .flat_map(|(key, of)| (0..of.steps.len()).map(move |step| (key, step)))
        .filter(|place| Some(*place) != spared)
        .collect();
    if places.is_empty() {
        return None;
    }
    let (key, step) = *random.pick(&places);
    let changes = vec![
        Change::Template((random.unit() * 1e15) as u64),
        Change::Input(random.between(0.98, 1.03)),
        Change::Output(random.between(0.985, 1.02)),
    ];
    plan.events.push(Event {
        key: Some(key),
        step: Some(step),
        model: None,
        changes,
        ramp,
        release: Some(release),
    });
    Some((key, step))
}

/// How a deploy comes into force.
fn rollout(random: &mut Random, start: i64) -> Ramp {
    let kind = random.unit();
    let points = if kind < 0.60 {
        vec![(start, 1.0)]
    } else if kind < 0.80 {
        let canary = (random.log_between(20.0, 240.0)) as i64;
        vec![(start, random.between(0.05, 0.3)), (start + canary, 1.0)]
    } else if kind < 0.95 {
        let (regions, pause) = (random.whole(2, 4), random.log_between(10.0, 90.0) as i64);
        (0..regions)
            .map(|at| (start + at * pause, (at + 1) as f64 / regions as f64))
            .collect()
    } else {
        let hours = [0, 12, 36, 72];
        let parts = [0.05, 0.25, 0.5, 1.0];
        hours
            .iter()
            .zip(parts)
            .map(|(hour, part)| (start + hour * 60, part))
            .collect()
    };
    Ramp {
        points,
        is_linear: false,
    }
}

fn with_end(mut ramp: Ramp, end: i64) -> Ramp {
    ramp.points.retain(|(at, _)| *at < end);
    ramp.points.push((end, 0.0));
    ramp
}

/// What happens at `onset`, with its neighbours.
pub(super) fn incident(random: &mut Random, plan: &mut Plan, onset: i64, options: Options) -> Made {
    // A key in proportion to what it has, so that most are worth an alarm.
    let weights: Vec<f64> = plan.keys.iter().map(|key| key.traffic.base.sqrt()).collect();
    let key = weighted(random, &weights);
    let weights: Vec<f64> = plan.keys[key].steps.iter().map(|step| step.per_run).collect();
    let step = weighted(random, &weights);
    let mut made = Made {
        mechanism: None,
        null: None,
        guilty: None,
        second: None,
        is_unrecorded: false,
        ramp: Ramp::at_once(onset),
        keys: vec![key],
        step: Some(step),
        touched: Vec::new(),
        size: 0.0,
        titles: Vec::new(),
    };
    let is_deploy = random.chance(0.6);
    if is_deploy {
        let mechanism = if options.held_out && random.chance(0.15) {
            *random.pick(&Mechanism::HELD_OUT)
        } else {
            *random.pick(&Mechanism::TRAINED)
        };
        guilty(random, plan, &mut made, mechanism, onset);
    } else {
        let null = *random.pick(&Null::ALL);
        made.null = Some(null);
        no_deploy(random, plan, &mut made, null, onset);
    }
    innocents(random, plan, &mut made, onset);
    made
}

fn weighted(random: &mut Random, weights: &[f64]) -> usize {
    let mut left = random.unit() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left <= 0.0 {
            return index;
        }
    }
    weights.len() - 1
}

/// Minutes from a rollout's first call to the first that behaves otherwise: work that comes on a schedule, caches that
/// have to expire, a path that few requests take.
pub(crate) fn lag(random: &mut Random) -> i64 {
    let kind = random.unit();
    if kind < 0.90 {
        0
    } else if kind < 0.97 {
        random.log_between(2.0, 20.0) as i64
    } else {
        random.log_between(20.0, 240.0) as i64
    }
}

/// When an innocent deploy begins, and whether it is one of a train: what is merged together is rolled out one after the
/// other, from some minutes before a guilty one until its change is seen. `train` are the minutes in which that one
/// began and in which half of its change was in force.
pub(crate) fn innocent_start(
    random: &mut Random,
    onset: i64,
    is_before: bool,
    train: Option<(i64, i64)>,
) -> (i64, bool) {
    if let Some((begun, seen)) = train
        && random.chance(0.5)
    {
        return (random.whole(begun - 6, seen.min(begun + 480) + 12), true);
    }
    let gap = random.log_between(2.0, 720.0) as i64;
    (if is_before { onset - gap } else { onset + gap }, false)
}

fn guilty(random: &mut Random, plan: &mut Plan, made: &mut Made, mechanism: Mechanism, onset: i64) {
    let begun = onset - lag(random);
    let mut ramp = rollout(random, begun);
    let mut reverts = None;
    if random.chance(0.15) {
        let end = onset + random.log_between(120.0, 720.0) as i64;
        ramp = with_end(ramp, end);
        let back = add_release(random, plan, Ramp::at_once(end));
        made.touched.push((back, Touched::Nothing));
        reverts = Some(back);
    }
    let release = add_release(random, plan, ramp.clone());
    let ramp = ramp.from(onset);
    made.mechanism = Some(mechanism);
    made.guilty = Some(release);
    made.ramp = ramp.clone();
    made.touched.push((release, Touched::WhatChanged));
    let title = effect(random, plan, made, mechanism, ramp, Some(release));
    let title = if random.chance(0.6) {
        title
    } else {
        (*random.pick(&HARMLESS)).to_owned()
    };
    if let Some(back) = reverts {
        let named = random.chance(0.7);
        let title = if named {
            format!("Revert \"{title}\"")
        } else {
            "roll back".to_owned()
        };
        made.titles.push((back, title));
    }
    made.titles.push((release, title));
    if random.chance(0.05) {
        let at = onset + random.whole(-8, 8);
        let second = add_release(random, plan, Ramp::at_once(at));
        let step = made.step;
        effect(random, plan, made, mechanism, Ramp::at_once(at), Some(second));
        made.step = step;
        made.second = Some(second);
        made.touched.push((second, Touched::WhatChanged));
        made.titles.push((second, "second part of the change".to_owned()));
    }
}

/// Deploys around the onset that did not do it; half of them did something else.
fn innocents(random: &mut Random, plan: &mut Plan, made: &mut Made, onset: i64) {
    let spared = made.step.map(|step| (made.keys[0], step));
    // How many before and how many after: the guilty one is first, in the middle and last equally often.
    let count = random.whole(0, 6);
    let before = random.whole(0, count);
    let guilty = made.guilty.filter(|_| made.mechanism.is_some());
    let train = guilty.map(|release| (plan.releases[release].1.begins(), made.ramp.half()));
    for index in 0..count {
        let (at, in_train) = innocent_start(random, onset, index < before, train);
        let ramp = if random.chance(0.8) {
            Ramp::at_once(at)
        } else {
            rollout(random, at)
        };
        let release = add_release(random, plan, ramp.clone());
        let mut title = (*random.pick(&HARMLESS)).to_owned();
        let mut touched = Touched::Nothing;
        // What is rolled out in a train has a service of its own, and most of it changes that.
        if random.chance(if in_train { 0.85 } else { 0.5 }) {
            let place = if !in_train && random.chance(0.25) {
                // A little of the same kind, in the same place.
                spared.inspect(|(key, step)| {
                    let changes = vec![
                        Change::Input(random.between(1.0, 1.02)),
                        Change::Output(random.between(1.0, 1.02)),
                    ];
                    let (key, step) = (Some(*key), Some(*step));
                    plan.events.push(Event {
                        key,
                        step,
                        model: None,
                        changes,
                        ramp: ramp.clone(),
                        release: Some(release),
                    });
                })
            } else if random.chance(0.2) {
                other_model(random, plan, release, ramp.clone(), spared)
            } else {
                harmless_edit(random, plan, release, ramp.clone(), spared)
            };
            if let Some((key, step)) = place {
                touched = Touched::Elsewhere;
                let name = &plan.keys[key].steps[step].name;
                if random.chance(0.5) {
                    title = format!("edit the {name} prompt");
                }
            }
        }
        made.touched.push((release, touched));
        made.titles.push((release, title));
    }
}

/// Another step is moved to a model that costs as much or less.
fn other_model(
    random: &mut Random,
    plan: &mut Plan,
    release: usize,
    ramp: Ramp,
    spared: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let key = random.whole(0, plan.keys.len() as i64 - 1) as usize;
    let step = random.whole(0, plan.keys[key].steps.len() as i64 - 1) as usize;
    if spared.is_none_or(|spared| spared == (key, step)) {
        return None;
    }
    let own = plan.keys[key].steps[step].models[0].0;
    let price = plan.models[own].output;
    let cheaper = (0..plan.models.len()).filter(|at| *at != own && plan.models[*at].output <= price);
    let cheaper: Vec<usize> = cheaper
        .filter(|at| plan.models[*at].token_ms <= plan.models[own].token_ms * 1.1)
        .collect();
    if cheaper.is_empty() {
        return None;
    }
    let changes = vec![Change::Model(*random.pick(&cheaper), random.between(0.4, 1.0))];
    plan.events.push(Event {
        key: Some(key),
        step: Some(step),
        model: None,
        changes,
        ramp,
        release: Some(release),
    });
    Some((key, step))
}

/// What is recorded of the deploys, in the order of their starts, and which release each record is of.
pub(super) fn records(random: &mut Random, plan: &Plan, made: Option<&Made>) -> (Vec<Deploy>, Vec<usize>) {
    let mut found: Vec<(Deploy, usize)> = Vec::new();
    let clock_is_off = random.chance(0.3);
    let hidden = made
        .filter(|made| made.is_unrecorded)
        .and_then(|made| made.guilty);
    let titles = made.map(|made| made.titles.clone()).unwrap_or_default();
    for (index, (sha, ramp)) in plan.releases.iter().enumerate() {
        if Some(index) == hidden {
            continue;
        }
        let off = if clock_is_off { random.whole(-10, 10) } else { 0 };
        let begins = ramp.begins();
        let full = ramp
            .points
            .iter()
            .rev()
            .find(|(_, share)| *share > 0.0)
            .map_or(begins, |(at, _)| *at);
        let title = titles
            .iter()
            .rev()
            .find(|(own, _)| *own == index)
            .map(|(_, title)| title.clone());
        let started = begins - random.whole(0, 6) + off;
        let deploy = Deploy {
            sha: sha.clone(),
            number: index as i64 + 1,
            title: title.unwrap_or_else(|| (*random.pick(&HARMLESS)).to_owned()),
            environment: random.chance(0.5).then(|| "production".to_owned()),
            started,
            completed: (full + random.whole(0, 6) + off).max(started + 1),
        };
        found.push((deploy, index));
    }
    found.retain(|(deploy, _)| deploy.started <= plan.now);
    found.sort_by_key(|(deploy, index)| (deploy.started, *index));
    found.into_iter().unzip()
}
