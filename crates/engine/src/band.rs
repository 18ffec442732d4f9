//! The usual band of a series: where its values lie, on a logarithmic scale, and which lie outside.

use crate::history::{StepMetric, StepSamples};
use crate::sample::Sorted;
use crate::usual_range::UsualRange;

/// Clean steps a band needs.
const MIN_CLEAN: usize = 20;

/// How many interquartile ranges the band reaches beyond the quartiles, on a logarithmic scale.
const REACH: f64 = 2.5;

/// Interquartile ranges narrower than 4 % count as 4 %: identical calls would otherwise leave no room at all.
const MIN_LOG_IQR: f64 = 0.04;

/// How far from the quartiles an outlier has to be: 5 ms, 5 tokens, a nano-dollar, 5 output tokens.
pub(crate) const MIN_DISTANCES: [i64; 4] = [5_000, 5, 1, 5];

/// Whether a metric has a band, so that layer 5 judges it and the project-wide limit does not.
pub(crate) fn has_baseline(samples: Option<&StepSamples>, metric: StepMetric) -> bool {
    samples.is_some_and(|samples| samples.metric(metric).len() >= MIN_CLEAN)
}

/// A value outside the band of its sample.
pub(crate) struct Departure {
    pub(crate) is_above: bool,
    /// Where the band begins and ends.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Whether a value leaves the band of its sample. `least_distance` is how far from the quartiles it has to be.
pub(crate) fn departure(sample: &Sorted, value: Option<i64>, least_distance: i64) -> Option<Departure> {
    let value = value.filter(|value| *value > 0)?;
    if sample.len() < MIN_CLEAN || is_surely_inside(sample, value as f64) {
        return None;
    }
    let (log_q1, log_q3) = (log_quantile(sample, 5)?, log_quantile(sample, 15)?);
    let reach = reach(log_q1, log_q3);
    let log_value = (value as f64).ln();
    let (is_above, nearest) = if log_value > log_q3 + reach {
        (true, log_q3.exp())
    } else if log_value < log_q1 - reach {
        (false, log_q1.exp())
    } else {
        return None;
    };
    if (value as f64 - nearest).abs() < least_distance as f64 {
        return None;
    }
    Some(Departure {
        is_above,
        low: (log_q1 - reach).exp(),
        high: (log_q3 + reach).exp(),
    })
}

/// The band that values above nothing lie in, by the rule that layer 5 judges by; `None` while there are too few.
///
/// For drawings of a step's latest calls: what a step is judged against is the server's own, longer memory.
pub fn usual_band(values: impl IntoIterator<Item = i64>) -> Option<UsualRange> {
    let mut sample = Sorted::default();
    for value in values.into_iter().filter(|value| *value > 0) {
        sample.insert(value);
    }
    if sample.len() < MIN_CLEAN {
        return None;
    }
    let (log_q1, log_q3) = (log_quantile(&sample, 5)?, log_quantile(&sample, 15)?);
    let reach = reach(log_q1, log_q3);
    Some(UsualRange {
        low: (log_q1 - reach).exp(),
        high: (log_q3 + reach).exp(),
    })
}

/// How far the band goes beyond the quartiles.
fn reach(log_q1: f64, log_q3: f64) -> f64 {
    REACH * (log_q3 - log_q1).max(MIN_LOG_IQR)
}

/// Most values lie so close to the quartiles that no logarithm is needed: the band reaches at least a tenth of e
/// beyond them (2.5 × 0.04), and e^0.1 is above 1.1.
fn is_surely_inside(sample: &Sorted, value: f64) -> bool {
    let (Some((_, q1, _)), Some((q3, _, _))) = (sample.around(5), sample.around(15)) else {
        return false;
    };
    value * 1.1 >= q1 as f64 && value <= q3 as f64 * 1.1
}

/// A quantile on the logarithmic scale; the sample holds positive values only.
fn log_quantile(sample: &Sorted, twentieths: usize) -> Option<f64> {
    let (low, high, between) = sample.around(twentieths)?;
    let (low, high) = ((low as f64).ln(), (high as f64).ln());
    Some(low + (high - low) * between as f64 / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_needs_twenty_values_above_nothing() {
        assert_eq!(usual_band(std::iter::repeat_n(100, 19).chain([0, 0, 0])), None);
        let band = usual_band(std::iter::repeat_n(100, 20)).unwrap();
        assert!(
            (90.0..91.0).contains(&band.low) && (110.0..111.0).contains(&band.high),
            "{band:?}"
        );
    }
}
