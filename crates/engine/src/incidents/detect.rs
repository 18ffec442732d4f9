//! Every metric of every series judged, and what changed with where it began.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::NanoUsd;

use super::baseline::{Baseline, DAY, History};
use super::daily::{BASELINE_DAYS, DayReading};
use super::grid::{Grid, Hours, Scope};
use super::judge::{Asked, judge};
use super::metric::{Metric, Settings};
use super::onset::{Onset, locate};
use super::shift::{Door, Shift, Status};
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

/// A day of a key by the daily rule.
#[derive(Clone, Debug)]
pub(super) struct Day {
    /// Its first hour.
    pub(super) hour: usize,
    pub(super) reading: DayReading,
    /// The first hours of the days it is read against.
    pub(super) before: Vec<usize>,
}

/// All there is to know of the series of a window.
pub(super) struct Detected {
    pub(super) scopes: Vec<Scope>,
    pub(super) hours: Vec<Hours>,
    pub(super) weekend: Vec<bool>,
    /// By scope: which hours belong to no incident of cost.
    pub(super) clean: Vec<Vec<bool>>,
    /// By scope of a key.
    pub(super) days: BTreeMap<usize, Vec<Day>>,
    pub(super) found: Vec<Found>,
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

pub(super) fn detect(grid: &Grid<'_>, settings: &Settings) -> Detected {
    let scopes = chosen_scopes(grid);
    let hours = grid.hours(&scopes);
    let weekend: Vec<bool> = (0..grid.len).map(|hour| grid.is_weekend(hour)).collect();
    let deploys: Vec<usize> = grid
        .window
        .deploys
        .iter()
        .filter(|deploy| deploy.started_at >= grid.at(0) && deploy.started_at <= grid.window.now)
        .map(|deploy| grid.hour_of(deploy.started_at))
        .collect();
    let judged: usize = scopes
        .iter()
        .map(|scope| {
            if scope.step.is_none() {
                Metric::ALL.len()
            } else {
                OF_STEPS.len()
            }
        })
        .sum();
    let mut detected = Detected {
        clean: vec![vec![true; grid.len]; scopes.len()],
        days: BTreeMap::new(),
        found: Vec::new(),
        scopes,
        hours,
        weekend,
    };
    for index in 0..detected.scopes.len() {
        detected.judge_scope(grid, settings, index, &deploys, judged);
    }
    detected
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
    fn judge_scope(
        &mut self,
        grid: &Grid<'_>,
        settings: &Settings,
        index: usize,
        deploys: &[usize],
        judged: usize,
    ) {
        let scope = self.scopes[index].clone();
        let is_key = scope.step.is_none();
        let days = if is_key {
            self.read_days(grid, settings, index)
        } else {
            Vec::new()
        };
        let flagged = runs_of_flagged(&days);
        let metrics: &[Metric] = if is_key { &Metric::ALL } else { &OF_STEPS };
        let running = grid.len.saturating_sub(1);
        for metric in metrics {
            let mut clean = vec![true; grid.len];
            if metric.is_money() {
                for run in flagged.iter().filter(|run| run.len() < STABLE_DAYS) {
                    run.iter()
                        .for_each(|day| clean[day.hour..(day.hour + DAY).min(grid.len)].fill(false));
                }
            }
            let asked = Asked {
                metric: *metric,
                minimums: &settings.minimums,
                evidence: if is_key {
                    settings.parent_evidence()
                } else {
                    settings.leaf_evidence()
                },
                deploy_evidence: settings.deploy_evidence(judged, deploys_a_week(deploys, grid.len)),
                deploys,
                least_deviations: if is_key { 1.0 } else { 2.0 },
                running: Some(running),
            };
            let mut accepted = Vec::new();
            let mut shifts = judge(
                &asked,
                &self.hours[index],
                &self.weekend,
                &mut clean,
                &mut accepted,
            );
            let history = History {
                hours: &self.hours[index],
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

    /// Every day of a key with data, read against the seven before it. The running day is read by what has elapsed.
    fn read_days(&self, grid: &Grid<'_>, settings: &Settings, index: usize) -> Vec<Day> {
        let hours = &self.hours[index];
        let running = grid.len.saturating_sub(1);
        let sum = |day: usize, length: usize| -> Option<NanoUsd> {
            let known = hours.get(day..(day + length).min(hours.len()))?.iter().flatten();
            let mut calls = 0;
            let total = known.fold(NanoUsd(0), |sum, hour| {
                calls = hour.calls.saturating_add(calls);
                sum.saturating_add(hour.cost)
            });
            (calls > 0).then_some(total)
        };
        let mut earlier: Vec<usize> = Vec::new();
        let mut in_a_row: Vec<usize> = Vec::new();
        let mut days = Vec::new();
        for day in (0..hours.len()).step_by(DAY) {
            let is_running = day + DAY > running;
            let length = if is_running { running - day + 1 } else { DAY };
            let Some(actual) = sum(day, length) else { continue };
            let from = earlier.len().saturating_sub(BASELINE_DAYS);
            let before: Vec<NanoUsd> = earlier[from..]
                .iter()
                .map(|day| sum(*day, length).unwrap_or(NanoUsd(0)))
                .collect();
            let reading = settings.daily.read(&before, actual);
            let is_flagged = reading.is_some_and(|reading| reading.is_flagged);
            days.extend(reading.map(|reading| Day {
                hour: day,
                reading,
                before: earlier[from..].to_vec(),
            }));
            if is_flagged {
                in_a_row.push(day);
            } else {
                in_a_row.clear();
                earlier.push(day);
            }
            if in_a_row.len() == STABLE_DAYS {
                earlier.append(&mut in_a_row);
            }
        }
        days
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

fn deploys_a_week(deploys: &[usize], hours: usize) -> usize {
    let weeks = (hours as f64 / (7.0 * DAY as f64)).max(1.0);
    (deploys.len() as f64 / weeks).ceil() as usize
}

/// Flagged days that follow one another.
fn runs_of_flagged(days: &[Day]) -> Vec<Vec<Day>> {
    let mut runs: Vec<Vec<Day>> = Vec::new();
    let mut before = false;
    for day in days {
        match runs.last_mut() {
            _ if !day.reading.is_flagged => {}
            Some(run) if before => run.push(day.clone()),
            _ => runs.push(vec![day.clone()]),
        }
        before = day.reading.is_flagged;
    }
    runs
}

/// What the daily rule flagged and evidence did not find is a shift of its own.
fn add_flagged(
    flagged: &[Vec<Day>],
    history: &History<'_>,
    settings: &Settings,
    hours: usize,
    shifts: &mut Vec<Shift>,
) {
    for run in flagged {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let range = first.hour..(last.hour + DAY).min(hours);
        let is_known = shifts
            .iter()
            .any(|shift| shift.start < range.end && range.start < shift.end);
        let Some(baseline) = Baseline::fit(Metric::Cost, history, first.hour, &settings.minimums) else {
            continue;
        };
        if !is_known {
            let status = match run.len() {
                STABLE_DAYS.. => Status::Accepted,
                _ if range.end >= hours.saturating_sub(1) => Status::Open,
                _ => Status::Closed,
            };
            shifts.push(Shift::by_door(Door::Daily, Arc::new(baseline), range, status));
        }
    }
    shifts.sort_by_key(|shift| shift.start);
}
