//! Latency taken apart: p95 into mix and within, the mean into tokens and speed.

use std::collections::BTreeMap;

use super::bennet::{RateCell, RateCells, rate_terms};
use super::{Term, TermKind};
use crate::Histogram;

/// Calls of one step and model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LatencyCell {
    pub(crate) latency_us: Histogram,
    pub(crate) ttft_us: Histogram,
    pub(crate) output: i64,
    pub(crate) calls: i64,
}

/// By step and model.
pub(crate) type LatencyCells = BTreeMap<(String, String), LatencyCell>;

/// A change below the width of the histogram's buckets is none.
const BUCKET_ERROR: f64 = 0.011;

fn merged(cells: &LatencyCells) -> Histogram {
    let mut all = Histogram::new();
    cells.values().for_each(|cell| all.merge(&cell.latency_us));
    all
}

/// The change of the p95 in milliseconds, split by what happened to the share of calls above the old one. The terms
/// sum to the change; there are none where it is within what the histogram can tell.
pub(crate) fn latency_terms(before: &LatencyCells, after: &LatencyCells) -> Vec<Term<f64>> {
    let p95 = |cells| merged(cells).quantile(0.95);
    let (Some(old), Some(new)) = (p95(before), p95(after)) else {
        return Vec::new();
    };
    let change_ms = (new - old) as f64 / 1_000.0;
    if ((new - old) as f64).abs() <= BUCKET_ERROR * old as f64 {
        return Vec::new();
    }
    let rates = |cells: &LatencyCells| -> RateCells {
        let cell = |cell: &LatencyCell| RateCell {
            calls: cell.latency_us.count() as f64,
            hits: cell.latency_us.count_above(old) as f64,
        };
        cells.iter().map(|(name, of)| (name.clone(), cell(of))).collect()
    };
    let mut terms = rate_terms(&rates(before), &rates(after));
    let moved: f64 = terms.iter().map(|term| term.amount).sum();
    if moved.abs() < 1e-12 {
        return Vec::new();
    }
    terms.iter_mut().for_each(|term| term.amount *= change_ms / moved);
    terms
}

/// The change of the mean latency in milliseconds: until the first token, how many tokens, how long each. Exact on
/// the means that histograms give.
pub(crate) fn mean_terms(before: &LatencyCells, after: &LatencyCells) -> Vec<Term<f64>> {
    let (Some(old), Some(new)) = (Means::of(before), Means::of(after)) else {
        return Vec::new();
    };
    let term = |kind, amount| Term {
        kind,
        step: None,
        model: None,
        amount,
    };
    vec![
        term(TermKind::FirstToken, new.first_ms - old.first_ms),
        term(
            TermKind::Tokens,
            (new.tokens - old.tokens) * f64::midpoint(new.per_token_ms, old.per_token_ms),
        ),
        term(
            TermKind::Speed,
            (new.per_token_ms - old.per_token_ms) * f64::midpoint(new.tokens, old.tokens),
        ),
    ]
}

struct Means {
    first_ms: f64,
    tokens: f64,
    per_token_ms: f64,
}

impl Means {
    fn of(cells: &LatencyCells) -> Option<Self> {
        let mean_ms = |of: fn(&LatencyCell) -> &Histogram| {
            let (mut sum, mut count) = (0.0, 0.0);
            for (middle_us, n) in cells.values().flat_map(|cell| of(cell).bars()) {
                sum += middle_us as f64 / 1_000.0 * n as f64;
                count += n as f64;
            }
            (count > 0.0).then(|| sum / count)
        };
        let whole = mean_ms(|cell| &cell.latency_us)?;
        let first_ms = mean_ms(|cell| &cell.ttft_us).unwrap_or(0.0).min(whole);
        let count = |of: fn(&LatencyCell) -> i64| cells.values().map(|cell| of(cell) as f64).sum::<f64>();
        let (output, calls) = (count(|cell| cell.output), count(|cell| cell.calls));
        let tokens = (calls > 0.0 && output > 0.0).then(|| output / calls)?;
        Some(Self {
            first_ms,
            tokens,
            per_token_ms: (whole - first_ms) / tokens,
        })
    }
}
