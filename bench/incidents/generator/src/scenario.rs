//! One project over some weeks, with at most one incident at its end (rarely two), and what really happened.

mod calls;
mod deploys;
mod minutes;
mod simulate;
mod sizes;

pub(crate) use deploys::{innocent_start, lag};

use crate::causes::{Cause, Mechanism, Null};
use crate::random::Random;
use crate::world::{Key, Model, Step, keys, models};

pub const HELD_OUT: &[Mechanism] = &Mechanism::HELD_OUT;

/// The first minute of every scenario: a Monday, 00:00 UTC, in minutes since 1970.
const EPOCH: i64 = 29_459_520;
pub(crate) const DAY: i64 = 1_440;

/// What is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Mechanisms that are kept out of training, too.
    pub held_out: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    pub key: String,
    pub environment: String,
    pub step: String,
    pub model: String,
    pub template: String,
}

/// Calls of one series in one hour.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub calls: i64,
    pub errors: i64,
    pub anomalies: i64,
    pub input_fresh: i64,
    pub cache_read: i64,
    pub output: i64,
    pub cost_nano: i64,
    pub cost_squares: i128,
    pub output_squares: i128,
    /// Values with how many calls had them.
    pub latency_us: Vec<(i64, i64)>,
    pub first_us: Vec<(i64, i64)>,
    pub latency_sum_us: i64,
    /// json, prose, list
    pub shapes: [i64; 3],
    /// What it is made of, until its minutes are known.
    pub(crate) strata: Vec<Stratum>,
}

/// Calls that are alike.
#[derive(Clone, Debug)]
pub(crate) struct Stratum {
    pub(crate) calls: i64,
    pub(crate) cost_nano: i64,
    pub(crate) output: i64,
    pub(crate) latency_us: i64,
}

/// Calls of one series in one minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct MinuteCell {
    pub calls: i64,
    pub errors: i64,
    pub anomalies: i64,
    pub cost_nano: i64,
    pub output: i64,
    pub latency_sum_us: i64,
}

/// Calls of one release in one hour.
#[derive(Clone, Debug, Default)]
pub struct ReleaseCell {
    pub calls: i64,
    pub errors: i64,
    pub cost_nano: i64,
    pub cost_squares: i128,
    pub output: i64,
    pub latency_sum_us: i64,
}

#[derive(Clone, Debug)]
pub struct FirstSeen {
    /// template, model, release or step
    pub what: &'static str,
    pub value: String,
    pub key: String,
    pub step: String,
    pub minute: f64,
}

/// A deploy as its record says.
#[derive(Clone, Debug)]
pub struct Deploy {
    pub sha: String,
    pub number: i64,
    pub title: String,
    pub environment: Option<String>,
    pub started: i64,
    pub completed: i64,
}

/// What a model costs from a minute on, in nano-dollars per million tokens.
#[derive(Clone, Debug)]
pub struct Rate {
    pub model: &'static str,
    pub from: i64,
    pub input: i64,
    pub cache_read: i64,
    pub output: i64,
}

/// What really happened.
#[derive(Clone, Debug)]
pub struct Truth {
    pub cause: Cause,
    /// Index of a second guilty deploy.
    pub second: Option<usize>,
    /// When it began, and when half of it was in force, in minutes.
    pub onset: i64,
    pub half: i64,
    pub keys: Vec<String>,
    pub steps: Vec<String>,
    /// How many times the smallest effect that matters; below 1 it should not be found.
    pub gates: f64,
    /// Deviations of the hourly value of what moved, by which the effect exceeds it.
    pub deviations: f64,
    /// Calls of what changed in the two days after, if nothing had happened.
    pub calls_after: f64,
    /// Of each recorded deploy: when it was, and what it left to be seen.
    pub neighbours: Vec<Neighbour>,
    /// Whether the change switched a template, a model or a step.
    pub leaves_trace: bool,
    /// Whether what is seen of it could be a deploy's doing.
    pub looks_like_a_deploy: bool,
    /// Whether calls say what they run.
    pub is_tagged: bool,
    /// Recorded deploys that began within an hour of the guilty one, itself included.
    pub within_an_hour: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Neighbour {
    /// Recorded start minus onset, in minutes.
    pub recorded_after_onset: i64,
    /// The same of when its first calls came.
    pub begun_after_onset: i64,
    /// What it touched.
    pub touched: Touched,
    /// What of that can be seen: switches of templates, models and steps.
    pub trace: Touched,
    /// Whether it was rolled out to a part of the calls for a while when the change began.
    pub is_partial: bool,
    /// Whether its title names the step that changed.
    pub names_it: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    Nothing,
    Elsewhere,
    WhatChanged,
}

/// What a database would hold.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    pub seed: u64,
    pub series: Vec<SeriesName>,
    /// Series, hour since 1970, what its calls add up to.
    pub cells: Vec<(usize, i64, Cell)>,
    /// Key, hour, runs.
    pub runs: Vec<(String, i64, i64)>,
    /// Release, key, step, model, hour.
    pub releases: Vec<(String, String, String, String, i64, ReleaseCell)>,
    /// Series and minute, from two days before the incident on.
    pub minutes: Vec<(usize, i64, MinuteCell)>,
    pub first_seen: Vec<FirstSeen>,
    pub deploys: Vec<Deploy>,
    pub rates: Vec<Rate>,
    /// Until when it was recorded, in minutes.
    pub now: i64,
    /// Series that are judged: keys.
    pub keys: usize,
    pub days: i64,
    pub truth: Option<Truth>,
}

/// A change of what calls are like, and how it comes into force.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) key: Option<usize>,
    pub(crate) step: Option<usize>,
    /// Calls of this model only.
    pub(crate) model: Option<usize>,
    pub(crate) changes: Vec<Change>,
    pub(crate) ramp: Ramp,
    /// Index among real deploys.
    pub(crate) release: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Input(f64),
    Output(f64),
    PerRun(f64),
    Cached(f64),
    Slow(f64),
    Errors(f64),
    Anomalies(f64),
    Prose(f64),
    Model(usize, f64),
    Template(u64),
    CutSlow(f64),
}

/// The part of calls that a change is in force for.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    /// Minutes with the part from then on, ascending; linear between them where `is_linear`.
    pub(crate) points: Vec<(i64, f64)>,
    pub(crate) is_linear: bool,
}

impl Ramp {
    pub(crate) fn at_once(minute: i64) -> Self {
        Self {
            points: vec![(minute, 1.0)],
            is_linear: false,
        }
    }

    pub(crate) fn share(&self, minute: f64) -> f64 {
        let mut before: Option<(i64, f64)> = None;
        for (at, share) in &self.points {
            if minute < *at as f64 {
                return match before {
                    Some((from, old)) if self.is_linear => {
                        old + (share - old) * (minute - from as f64) / (at - from).max(1) as f64
                    }
                    Some((_, old)) => old,
                    None => 0.0,
                };
            }
            before = Some((*at, *share));
        }
        before.map_or(0.0, |(_, share)| share)
    }

    pub(crate) fn begins(&self) -> i64 {
        self.points
            .iter()
            .find(|(_, share)| *share > 0.0)
            .map_or(0, |(at, _)| *at)
    }

    /// The same with nothing in force before a minute.
    pub(crate) fn from(mut self, minute: i64) -> Self {
        let share = self.share(minute as f64);
        self.points.retain(|(at, _)| *at > minute);
        self.points.insert(0, (minute, share));
        self
    }

    pub(crate) fn half(&self) -> i64 {
        let begins = self.begins();
        (begins..begins + 6 * DAY)
            .step_by(5)
            .find(|at| self.share(*at as f64 + 0.5) >= 0.5)
            .unwrap_or(begins)
    }
}

/// More or less traffic of a key.
#[derive(Clone, Debug)]
pub(crate) struct Surge {
    pub(crate) key: usize,
    pub(crate) factor: f64,
    pub(crate) ramp: Ramp,
}

/// A project before it is simulated.
pub(crate) struct Plan {
    pub(crate) keys: Vec<Key>,
    pub(crate) models: Vec<Model>,
    pub(crate) start: i64,
    pub(crate) now: i64,
    pub(crate) events: Vec<Event>,
    pub(crate) surges: Vec<Surge>,
    pub(crate) rates: Vec<Rate>,
    /// Releases, oldest first: sha and rollout.
    pub(crate) releases: Vec<(String, Ramp)>,
    pub(crate) is_tagged: bool,
    /// Hours that were lost.
    pub(crate) lost: Vec<std::ops::Range<i64>>,
    /// From when on releases and minutes are recorded.
    pub(crate) watched_from: i64,
    /// Whether minutes are recorded from then on.
    pub(crate) has_minutes: bool,
    /// Parts of the last hours that have not arrived yet, latest first.
    pub(crate) late: Vec<f64>,
    /// By key: how even its minutes are, and how much more comes on the hour.
    pub(crate) minute_noise: Vec<(f64, f64)>,
}

fn plan(random: &mut Random, days: i64, onset_day: i64) -> Plan {
    let models = models();
    let keys = keys(random, models.len());
    let start = EPOCH + DAY * random.whole(0, 27);
    let rates = models
        .iter()
        .map(|model| Rate {
            model: model.name,
            from: 0,
            input: model.input,
            cache_read: model.cache_read,
            output: model.output,
        })
        .collect();
    let mut lost = Vec::new();
    if random.chance(0.10) {
        for _ in 0..random.whole(1, 3) {
            let from = (start / 60) + random.whole(0, onset_day * 24 - 14);
            lost.push(from..from + random.whole(1, 12));
        }
    }
    let minute_noise = keys
        .iter()
        .map(|_| {
            let on_the_hour = if random.chance(0.2) {
                random.between(1.0, 6.0)
            } else {
                0.0
            };
            (random.between(0.15, 0.6), on_the_hour)
        })
        .collect();
    Plan {
        keys,
        models,
        start,
        now: start + days * DAY,
        events: Vec::new(),
        surges: Vec::new(),
        rates,
        releases: Vec::new(),
        is_tagged: random.chance(0.5),
        lost,
        watched_from: start,
        has_minutes: false,
        late: if random.chance(0.05) {
            vec![random.between(0.3, 0.7), random.between(0.0, 0.3)]
        } else {
            Vec::new()
        },
        minute_noise,
    }
}

/// Some weeks in which nothing happens but what always happens: deploys that change nothing that matters, drift.
pub fn quiet(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let mut plan = plan(&mut random, 28, 28);
    let (from, to) = (plan.start, plan.now);
    plan.watched_from = to - 14 * DAY;
    let rate = random.log_between(0.2, 4.0);
    deploys::background(&mut random, &mut plan, from, to, rate);
    let (records, _) = deploys::records(&mut random, &plan, None);
    simulate::run(&mut random, seed, plan, records, None)
}

/// A project with an incident in its last days.
pub fn scenario(seed: u64, options: Options) -> Scenario {
    let mut random = Random::new(seed);
    let history = *random.pick(&[4, 8, 8, 9, 10, 10, 12, 14, 14, 14, 18, 24]);
    let after = random.log_between(14.0, 72.0);
    let onset = random.whole(0, DAY - 1);
    let mut plan = plan(&mut random, history + 4, history);
    let onset = plan.start + history * DAY + onset;
    plan.now = onset + (after * 60.0) as i64;
    plan.watched_from = onset - 2 * DAY;
    plan.has_minutes = true;
    let rate = random.log_between(0.1, 2.0);
    let (from, to) = (plan.start, onset - DAY);
    deploys::background(&mut random, &mut plan, from, to, rate);
    let made = deploys::incident(&mut random, &mut plan, onset, options);
    let (records, order) = deploys::records(&mut random, &plan, Some(&made));
    let truth = sizes::truth(&plan, &made, &records, &order, onset);
    simulate::run(&mut random, seed, plan, records, Some(truth))
}

/// What an incident is, before its size is known.
pub(crate) struct Made {
    pub(crate) mechanism: Option<Mechanism>,
    pub(crate) null: Option<Null>,
    /// Index of the guilty release, and of a second one.
    pub(crate) guilty: Option<usize>,
    pub(crate) second: Option<usize>,
    pub(crate) is_unrecorded: bool,
    pub(crate) ramp: Ramp,
    pub(crate) keys: Vec<usize>,
    pub(crate) step: Option<usize>,
    /// By release: what it touched.
    pub(crate) touched: Vec<(usize, Touched)>,
    /// How large the effect was chosen, as a factor or a share.
    pub(crate) size: f64,
    /// By release: its title.
    pub(crate) titles: Vec<(usize, String)>,
}

impl Step {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Input(factor) => self.input *= factor,
            Change::Output(factor) => self.output *= factor,
            Change::PerRun(factor) => self.per_run *= factor,
            Change::Cached(share) => self.cached = *share,
            Change::Slow(factor) => self.slowness *= factor,
            Change::Errors(more) => self.errors = (self.errors + more).min(0.95),
            Change::Anomalies(more) => self.anomalies = (self.anomalies + more).min(0.95),
            Change::Prose(moved) => {
                let moved = moved.min(self.shapes[0]);
                self.shapes[0] -= moved;
                self.shapes[1] += moved;
            }
            Change::Model(model, share) => {
                let mut split: Vec<(usize, f64)> = self
                    .models
                    .iter()
                    .map(|(own, part)| (*own, part * (1.0 - share)))
                    .collect();
                match split.iter_mut().find(|(own, _)| own == model) {
                    Some((_, part)) => *part += share,
                    None => split.push((*model, *share)),
                }
                self.models = split;
            }
            Change::Template(template) => self.template = *template,
            Change::CutSlow(factor) => self.slowness *= factor,
        }
    }
}
