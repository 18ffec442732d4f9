//! What calls did in some hours, by key, step, model and template: after an onset, and in the same hours before it.

use std::collections::{BTreeMap, BTreeSet};

use super::decomposition::{CostCells, CostPeriod, LatencyCell, RateCell};
use super::grid::{Grid, Scope};
use super::metric::Metric;
use super::window::{SeriesName, Sums};

/// Hours with weights; those of a baseline weigh a part each.
pub(super) type WeightedHours = Vec<(usize, f64)>;

/// Sums that may be averages of several days.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    pub(super) calls: f64,
    pub(super) errors: f64,
    pub(super) anomalies: f64,
    pub(super) known_calls: f64,
    pub(super) nano: f64,
    pub(super) input: f64,
    pub(super) output: f64,
    /// Latencies added up, in milliseconds.
    pub(super) slow_ms: f64,
}

impl Cell {
    fn add(&mut self, sums: &Sums, weight: f64) {
        self.calls += weight * sums.calls as f64;
        self.errors += weight * sums.errors as f64;
        self.anomalies += weight * sums.anomalies as f64;
        self.known_calls += weight * sums.priced() as f64;
        self.nano += weight * sums.cost.0 as f64;
        self.input += weight * sums.input() as f64;
        self.output += weight * sums.output as f64;
        let bars = sums
            .latency_us
            .bars()
            .map(|(middle_us, count)| middle_us as f64 * count as f64);
        self.slow_ms += weight * bars.sum::<f64>() / 1_000.0;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.anomalies += other.anomalies;
        self.known_calls += other.known_calls;
        self.nano += other.nano;
        self.input += other.input;
        self.output += other.output;
        self.slow_ms += other.slow_ms;
    }
}

/// Calls by series name.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    pub(super) cells: BTreeMap<&'a SeriesName, Cell>,
    /// Calls, not averaged: how much it rests on.
    pub(super) samples: i64,
    pub(super) runs: f64,
}

impl<'a> Table<'a> {
    pub(super) fn of(grid: &Grid<'a>, hours: &WeightedHours, scope: &Scope) -> Self {
        let mut table = Self::default();
        for (hour, weight) in hours {
            for (_, name, sums) in grid.rows(*hour..hour + 1) {
                if scope.contains(&name.key, &name.step) {
                    table.cells.entry(name).or_default().add(sums, *weight);
                    table.samples = table.samples.saturating_add(sums.calls);
                }
            }
            let runs = grid.runs.get(&(scope.key.clone(), *hour)).copied().unwrap_or(0);
            table.runs += weight * runs as f64;
        }
        table
    }

    pub(super) fn total(&self) -> Cell {
        self.cells.values().fold(Cell::default(), |mut sum, cell| {
            sum.merge(cell);
            sum
        })
    }

    pub(super) fn by_step(&self) -> BTreeMap<&'a str, Cell> {
        let mut steps: BTreeMap<&str, Cell> = BTreeMap::new();
        for (name, cell) in &self.cells {
            steps.entry(&name.step).or_default().merge(cell);
        }
        steps
    }

    /// How large a part of a step's calls each value has.
    pub(super) fn shares(&self, step: &str, value: fn(&SeriesName) -> &str) -> BTreeMap<&'a str, f64> {
        let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
        let mut total = 0.0;
        for (name, cell) in self.cells.iter().filter(|(name, _)| name.step == step) {
            *shares.entry(value(name)).or_default() += cell.calls;
            total += cell.calls;
        }
        if total > 0.0 {
            shares.values_mut().for_each(|share| *share /= total);
        }
        shares
    }
}

/// Calls of a scope by step and model, as cost is taken apart.
pub(super) fn cost_period(grid: &Grid<'_>, hours: &WeightedHours, scope: &Scope) -> CostPeriod {
    let mut cells = CostCells::new();
    let mut runs = 0.0;
    for (hour, weight) in hours {
        for (_, name, sums) in grid.rows(*hour..hour + 1) {
            if scope.contains(&name.key, &name.step) && sums.calls > 0 {
                cells
                    .entry((name.step.clone(), name.model.clone()))
                    .or_default()
                    .add(sums, *weight);
            }
        }
        runs += weight * grid.runs.get(&(scope.key.clone(), *hour)).copied().unwrap_or(0) as f64;
    }
    let at = hours.last().map(|(hour, _)| grid.at(*hour)).unwrap_or_default();
    CostPeriod { runs, cells, at }
}

/// Calls of a scope by step and model, and those of them that count.
pub(super) fn rate_cells(
    grid: &Grid<'_>,
    hours: &WeightedHours,
    scope: &Scope,
    metric: Metric,
) -> BTreeMap<(String, String), RateCell> {
    let mut cells: BTreeMap<(String, String), RateCell> = BTreeMap::new();
    for (hour, weight) in hours {
        for (_, name, sums) in grid.rows(*hour..hour + 1) {
            if scope.contains(&name.key, &name.step) {
                let hits = match metric {
                    Metric::ErrorRate => sums.errors,
                    Metric::AnomalyRate => sums.anomalies,
                    _ => sums.output,
                };
                let cell = cells.entry((name.step.clone(), name.model.clone())).or_default();
                cell.calls += weight * sums.calls as f64;
                cell.hits += weight * hits as f64;
            }
        }
    }
    cells
}

/// Latencies of a scope by step and model. Days of a baseline are merged: quantiles need no average.
pub(super) fn latency_cells(
    grid: &Grid<'_>,
    hours: &WeightedHours,
    scope: &Scope,
    metric: Metric,
) -> BTreeMap<(String, String), LatencyCell> {
    let mut cells: BTreeMap<(String, String), LatencyCell> = BTreeMap::new();
    for (hour, _) in hours {
        for (_, name, sums) in grid.rows(*hour..hour + 1) {
            if scope.contains(&name.key, &name.step) {
                let cell = cells.entry((name.step.clone(), name.model.clone())).or_default();
                let first = metric == Metric::TtftP95;
                cell.latency_us
                    .merge(if first { &sums.ttft_us } else { &sums.latency_us });
                cell.ttft_us.merge(&sums.ttft_us);
                cell.output = cell.output.saturating_add(sums.output);
                cell.calls = cell.calls.saturating_add(sums.calls);
            }
        }
    }
    cells
}

/// The same hours of the day of `after`, of each of the days (by their first hour), weighing a part each.
pub(super) fn same_hours(after: &[usize], days: &[usize]) -> WeightedHours {
    let places: BTreeSet<usize> = after.iter().map(|hour| hour % 24).collect();
    let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
    for hour in after {
        *counts.entry(hour % 24).or_default() += 1.0;
    }
    let weight = 1.0 / days.len().max(1) as f64;
    let hours = days
        .iter()
        .flat_map(|day| places.iter().map(move |place| (day + place, *place)));
    hours
        .map(|(hour, place)| (hour, weight * counts.get(&place).copied().unwrap_or(0.0)))
        .collect()
}
