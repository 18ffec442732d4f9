//! Candidates: what was rolled out around an onset, and when its calls came.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;

use super::super::grid::Grid;
use super::super::window::{Novelty, Shipped};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// Clocks of build servers are off by as much.
const CLOCK: i64 = 10 * MINUTE;
/// A share of a release's calls beyond which it is rolled out.
const ROLLED_OUT: f64 = 0.95;
/// How often which minutes lie between a rollout and its effect: before it, and after it.
const OBSERVED: [(f64, (f64, f64)); 2] = [(0.8, (1.0, 2.0)), (0.2, (2.0, 10.0))];
const RECORDED: [(f64, (f64, f64)); 2] = [(0.7, (1.5, 3.0)), (0.3, (7.0, 12.0))];
/// A rollout longer than this is not followed.
const LONGEST: usize = 72;

/// A deploy, or a release without a record.
#[derive(Clone, Debug)]
pub(in super::super) struct Candidate<'a> {
    /// Index of the deploy in the window.
    pub(super) index: Option<usize>,
    pub(super) deploy: Option<&'a Shipped>,
    /// Its release, where calls say one.
    pub(super) release: Option<&'a str>,
    /// When its calls came: from the first to when nearly all were its.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Whether that was observed, or is what its record says.
    pub(super) is_observed: bool,
}

impl Candidate<'_> {
    /// Whether something that happened between two times may be its doing.
    pub(super) fn covers(&self, from: Timestamp, to: Timestamp) -> bool {
        let slack = if self.is_observed { 2 * MINUTE } else { CLOCK };
        from <= self.to.plus_micros(30 * MINUTE) && to >= self.from.plus_micros(-slack)
    }

    /// How well something that was seen between two times fits the rollout: 1 during it and shortly after, less with
    /// every minute beyond.
    pub(super) fn closeness(&self, from: Timestamp, to: Timestamp) -> f64 {
        /// A first call comes this much after a rollout, and records are begun as much before it.
        const SOON: f64 = 6.0;
        const BEFORE: f64 = 4.0;
        const AFTER: f64 = 8.0;
        /// Some work comes on a schedule, some caches expire late: that part of changes, over so many minutes.
        const LATE: (f64, f64) = (0.25, 90.0);
        let minutes = |micros: i64| micros as f64 / MINUTE as f64;
        let early = minutes(self.from.micros() - to.micros()) - 1.0;
        let late = minutes(from.micros() - self.to.micros()) - SOON;
        let fits = if early > 0.0 {
            (-early / if self.is_observed { 1.0 } else { BEFORE }).exp()
        } else if late > 0.0 {
            (1.0 - LATE.0) * (-late / AFTER).exp() + LATE.0 * (-late / LATE.1).exp()
        } else {
            1.0
        };
        if fits < 0.01 { 0.0 } else { fits }
    }

    /// How likely an effect of it begins at a time, in microseconds, a minute.
    pub(super) fn begins_at(&self, at: i64) -> f64 {
        /// With the first calls, when all calls are its, at any time between, some time after it, and within a day.
        const PARTS: [f64; 5] = [0.43, 0.27, 0.13, 0.12, 0.05];
        const LATER: f64 = 90.0;
        let minutes = |micros: i64| micros as f64 / MINUTE as f64;
        let since = minutes(at - self.from.micros());
        let whole = minutes(self.to.micros() - self.from.micros()).max(1.0);
        let edge = |since: f64, long: f64, (early, soon): (f64, f64)| {
            let whole = early + long + soon;
            if since < 0.0 {
                (since / early).exp() / whole
            } else if since <= long {
                1.0 / whole
            } else {
                (-(since - long) / soon).exp() / whole
            }
        };
        // Calls say it nearly to the minute. Records do where clocks agree, and many don't.
        let slack = if self.is_observed { OBSERVED } else { RECORDED };
        let first = if self.is_observed { 0.0 } else { whole.min(6.0) };
        let last = whole.min(8.0);
        let rolling: f64 = slack
            .iter()
            .map(|(share, minutes)| {
                share
                    * (PARTS[0] * edge(since, first, *minutes)
                        + PARTS[1] * edge(since - (whole - last), last, *minutes)
                        + PARTS[2] * edge(since, whole, *minutes))
            })
            .sum();
        let later = if since >= 0.0 {
            (-since / LATER).exp() / LATER
        } else {
            0.0
        };
        let any = if (0.0..1_440.0).contains(&since) {
            1.0 / 1_440.0
        } else {
            0.0
        };
        rolling + PARTS[3] * later + PARTS[4] * any
    }

    pub(super) fn name(&self) -> String {
        match (self.deploy, self.release) {
            (Some(deploy), _) => deploy.name(),
            (None, Some(release)) => format!("release {release}"),
            (None, None) => String::new(),
        }
    }
}

/// Everything whose rollout began from 4 hours before the onset to the end of its day and the next, or went on at it.
pub(super) fn candidates<'a>(
    grid: &Grid<'a>,
    t: Timestamp,
    onset: (Timestamp, Timestamp),
) -> Vec<Candidate<'a>> {
    let window = grid.window;
    let earliest = t.min(onset.0).plus_micros(-4 * HOUR);
    let latest = t.max(onset.0).plus_micros(24 * HOUR);
    let ramps = ramps(grid);
    let mut found: Vec<Candidate<'a>> = Vec::new();
    for (index, deploy) in window.deploys.iter().enumerate() {
        let release = ramps.keys().find(|release| deploy.is_release(release)).copied();
        let ramp = release.and_then(|release| ramps.get(release));
        let (from, mut to) = ramp.copied().unwrap_or((deploy.started_at, deploy.done_at()));
        // Its calls say when it began; its record, where their clocks agree, when it was complete to the minute.
        let is_trusted = (from.micros() - deploy.started_at.micros()).abs() <= 2 * CLOCK;
        if ramp.is_some() && is_trusted && deploy.done_at().micros() <= from.micros() + 72 * HOUR {
            to = deploy.done_at().max(from);
        }
        let begins = (earliest..latest).contains(&deploy.started_at);
        let goes_on = from.min(deploy.started_at) < latest && to.max(deploy.done_at()) >= earliest;
        let is_long = to.micros() - from.micros() > 2 * HOUR;
        if begins || (goes_on && is_long) {
            found.push(Candidate {
                index: Some(index),
                deploy: Some(deploy),
                release,
                from,
                to,
                is_observed: ramp.is_some(),
            });
        }
    }
    let known: BTreeSet<&str> = ramps
        .keys()
        .filter(|release| window.deploys.iter().any(|deploy| deploy.is_release(release)))
        .copied()
        .collect();
    for (release, (from, to)) in &ramps {
        if !known.contains(release) && *from >= earliest && *from < latest {
            found.push(Candidate {
                index: None,
                deploy: None,
                release: Some(release),
                from: *from,
                to: *to,
                is_observed: true,
            });
        }
    }
    found.sort_by_key(|candidate| {
        let id = candidate.deploy.map(|deploy| deploy.id.as_str());
        (candidate.from, candidate.to, id, candidate.release)
    });
    found
}

/// For each release that was not there from the beginning: its first call, and when nearly all calls of its steps were
/// its own.
fn ramps<'a>(grid: &Grid<'a>) -> BTreeMap<&'a str, (Timestamp, Timestamp)> {
    let window = grid.window;
    let mut hours: BTreeMap<&str, BTreeMap<usize, i64>> = BTreeMap::new();
    let mut places: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut all: BTreeMap<(&str, &str, usize), i64> = BTreeMap::new();
    for row in window
        .releases
        .iter()
        .filter(|row| row.hour >= grid.at(0) && row.hour <= window.now)
    {
        let hour = grid.hour_of(row.hour);
        let own = hours.entry(&row.release).or_default().entry(hour).or_default();
        *own = own.saturating_add(row.calls);
        places
            .entry(&row.release)
            .or_default()
            .insert((&row.key, &row.step));
        let whole = all.entry((&row.key, &row.step, hour)).or_default();
        *whole = whole.saturating_add(row.calls);
    }
    let first_hour = hours
        .values()
        .filter_map(|hours| hours.keys().next().copied())
        .min()
        .unwrap_or(0);
    let mut found = BTreeMap::new();
    for (release, own) in &hours {
        let Some(first) = own.keys().next().copied().filter(|first| *first > first_hour) else {
            continue;
        };
        let seen = window
            .first_seen
            .iter()
            .filter(|seen| seen.what == Novelty::Release && seen.value == **release)
            .map(|seen| seen.at)
            .min();
        let from = seen.unwrap_or_else(|| grid.at(first));
        let done = own
            .iter()
            .take_while(|(hour, _)| **hour < first + LONGEST)
            .find(|(hour, calls)| {
                let whole: i64 = places[release]
                    .iter()
                    .map(|(key, step)| all.get(&(*key, *step, **hour)).copied().unwrap_or(0))
                    .fold(0, i64::saturating_add);
                **calls as f64 >= ROLLED_OUT * whole as f64
            });
        // In the hour of an instant rollout both are seen: it was complete before the next began.
        let to = match done {
            Some((hour, _)) if *hour <= first + 1 => from,
            Some((hour, _)) => grid.at(*hour),
            None => from,
        };
        found.insert(*release, (from, to.max(from)));
    }
    found
}
