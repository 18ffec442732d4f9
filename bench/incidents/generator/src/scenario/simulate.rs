//! A plan, call by call.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::simulate;
use super::minutes::{Pace, spread};
use super::{
    Cell, Change, Deploy, Event, FirstSeen, MinuteCell, Plan, ReleaseCell, Scenario, SeriesName, Truth,
};
use crate::random::Random;
use crate::world::Step;

/// A change, with the one special case: a step that was not there.
pub(super) fn apply(step: &mut Step, change: &Change) {
    match change {
        Change::PerRun(per_run) if *per_run < 0.0 => step.per_run = -per_run,
        other => step.apply(other),
    }
}

struct Recorder<'a> {
    plan: &'a Plan,
    series: BTreeMap<SeriesName, usize>,
    cells: BTreeMap<(usize, i64), Cell>,
    releases: BTreeMap<(String, String, String, String, i64), ReleaseCell>,
    minutes: BTreeMap<(usize, i64), MinuteCell>,
    /// By minute of the hour that is simulated: how its calls are spread.
    pace: Pace,
    seen: BTreeSet<(&'static str, String, String, String)>,
    first_seen: Vec<FirstSeen>,
}

pub(super) fn run(
    random: &mut Random,
    seed: u64,
    mut plan: Plan,
    deploys: Vec<Deploy>,
    truth: Option<Truth>,
) -> Scenario {
    let first = plan.start / 60;
    let last = plan.now / 60;
    let mut runs = Vec::new();
    let mut keys = std::mem::take(&mut plan.keys);
    let key_count = keys.len();
    let mut recorder = Recorder {
        plan: &plan,
        series: BTreeMap::new(),
        cells: BTreeMap::new(),
        releases: BTreeMap::new(),
        minutes: BTreeMap::new(),
        pace: Pace::EVEN,
        seen: BTreeSet::new(),
        first_seen: Vec::new(),
    };
    for hour in first..=last {
        let day = (hour.div_euclid(24) + 3).rem_euclid(7) as usize;
        let is_lost = plan.lost.iter().any(|range| range.contains(&hour));
        // Of the running hour only what has elapsed.
        let part = ((plan.now - hour * 60) as f64 / 60.0).min(1.0);
        for (index, key) in keys.iter_mut().enumerate() {
            let usual = key
                .traffic
                .next(random, (hour - first) as usize + (first % 24) as usize, day);
            let middle = hour as f64 * 60.0 + 30.0;
            let surge: f64 = plan
                .surges
                .iter()
                .filter(|surge| surge.key == index)
                .map(|surge| 1.0 + (surge.factor - 1.0) * surge.ramp.share(middle))
                .product();
            let mut count = random.poisson(usual * surge * part);
            // What has not arrived yet.
            if let Some(arrived) = plan.late.get((last - hour) as usize) {
                count = random.binomial(count, *arrived);
            }
            recorder.pace = if plan.has_minutes && hour * 60 >= plan.watched_from {
                Pace::draw(random, plan.minute_noise[index])
            } else {
                Pace::EVEN
            };
            for step in &mut key.steps {
                let memory = 0.7f64;
                step.wander_state = memory * step.wander_state
                    + step.wander * (1.0 - memory * memory).sqrt() * random.normal()
                    + step.drift_a_week / 168.0 * (1.0 - memory);
                let _ = key.traffic.profile(0);
            }
            if is_lost || part <= 0.0 {
                continue;
            }
            if count > 0 {
                runs.push((key.label.clone(), hour, count));
            }
            for (at, step) in key.steps.iter().enumerate() {
                let place = Place {
                    key: index,
                    label: &key.label,
                    environment: key.environment,
                    step: at,
                };
                recorder.step(random, &place, step, hour, count as f64, part);
            }
        }
    }
    let Recorder {
        series,
        cells,
        releases,
        minutes,
        first_seen,
        ..
    } = recorder;
    let mut names: Vec<(SeriesName, usize)> = series.into_iter().collect();
    names.sort_by_key(|(_, index)| *index);
    Scenario {
        seed,
        series: names.into_iter().map(|(name, _)| name).collect(),
        cells: cells
            .into_iter()
            .map(|((series, hour), cell)| (series, hour, cell))
            .collect(),
        runs,
        releases: releases
            .into_iter()
            .map(|((release, key, step, model, hour), cell)| (release, key, step, model, hour, cell))
            .collect(),
        minutes: minutes
            .into_iter()
            .map(|((series, minute), cell)| (series, minute, cell))
            .collect(),
        first_seen,
        deploys,
        rates: plan.rates.clone(),
        now: plan.now,
        keys: key_count,
        days: (plan.now - plan.start) / super::DAY,
        truth,
    }
}

struct Place<'a> {
    key: usize,
    label: &'a str,
    environment: &'static str,
    step: usize,
}

impl Recorder<'_> {
    /// The calls of a step in an hour, in stretches during which what is in force does not change.
    fn step(&mut self, random: &mut Random, place: &Place<'_>, step: &Step, hour: i64, runs: f64, part: f64) {
        let plan = self.plan;
        let begin = hour as f64 * 60.0;
        let end = begin + 60.0 * part;
        let events: Vec<&Event> = plan
            .events
            .iter()
            .filter(|event| {
                event.model.is_none()
                    && event.key.is_none_or(|key| key == place.key)
                    && event.step.is_none_or(|own| own == place.step)
            })
            .collect();
        let mut cuts: Vec<f64> = vec![begin, end];
        let ramps = events
            .iter()
            .map(|event| &event.ramp)
            .chain(plan.releases.iter().map(|(_, ramp)| ramp));
        for at in ramps.flat_map(|ramp| ramp.points.iter().map(|(at, _)| *at as f64)) {
            if at > begin && at < end {
                cuts.push(at);
            }
        }
        cuts.sort_by(f64::total_cmp);
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            if to - from < 1e-6 {
                continue;
            }
            let middle = f64::midpoint(from, to);
            let share_of_hour = self.pace.between(from, to) / self.pace.between(begin, end).max(1e-9);
            for (weight, active) in self.combinations(&events, middle) {
                let mut own = step.clone();
                for event in &active.events {
                    event.changes.iter().for_each(|change| apply(&mut own, change));
                }
                let release = active.release.map(|index| plan.releases[index].0.as_str());
                let mean = runs * own.per_run * share_of_hour * weight;
                let n = random.poisson(mean);
                self.calls(random, place, &own, (from, to), release, n);
            }
        }
    }

    /// Which changes are in force together at a time, with the part of calls. What is rolled out to half of the calls is
    /// in force for the same half of all its changes.
    fn combinations<'e>(&self, events: &[&'e Event], at: f64) -> Vec<(f64, Active<'e>)> {
        let releases = &self.plan.releases;
        let shares: Vec<f64> = releases.iter().map(|(_, ramp)| ramp.share(at)).collect();
        // What acts later than it was rolled out is in force for the same part of the calls from then on.
        let acts = |event: &Event| event.ramp.share(at) > 0.0;
        let share_of = |event: &Event| match event.release {
            Some(index) if acts(event) => shares[index],
            Some(_) => 0.0,
            None => event.ramp.share(at),
        };
        let begins = |index: &usize| releases[*index].1.begins();
        let whole = (0..releases.len())
            .filter(|index| shares[*index] >= 1.0)
            .max_by_key(begins);
        let always = events
            .iter()
            .copied()
            .filter(|event| share_of(event) >= 1.0)
            .collect();
        let mut found = vec![(
            1.0,
            Active {
                events: always,
                release: whole,
            },
        )];
        let mut split = |share: f64, own: Vec<&'e Event>, release: Option<usize>| {
            let mut next = Vec::new();
            for (weight, active) in found.drain(..) {
                next.push((weight * (1.0 - share), active.clone()));
                let mut with = active;
                with.events.extend(own.iter().copied());
                // Callers of a canary say its release, whatever went to the others meanwhile.
                with.release = release.or(with.release);
                next.push((weight * share, with));
            }
            found = next;
        };
        for (index, share) in shares
            .iter()
            .enumerate()
            .filter(|(_, share)| **share > 0.0 && **share < 1.0)
        {
            let own = events
                .iter()
                .copied()
                .filter(|event| event.release == Some(index) && acts(event))
                .collect();
            split(*share, own, Some(index));
        }
        for event in events.iter().copied().filter(|event| event.release.is_none()) {
            let share = event.ramp.share(at);
            if share > 0.0 && share < 1.0 {
                split(share, vec![event], None);
            }
        }
        found.retain(|(weight, _)| *weight > 1e-6);
        found
    }

    fn calls(
        &mut self,
        random: &mut Random,
        place: &Place<'_>,
        step: &Step,
        (from, to): (f64, f64),
        release: Option<&str>,
        n: i64,
    ) {
        let plan = self.plan;
        let mut left = n;
        let mut rest = 1.0;
        for (model, part) in &step.models {
            let own = random.binomial(left, (part / rest).min(1.0));
            left -= own;
            rest = (rest - part).max(1e-9);
            if own <= 0 {
                continue;
            }
            let kind = &plan.models[*model];
            let mut changed = step.clone();
            let middle = f64::midpoint(from, to);
            for event in plan.events.iter().filter(|event| event.model == Some(*model)) {
                let is_here = event.key.is_none_or(|key| key == place.key);
                if is_here && event.ramp.share(middle) > 0.5 {
                    event
                        .changes
                        .iter()
                        .for_each(|change| apply(&mut changed, change));
                }
            }
            let rate = plan
                .rates
                .iter()
                .filter(|row| row.model == kind.name && row.from as f64 <= middle)
                .max_by_key(|row| row.from);
            let Some(rate) = rate else { continue };
            let each = |per_million: i64| per_million as f64 / 1e6;
            let rates = (each(rate.input), each(rate.cache_read), each(rate.output));
            let mut cell = Cell::default();
            simulate(random, &changed, kind, rates, own, &mut cell);
            self.record(random, place, step, kind.name, (from, to), release, cell);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a call has this many sides")]
    fn record(
        &mut self,
        random: &mut Random,
        place: &Place<'_>,
        step: &Step,
        model: &str,
        (from, to): (f64, f64),
        release: Option<&str>,
        cell: Cell,
    ) {
        let hour = (from / 60.0).floor() as i64;
        let name = SeriesName {
            key: place.label.to_owned(),
            environment: place.environment.to_owned(),
            step: step.name.clone(),
            model: model.to_owned(),
            template: format!("{:012x}", step.template),
        };
        let is_watched = from >= self.plan.watched_from as f64;
        let minutes = if is_watched && self.plan.has_minutes {
            spread(random, &self.pace, (from, to), &cell)
        } else {
            Vec::new()
        };
        let first = match minutes.first() {
            Some((minute, _)) => *minute as f64 + random.unit(),
            None => from + random.exponential((to - from) / cell.calls as f64).min(to - from),
        };
        self.see("template", &name.template, place.label, &step.name, first);
        self.see("model", model, place.label, &step.name, first);
        self.see("step", &step.name, place.label, &step.name, first);
        if let Some(release) = release.filter(|_| self.plan.is_tagged) {
            self.see("release", release, "", "", first);
            if is_watched {
                let key = (
                    release.to_owned(),
                    name.key.clone(),
                    name.step.clone(),
                    name.model.clone(),
                    hour,
                );
                let sum = self.releases.entry(key).or_default();
                sum.calls += cell.calls;
                sum.errors += cell.errors;
                sum.cost_nano += cell.cost_nano;
                sum.cost_squares += cell.cost_squares;
                sum.output += cell.output;
                sum.latency_sum_us += cell.latency_sum_us;
            }
        }
        let next = self.series.len();
        let series = *self.series.entry(name).or_insert(next);
        for (minute, more) in minutes {
            let sum = self.minutes.entry((series, minute)).or_default();
            sum.calls += more.calls;
            sum.errors += more.errors;
            sum.anomalies += more.anomalies;
            sum.cost_nano += more.cost_nano;
            sum.output += more.output;
            sum.latency_sum_us += more.latency_sum_us;
        }
        merge(self.cells.entry((series, hour)).or_default(), cell);
    }

    fn see(&mut self, what: &'static str, value: &str, key: &str, step: &str, minute: f64) {
        let id = (what, value.to_owned(), key.to_owned(), step.to_owned());
        if self.seen.insert(id) {
            self.first_seen.push(FirstSeen {
                what,
                value: value.to_owned(),
                key: key.to_owned(),
                step: step.to_owned(),
                minute,
            });
        }
    }
}

#[derive(Clone)]
struct Active<'e> {
    events: Vec<&'e Event>,
    release: Option<usize>,
}

fn merge(sum: &mut Cell, more: Cell) {
    sum.calls += more.calls;
    sum.errors += more.errors;
    sum.anomalies += more.anomalies;
    sum.input_fresh += more.input_fresh;
    sum.cache_read += more.cache_read;
    sum.output += more.output;
    sum.cost_nano += more.cost_nano;
    sum.cost_squares += more.cost_squares;
    sum.output_squares += more.output_squares;
    sum.latency_us.extend(more.latency_us);
    sum.first_us.extend(more.first_us);
    sum.latency_sum_us += more.latency_sum_us;
    // Of the hour only sums are kept.
    for (sum, more) in sum.shapes.iter_mut().zip(more.shapes) {
        *sum += more;
    }
}
