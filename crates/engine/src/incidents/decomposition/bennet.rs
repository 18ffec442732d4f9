//! A rate taken apart: other cells have more of the calls, or cells themselves changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Term, TermKind};

/// Calls of one step and model, and how many of them count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RateCell {
    pub(crate) calls: f64,
    pub(crate) hits: f64,
}

/// By step and model.
pub(crate) type RateCells = BTreeMap<(String, String), RateCell>;

/// The change of the share of hits, as terms that sum to it. A cell that is new or gone is taken to have had the same
/// share while it was not there.
pub(crate) fn rate_terms(before: &RateCells, after: &RateCells) -> Vec<Term<f64>> {
    let total = |cells: &RateCells| {
        cells
            .values()
            .fold((0.0, 0.0), |sum, cell| (sum.0 + cell.calls, sum.1 + cell.hits))
    };
    let ((n0, k0), (n1, k1)) = (total(before), total(after));
    if n0 <= 0.0 || n1 <= 0.0 {
        return Vec::new();
    }
    let overall = f64::midpoint(k0 / n0, k1 / n1);
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut terms = Vec::new();
    for name in names {
        let side = |cells: &RateCells, all: f64| {
            let cell = cells.get(name).copied().unwrap_or_default();
            let rate = (cell.calls > 0.0).then(|| cell.hits / cell.calls);
            (cell.calls / all, rate)
        };
        let ((share0, rate0), (share1, rate1)) = (side(before, n0), side(after, n1));
        let Some((rate0, rate1)) = rate0.or(rate1).zip(rate1.or(rate0)) else {
            continue;
        };
        let mut add = |kind, amount: f64| {
            if amount != 0.0 {
                let (step, model) = (Some(name.0.clone()), Some(name.1.clone()));
                terms.push(Term {
                    kind,
                    step,
                    model,
                    amount,
                });
            }
        };
        add(
            TermKind::Mix,
            (share1 - share0) * (f64::midpoint(rate0, rate1) - overall),
        );
        add(TermKind::Within, f64::midpoint(share0, share1) * (rate1 - rate0));
    }
    terms.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()));
    terms
}
