//! What was switched, and when: templates, models and steps whose part of the calls changed.

use std::collections::BTreeMap;

use domain::Timestamp;

use super::super::grid::Grid;
use super::super::tables::Table;
use super::super::window::{Novelty, SeriesName};

const HOUR: i64 = 3_600_000_000;
/// The part of a step's calls that has to have moved.
const LEAST_SHARE: f64 = 0.05;
/// For something that was there before, the part that has to have moved.
const LEAST_JUMP: f64 = 0.2;

/// A change of what a step runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Switch {
    pub(super) key: String,
    pub(super) step: String,
    pub(super) what: Novelty,
    pub(super) value: String,
    /// Between these two times.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Its part of the step's calls before and after.
    pub(super) shares: (f64, f64),
    /// It was never seen before.
    pub(super) is_new: bool,
}

/// Everything that was switched in a key around an onset.
pub(super) fn switches(
    grid: &Grid<'_>,
    key: &str,
    before: &Table<'_>,
    after: &Table<'_>,
    around: (Timestamp, Timestamp),
) -> Vec<Switch> {
    let (earliest, latest) = (around.0.plus_micros(-26 * HOUR), around.1.plus_micros(26 * HOUR));
    let mut found = Vec::new();
    let steps: std::collections::BTreeSet<&str> = after
        .by_step()
        .into_keys()
        .chain(before.by_step().into_keys())
        .collect();
    for step in steps {
        for (what, value) in [
            (Novelty::Model, model as fn(&SeriesName) -> &str),
            (Novelty::Template, template),
        ] {
            let (old, new) = (before.shares(step, value), after.shares(step, value));
            for (name, share) in new.iter().filter(|(name, _)| !name.is_empty()) {
                let was = old.get(name).copied().unwrap_or(0.0);
                let seen = grid
                    .window
                    .first_seen
                    .iter()
                    .filter(|seen| {
                        seen.what == what && seen.value == **name && seen.step == step && seen.key == key
                    })
                    .map(|seen| seen.at)
                    .min()
                    .filter(|at| *at >= earliest && *at <= latest);
                let times = match seen {
                    Some(at) if share - was >= LEAST_SHARE => Some((at, at)),
                    None if share - was >= LEAST_JUMP && !old.is_empty() => jump(
                        grid,
                        key,
                        step,
                        value,
                        name,
                        f64::midpoint(was, *share),
                        (earliest, latest),
                    ),
                    _ => None,
                };
                if let Some((from, to)) = times {
                    found.push(Switch {
                        key: key.to_owned(),
                        step: step.to_owned(),
                        what,
                        value: (*name).to_owned(),
                        from,
                        to,
                        shares: (was, *share),
                        is_new: seen.is_some(),
                    });
                }
            }
        }
        let seen = grid
            .window
            .first_seen
            .iter()
            .find(|seen| seen.what == Novelty::Step && seen.value == step && seen.key == key)
            .filter(|seen| seen.at >= earliest && seen.at <= latest);
        if let Some(seen) = seen {
            found.push(Switch {
                key: key.to_owned(),
                step: step.to_owned(),
                what: Novelty::Step,
                value: step.to_owned(),
                from: seen.at,
                to: seen.at,
                shares: (0.0, 1.0),
                is_new: true,
            });
        }
    }
    found
}

fn model(name: &SeriesName) -> &str {
    &name.model
}

fn template(name: &SeriesName) -> &str {
    &name.template
}

/// The hour in which the part of a value passed the middle between what it was and what it became, and stayed.
fn jump(
    grid: &Grid<'_>,
    key: &str,
    step: &str,
    value: fn(&SeriesName) -> &str,
    name: &str,
    middle: f64,
    (earliest, latest): (Timestamp, Timestamp),
) -> Option<(Timestamp, Timestamp)> {
    let hours = grid.hour_of(earliest)..grid.hour_of(latest) + 1;
    let mut counts: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (hour, series, sums) in grid.rows(hours) {
        if series.key == key && series.step == step {
            let count = counts.entry(hour).or_default();
            count.1 += sums.calls as f64;
            if value(series) == name {
                count.0 += sums.calls as f64;
            }
        }
    }
    let shares: Vec<(usize, f64, f64)> = counts
        .into_iter()
        .filter(|(_, (_, n))| *n > 0.0)
        .map(|(hour, (k, n))| (hour, k, n))
        .collect();
    // The split that leaves least of it on the wrong side, by calls.
    let mut best: Option<(f64, usize)> = None;
    let excess: Vec<f64> = shares.iter().map(|(_, k, n)| k - middle * n).collect();
    let mut so_far = 0.0;
    for (at, part) in excess.iter().enumerate() {
        if best.is_none_or(|(least, _)| so_far < least) {
            best = Some((so_far, at));
        }
        so_far += part;
    }
    let (_, at) = best?;
    let (hour, ..) = *shares.get(at)?;
    // The first hour beyond the middle may be the second of the switch.
    let (before, ..) = *shares.get(at.saturating_sub(1))?;
    let partly = at > 0
        && shares
            .get(at - 1)
            .is_some_and(|(_, k, n)| k / n > middle / 3.0 && before + 1 == hour);
    let from = if partly { before } else { hour };
    Some((grid.at(from), grid.at(hour).plus_micros(HOUR)))
}
