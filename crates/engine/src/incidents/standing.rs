//! How every series of a project stood when all of it was judged, so that later hours of the same day are judged alone:
//! whether anything of them opens or closes something, and all of it has to be judged again.
//!
//! Baselines are fitted at midnight and hold for a day. Until the next one evidence is added up hour by hour, so what is
//! kept of a series is that evidence and the few hours it is of, not the weeks that its baseline was fitted to.

use std::collections::{BTreeMap, HashMap};

use domain::{NanoUsd, Timestamp};

use super::baseline::DAY;
use super::detect::{Asking, Detected};
use super::grid::{Grid, Hours, Scope};
use super::incident::Incident;
use super::judge::{Outcome, Stand, go_on};
use super::metric::{Metric, Settings};
use super::shift::Status;
use super::window::{Sums, Window};

const HOUR_MICROS: i64 = 3_600_000_000;
/// An incident that ended longer ago does not change any more: its candidates began within a day of it, and are compared
/// by the two days after them.
const FIGURES_MOVE_MICROS: i64 = 4 * 24 * HOUR_MICROS;

/// What the hours since a judgement change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing: a judgement of everything would find what was found.
    Nothing,
    /// What was found goes on or is still being compared: its figures move, and nothing opens or closes.
    Figures,
    /// Something opened or closed, or is new, or these hours alone do not tell.
    Everything,
}

/// A key or a step.
struct Series {
    is_key: bool,
    /// The hour that the first of `hours` is; they end where reading goes on.
    begins: usize,
    hours: Hours,
    metrics: Vec<(Metric, Stand, Outcome)>,
    daily: Option<Daily>,
}

/// The running day of a key by the daily rule.
struct Daily {
    /// What the days before cost, hour by hour.
    before: Vec<[NanoUsd; DAY]>,
    is_flagged: bool,
}

/// How every series of a project stood.
pub struct Standing {
    settings: Settings,
    asking: Asking,
    /// The first hour of the window that was judged, in hours since the epoch.
    first: i64,
    /// Of the window: the first hour of the running day, the one that reading goes on with, and how many there were.
    midnight: usize,
    until: usize,
    len: usize,
    weekend: Vec<bool>,
    series: Vec<Series>,
    /// Where a scope is in `series`; `None` for the only step of a key, which is not judged apart.
    places: BTreeMap<Scope, Option<usize>>,
    /// When the next deploy begins that is recorded already.
    next_deploy: Option<Timestamp>,
    goes_on: bool,
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standing")
            .field("series", &self.series.len())
            .field("goes_on", &self.goes_on)
            .finish_non_exhaustive()
    }
}

impl Standing {
    /// Until when hours are taken for settled as of `now`. What changes before then has everything judged again; what
    /// comes later is read each time. Late by an hour is usual, and no hour before midnight is part of a day.
    pub fn settled_until(now: Timestamp) -> Timestamp {
        now.hour().plus_micros(-HOUR_MICROS).max(now.day())
    }

    /// Of a window that was judged as of its `now`.
    pub(super) fn of(
        grid: &Grid<'_>,
        settings: &Settings,
        detected: Detected,
        incidents: &[Incident],
    ) -> Self {
        let window = grid.window;
        let until = grid.hour_of(Self::settled_until(window.now));
        let midnight = grid.hour_of(window.now.day());
        let mut places: BTreeMap<Scope, Option<usize>> =
            grid.scopes().into_iter().map(|scope| (scope, None)).collect();
        let mut series: Vec<Series> = Vec::with_capacity(detected.scopes.len());
        let mut metrics: Vec<Vec<(Metric, Stand, Outcome)>> = Vec::new();
        metrics.resize_with(detected.scopes.len(), Vec::new);
        for kept in detected.kept {
            if let Some(of) = metrics.get_mut(kept.scope) {
                of.push((kept.metric, kept.stand, kept.outcome));
            }
        }
        let mut goes_on = incidents.iter().any(|incident| {
            incident.status == Status::Open
                || incident.last_at >= window.now.plus_micros(-FIGURES_MOVE_MICROS)
        });
        for ((place, scope), metrics) in detected.scopes.iter().enumerate().zip(metrics) {
            let hours = &detected.hours[place];
            let is_key = scope.step.is_none();
            let daily = is_key
                .then(|| detected.before_running.get(&place))
                .flatten()
                .filter(|_| settings.may_open(&scope.key, Metric::Cost))
                .map(|before| Daily {
                    before: before.iter().map(|day| costs_of_day(hours, *day)).collect(),
                    is_flagged: detected.days.get(&place).is_some_and(|days| {
                        let last = days.last();
                        last.is_some_and(|day| day.hour == midnight && day.reading.is_flagged)
                    }),
                });
            goes_on |= metrics.iter().any(|(.., outcome)| outcome.open_since.is_some());
            let reads_from = metrics.iter().map(|(_, stand, _)| stand.reads_from());
            let reads_from = reads_from.fold(until, usize::min);
            let begins = if daily.is_some() {
                reads_from.min(midnight)
            } else {
                reads_from
            };
            places.insert(scope.clone(), Some(place));
            series.push(Series {
                is_key,
                begins,
                hours: hours.get(begins..until).unwrap_or_default().to_vec(),
                metrics,
                daily,
            });
        }
        Self {
            settings: settings.clone(),
            asking: detected.asking,
            first: grid.at(0).micros().div_euclid(HOUR_MICROS),
            midnight,
            until,
            len: grid.len,
            // To the end of the running day.
            weekend: (0..midnight + DAY).map(|hour| grid.is_weekend(hour)).collect(),
            series,
            places,
            next_deploy: window
                .deploys
                .iter()
                .map(|deploy| deploy.started_at)
                .filter(|at| *at > window.now)
                .min(),
            goes_on,
        }
    }

    /// From which hour on [`Self::since`] needs the rows and runs of every series.
    pub fn reads_from(&self) -> Timestamp {
        let hours = i64::try_from(self.until).unwrap_or(0).saturating_add(self.first);
        Timestamp::from_micros(hours.saturating_mul(HOUR_MICROS))
    }

    /// What it takes in memory: metrics, and hours of series that are kept for them, a kilobyte or two each.
    pub fn size(&self) -> usize {
        let hours: usize = self.series.iter().map(|series| series.hours.len()).sum();
        self.len().saturating_add(hours)
    }

    /// How many metrics of series are kept.
    pub fn len(&self) -> usize {
        self.series.iter().map(|series| series.metrics.len()).sum()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the hours of `recent`, from [`Self::reads_from`] on, change as of its `now`. Nothing else that was judged may
    /// have changed: hours before, deploys, answers of people.
    pub fn since(&self, recent: &Window, settings: &Settings) -> Since {
        let hour_of = |at: Timestamp| usize::try_from(at.micros().div_euclid(HOUR_MICROS) - self.first).ok();
        let Some(running) = hour_of(recent.now) else {
            return Since::Everything;
        };
        let is_same_day = running + 1 >= self.len && running < self.midnight + DAY;
        let is_same_rule = *settings == self.settings
            && self.asking.deploys_a_week(running + 1) == self.asking.deploys_a_week(self.len)
            && self.next_deploy.is_none_or(|at| at > recent.now);
        if !is_same_day || !is_same_rule {
            return Since::Everything;
        }
        let hours = self.until..running + 1;
        let place = |at: Timestamp| {
            let hour = hour_of(at).filter(|hour| hours.contains(hour))?;
            Some(hour - hours.start)
        };
        let Some(new) = self.new_hours(recent, hours.len(), place) else {
            return Since::Everything;
        };
        let changed = self.series.iter().zip(new).any(|(series, new)| {
            let mut hours = series.hours.clone();
            hours.extend(new);
            self.has_changed(series, &hours)
        });
        match (changed, self.goes_on) {
            (true, _) => Since::Everything,
            (false, true) => Since::Figures,
            (false, false) => Since::Nothing,
        }
    }

    /// What each series did in the hours that are new; `None` where a key or a step is new.
    fn new_hours(
        &self,
        recent: &Window,
        length: usize,
        place: impl Fn(Timestamp) -> Option<usize>,
    ) -> Option<Vec<Hours>> {
        let mut new: Vec<Hours> = vec![vec![None; length]; self.series.len()];
        let mut has_calls = vec![false; length];
        let mut targets: Vec<Option<[Option<usize>; 2]>> = vec![None; recent.series.len()];
        for row in &recent.rows {
            let Some(hour) = place(row.hour) else { continue };
            let at = row.series as usize;
            let Some(name) = recent.series.get(at) else {
                continue;
            };
            let both = match targets[at] {
                Some(both) => both,
                None => {
                    let of = |step: Option<String>| {
                        let key = name.key.clone();
                        self.places.get(&Scope { key, step }).copied()
                    };
                    let both = [of(None)?, of(Some(name.step.clone()))?];
                    targets[at] = Some(both);
                    both
                }
            };
            has_calls[hour] |= row.sums.calls > 0;
            for target in both.into_iter().flatten() {
                new[target][hour].get_or_insert_with(Sums::default).add(&row.sums);
            }
        }
        let mut runs: HashMap<(&str, usize), i64> = HashMap::new();
        for row in &recent.runs {
            if let Some(hour) = place(row.hour) {
                let sum = runs.entry((&row.key, hour)).or_default();
                *sum = sum.saturating_add(row.runs);
            }
        }
        for (scope, place) in &self.places {
            let Some(hours) = place.and_then(|place| new.get_mut(place)) else {
                continue;
            };
            for (hour, sums) in hours.iter_mut().enumerate() {
                if has_calls[hour] {
                    let sums = sums.get_or_insert_with(Sums::default);
                    sums.runs = runs.get(&(scope.key.as_str(), hour)).copied().unwrap_or(0);
                }
            }
        }
        Some(new)
    }

    /// Whether anything of a series opened or closed since.
    fn has_changed(&self, series: &Series, hours: &Hours) -> bool {
        let len = series.begins + hours.len();
        let is_flagged = series.daily.as_ref().map(|daily| {
            let today = hours.get(self.midnight - series.begins..).unwrap_or_default();
            daily.is_flagged(today, &self.settings)
        });
        if is_flagged != series.daily.as_ref().map(|daily| daily.is_flagged) {
            return true;
        }
        series.metrics.iter().any(|(metric, stand, outcome)| {
            let asked = self.asking.of(&self.settings, *metric, series.is_key, len);
            go_on(stand, &asked, hours, series.begins, &self.weekend) != *outcome
        })
    }
}

impl Daily {
    fn is_flagged(&self, today: &[Option<Sums>], settings: &Settings) -> bool {
        let before: Vec<NanoUsd> = self
            .before
            .iter()
            .map(|day| {
                let elapsed = day.iter().take(today.len());
                elapsed.fold(NanoUsd(0), |sum, cost| sum.saturating_add(*cost))
            })
            .collect();
        let (mut calls, mut actual) = (0i64, NanoUsd(0));
        for sums in today.iter().flatten() {
            calls = calls.saturating_add(sums.calls);
            actual = actual.saturating_add(sums.cost);
        }
        let reading = settings.daily.read(&before, actual).filter(|_| calls > 0);
        reading.is_some_and(|reading| reading.is_flagged)
    }
}

fn costs_of_day(hours: &Hours, day: usize) -> [NanoUsd; DAY] {
    let mut costs = [NanoUsd(0); DAY];
    let known = hours.get(day..).unwrap_or_default();
    for (cost, sums) in costs.iter_mut().zip(known) {
        *cost = sums.as_ref().map_or(NanoUsd(0), |sums| sums.cost);
    }
    costs
}
