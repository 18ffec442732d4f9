//! What moved without being an incident, up or down: decreases are shown and alert nobody. And what is too young for
//! either.

use super::baseline::MIN_CLEAN_HOURS;
use super::grid::{Grid, Scope};
use super::incident::Moved;
use super::metric::{Metric, Settings};
use super::numbers::median;
use super::tables::{Cell, Table, WeightedHours};
use super::window::Window;

const DAY: usize = 24;
/// Days that are compared with, and how many of them there have to be.
const DAYS: usize = 7;
const LEAST_DAYS: usize = 3;
/// Calls on each side.
const LEAST_CALLS: f64 = 50.0;
/// How many times further than days usually are apart.
const DEVIATIONS: f64 = 3.0;

const METRICS: [Metric; 6] = [
    Metric::Cost,
    Metric::Calls,
    Metric::CostPerCall,
    Metric::OutputTokens,
    Metric::ErrorRate,
    Metric::AnomalyRate,
];

/// What the last 24 whole hours of keys and steps did otherwise than the same hours of the 7 days before: by more than
/// matters, and by more than those days differ. The largest change of cost first. An incident's own moves are among
/// them; callers leave out what they show anyway.
pub fn movers(window: &Window, settings: &Settings) -> Vec<Moved> {
    let Some(grid) = Grid::of(window) else {
        return Vec::new();
    };
    // The running hour is not over.
    let Some(from) = grid.len.checked_sub(DAY + 1) else {
        return Vec::new();
    };
    let days: Vec<usize> = (1..=DAYS)
        .filter_map(|back| from.checked_sub(back * DAY))
        .collect();
    let mut found: Vec<(f64, Moved)> = Vec::new();
    for scope in grid.scopes() {
        let after = day_of(&grid, from, &scope);
        let each: Vec<Cell> = days
            .iter()
            .map(|day| day_of(&grid, *day, &scope))
            .filter(|cell| cell.calls > 0.0)
            .collect();
        if each.len() < LEAST_DAYS {
            continue;
        }
        let mut before = Cell::default();
        each.iter().for_each(|cell| before.merge(cell));
        for metric in METRICS {
            let Some(change) = moved(metric, &after, &before, &each, settings) else {
                continue;
            };
            let dollars = (after.nano - before.nano / each.len() as f64).abs();
            let moved = Moved {
                key: scope.key.clone(),
                step: scope.step.clone(),
                metric,
                onset: grid.at(from),
                change,
            };
            found.push((dollars, moved));
        }
    }
    found.sort_by(|a, b| {
        let name = |moved: &Moved| (moved.key.clone(), moved.step.clone(), moved.metric);
        b.0.total_cmp(&a.0).then_with(|| name(&a.1).cmp(&name(&b.1)))
    });
    found.into_iter().map(|(_, moved)| moved).collect()
}

/// A key that is too young to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// The key's label.
    pub key: String,
    /// Whole hours that are known of it.
    pub hours: usize,
    /// Whole hours that have to be.
    pub needed: usize,
}

/// Keys of which less than a day is known: nothing of them opens an incident yet, and a page says so.
pub fn learning(window: &Window) -> Vec<Learning> {
    let Some(grid) = Grid::of(window) else {
        return Vec::new();
    };
    let keys: Vec<Scope> = grid
        .scopes()
        .into_iter()
        .filter(|scope| scope.step.is_none())
        .collect();
    let hours = grid.hours(&keys);
    let known = keys.into_iter().zip(hours).map(|(scope, hours)| Learning {
        key: scope.key,
        hours: hours.iter().rev().skip(1).flatten().count(),
        needed: MIN_CLEAN_HOURS,
    });
    known.filter(|key| key.hours < key.needed).collect()
}

fn day_of(grid: &Grid<'_>, from: usize, scope: &Scope) -> Cell {
    let hours: WeightedHours = (from..from + DAY).map(|hour| (hour, 1.0)).collect();
    Table::of(grid, &hours, scope).total()
}

/// By how much a metric moved: a part of what was, of rates the difference. `None` where that is not worth a word.
fn moved(metric: Metric, after: &Cell, before: &Cell, days: &[Cell], settings: &Settings) -> Option<f64> {
    let per_day = before.calls / days.len() as f64;
    if after.calls.max(per_day) < LEAST_CALLS {
        return None;
    }
    let value = |cell: &Cell| match metric {
        Metric::Cost => cell.nano,
        Metric::Calls => cell.calls,
        Metric::CostPerCall => cell.nano / cell.known_calls.max(1.0),
        Metric::OutputTokens => cell.output / cell.calls.max(1.0),
        Metric::AnomalyRate => cell.anomalies / cell.calls.max(1.0),
        _ => cell.errors / cell.calls.max(1.0),
    };
    let is_share = matches!(metric, Metric::ErrorRate | Metric::AnomalyRate);
    let mut usual: Vec<f64> = days.iter().map(value).collect();
    let middle = median(&mut usual)?;
    let difference = |value: f64| {
        if is_share {
            value - middle
        } else {
            value / middle - 1.0
        }
    };
    if !is_share && middle <= 0.0 {
        return None;
    }
    let change = difference(value(after));
    let mut away: Vec<f64> = days.iter().map(|day| difference(value(day)).abs()).collect();
    let usual = 1.4826 * median(&mut away)?;
    let least = &settings.minimums;
    let matters = match metric {
        Metric::ErrorRate | Metric::AnomalyRate => change.abs() >= least.rate,
        Metric::Cost | Metric::CostPerCall => {
            let dollars = (after.nano - before.nano / days.len() as f64).abs();
            change.abs() >= least.relative && dollars >= least.cost.0 as f64
        }
        _ => change.abs() >= least.relative,
    };
    (matters && change.abs() >= DEVIATIONS * usual && change.is_finite()).then_some(change)
}
