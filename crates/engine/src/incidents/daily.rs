//! The daily rule: a day's cost against the seven days before it. All in whole numbers, so that its boundaries are
//! exactly where they are said to be.

use domain::NanoUsd;
use serde::{Deserialize, Serialize};

/// Days a baseline is made of, and which there have to be.
pub const BASELINE_DAYS: usize = 7;
/// The deviation counts as at least this part of the mean: a flat history alarms too.
const FLOOR_PART: i128 = 20;
/// Larger sums of a day are taken as this one, five million dollars, so that nothing overflows.
const MAX_DAY: i64 = 5_000_000_000_000_000;

/// When a day is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyRule {
    /// Hundredths of a standard deviation: 250 is 2.5 sigma.
    pub sigma_hundredths: u16,
    /// By how much it has to be above the mean of its baseline.
    pub delta: NanoUsd,
}

impl Default for DailyRule {
    fn default() -> Self {
        Self {
            sigma_hundredths: 250,
            delta: NanoUsd(1_000_000_000),
        }
    }
}

/// A day beside the seven before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayReading {
    /// What the day cost.
    pub actual: NanoUsd,
    /// Mean of its baseline.
    pub baseline: NanoUsd,
    /// How many standard deviations it lies above it, the deviation being at least 5 % of the mean.
    pub sigma: f64,
    /// Whether the rule flags it.
    pub is_flagged: bool,
}

impl DailyRule {
    /// Reads a day against the latest seven of `earlier`, the days with data before it, oldest first. `None` when
    /// there are fewer.
    pub fn read(self, earlier: &[NanoUsd], actual: NanoUsd) -> Option<DayReading> {
        let from = earlier.len().checked_sub(BASELINE_DAYS)?;
        let days = earlier.get(from..)?;
        let n = BASELINE_DAYS as i128;
        let held = |value: NanoUsd| i128::from(value.0.clamp(-MAX_DAY, MAX_DAY));
        let sum: i128 = days.iter().map(|day| held(*day)).sum();
        let squares: i128 = days.iter().map(|day| held(*day) * held(*day)).sum();
        // All times n: the distance from the mean, the variance, and the floor of the deviation.
        let above = n * held(actual) - sum;
        let variance = (n * squares - sum * sum).max(0);
        let floor = sum.max(0);
        let hundredths = i128::from(self.sigma_hundredths);
        let is_far = above > 0
            && above * above * 10_000 >= variance * hundredths * hundredths
            && above * FLOOR_PART * 100 >= floor * hundredths;
        let is_dear = above >= n * i128::from(self.delta.0);
        let deviation = (variance as f64).sqrt().max(floor as f64 / FLOOR_PART as f64);
        let sigma = if deviation > 0.0 {
            above as f64 / deviation
        } else {
            0.0
        };
        // Half away from zero.
        let baseline = (2 * sum + n * sum.signum()) / (2 * n);
        Some(DayReading {
            actual,
            baseline: NanoUsd(i64::try_from(baseline).unwrap_or(i64::MAX)),
            sigma,
            is_flagged: is_far && is_dear,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: i64 = 1_000_000_000;

    fn read(days: &[i64], actual: i64) -> Option<DayReading> {
        let days: Vec<_> = days.iter().map(|nano| NanoUsd(*nano)).collect();
        DailyRule::default().read(&days, NanoUsd(actual))
    }

    fn flags(days: &[i64], actual: i64) -> bool {
        read(days, actual).is_some_and(|day| day.is_flagged)
    }

    #[test]
    fn two_and_a_half_sigma_are_enough_and_a_nano_dollar_less_is_not() {
        let days = [107, 93, 107, 93, 107, 93, 100].map(|day| day * DOLLAR);
        // Mean 100, variance (6 × 49) / 7 = 42, deviation 6.4807…: 2.5 of them are 16.2018517….
        assert!(!flags(&days, 116 * DOLLAR + 201_851_740));
        assert!(flags(&days, 116 * DOLLAR + 201_851_750));
        // On the very boundary: the floor of 5 % gives whole numbers.
        let flat = [10 * DOLLAR; 7];
        assert!(flags(&flat, 11 * DOLLAR + DOLLAR / 4));
        assert!(!flags(&flat, 11 * DOLLAR + DOLLAR / 4 - 1));
        assert_eq!(read(&flat, 11 * DOLLAR + DOLLAR / 4).unwrap().sigma, 2.5);
    }

    #[test]
    fn one_dollar_is_enough_and_a_nano_dollar_less_is_not() {
        let days = [DOLLAR; 7];
        assert!(flags(&days, 2 * DOLLAR));
        assert!(!flags(&days, 2 * DOLLAR - 1));
        assert!(read(&days, 2 * DOLLAR - 1).unwrap().sigma > 19.0);
    }

    #[test]
    fn seven_days_are_needed_and_the_latest_seven_count() {
        assert_eq!(read(&[DOLLAR; 6], 9 * DOLLAR), None);
        assert!(flags(&[DOLLAR; 7], 9 * DOLLAR));
        let mut days = vec![1_000 * DOLLAR; 3];
        days.extend([DOLLAR; 7]);
        assert!(flags(&days, 9 * DOLLAR));
    }

    #[test]
    fn a_flat_history_alarms_too() {
        // The deviation is 0 and counts as 5 %: 20 % above is 4 sigma.
        let reading = read(&[50 * DOLLAR; 7], 60 * DOLLAR).unwrap();
        assert_eq!((reading.sigma, reading.is_flagged), (4.0, true));
        assert!(!flags(&[0; 7], 0));
        assert!(flags(&[0; 7], DOLLAR));
    }

    #[test]
    fn the_deviation_is_that_of_the_population() {
        let days = [1, 2, 3, 4, 5, 6, 7].map(|day| day * DOLLAR);
        let reading = read(&days, 9 * DOLLAR).unwrap();
        assert_eq!(reading.baseline, NanoUsd(4 * DOLLAR));
        // √4 = 2 (the sample's would be 2.16): 2.5 sigma exactly.
        assert_eq!((reading.sigma, reading.is_flagged), (2.5, true));
        assert!(!flags(&days, 9 * DOLLAR - 1));
    }

    #[test]
    fn a_fall_is_never_flagged_and_nothing_overflows() {
        assert!(!flags(&[50 * DOLLAR; 7], DOLLAR));
        let extreme = [i64::MIN, i64::MAX, 0, 1, i64::MAX, i64::MIN, 7];
        for actual in [i64::MIN, 0, i64::MAX] {
            assert!(read(&extreme, actual).unwrap().sigma.is_finite());
        }
        let eager = DailyRule {
            sigma_hundredths: u16::MAX,
            delta: NanoUsd(i64::MAX),
        };
        assert!(
            !eager
                .read(&[NanoUsd(i64::MAX); 7], NanoUsd(i64::MAX))
                .unwrap()
                .is_flagged
        );
    }
}
