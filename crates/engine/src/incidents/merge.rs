//! Shifts that are one incident: the same cause moves many series and metrics at once.

use std::collections::BTreeSet;

use super::detect::{Detected, Found};
use super::grid::Grid;
use super::grid::Scope;
use super::metric::{Metric, Settings};
use super::onset::Onset;
use super::tables::{Table, same_hours};

/// Onsets that have this much in common may be one.
const LEAST_OVERLAP: f64 = 0.2;
/// Onsets whose middles are this close are taken for one, however sure each is of itself.
const CLOSE_MICROS: i64 = 2 * 3_600_000_000;
/// The part of a model's calls beyond which it is the only one.
const ONE_MODEL: f64 = 0.9;

/// Shifts of one incident.
pub(super) struct Group<'a> {
    /// What it is called by.
    pub(super) lead: &'a Found,
    pub(super) metric: Metric,
    pub(super) members: Vec<&'a Found>,
    /// The keys that moved.
    pub(super) keys: Vec<String>,
    pub(super) onset: Onset,
    /// Of which component of cost that is, where it is an incident of cost.
    pub(super) component: Metric,
}

pub(super) fn merge<'a>(grid: &Grid<'_>, settings: &Settings, detected: &'a Detected) -> Vec<Group<'a>> {
    let mut groups: Vec<Vec<&Found>> = Vec::new();
    // The most severe first, keys before steps: they gather what moved with them.
    let mut order: Vec<&Found> = detected.found.iter().collect();
    let is_step = |found: &Found| detected.scopes[found.scope].step.is_some();
    let by_traffic = by_traffic(grid, detected);
    order.sort_by_key(|found| {
        (
            found.metric.rank(),
            is_step(found),
            found.shift.start,
            found.scope,
        )
    });
    for found in order {
        let joins = |group: &Vec<&Found>| {
            group
                .iter()
                .any(|member| belong_together(grid, detected, &by_traffic, member, found))
        };
        let (joined, mut rest): (Vec<_>, Vec<_>) = groups.into_iter().partition(joins);
        let mut group: Vec<&Found> = joined.into_iter().flatten().collect();
        group.push(found);
        rest.push(group);
        groups = rest;
    }
    let whole = groups.into_iter().filter_map(|group| {
        let loud = |found: &&&Found| settings.may_open(&detected.scopes[found.scope].key, found.metric);
        group
            .iter()
            .any(|found| loud(&found))
            .then(|| describe(grid, settings, detected, group))
    });
    whole.flatten().collect()
}

/// Shifts of cost that more traffic is the larger part of, by series and beginning.
fn by_traffic(grid: &Grid<'_>, detected: &Detected) -> BTreeSet<(usize, usize)> {
    let cost = detected.found.iter().filter(|found| found.metric == Metric::Cost);
    cost.filter(|found| larger_component(grid, detected, found) == Metric::Calls)
        .map(|found| (found.scope, found.shift.start))
        .collect()
}

fn belong_together(
    grid: &Grid<'_>,
    detected: &Detected,
    by_traffic: &BTreeSet<(usize, usize)>,
    a: &Found,
    b: &Found,
) -> bool {
    let (one, other) = (&detected.scopes[a.scope], &detected.scopes[b.scope]);
    let at_once = a.onset.overlap(&b.onset) >= LEAST_OVERLAP
        || (a.onset.at.micros() - b.onset.at.micros()).abs() <= CLOSE_MICROS;
    if one.key == other.key {
        // Consecutive time of what a key costs is one incident, whichever part of it moved first.
        let side_by_side = a.shift.start < b.shift.end && b.shift.start < a.shift.end;
        let nested = one.step.is_none() || other.step.is_none() || one.step == other.step;
        // Calls that became dearer in days of more traffic have a cause of their own.
        let is_busy = |found: &Found| {
            found.metric == Metric::Cost && by_traffic.contains(&(found.scope, found.shift.start))
        };
        let is_dear = |found: &Found| match found.metric {
            Metric::CostPerCall | Metric::CostPerRun => true,
            Metric::Cost => !is_busy(found),
            _ => false,
        };
        let are_two = (is_busy(a) && is_dear(b)) || (is_busy(b) && is_dear(a));
        let is_money = a.metric.is_money() && b.metric.is_money();
        return (is_money && side_by_side && nested && !are_two) || at_once;
    }
    // Of two keys: the same model, the same metric, the same time.
    at_once
        && a.metric == b.metric
        && a.metric != Metric::Calls
        && match (only_model(grid, detected, a), only_model(grid, detected, b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
}

/// The model that nearly all calls of a shift had.
pub(super) fn only_model<'a>(grid: &Grid<'a>, detected: &Detected, found: &Found) -> Option<&'a str> {
    let scope = &detected.scopes[found.scope];
    let hours = (found.shift.start..found.shift.end)
        .map(|hour| (hour, 1.0))
        .collect();
    let table = Table::of(grid, &hours, scope);
    let all = table.total().calls;
    let mut models: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (name, cell) in &table.cells {
        *models.entry(&name.model).or_default() += cell.calls;
    }
    models
        .into_iter()
        .find(|(_, calls)| *calls >= ONE_MODEL * all && all > 0.0)
        .map(|(model, _)| model)
}

fn describe<'a>(
    grid: &Grid<'_>,
    settings: &Settings,
    detected: &'a Detected,
    members: Vec<&'a Found>,
) -> Option<Group<'a>> {
    let size = |found: &Found| found.shift.effect / found.shift.baseline.gate();
    let is_step = |found: &Found| detected.scopes[found.scope].step.is_some();
    let opens = |found: &&&Found| settings.may_open(&detected.scopes[found.scope].key, found.metric);
    let lead = members.iter().filter(opens).min_by(|a, b| {
        let order = (a.metric.rank(), is_step(a)).cmp(&(b.metric.rank(), is_step(b)));
        order
            .then(size(b).total_cmp(&size(a)))
            .then(a.shift.start.cmp(&b.shift.start))
    })?;
    let mut keys: Vec<String> = members
        .iter()
        .map(|found| detected.scopes[found.scope].key.clone())
        .collect();
    keys.sort();
    keys.dedup();
    let metric = lead.metric.called();
    let component = if metric == Metric::Cost {
        larger_component(grid, detected, lead)
    } else {
        metric
    };
    let onset = sharpest(lead, &members, component).or_else(|| {
        let range = lead.shift.start..lead.shift.end;
        detected.locate_component(grid, settings, lead.scope, component, range)
    });
    let onset = onset.unwrap_or_else(|| lead.onset.clone());
    Some(Group {
        lead,
        metric,
        members,
        keys,
        onset,
        component,
    })
}

/// The narrowest onset of those that tell of the same: a step may show clearly what its key shows in the noise of others.
fn sharpest(lead: &Found, members: &[&Found], component: Metric) -> Option<Onset> {
    let tells = |found: &&&Found| {
        let near = found.shift.start <= lead.shift.end && lead.shift.start <= found.shift.end + 24;
        near && match component {
            Metric::CostPerCall => matches!(found.metric, Metric::CostPerCall | Metric::CostPerRun),
            Metric::Calls => {
                found.scope == lead.scope && matches!(found.metric, Metric::Calls | Metric::Cost)
            }
            Metric::ErrorRate => matches!(found.metric, Metric::ErrorRate | Metric::AnomalyRate),
            other => found.metric == other,
        }
    };
    let width = |found: &Found| found.onset.to.micros() - found.onset.from.micros();
    let narrow = members
        .iter()
        .filter(tells)
        .min_by_key(|found| (width(found), found.metric, found.scope));
    narrow.map(|found| found.onset.clone())
}

/// Whether a key's cost rose by more calls or by dearer ones.
fn larger_component(grid: &Grid<'_>, detected: &Detected, lead: &Found) -> Metric {
    let scope: &Scope = &detected.scopes[lead.scope];
    let last = lead.shift.end;
    // The latest day of it: what came first may not be what weighs most.
    let after: Vec<usize> = (lead.shift.start.max(last.saturating_sub(24))..last).collect();
    let days = detected.days_before(lead.scope, lead.shift.start);
    let before = Table::of(grid, &same_hours(&after, &days), scope);
    let now = Table::of(grid, &after.iter().map(|hour| (*hour, 1.0)).collect(), scope);
    // By runs where they are known: more calls of a run are dearer runs, not more traffic.
    let volume = |table: &Table<'_>| {
        if before.runs > 0.0 && now.runs > 0.0 {
            table.runs
        } else {
            table.total().calls
        }
    };
    let (old, new) = (
        (volume(&before), before.total().nano),
        (volume(&now), now.total().nano),
    );
    if old.0 <= 0.0 || new.0 <= 0.0 || old.1 <= 0.0 || new.1 <= 0.0 {
        return Metric::Calls;
    }
    let more = (new.0 / old.0).ln();
    let dearer = (new.1 / old.1).ln() - more;
    if dearer >= more {
        Metric::CostPerCall
    } else {
        Metric::Calls
    }
}
