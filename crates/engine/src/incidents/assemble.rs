//! An incident from its shifts: figures day by day, where the change comes from, and what caused it.

use domain::NanoUsd;

use super::attribution::{Case, Weights, attribute};
use super::decomposition::{CostPeriod, cost_terms, latency_terms, mean_terms, rate_terms};
use super::detect::{Day, Detected};
use super::grid::{Grid, Scope};
use super::incident::{Amount, Decomposition, Incident, IncidentDay, Moved};
use super::merge::{Group, only_model};
use super::metric::Metric;
use super::shift::Status;
use super::tables::{Table, WeightedHours, cost_period, latency_cells, rate_cells, same_hours};
use super::window::MinuteRow;

const DAY: usize = 24;
/// Days that an incident lists at most.
const MAX_DAYS: usize = 31;

pub(super) fn assemble(
    grid: &Grid<'_>,
    minutes: &[MinuteRow],
    weights: &Weights,
    detected: &Detected,
    group: &Group<'_>,
) -> Incident {
    let lead = group.lead;
    let shift = &lead.shift;
    let scope = &detected.scopes[lead.scope];
    let case = Case::of(grid, minutes, detected, group);
    let onset_day = grid.hour_of(case.onset.at) / DAY * DAY;
    let flagged = flagged_day(detected, group, onset_day, shift.end);
    let first = flagged.map_or(onset_day, |day| day.hour);
    // A day that was flagged later says less of when it began than the onset.
    let t = flagged.map_or(case.onset.from, |day| grid.at(day.hour).min(case.onset.from));
    let answer = attribute(&case, weights, t);
    let before = detected.days_before(lead.scope, onset_day);
    let days: Vec<IncidentDay> = (first..shift.end.max(first + 1))
        .step_by(DAY)
        .take(MAX_DAYS)
        .map(|day| figures(grid, detected, lead.scope, group.metric, day, &before))
        .collect();
    let delta = days
        .first()
        .map_or(Amount::Real(0.0), |day| day.actual.minus(day.baseline));
    let baseline = baseline_days(detected, lead.scope, group.metric, first, &before);
    let decomposition = decompose(grid, scope, group.metric, first, &baseline, delta);
    let shared = group.keys.len() > 1;
    let status = group
        .members
        .iter()
        .map(|found| found.shift.status)
        .filter(|status| *status == Status::Open);
    let is_open = status.count() > 0 && shift.status != Status::Accepted;
    let ended = group
        .members
        .iter()
        .filter_map(|found| found.shift.ended)
        .max()
        .filter(|_| !is_open);
    Incident {
        key: (!shared).then(|| scope.key.clone()),
        step: scope.step.clone().filter(|_| !shared),
        model: Some(lead)
            .filter(|_| shared || scope.step.is_some())
            .and_then(|lead| only_model(grid, detected, lead))
            .map(str::to_owned),
        metric: group.metric,
        status: if is_open { Status::Open } else { shift.status },
        is_provisional: shift.is_provisional,
        door: shift.door,
        onset: case.onset.clone(),
        opened_at: group
            .members
            .iter()
            .filter(|found| found.metric.opens())
            .map(|found| grid.at(found.shift.opened))
            .min()
            .unwrap_or_else(|| grid.at(shift.opened))
            .max(case.onset.from)
            // One extreme hour is enough before it is over.
            .min(grid.window.now),
        last_at: grid.at(shift.end).min(grid.window.now),
        ended_at: ended.map(|hour| grid.at(hour)),
        flaps: shift.flaps,
        flagged_on: flagged.map(|day| grid.at(day.hour)),
        days,
        decomposition,
        also_moved: moved(detected, group),
        verdict: answer.verdict,
        attributions: answer.attributions,
        nulls: answer.nulls,
    }
}

/// The first day in the incident that the daily rule flagged.
fn flagged_day<'a>(detected: &'a Detected, group: &Group<'_>, from: usize, end: usize) -> Option<&'a Day> {
    if group.metric != Metric::Cost {
        return None;
    }
    let days = detected.days.get(&group.lead.scope)?;
    days.iter()
        .find(|day| day.reading.is_flagged && day.hour >= from && day.hour < end)
}

/// The hours of a day up to the running one.
fn day_hours(grid: &Grid<'_>, day: usize) -> Vec<usize> {
    (day..(day + DAY).min(grid.len)).collect()
}

/// The days a day is compared with: for cost those of the daily rule, else the latest that are clean.
fn baseline_days(
    detected: &Detected,
    scope: usize,
    metric: Metric,
    day: usize,
    before: &[usize],
) -> Vec<usize> {
    let rule = detected.days.get(&scope).filter(|_| metric == Metric::Cost);
    let read = rule.and_then(|days| days.iter().find(|known| known.hour == day));
    read.map_or_else(|| before.to_vec(), |day| day.before.clone())
}

fn figures(
    grid: &Grid<'_>,
    detected: &Detected,
    scope: usize,
    metric: Metric,
    day: usize,
    before: &[usize],
) -> IncidentDay {
    let hours = day_hours(grid, day);
    let days = baseline_days(detected, scope, metric, day, before);
    let place = &detected.scopes[scope];
    let now: WeightedHours = hours.iter().map(|hour| (*hour, 1.0)).collect();
    let then = same_hours(&hours, &days);
    let reading = detected
        .days
        .get(&scope)
        .filter(|_| metric == Metric::Cost)
        .and_then(|days| days.iter().find(|known| known.hour == day))
        .map(|day| day.reading);
    let table = Table::of(grid, &now, place);
    let (actual, baseline) = match reading {
        Some(reading) => (Amount::Whole(reading.actual.0), Amount::Whole(reading.baseline.0)),
        None => (
            value(grid, place, metric, &now),
            value(grid, place, metric, &then),
        ),
    };
    IncidentDay {
        date: grid.at(day),
        actual,
        baseline,
        sigma: reading.map(|reading| reading.sigma),
        samples: table.samples,
    }
}

fn value(grid: &Grid<'_>, scope: &Scope, metric: Metric, hours: &WeightedHours) -> Amount {
    let total = Table::of(grid, hours, scope).total();
    let each = |sum: f64, n: f64| if n > 0.0 { sum / n } else { 0.0 };
    match metric {
        Metric::Cost => Amount::Whole(total.nano.round() as i64),
        Metric::Calls => Amount::Whole(total.calls.round() as i64),
        Metric::CostPerCall | Metric::CostPerRun => {
            Amount::Whole(each(total.nano, total.known_calls).round() as i64)
        }
        Metric::OutputTokens => Amount::Real(each(total.output, total.calls)),
        Metric::ErrorRate => Amount::Real(each(total.errors, total.calls)),
        Metric::AnomalyRate => Amount::Real(each(total.anomalies, total.calls)),
        Metric::LatencyP95 | Metric::TtftP95 => {
            let mut merged = crate::Histogram::new();
            for cell in latency_cells(grid, hours, scope, metric).values() {
                merged.merge(&cell.latency_us);
            }
            Amount::Real(merged.quantile(0.95).unwrap_or(0) as f64 / 1_000.0)
        }
        Metric::ShapeMix => Amount::Real(0.0),
    }
}

fn decompose(
    grid: &Grid<'_>,
    scope: &Scope,
    metric: Metric,
    day: usize,
    baseline: &[usize],
    delta: Amount,
) -> Decomposition {
    let hours = day_hours(grid, day);
    let now: WeightedHours = hours.iter().map(|hour| (*hour, 1.0)).collect();
    let then = same_hours(&hours, baseline);
    match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun => {
            let (mut before, mut after) = (cost_period(grid, &then, scope), cost_period(grid, &now, scope));
            if metric == Metric::CostPerCall {
                (before, after) = (per_call(before), per_call(after));
            }
            let delta = NanoUsd(delta.as_f64() as i64);
            Decomposition::NanoUsd(cost_terms(&before, &after, &grid.window.rates, delta))
        }
        Metric::LatencyP95 | Metric::TtftP95 => {
            let cells = |hours| latency_cells(grid, hours, scope, metric);
            let (before, after) = (cells(&then), cells(&now));
            Decomposition::Ms {
                p95: latency_terms(&before, &after),
                mean: mean_terms(&before, &after),
            }
        }
        Metric::ErrorRate | Metric::AnomalyRate | Metric::OutputTokens => {
            let cells = |hours| rate_cells(grid, hours, scope, metric);
            let terms = rate_terms(&cells(&then), &cells(&now));
            if metric == Metric::OutputTokens {
                Decomposition::Tokens(terms)
            } else {
                Decomposition::Share(terms)
            }
        }
        Metric::Calls | Metric::ShapeMix => Decomposition::None,
    }
}

/// The same for a period of one call: what is left is what made a call dearer.
fn per_call(mut period: CostPeriod) -> CostPeriod {
    let calls: f64 = period.cells.values().map(|cell| cell.calls).sum();
    if calls > 0.0 {
        for cell in period.cells.values_mut() {
            cell.calls /= calls;
            cell.nano /= calls;
            cell.tokens.iter_mut().for_each(|tokens| *tokens /= calls);
        }
    }
    period.runs = 0.0;
    period
}

fn moved(detected: &Detected, group: &Group<'_>) -> Vec<Moved> {
    let others = group
        .members
        .iter()
        .filter(|found| !std::ptr::eq(**found, group.lead));
    let mut moved: Vec<Moved> = others
        .map(|found| {
            let scope = &detected.scopes[found.scope];
            let is_ratio = matches!(
                found.metric,
                Metric::Cost
                    | Metric::Calls
                    | Metric::CostPerCall
                    | Metric::CostPerRun
                    | Metric::OutputTokens
            );
            Moved {
                key: scope.key.clone(),
                step: scope.step.clone(),
                metric: found.metric.called(),
                onset: found.onset.at,
                change: if is_ratio {
                    found.shift.effect.exp_m1()
                } else {
                    found.shift.effect
                },
            }
        })
        .collect();
    moved.sort_by(|a, b| (&a.key, &a.step, a.metric).cmp(&(&b.key, &b.step, b.metric)));
    moved.retain(|moved| {
        let lead = &detected.scopes[group.lead.scope];
        (&moved.key, &moved.step, moved.metric) != (&lead.key, &lead.step, group.metric)
    });
    moved.dedup_by(|a, b| (&a.key, &a.step, a.metric) == (&b.key, &b.step, b.metric));
    moved
}
