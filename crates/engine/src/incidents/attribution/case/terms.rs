//! What a change is made of, by step and kind.

use std::collections::BTreeMap;

use super::super::super::decomposition::{Term, TermKind, cost_terms, latency_terms, rate_terms};
use super::super::super::grid::{Grid, Scope};
use super::super::super::metric::Metric;
use super::super::super::tables::{Table, WeightedHours, cost_period, latency_cells, rate_cells};

/// What a change is made of, from the hours behind the onset against the same hours before it.
pub(super) fn terms_of(
    grid: &Grid<'_>,
    scope: &Scope,
    component: Metric,
    metric: Metric,
    before: &WeightedHours,
    now: &WeightedHours,
    delta_nano: f64,
) -> Vec<Term<f64>> {
    match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun | Metric::Calls => {
            let (a, b) = (cost_period(grid, before, scope), cost_period(grid, now, scope));
            let terms = cost_terms(
                &a,
                &b,
                &grid.window.rates,
                domain::NanoUsd(delta_nano.round() as i64),
            );
            let is_ratio = metric == Metric::CostPerCall && component == Metric::CostPerCall;
            terms
                .into_iter()
                .filter(|term| !is_ratio || !matches!(term.kind, TermKind::Volume | TermKind::CallsPerRun))
                .map(|term| Term {
                    kind: term.kind,
                    step: term.step,
                    model: term.model,
                    amount: term.amount.0 as f64,
                })
                .collect()
        }
        Metric::LatencyP95 | Metric::TtftP95 => latency_terms(
            &latency_cells(grid, before, scope, metric),
            &latency_cells(grid, now, scope, metric),
        ),
        Metric::ErrorRate | Metric::AnomalyRate | Metric::OutputTokens => rate_terms(
            &rate_cells(grid, before, scope, metric),
            &rate_cells(grid, now, scope, metric),
        ),
        Metric::ShapeMix => shape_terms(grid, scope, before, now),
    }
}

/// More calls of a run, by the steps that are called more often: each in proportion to what its further calls cost.
pub(super) fn by_step(terms: Vec<Term<f64>>, old: &Table<'_>, new: &Table<'_>) -> Vec<Term<f64>> {
    if old.runs <= 0.0 || new.runs <= 0.0 {
        return terms;
    }
    let before = old.by_step();
    let more: Vec<(&str, f64)> = new
        .by_step()
        .into_iter()
        .map(|(step, cell)| {
            let was = before.get(step).map_or(0.0, |cell| cell.calls / old.runs);
            let each = cell.nano / cell.known_calls.max(1.0);
            (step, (cell.calls / new.runs - was).max(0.0) * each.max(1.0))
        })
        .collect();
    let whole: f64 = more.iter().map(|(_, part)| part).sum();
    let (calls, mut rest): (Vec<_>, Vec<_>) = terms
        .into_iter()
        .partition(|term| term.kind == TermKind::CallsPerRun && term.step.is_none() && whole > 0.0);
    for term in calls {
        rest.extend(
            more.iter()
                .filter(|(_, part)| *part > 0.0)
                .map(|(step, part)| Term {
                    kind: term.kind,
                    step: Some((*step).to_owned()),
                    model: None,
                    amount: term.amount * part / whole,
                }),
        );
    }
    rest
}

/// How much of the outputs moved to other shapes, by step.
fn shape_terms(
    grid: &Grid<'_>,
    scope: &Scope,
    before: &WeightedHours,
    now: &WeightedHours,
) -> Vec<Term<f64>> {
    let count = |hours: &WeightedHours| {
        let mut counts: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for (hour, weight) in hours {
            for (_, name, sums) in grid
                .rows(*hour..hour + 1)
                .filter(|(_, name, _)| scope.contains(&name.key, &name.step))
            {
                let step = counts.entry(name.step.clone()).or_default();
                for (shape, n) in &sums.shapes {
                    *step.entry(shape.clone()).or_default() += weight * *n as f64;
                }
            }
        }
        counts
    };
    let (old, new) = (count(before), count(now));
    let total: f64 = new.values().flat_map(|shapes| shapes.values()).sum();
    let mut terms = Vec::new();
    for (step, shapes) in &new {
        let (n, m): (f64, f64) = (
            shapes.values().sum(),
            old.get(step).map_or(0.0, |shapes| shapes.values().sum()),
        );
        if n <= 0.0 || m <= 0.0 {
            continue;
        }
        let was = |shape: &str| {
            old.get(step)
                .and_then(|shapes| shapes.get(shape))
                .copied()
                .unwrap_or(0.0)
                / m
        };
        let moved: f64 = shapes
            .iter()
            .map(|(shape, count)| (count / n - was(shape)).max(0.0))
            .sum();
        terms.push(Term {
            kind: TermKind::Within,
            step: Some(step.clone()),
            model: None,
            amount: moved * n / total,
        });
    }
    terms
}
