//! What a series usually is at an hour of the week: the band behind a chart's line.
//!
//! For each bucket the values of the four weeks before it at the same time of day, on weekdays or on weekends: their
//! median, and around it two and a half robust standard deviations, which are never below a twentieth of the median so
//! that flat history has a band too. What was outside is left out of later ranges, so that a jump stays visible; after
//! seven days outside it is what is usual. A gap is no zero: it is no value. This draws; what opens an incident has a
//! baseline of its own.

use std::collections::{BTreeMap, VecDeque};

use domain::Timestamp;
use domain::series::Bucket;
use serde::{Deserialize, Serialize};

/// How far back values count, in days.
pub const REACH_DAYS: i64 = 28;
/// Values of the same kind of day below which those of all days are taken.
const ENOUGH_OF_KIND: usize = 5;
/// Values below which nothing is usual yet.
const LEAST: usize = 7;
/// Days outside after which that is what is usual.
const ACCEPTED_DAYS: i64 = 7;
/// Standard deviations to either side of the median.
const WIDTH: f64 = 2.5;
/// The standard deviation is at least this share of the median.
const FLOOR: f64 = 0.05;
/// The median absolute deviation of a normal distribution is this part of its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
const DAY_MICROS: i64 = 86_400_000_000;

/// Between what a value usually lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualRange {
    /// The lower end, never below 0.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl UsualRange {
    fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The usual range of each bucket that begins at one of `wanted`, in order; `None` where too little is known. `values`
/// are those of whole buckets in order of time, the ones before the first wanted bucket included. Below the hour nothing
/// is usual.
pub fn usual_ranges(
    values: &[(Timestamp, f64)],
    wanted: &[Timestamp],
    bucket: Bucket,
) -> Vec<Option<UsualRange>> {
    if !matches!(bucket, Bucket::Hour | Bucket::Day) {
        return vec![None; wanted.len()];
    }
    let mut history = History::default();
    let mut rest = values.iter().peekable();
    wanted
        .iter()
        .map(|at| {
            while let Some((before, value)) = rest.next_if(|(before, _)| before < at) {
                history.add(*before, *value);
            }
            history.range(*at).map(|(range, _)| range)
        })
        .collect()
}

/// What is known before a moment.
#[derive(Default)]
struct History {
    /// Values that later ranges rest on.
    kept: BTreeMap<i64, f64>,
    /// Those of the last seven days, and whether each was outside of its range.
    recent: VecDeque<(i64, f64, bool)>,
}

impl History {
    fn add(&mut self, at: Timestamp, value: f64) {
        let micros = at.micros();
        // By ranges of its own kind of day alone: by those of working days no weekend would ever be usual.
        let is_outside = self
            .range(at)
            .is_some_and(|(range, is_of_kind)| is_of_kind && !range.contains(value));
        if !is_outside {
            self.kept.insert(micros, value);
        }
        self.recent.push_back((micros, value, is_outside));
        while self
            .recent
            .front()
            .is_some_and(|(then, ..)| micros - then >= ACCEPTED_DAYS * DAY_MICROS)
        {
            self.recent.pop_front();
        }
        if is_outside && self.is_another() {
            // What was usual before that is no more.
            self.kept.clear();
            for (then, value, was_outside) in &mut self.recent {
                self.kept.insert(*then, *value);
                *was_outside = false;
            }
        }
    }

    /// Whether the series has been another for seven days: most of the time outside of its range, the nights of a busy
    /// application perhaps not.
    fn is_another(&self) -> bool {
        let outside = || self.recent.iter().filter(|(.., is_outside)| *is_outside);
        let (Some((first, ..)), Some((last, ..))) = (outside().next(), self.recent.back()) else {
            return false;
        };
        outside().count() * 2 > self.recent.len() && last - first >= (ACCEPTED_DAYS - 1) * DAY_MICROS
    }

    /// The range, and whether it rests on days of the same kind alone.
    fn range(&self, at: Timestamp) -> Option<(UsualRange, bool)> {
        let (mut of_kind, mut others) = (Vec::new(), Vec::new());
        for days in 1..=REACH_DAYS {
            let before = at.plus_micros(-days * DAY_MICROS);
            if let Some(value) = self.kept.get(&before.micros()) {
                let is_of_kind = is_weekend(before) == is_weekend(at);
                if is_of_kind { &mut of_kind } else { &mut others }.push(*value);
            }
        }
        if of_kind.len() + others.len() < LEAST {
            return None;
        }
        let is_of_kind = of_kind.len() >= ENOUGH_OF_KIND;
        if !is_of_kind {
            of_kind.append(&mut others);
        }
        Some((range_of(of_kind)?, is_of_kind))
    }
}

fn is_weekend(at: Timestamp) -> bool {
    let weekday = at.to_offset_date_time().weekday();
    weekday.number_days_from_monday() >= 5
}

fn range_of(values: Vec<f64>) -> Option<UsualRange> {
    let middle = median(values.clone())?;
    let deviations = values.iter().map(|value| (value - middle).abs()).collect();
    let deviation = (median(deviations)? * MAD_TO_DEVIATION).max(middle.abs() * FLOOR);
    Some(UsualRange {
        low: (middle - WIDTH * deviation).max(0.0),
        high: middle + WIDTH * deviation,
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().saturating_sub(1) / 2)?;
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A Monday.
    const MONDAY: &str = "2026-11-02T00:00:00Z";

    fn day(n: i64) -> Timestamp {
        Timestamp::parse_rfc3339(MONDAY)
            .unwrap()
            .plus_micros(n * DAY_MICROS)
    }

    fn days(values: &[f64]) -> Vec<(Timestamp, f64)> {
        (0..).map(day).zip(values.iter().copied()).collect()
    }

    fn at_day(values: &[f64], n: i64) -> Option<UsualRange> {
        usual_ranges(&days(values), &[day(n)], Bucket::Day)[0]
    }

    #[test]
    fn nothing_is_usual_within_the_first_week() {
        assert_eq!(at_day(&[10.0; 6], 6), None);
        let range = at_day(&[10.0; 7], 7).unwrap();
        assert_eq!((range.low, range.high), (8.75, 11.25));
    }

    #[test]
    fn weekends_are_compared_with_weekends() {
        let four_weeks: Vec<f64> = (0..28).map(|n| if n % 7 >= 5 { 2.0 } else { 10.0 }).collect();
        let monday = at_day(&four_weeks, 28).unwrap();
        let saturday = at_day(&four_weeks, 33).unwrap();
        assert!(monday.contains(10.0) && !monday.contains(2.0), "{monday:?}");
        assert!(saturday.contains(2.0) && !saturday.contains(10.0), "{saturday:?}");
    }

    #[test]
    fn hours_are_compared_with_the_same_hour() {
        let hour = |n: i64| day(0).plus_micros(n * 3_600_000_000);
        let busy_at_noon: Vec<(Timestamp, f64)> = (0..24 * 14)
            .map(|n| (hour(n), if n % 24 == 12 { 90.0 } else { 5.0 }))
            .collect();
        let found = usual_ranges(
            &busy_at_noon,
            &[hour(24 * 14 + 11), hour(24 * 14 + 12)],
            Bucket::Hour,
        );
        assert!(found[0].unwrap().contains(5.0) && !found[0].unwrap().contains(90.0));
        assert!(found[1].unwrap().contains(90.0) && !found[1].unwrap().contains(5.0));
    }

    #[test]
    fn a_jump_stays_outside_until_it_has_lasted_a_week() {
        let mut values = vec![10.0; 21];
        values.extend([40.0; 12]);
        let usual = |n: i64| at_day(&values[..usize::try_from(n).unwrap()], n);
        assert!(!usual(25).unwrap().contains(40.0));
        assert!(!usual(27).unwrap().contains(40.0));
        assert!(usual(28).unwrap().contains(40.0));
        // One outlier changes nothing.
        values.truncate(22);
        values.extend([10.0; 3]);
        assert!(at_day(&values, 25).unwrap().contains(10.0));
    }

    #[test]
    fn a_gap_is_no_zero_and_below_the_hour_nothing_is_usual() {
        let mut with_gap = days(&[10.0; 20]);
        with_gap.drain(8..12);
        let range = usual_ranges(&with_gap, &[day(20)], Bucket::Day)[0].unwrap();
        assert!(!range.contains(0.0));
        assert_eq!(usual_ranges(&with_gap, &[day(20)], Bucket::FiveMinutes), [None]);
    }

    proptest! {
        #[test]
        fn a_range_is_a_range_and_rests_on_the_past(
            values in prop::collection::vec(0.0..1e12f64, 0..60), more in prop::collection::vec(0.0..1e12f64, 0..5),
        ) {
            let at = i64::try_from(values.len()).unwrap();
            let before = at_day(&values, at);
            if let Some(range) = before {
                prop_assert!(range.low >= 0.0 && range.low <= range.high);
            }
            let later = [values, more].concat();
            prop_assert_eq!(at_day(&later, at), before);
        }
    }
}
