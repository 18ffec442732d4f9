//! The days of a key by the daily rule.

use std::sync::Arc;

use domain::NanoUsd;

use super::super::baseline::{Baseline, DAY, History};
use super::super::daily::{BASELINE_DAYS, DayReading};
use super::super::grid::Hours;
use super::super::metric::{Metric, Settings};
use super::super::shift::{Door, Shift, Status};
use super::STABLE_DAYS;

/// A day of a key by the daily rule.
#[derive(Clone, Debug)]
pub(in super::super) struct Day {
    /// Its first hour.
    pub(in super::super) hour: usize,
    pub(in super::super) reading: DayReading,
    /// The first hours of the days it is read against.
    pub(in super::super) before: Vec<usize>,
}

/// The days of a key.
#[derive(Debug, Default)]
pub(super) struct Days {
    /// Those with data that could be read.
    pub(super) read: Vec<Day>,
    /// The first hours of the days that the running one is read against, with data or not.
    pub(super) before_running: Vec<usize>,
}

/// Every day of a key with data, read against the seven before it. The running day is read by what has elapsed.
pub(super) fn read_days(hours: &Hours, settings: &Settings) -> Days {
    let running = hours.len().saturating_sub(1);
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
    let mut days = Days::default();
    for day in (0..hours.len()).step_by(DAY) {
        let is_running = day + DAY > running;
        let length = if is_running { running - day + 1 } else { DAY };
        let from = earlier.len().saturating_sub(BASELINE_DAYS);
        let latest = earlier.get(from..).unwrap_or_default();
        if is_running {
            days.before_running = latest.to_vec();
        }
        let Some(actual) = sum(day, length) else { continue };
        let before: Vec<NanoUsd> = latest
            .iter()
            .map(|day| sum(*day, length).unwrap_or(NanoUsd(0)))
            .collect();
        let reading = settings.daily.read(&before, actual);
        let is_flagged = reading.is_some_and(|reading| reading.is_flagged);
        days.read.extend(reading.map(|reading| Day {
            hour: day,
            reading,
            before: latest.to_vec(),
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

/// Flagged days that follow one another.
pub(super) fn runs_of_flagged(days: &[Day]) -> Vec<Vec<Day>> {
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
pub(super) fn add_flagged(
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
