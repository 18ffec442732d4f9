//! Steady growth or decline. It goes on, less and less: what grew by a hundredth a day for six weeks hardly does so for a
//! year.

use super::history::{History, Level, median};

/// Days that a trend is seen over.
const SEEN_DAYS: usize = 42;
/// With fewer of them there is none.
const LEAST_DAYS: usize = 14;
/// How much of a day's growth the next day has.
const DAMPING: f64 = 0.97;
/// So many variances of the slope are taken off its square: what is below two standard errors is no trend.
const SURELY: f64 = 4.0;
/// The most that a day grows by, as a logarithm.
const MOST: f64 = 0.05;

/// By how much spend grows in a day, as a difference of logarithms; declining below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Trend {
    slope: f64,
    /// The standard error of that.
    pub(super) error: f64,
}

impl Trend {
    /// Of a history without shifts. None where it could be chance.
    pub(super) fn of(history: &History, level: &Level) -> Self {
        Self::seen(history, level).unwrap_or_default()
    }

    fn seen(history: &History, level: &Level) -> Option<Self> {
        let from = history.len().saturating_sub(SEEN_DAYS);
        let mut days: Vec<(f64, f64)> = (from..history.len())
            .map(|place| {
                let factor = level.factor(history.day(place)).max(0.01);
                (place as f64, history.days[place] / factor)
            })
            .collect();
        let all = days.len();
        days.retain(|(_, spent)| *spent > 0.0);
        if days.len() < LEAST_DAYS || days.len() * 5 < all * 3 {
            return None;
        }
        let mut spent: Vec<f64> = days.iter().map(|(_, spent)| *spent).collect();
        let least = 0.05 * median(&mut spent)?;
        let count = days.len() as f64;
        let days: Vec<(f64, f64)> = days
            .iter()
            .map(|(at, spent)| (*at, spent.max(least).ln()))
            .collect();
        let middle = days.iter().map(|(at, _)| at).sum::<f64>() / count;
        let mean = days.iter().map(|(_, log)| log).sum::<f64>() / count;
        let across: f64 = days.iter().map(|(at, _)| (at - middle).powi(2)).sum();
        let slope = days
            .iter()
            .map(|(at, log)| (at - middle) * (log - mean))
            .sum::<f64>()
            / across;
        let off: Vec<f64> = days
            .iter()
            .map(|(at, log)| log - mean - slope * (at - middle))
            .collect();
        let squares: f64 = off.iter().map(|off| off * off).sum();
        // A level that wanders looks like a trend: then a day is off as the day before was.
        let alike: f64 = off.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let alike = (alike / squares.max(f64::MIN_POSITIVE) + 1.0 / count).clamp(0.0, 0.8);
        let variance = squares / (count - 2.0) / across * (1.0 + alike) / (1.0 - alike);
        let sure = 1.0 - SURELY * variance / (slope * slope).max(f64::MIN_POSITIVE);
        (sure > 0.0).then(|| Self {
            slope: (slope * sure).clamp(-MOST, MOST),
            error: variance.sqrt() * sure,
        })
    }

    /// The factor by which a day spends more than a level that is so many days old says, a day being 0 when it is today.
    pub(super) fn factor(&self, age: f64) -> f64 {
        (self.slope * DAMPING * (1.0 - DAMPING.powf(age)) / (1.0 - DAMPING)).exp()
    }
}
