//! The days before, and the level that goes on.

use domain::{NanoUsd, Timestamp};

use super::{CostChange, DAY_MICROS};

/// With fewer complete days nothing is forecast.
pub const MIN_DAYS: usize = 3;
/// Days that are looked back to.
const MAX_DAYS: usize = 120;
/// After so many days a day counts half as much.
const HALF_LIFE_DAYS: f64 = 5.0;
/// A factor for weekends counts as if so many weekend days without a difference had been seen before.
const PRIOR_WEEKEND_DAYS: f64 = 4.0;

/// What was spent, day by day in UTC.
#[derive(Clone, Debug)]
pub struct History {
    /// The first day that counts; the others follow it without a gap.
    pub(super) first: Timestamp,
    /// Complete days, the oldest first.
    pub(super) days: Vec<f64>,
    /// What the month has spent so far.
    pub(super) spent: f64,
    /// When today's was read.
    pub(super) now: Timestamp,
}

impl History {
    /// From the spend of days by their midnights, in any order. A day that is not among them had no spend: calls stop at
    /// weekends, and that is not unknown. What lies before the first day with spend does not count.
    pub fn new(spend: impl IntoIterator<Item = (Timestamp, NanoUsd)>, now: Timestamp) -> Self {
        let today = now.day();
        let oldest = today.plus_micros(-DAY_MICROS * MAX_DAYS as i64);
        let mut days = vec![0.0; MAX_DAYS];
        let mut of_today = 0.0;
        for (at, amount) in spend {
            let at = at.day();
            if at == today {
                of_today += amount.0 as f64;
            } else if at >= oldest && at < today {
                let place = (at.micros() - oldest.micros()) / DAY_MICROS;
                if let Some(day) = usize::try_from(place).ok().and_then(|place| days.get_mut(place)) {
                    *day += amount.0 as f64;
                }
            }
        }
        let begin = days.iter().position(|day| *day > 0.0).unwrap_or(days.len());
        let of_month = (today.micros() - today.month().micros()) / DAY_MICROS;
        let of_month = MAX_DAYS - usize::try_from(of_month).unwrap_or(0);
        Self {
            spent: days[of_month..].iter().sum::<f64>() + of_today,
            first: oldest.plus_micros(DAY_MICROS * begin as i64),
            days: days.split_off(begin),
            now,
        }
    }

    /// The same as it was known at the end of an earlier day: the first `count` days.
    pub(super) fn until(&self, count: usize) -> Self {
        let days: Vec<f64> = self.days.iter().take(count).copied().collect();
        Self {
            first: self.first,
            now: self.first.plus_micros(DAY_MICROS * count as i64),
            days,
            spent: 0.0,
        }
    }

    /// As if what calls cost had always been what it is since a deploy at `at`, so that what was before it says how many
    /// calls there are, and not what they cost.
    pub fn as_after(mut self, at: Timestamp, change: &CostChange) -> Self {
        let ratio = change.ratio();
        for place in 0..self.days.len() {
            let begin = self.day(place);
            let before = (at.micros() - begin.micros()) as f64 / DAY_MICROS as f64;
            let before = before.clamp(0.0, 1.0);
            // The day of the deploy has some of both.
            self.days[place] *= ratio / (before + (1.0 - before) * ratio).max(0.01);
            if before < 1.0 {
                break;
            }
        }
        self
    }

    /// How many complete days there are.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    pub(super) fn day(&self, place: usize) -> Timestamp {
        self.first.plus_micros(DAY_MICROS * place as i64)
    }
}

/// Saturday or Sunday.
fn is_weekend(day: Timestamp) -> bool {
    // The first day of the epoch was a Thursday.
    let weekday = (day.micros().div_euclid(DAY_MICROS) + 3).rem_euclid(7);
    weekday >= 5
}

/// What a day is expected to spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// On a weekday.
    weekday: f64,
    /// How much of that on a day of the weekend.
    weekend: f64,
    /// As how many equal days the level counts.
    pub(super) weight: f64,
    /// How old it is, in days: a mean of days is of the time between them.
    pub(super) age: f64,
    /// `weekend` as it was seen, however few weekends there were.
    weekend_seen: f64,
}

impl Level {
    /// From the days from place `since` on; `None` when there are too few days.
    pub(super) fn of(history: &History, since: usize) -> Option<Self> {
        if history.days.len() < MIN_DAYS {
            return None;
        }
        let (weekend, weekend_seen) = weekend_factor(history);
        let last = history.days.len() - 1;
        let (mut sum, mut weights, mut squares) = (0.0, 0.0, 0.0);
        let (mut total, mut ages) = (0.0, 0.0);
        for (place, day) in history.days.iter().enumerate().skip(since.min(last)) {
            let age = (last - place) as f64;
            let weight = 0.5_f64.powf(age / HALF_LIFE_DAYS);
            let factor = if is_weekend(history.day(place)) {
                weekend
            } else {
                1.0
            };
            // A day whose factor is small says less of the level.
            sum += weight * day;
            weights += weight * factor;
            squares += weight * weight;
            total += weight;
            ages += weight * age;
        }
        Some(Self {
            weekday: if weights > 0.0 { sum / weights } else { 0.0 },
            weekend,
            weight: total * total / squares,
            age: ages / total,
            weekend_seen,
        })
    }

    /// How much of a weekday's spend a day has.
    pub(super) fn factor(&self, day: Timestamp) -> f64 {
        if is_weekend(day) { self.weekend } else { 1.0 }
    }

    /// The same as it was seen: what is drawn towards no difference makes a shift of the first weekends.
    pub(super) fn factor_seen(&self, day: Timestamp) -> f64 {
        if is_weekend(day) { self.weekend_seen } else { 1.0 }
    }

    /// What a day is expected to spend.
    pub(super) fn on(&self, day: Timestamp) -> f64 {
        self.weekday * self.factor(day)
    }
}

/// How much a day of the weekend spends beside the weekdays around it: drawn towards no difference where few were seen, and
/// as it was seen.
fn weekend_factor(history: &History) -> (f64, f64) {
    let (mut logs, mut count) = (0.0, 0.0);
    for (place, day) in history.days.iter().enumerate() {
        if !is_weekend(history.day(place)) {
            continue;
        }
        let around = place.saturating_sub(4)..(place + 5).min(history.days.len());
        let near: Vec<f64> = around
            .filter(|other| !is_weekend(history.day(*other)))
            .map(|other| history.days[other])
            .collect();
        let mean = near.iter().sum::<f64>() / near.len().max(1) as f64;
        if mean > 0.0 {
            logs += (day / mean).clamp(0.01, 10.0).ln();
            count += 1.0;
        }
    }
    if count == 0.0 {
        return (1.0, 1.0);
    }
    let seen = logs / count;
    // The more weekends agree, the less the prior counts.
    let drawn = seen * count / (count + PRIOR_WEEKEND_DAYS * (-count / 8.0).exp());
    (drawn.exp(), seen.exp())
}

/// The middle of values, which are sorted; `None` where there are none.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(f64::midpoint(*values.get(low)?, *values.get(high)?))
}
