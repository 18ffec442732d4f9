//! The window's rows by hour, so that any series of them can be read in order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;

use super::window::{Sums, Window};

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_HOURS: i64 = 24;

/// Which calls a series adds up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Scope {
    pub(super) key: String,
    pub(super) step: Option<String>,
}

impl Scope {
    pub(super) fn contains(&self, key: &str, step: &str) -> bool {
        self.key == key && self.step.as_deref().is_none_or(|own| own == step)
    }
}

/// An hour counts as 0 only when another key of the project had calls in it; else it is missing.
pub(super) type Hours = Vec<Option<Sums>>;

/// All hours of a window. Hour 0 is a midnight, UTC.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub(super) window: &'a Window,
    first: i64,
    /// Hours up to the running one, which is the last.
    pub(super) len: usize,
    /// Series and sums by hour, each series once, in the order of their names.
    by_hour: Vec<Vec<(u32, Cow<'a, Sums>)>>,
    pub(super) runs: BTreeMap<(String, usize), i64>,
}

impl<'a> Grid<'a> {
    /// `None` when there is nothing to read.
    pub(super) fn of(window: &'a Window) -> Option<Self> {
        const MAX_HOURS: i64 = 24 * 400;
        let hour_of = |at: Timestamp| at.micros().div_euclid(HOUR_MICROS);
        let running = hour_of(window.now);
        let known = window.rows.iter().map(|row| hour_of(row.hour));
        let earliest = known.filter(|hour| *hour <= running).min()?;
        let first = earliest.max(running - MAX_HOURS).div_euclid(DAY_HOURS) * DAY_HOURS;
        let len = usize::try_from(running - first + 1).ok()?;
        let place = |at: Timestamp| usize::try_from(hour_of(at) - first).ok().filter(|at| *at < len);
        let mut by_hour: Vec<Vec<(u32, Cow<'a, Sums>)>> = vec![Vec::new(); len];
        for row in &window.rows {
            if let Some(hour) = place(row.hour).filter(|_| (row.series as usize) < window.series.len()) {
                by_hour[hour].push((row.series, Cow::Borrowed(&row.sums)));
            }
        }
        // Neither the order of arrival nor the parts in which it came may matter, not even to the rounding of sums.
        let mut order: Vec<usize> = (0..window.series.len()).collect();
        order.sort_by_key(|index| window.series.get(*index));
        let mut rank = vec![0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(place, index)| rank[*index] = place);
        for rows in &mut by_hour {
            rows.sort_by_key(|(series, _)| rank[*series as usize]);
            rows.dedup_by(|later, first| {
                let is_same = later.0 == first.0;
                if is_same {
                    first.1.to_mut().add(&later.1);
                }
                is_same
            });
        }
        let mut runs = BTreeMap::new();
        for row in &window.runs {
            if let Some(hour) = place(row.hour) {
                let known: &mut i64 = runs.entry((row.key.clone(), hour)).or_default();
                *known = known.saturating_add(row.runs);
            }
        }
        Some(Self {
            window,
            first,
            len,
            by_hour,
            runs,
        })
    }

    /// When an hour begins.
    pub(super) fn at(&self, hour: usize) -> Timestamp {
        let hours = i64::try_from(hour).unwrap_or(0).saturating_add(self.first);
        Timestamp::from_micros(hours.saturating_mul(HOUR_MICROS))
    }

    /// The hour a time lies in, held within the window.
    pub(super) fn hour_of(&self, at: Timestamp) -> usize {
        let hour = at.micros().div_euclid(HOUR_MICROS) - self.first;
        usize::try_from(hour).unwrap_or(0).min(self.len.saturating_sub(1))
    }

    /// Whether hour 0 of the day `hour` lies in is a Saturday or Sunday.
    pub(super) fn is_weekend(&self, hour: usize) -> bool {
        let day = (self.first + i64::try_from(hour).unwrap_or(0)).div_euclid(DAY_HOURS);
        // The epoch was a Thursday.
        (day + 4).rem_euclid(7) % 6 == 0
    }

    /// Rows of these hours with the names of their series.
    pub(super) fn rows(
        &self,
        hours: std::ops::Range<usize>,
    ) -> impl Iterator<Item = (usize, &'a super::window::SeriesName, &Sums)> {
        let window = self.window;
        let hours = hours.start.min(self.len)..hours.end.min(self.len);
        hours
            .clone()
            .zip(self.by_hour.get(hours).unwrap_or_default())
            .flat_map(move |(hour, rows)| {
                rows.iter().filter_map(move |(series, sums)| {
                    Some((hour, window.series.get(*series as usize)?, sums.as_ref()))
                })
            })
    }

    /// Every key, and every step of a key.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let mut found = BTreeSet::new();
        for name in &self.window.series {
            found.insert(Scope {
                key: name.key.clone(),
                step: None,
            });
            found.insert(Scope {
                key: name.key.clone(),
                step: Some(name.step.clone()),
            });
        }
        found.into_iter().collect()
    }

    /// What each of the scopes did in every hour.
    pub(super) fn hours(&self, scopes: &[Scope]) -> Vec<Hours> {
        let index: BTreeMap<&Scope, usize> = scopes.iter().zip(0..).collect();
        let targets: Vec<Vec<usize>> = self
            .window
            .series
            .iter()
            .map(|name| {
                let of = |step: Option<&String>| Scope {
                    key: name.key.clone(),
                    step: step.cloned(),
                };
                [of(None), of(Some(&name.step))]
                    .iter()
                    .filter_map(|scope| index.get(scope).copied())
                    .collect()
            })
            .collect();
        let mut all: Vec<Hours> = vec![vec![None; self.len]; scopes.len()];
        let mut first_seen = vec![usize::MAX; scopes.len()];
        for (hour, rows) in self.by_hour.iter().enumerate() {
            let mut has_calls = false;
            for (series, sums) in rows {
                has_calls |= sums.calls > 0;
                for target in targets.get(*series as usize).into_iter().flatten() {
                    all[*target][hour].get_or_insert_with(Sums::default).add(sums);
                    first_seen[*target] = first_seen[*target].min(hour);
                }
            }
            if has_calls {
                for (hours, first) in all.iter_mut().zip(&first_seen) {
                    if hour >= *first {
                        hours[hour].get_or_insert_with(Sums::default);
                    }
                }
            }
        }
        for (scope, hours) in scopes.iter().zip(&mut all) {
            for ((_, hour), runs) in self
                .runs
                .range((scope.key.clone(), 0)..=(scope.key.clone(), usize::MAX))
            {
                if let Some(Some(sums)) = hours.get_mut(*hour) {
                    sums.runs = *runs;
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::{Row, SeriesName};
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_micros((500_000 * DAY_HOURS / 24 * 24 + hour) * HOUR_MICROS)
    }

    #[test]
    fn a_gap_is_not_a_zero() {
        let name = |key: &str| SeriesName {
            key: key.to_owned(),
            step: "s".to_owned(),
            ..SeriesName::default()
        };
        let row = |series: u32, hour: i64, calls: i64| Row {
            series,
            hour: at(hour),
            sums: Sums {
                calls,
                ..Sums::default()
            },
        };
        let window = Window {
            series: vec![name("a"), name("b")],
            rows: vec![
                row(0, 0, 5),
                row(1, 0, 1),
                row(1, 1, 2),
                row(0, 3, 7),
                row(0, 3, 1),
            ],
            now: at(4),
            ..Window::default()
        };
        let grid = Grid::of(&window).unwrap();
        let scopes = [Scope {
            key: "a".to_owned(),
            step: None,
        }];
        let hours = grid.hours(&scopes).remove(0);
        let from = grid.hour_of(at(0));
        let calls: Vec<_> = hours[from..]
            .iter()
            .map(|sums| sums.as_ref().map(|sums| sums.calls))
            .collect();
        assert_eq!(calls, [Some(5), Some(0), None, Some(8), None]);
    }

    #[test]
    fn weekends_are_saturday_and_sunday() {
        let window = Window {
            series: vec![SeriesName::default()],
            // A Thursday.
            rows: vec![Row {
                hour: Timestamp::from_micros(0),
                ..Row::default()
            }],
            now: Timestamp::from_micros(6 * DAY_HOURS * HOUR_MICROS),
            ..Window::default()
        };
        let grid = Grid::of(&window).unwrap();
        let weekend: Vec<_> = (0..7).map(|day| grid.is_weekend(day * 24)).collect();
        assert_eq!(weekend, [false, false, true, true, false, false, false]);
    }
}
