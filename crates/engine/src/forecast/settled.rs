//! Where spend came to another level and stayed there, and single days that were out of the ordinary. The days before a
//! shift still say how restless spend is, and nothing of its level.

use super::history::{History, Level, median};

/// Robust standard errors beyond which two stretches of days are at two levels.
const SHIFT_ERRORS: f64 = 4.5;
/// The least that a level shifts by, as a difference of logarithms: a sixth.
const LEAST_SHIFT: f64 = 0.18;
/// Days to either side of a shift that are compared.
const SIDE_DAYS: usize = 14;
/// Days before a shift, and after it: one day alone is no level.
const LEAST_BEFORE: usize = 3;
const LEAST_AFTER: usize = 2;
/// More shifts than this are not looked for.
const MAX_SHIFTS: usize = 4;
/// The standard error of a median is larger than that of a mean by so much.
const MEDIAN_ERROR: f64 = 1.25;
/// Days that say how far one day is from the next.
const NOISE_DAYS: usize = 60;
/// The least standard deviation of a day's logarithm.
const LEAST_NOISE: f64 = 0.05;
/// A day further off than so many standard deviations counts as if it were so far.
const LONE_DAY: f64 = 3.0;
/// From so many on, the last day may be the first of another level.
const LAST_DAY: f64 = 3.5;
/// Days to either side that say what would be ordinary.
const NEAR_DAYS: usize = 7;
/// Of the latest days, so many must have spent something.
const LATEST_DAYS: usize = 28;
const LEAST_SPENDING: f64 = 0.8;
/// Days of the weekend that usually spend less than this share of a weekday say nothing of the level.
const LEAST_FACTOR: f64 = 0.1;

/// A history as if the level had always been what it is now.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// The days before a shift multiplied by it, and single days drawn to those beside them.
    pub(super) history: History,
    /// The place of the first day at this level.
    pub(super) since: usize,
    /// The logarithm of what the last day spent beside those before it, where that is so far off that it may be the first
    /// day of another level; else 0.
    pub(super) unsettled: f64,
}

impl Settled {
    /// Where most days spend nothing there is no level to look for, and all days count as they are.
    pub(super) fn of(history: &History) -> Self {
        let mut settled = Self {
            history: history.clone(),
            since: 0,
            unsettled: 0.0,
        };
        let Some(days) = Days::of(history) else {
            return settled;
        };
        settled.align(days);
        // Without the shifts weekends are seen more clearly.
        if let Some(days) = Days::of(&settled.history) {
            settled.draw_in_lone_days(&days);
        }
        settled
    }

    /// Multiplies the days before each shift by it, the latest first.
    fn align(&mut self, mut days: Days) {
        let mut end = days.logs.len();
        for number in 0..MAX_SHIFTS {
            let Some((cut, shift)) = latest_shift(days.logs.get(..end).unwrap_or_default()) else {
                return;
            };
            let place = days.places[cut];
            if number == 0 {
                self.since = place;
            }
            self.history.days[..place]
                .iter_mut()
                .for_each(|day| *day *= shift.exp());
            days.logs[..cut].iter_mut().for_each(|log| *log += shift);
            end = cut;
        }
    }

    fn draw_in_lone_days(&mut self, days: &Days) {
        let from = days.logs.len().saturating_sub(NOISE_DAYS);
        let Some(noise) = noise(&days.logs[from..]) else {
            return;
        };
        let reach = LONE_DAY * noise;
        for (index, (place, log)) in days.places.iter().zip(&days.logs).enumerate() {
            let near = index.saturating_sub(NEAR_DAYS)..(index + NEAR_DAYS + 1).min(days.logs.len());
            let mut beside: Vec<f64> = near
                .filter(|other| *other != index)
                .map(|other| days.logs[other])
                .collect();
            let Some(ordinary) = median(&mut beside) else {
                return;
            };
            let off = log - ordinary;
            let is_last = index + 1 == days.logs.len();
            if is_last && off.abs() > (LAST_DAY * noise).max(LEAST_SHIFT) {
                self.unsettled = off;
            }
            // A day without calls spent nothing: that is known, and no mistake.
            if self.history.days[*place] > 0.0 {
                self.history.days[*place] *= (off.clamp(-reach, reach) - off).exp();
            }
        }
    }
}

/// The days that say something of the level: where each lies in the history, and the logarithm of what it spent, as if it
/// had been a weekday.
struct Days {
    places: Vec<usize>,
    logs: Vec<f64>,
}

impl Days {
    /// `None` where too few of the latest spent anything.
    fn of(history: &History) -> Option<Self> {
        let level = Level::of(history, 0)?;
        let places: Vec<usize> = (0..history.len())
            .filter(|place| level.factor_seen(history.day(*place)) >= LEAST_FACTOR)
            .collect();
        let spent: Vec<f64> = places
            .iter()
            .map(|place| history.days[*place] / level.factor_seen(history.day(*place)))
            .collect();
        let latest = &spent[spent.len().saturating_sub(LATEST_DAYS)..];
        let spending = latest.iter().filter(|spent| **spent > 0.0).count();
        if (spending as f64) < LEAST_SPENDING * latest.len() as f64 {
            return None;
        }
        let mut positive: Vec<f64> = spent.iter().copied().filter(|spent| *spent > 0.0).collect();
        let least = 0.01 * median(&mut positive)?;
        let logs = spent.iter().map(|spent| spent.max(least).ln()).collect();
        Some(Self { places, logs })
    }
}

/// How far single days are from their level, as a standard deviation; shifts, trends and lone days hardly count.
fn noise(logs: &[f64]) -> Option<f64> {
    const DIFFERENCES: usize = 4;
    let mut steps: Vec<f64> = logs.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    if steps.len() < DIFFERENCES {
        return None;
    }
    // The median of absolute differences is 0.67 of their standard deviation, which is that of a day times the root of 2.
    let deviation = 1.4826 * median(&mut steps)? / std::f64::consts::SQRT_2;
    Some(deviation.max(LEAST_NOISE))
}

/// The last place at which days came to another level, and the difference of the two.
fn latest_shift(logs: &[f64]) -> Option<(usize, f64)> {
    let end = logs.len();
    let noise = noise(&logs[end.saturating_sub(NOISE_DAYS)..])?;
    let sides = |cut: usize| {
        let before = &logs[cut.saturating_sub(SIDE_DAYS)..cut];
        (before, &logs[cut..(cut + SIDE_DAYS).min(end)])
    };
    let mut clearest: Option<(f64, usize)> = None;
    for cut in (LEAST_BEFORE..=end.checked_sub(LEAST_AFTER)?).rev() {
        let (before, after) = sides(cut);
        let (difference, error) = difference(before, after)?;
        let errors = difference.abs() / (noise * error);
        let is_clear = errors >= SHIFT_ERRORS && difference.abs() >= LEAST_SHIFT;
        match clearest {
            Some((most, _)) if is_clear && errors <= most => {}
            _ if is_clear => clearest = Some((errors, cut)),
            // What lies further back is another shift.
            Some((_, found)) if found > cut + LEAST_AFTER => break,
            _ => {}
        }
    }
    let (_, near) = clearest?;
    let cut = changeover(logs, near, sides(near))?;
    let (before, after) = sides(cut);
    Some((cut, difference(before, after)?.0))
}

/// By how much the days after differ from those before, and its standard error for days of a deviation of 1. By medians,
/// so that one day alone is no shift.
fn difference(before: &[f64], after: &[f64]) -> Option<(f64, f64)> {
    let middle = median(&mut before.to_vec())?;
    let error = (1.0 / before.len() as f64 + 1.0 / after.len() as f64).sqrt();
    if after.len() > LEAST_AFTER {
        return Some((median(&mut after.to_vec())? - middle, MEDIAN_ERROR * error));
    }
    // Of two days both have to be off.
    let nearer = after.iter().map(|log| log - middle);
    Some((nearer.min_by(|a, b| a.abs().total_cmp(&b.abs()))?, error))
}

/// The day on which days begin to lie nearer to the level after than to the one before. Where two stretches differ most
/// clearly is some days off: longer stretches are surer.
fn changeover(logs: &[f64], near: usize, (before, after): (&[f64], &[f64])) -> Option<usize> {
    let (before, after) = (median(&mut before.to_vec())?, median(&mut after.to_vec())?);
    let first = near.saturating_sub(SIDE_DAYS).max(LEAST_BEFORE);
    let last = (near + SIDE_DAYS).min(logs.len().checked_sub(LEAST_AFTER)?);
    let (mut sum, mut best) = (0.0, (0.0, first));
    for (place, log) in logs.iter().enumerate().take(last).skip(first) {
        sum += (log - before).abs() - (log - after).abs();
        if sum < best.0 {
            best = (sum, place + 1);
        }
    }
    Some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of about a tenth that repeats.
    fn logs(count: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let noise = [0.08, -0.12, 0.03, 0.11, -0.05, -0.1, 0.06, -0.01, 0.09];
        (0..count).map(|day| level(day) + noise[day % 9]).collect()
    }

    #[test]
    fn a_shift_is_found_on_its_day_and_a_lone_day_or_growth_is_none() {
        let check = |level: &dyn Fn(usize) -> f64, expected: Option<(usize, f64)>| {
            let found = latest_shift(&logs(50, level));
            assert_eq!(
                found.map(|shift| shift.0),
                expected.map(|shift| shift.0),
                "{found:?}"
            );
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!((found.1 - expected.1).abs() < 0.1, "{found:?}");
            }
        };
        let step = |at: usize, by: f64| move |day: usize| if day < at { 0.0 } else { by };
        check(&step(50, 0.7), None);
        check(&step(40, 0.7), Some((40, 0.7)));
        check(&step(30, -0.7), Some((30, -0.7)));
        check(&step(48, 1.1), Some((48, 1.1)));
        // One day alone says nothing yet.
        check(&step(49, 1.1), None);
        check(&|day| if day == 40 { 1.6 } else { 0.0 }, None);
        check(&|day| day as f64 * 0.01, None);
        // Of two the later one.
        check(
            &|day| {
                if day < 20 {
                    0.0
                } else if day < 40 {
                    0.8
                } else {
                    0.1
                }
            },
            Some((40, -0.7)),
        );
    }

    #[test]
    fn too_few_days_have_no_shift() {
        for count in 0..6 {
            assert_eq!(latest_shift(&logs(count, |_| 0.0)), None, "{count}");
        }
    }
}
