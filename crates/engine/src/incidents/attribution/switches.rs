//! What was switched, and when: templates, models and steps whose part of the calls changed.

use std::collections::BTreeMap;

use domain::Timestamp;

use super::super::grid::Grid;
use super::super::tables::Table;
use super::super::window::{MinuteRow, Novelty, SeriesName};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
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

/// Everything that was switched in a key around an onset: to the hour, or to the minute where minutes are known.
pub(super) fn switches(
    grid: &Grid<'_>,
    minutes: &[MinuteRow],
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
                    None if share - was >= LEAST_JUMP && !old.is_empty() => {
                        let place = Place {
                            key,
                            step,
                            value,
                            name,
                        };
                        let middle = f64::midpoint(was, *share);
                        jump(grid, &place, middle, (earliest, latest))
                            .map(|hours| closer(grid, minutes, &place, (was, *share), hours).unwrap_or(hours))
                    }
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

/// A value of the calls of a step.
struct Place<'a> {
    key: &'a str,
    step: &'a str,
    value: fn(&SeriesName) -> &str,
    name: &'a str,
}

impl Place<'_> {
    fn contains(&self, series: &SeriesName) -> bool {
        series.key == self.key && series.step == self.step
    }
}

/// The hour in which the part of a value passed the middle between what it was and what it became, and stayed.
fn jump(
    grid: &Grid<'_>,
    place: &Place<'_>,
    middle: f64,
    (earliest, latest): (Timestamp, Timestamp),
) -> Option<(Timestamp, Timestamp)> {
    let hours = grid.hour_of(earliest)..grid.hour_of(latest) + 1;
    let mut counts: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (hour, series, sums) in grid.rows(hours) {
        if place.contains(series) {
            let count = counts.entry(hour).or_default();
            count.1 += sums.calls as f64;
            if (place.value)(series) == place.name {
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

/// The minutes between which the part of a value went from `before` to `after`, within the hours that `jump` found: all
/// beginnings that are nearly as likely as the likeliest. `None` unless all calls of these hours are known by the minute.
fn closer(
    grid: &Grid<'_>,
    minutes: &[MinuteRow],
    place: &Place<'_>,
    shares: (f64, f64),
    (from, to): (Timestamp, Timestamp),
) -> Option<(Timestamp, Timestamp)> {
    /// Beginnings within so many nats of the likeliest are as good as that.
    const NEARLY: f64 = 1.5;
    let mut counts: BTreeMap<Timestamp, (i64, i64)> = BTreeMap::new();
    for row in minutes.iter().filter(|row| row.minute >= from && row.minute < to) {
        let series = grid.window.series.get(row.series as usize);
        let Some(series) = series.filter(|series| place.contains(series)) else {
            continue;
        };
        let count = counts.entry(row.minute).or_default();
        count.1 = count.1.saturating_add(row.calls);
        if (place.value)(series) == place.name {
            count.0 = count.0.saturating_add(row.calls);
        }
    }
    let known = counts.values().fold(0_i64, |sum, (_, n)| sum.saturating_add(*n));
    let hours = grid.rows(grid.hour_of(from)..grid.hour_of(to));
    let all = hours
        .filter(|(_, series, _)| place.contains(series))
        .fold(0_i64, |sum, (_, _, sums)| sum.saturating_add(sums.calls));
    if known == 0 || known != all {
        return None;
    }
    let held = |share: f64| share.clamp(0.02, 0.98);
    let (old, new) = (held(shares.0), held(shares.1));
    // How much likelier the calls before each minute are before the switch than after it, added up.
    let mut sum = 0.0;
    let mut beginnings = vec![(0.0, from)];
    let mut ends = Vec::new();
    for (minute, (k, n)) in &counts {
        ends.push(minute.plus_micros(MINUTE));
        let (k, others) = (*k as f64, (n - k) as f64);
        sum += k * (old / new).ln() + others * ((1.0 - old) / (1.0 - new)).ln();
        beginnings.push((sum, *minute));
    }
    ends.push(to);
    let best = beginnings
        .iter()
        .map(|(sum, _)| *sum)
        .fold(f64::NEG_INFINITY, f64::max);
    let likely = |(sum, _): &(f64, Timestamp)| *sum >= best - NEARLY;
    let first = beginnings.iter().position(likely)?;
    let last = beginnings.iter().rposition(likely)?;
    Some((beginnings.get(first)?.1, *ends.get(last)?))
}

#[cfg(test)]
mod tests {
    use domain::NanoUsd;

    use super::super::super::window::{Row, Sums, Window};
    use super::*;

    /// A call a minute, of which one in ten had the dear model and, from a minute of the tenth hour on, nine in ten.
    fn window(switched: i64, is_known: impl Fn(i64) -> bool) -> Window {
        let name = |model: &str| SeriesName {
            key: "shop".to_owned(),
            step: "answer".to_owned(),
            model: model.to_owned(),
            ..SeriesName::default()
        };
        let mut window = Window {
            series: vec![name("haiku"), name("sonnet")],
            now: Timestamp::from_micros(24 * HOUR),
            ..Window::default()
        };
        for minute in 0..24 * 60 {
            let is_dear = (minute % 10 == 3) != (minute >= 600 + switched);
            let at = Timestamp::from_micros(minute * MINUTE);
            let series = u32::from(is_dear);
            window.rows.push(Row {
                series,
                hour: at.hour(),
                sums: Sums {
                    calls: 1,
                    cost: NanoUsd(1),
                    ..Sums::default()
                },
            });
            if is_known(minute / 60) {
                window.minutes.push(MinuteRow {
                    series,
                    minute: at,
                    calls: 1,
                    ..MinuteRow::default()
                });
            }
        }
        window
    }

    fn switched_at(window: &Window) -> Option<(i64, i64)> {
        let grid = Grid::of(window)?;
        let place = Place {
            key: "shop",
            step: "answer",
            value: model,
            name: "sonnet",
        };
        let hours = jump(
            &grid,
            &place,
            0.5,
            (Timestamp::from_micros(0), Timestamp::from_micros(23 * HOUR)),
        )?;
        let (from, to) = closer(&grid, &window.minutes, &place, (0.1, 0.9), hours).unwrap_or(hours);
        Some((from.micros() / MINUTE, to.micros() / MINUTE))
    }

    #[test]
    fn minutes_say_when_a_model_that_was_there_before_took_over() {
        let (from, to) = switched_at(&window(27, |_| true)).unwrap();
        assert!(from <= 627 && 627 <= to && to - from <= 6, "{from} to {to}");
        let (from, to) = switched_at(&window(27, |_| false)).unwrap();
        assert!(from <= 600 && to >= 660, "the hour: {from} to {to}");
    }
}
