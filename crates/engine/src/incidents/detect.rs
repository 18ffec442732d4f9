//! Every metric of every series judged, and what changed with where it began.

mod days;

use std::collections::BTreeMap;

pub(super) use days::Day;
use days::{add_flagged, read_days, runs_of_flagged};

use super::baseline::{Baseline, DAY, History};
use super::daily::BASELINE_DAYS;
use super::grid::{Grid, Hours, Scope};
use super::judge::{Asked, Outcome, Stand, judge};
use super::metric::{Metric, Settings};
use super::onset::{Onset, locate};
use super::shift::Shift;
use super::window::Sums;

/// A leaf that is less of its key's calls and of its cost than this opens nothing alone.
const LEAST_PART: f64 = 0.05;
/// Consecutive flagged days after which they are normal.
const STABLE_DAYS: usize = 7;

/// A shift, and where it is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) scope: usize,
    pub(super) metric: Metric,
    pub(super) shift: Shift,
    pub(super) onset: Onset,
}

/// How a series that may open an incident stood before an hour, and what was found in it up to the last.
pub(super) struct Kept {
    pub(super) scope: usize,
    pub(super) metric: Metric,
    pub(super) stand: Stand,
    pub(super) outcome: Outcome,
}

/// All there is to know of the series of a window.
pub(super) struct Detected {
    pub(super) scopes: Vec<Scope>,
    pub(super) hours: Vec<Hours>,
    pub(super) weekend: Vec<bool>,
    pub(super) asking: Asking,
    /// By scope: which hours belong to no incident of cost.
    pub(super) clean: Vec<Vec<bool>>,
    /// By scope of a key.
    pub(super) days: BTreeMap<usize, Vec<Day>>,
    /// By scope of a key: the first hours of the days that the running one is read against.
    pub(super) before_running: BTreeMap<usize, Vec<usize>>,
    pub(super) found: Vec<Found>,
    /// Where it was asked for.
    pub(super) kept: Vec<Kept>,
}

/// The metrics of a step; a key has all.
const OF_STEPS: [Metric; 9] = [
    Metric::Cost,
    Metric::CostPerCall,
    Metric::CostPerRun,
    Metric::LatencyP95,
    Metric::TtftP95,
    Metric::ErrorRate,
    Metric::OutputTokens,
    Metric::AnomalyRate,
    Metric::ShapeMix,
];

/// What decides how much evidence is enough, beside the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    /// The hours in which deploys began.
    pub(super) deploys: Vec<usize>,
    /// Metrics of series that are judged.
    pub(super) judged: usize,
}

impl Asking {
    /// What is asked of a metric, with `hours` up to the running one.
    pub(super) fn of<'a>(
        &'a self,
        settings: &'a Settings,
        metric: Metric,
        is_key: bool,
        hours: usize,
    ) -> Asked<'a> {
        Asked {
            metric,
            minimums: &settings.minimums,
            evidence: if is_key {
                settings.parent_evidence()
            } else {
                settings.leaf_evidence()
            },
            deploy_evidence: settings.deploy_evidence(self.judged, self.deploys_a_week(hours)),
            deploys: &self.deploys,
            least_deviations: if is_key { 1.0 } else { 2.0 },
            running: Some(hours.saturating_sub(1)),
        }
    }

    pub(super) fn deploys_a_week(&self, hours: usize) -> usize {
        let weeks = (hours as f64 / (7.0 * DAY as f64)).max(1.0);
        (self.deploys.len() as f64 / weeks).ceil() as usize
    }
}

/// Judges every metric of every series. `keep` asks how each stood before an hour of the running day.
pub(super) fn detect(grid: &Grid<'_>, settings: &Settings, keep: Option<usize>) -> Detected {
    let scopes = chosen_scopes(grid);
    let hours = grid.hours(&scopes);
    let weekend: Vec<bool> = (0..grid.len).map(|hour| grid.is_weekend(hour)).collect();
    let deploys = grid
        .window
        .deploys
        .iter()
        .filter(|deploy| deploy.started_at >= grid.at(0) && deploy.started_at <= grid.window.now)
        .map(|deploy| grid.hour_of(deploy.started_at))
        .collect();
    let judged = scopes.iter().map(|scope| metrics_of(scope).len()).sum();
    let asking = Asking { deploys, judged };
    let mut detected = Detected {
        clean: vec![vec![true; grid.len]; scopes.len()],
        days: BTreeMap::new(),
        before_running: BTreeMap::new(),
        found: Vec::new(),
        kept: Vec::new(),
        scopes,
        hours,
        weekend,
        asking,
    };
    for index in 0..detected.scopes.len() {
        detected.judge_scope(grid, settings, index, keep);
    }
    detected
}

fn metrics_of(scope: &Scope) -> &'static [Metric] {
    if scope.step.is_none() {
        &Metric::ALL
    } else {
        &OF_STEPS
    }
}

/// Keys, and their steps where there are several.
fn chosen_scopes(grid: &Grid<'_>) -> Vec<Scope> {
    let all = grid.scopes();
    let steps_of = |key: &str| {
        all.iter()
            .filter(|scope| scope.key == key && scope.step.is_some())
            .count()
    };
    all.iter()
        .filter(|scope| scope.step.is_none() || steps_of(&scope.key) > 1)
        .cloned()
        .collect()
}

impl Detected {
    fn judge_scope(&mut self, grid: &Grid<'_>, settings: &Settings, index: usize, keep: Option<usize>) {
        let scope = self.scopes[index].clone();
        let is_key = scope.step.is_none();
        let days = if is_key {
            let days = read_days(&self.hours[index], settings);
            self.before_running.insert(index, days.before_running);
            days.read
        } else {
            Vec::new()
        };
        let flagged = runs_of_flagged(&days);
        for metric in metrics_of(&scope) {
            let mut clean = vec![true; grid.len];
            if metric.is_money() {
                for run in flagged.iter().filter(|run| run.len() < STABLE_DAYS) {
                    run.iter()
                        .for_each(|day| clean[day.hour..(day.hour + DAY).min(grid.len)].fill(false));
                }
            }
            let mut accepted = Vec::new();
            let judged = judge(
                &self.asking.of(settings, *metric, is_key, grid.len),
                &self.hours[index],
                &self.weekend,
                &mut clean,
                &mut accepted,
                keep.filter(|_| settings.may_open(&scope.key, *metric)),
            );
            let mut shifts = judged.shifts;
            self.kept.extend(judged.stand.map(|stand| Kept {
                scope: index,
                metric: *metric,
                stand,
                outcome: judged.outcome,
            }));
            let history = History {
                hours: &self.hours[index],
                begins: 0,
                clean: &clean,
                accepted: &[],
                weekend: &self.weekend,
            };
            if *metric == Metric::Cost && is_key {
                add_flagged(&flagged, &history, settings, grid.len, &mut shifts);
            }
            if !is_key {
                shifts.retain(|shift| self.is_part_of_key(index, shift));
            }
            for shift in shifts {
                let onset = locate(
                    &shift.baseline,
                    &history,
                    grid,
                    shift.start,
                    shift.end,
                    shift.effect,
                );
                self.found.push(Found {
                    scope: index,
                    metric: *metric,
                    shift,
                    onset,
                });
            }
            if *metric == Metric::Cost {
                self.clean[index] = clean;
            }
        }
        if is_key {
            self.days.insert(index, days);
        }
    }

    /// Where a component of cost began, whether or not evidence of it alone was enough.
    pub(super) fn locate_component(
        &self,
        grid: &Grid<'_>,
        settings: &Settings,
        scope: usize,
        metric: Metric,
        hours: std::ops::Range<usize>,
    ) -> Option<Onset> {
        // What a run costs tells of the dearer call, and of the call that is made twice.
        let runs = self.hours[scope].iter().flatten().any(|sums| sums.runs > 0);
        let metric = if metric == Metric::CostPerCall && runs {
            Metric::CostPerRun
        } else {
            metric
        };
        let clean: Vec<bool> = (0..grid.len).map(|hour| hour < hours.start).collect();
        let history = History {
            hours: &self.hours[scope],
            begins: 0,
            clean: &clean,
            accepted: &[],
            weekend: &self.weekend,
        };
        let until = hours.start / DAY * DAY;
        let baseline = Baseline::fit(metric, &history, until, &settings.minimums)?;
        let block = baseline.block();
        let (mut effects, mut weight) = (0.0, 0.0);
        for at in (hours.start / block * block..hours.end).step_by(block) {
            if let Some(reading) = baseline.read(&history, at, at + block > grid.len.saturating_sub(1)) {
                effects += reading.effect * reading.weight;
                weight += reading.weight;
            }
        }
        if weight <= 0.0 {
            return None;
        }
        Some(locate(
            &baseline,
            &history,
            grid,
            hours.start,
            hours.end,
            effects / weight,
        ))
    }

    /// The latest seven days before an hour that belong to no incident, by their first hours.
    pub(super) fn days_before(&self, scope: usize, hour: usize) -> Vec<usize> {
        const ENOUGH_HOURS: usize = 18;
        let last = hour / DAY;
        let usable = (0..last).rev().map(|day| day * DAY).filter(|day| {
            let range = *day..day + DAY;
            let clean = self.clean[scope].get(range.clone()).unwrap_or_default();
            let known = self.hours[scope].get(range).unwrap_or_default();
            let count = clean
                .iter()
                .zip(known)
                .filter(|(clean, sums)| **clean && sums.is_some())
                .count();
            count >= ENOUGH_HOURS
        });
        let mut days: Vec<usize> = usable.take(BASELINE_DAYS).collect();
        days.reverse();
        days
    }

    /// Whether a step is enough of its key that a change of it changes the key.
    fn is_part_of_key(&self, index: usize, shift: &Shift) -> bool {
        let key = Scope {
            key: self.scopes[index].key.clone(),
            step: None,
        };
        let Some(parent) = self.scopes.iter().position(|scope| *scope == key) else {
            return true;
        };
        let total = |scope: usize, of: fn(&Sums) -> f64| -> f64 {
            let hours = self.hours[scope].get(shift.start..shift.end).unwrap_or_default();
            hours.iter().flatten().map(of).sum()
        };
        let part = |of: fn(&Sums) -> f64| {
            let whole = total(parent, of);
            if whole > 0.0 {
                total(index, of) / whole
            } else {
                0.0
            }
        };
        part(|sums| sums.cost.0 as f64).max(part(|sums| sums.calls as f64)) >= LEAST_PART
    }
}
