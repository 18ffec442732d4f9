//! Layer 5, statistics: the step against the usual band of its own name, model and template.

use domain::text::{duration, grouped};
use domain::{NanoUsd, Sample};

use crate::codes::{self, Code};
use crate::findings::{Evidence, Findings};
use crate::history::{StepMetric, StepSamples};
use crate::layer4::tokens_words;
use crate::reading::Reading;
use crate::sample::Sorted;

/// Clean steps a band needs.
pub(crate) const MIN_CLEAN: usize = 20;

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

/// One metric of layer 5.
struct Measure {
    code: Code,
    metric: StepMetric,
    value: Option<i64>,
    noun: &'static str,
    /// A value closer to the quartiles than this is no outlier, whatever the ratio: 4 tokens instead of 3.
    least_distance: i64,
    words: fn(i64) -> String,
    /// Stored units per unit of the evidence.
    unit: f64,
}

pub(crate) fn evaluate(reading: &Reading<'_>, samples: Option<&StepSamples>, findings: &mut Findings<'_>) {
    let Some(samples) = samples else { return };
    let facts = reading.facts;
    let latency_words = |us: i64| duration(us as f64 / 1_000.0);
    let measures = [
        Measure {
            code: codes::LATENCY_OUTLIER,
            metric: StepMetric::LatencyUs,
            value: facts.latency_us(),
            noun: "latency",
            least_distance: MIN_DISTANCES[0],
            words: latency_words,
            unit: 1_000.0,
        },
        Measure {
            code: codes::TOKENS_OUTLIER,
            metric: StepMetric::Tokens,
            value: facts.tokens(),
            noun: "token count",
            least_distance: MIN_DISTANCES[1],
            words: tokens_words,
            unit: 1.0,
        },
        Measure {
            code: codes::COST_OUTLIER,
            metric: StepMetric::Cost,
            value: facts.cost.map(|cost| cost.0),
            noun: "cost",
            least_distance: MIN_DISTANCES[2],
            words: |nano| NanoUsd(nano).to_short(),
            unit: 1.0,
        },
        Measure {
            code: codes::OUTPUT_TOKENS_OUTLIER,
            metric: StepMetric::OutputTokens,
            value: facts.usage.output,
            noun: "output token count",
            least_distance: MIN_DISTANCES[3],
            words: tokens_words,
            unit: 1.0,
        },
    ];
    for measure in &measures {
        findings.check(&measure.code, || outlier(measure, samples));
    }
}

/// A value outside the band of its sample.
pub(crate) struct Departure {
    is_above: bool,
    /// Where the band begins and ends.
    low: f64,
    high: f64,
}

/// Whether a value leaves the band of its sample. `least_distance` is how far from the quartiles it has to be.
pub(crate) fn departure(sample: &Sorted, value: Option<i64>, least_distance: i64) -> Option<Departure> {
    let value = value.filter(|value| *value > 0)?;
    if sample.len() < MIN_CLEAN || is_surely_inside(sample, value as f64) {
        return None;
    }
    let (log_q1, log_q3) = (log_quantile(sample, 5)?, log_quantile(sample, 15)?);
    let reach = REACH * (log_q3 - log_q1).max(MIN_LOG_IQR);
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

/// Most values lie so close to the quartiles that no logarithm is needed: the band reaches at least a tenth of e
/// beyond them (2.5 × 0.04), and e^0.1 is above 1.1.
fn is_surely_inside(sample: &Sorted, value: f64) -> bool {
    let (Some((_, q1, _)), Some((q3, _, _))) = (sample.around(5), sample.around(15)) else {
        return false;
    };
    value * 1.1 >= q1 as f64 && value <= q3 as f64 * 1.1
}

fn outlier(measure: &Measure, samples: &StepSamples) -> Option<Evidence> {
    let sample = samples.metric(measure.metric);
    let Departure { is_above, low, high } = departure(sample, measure.value, measure.least_distance)?;
    let value = measure.value?;
    let words = |value: f64| (measure.words)(value.round() as i64);
    let observed = (measure.words)(value);
    let direction = if is_above { "above" } else { "below" };
    let evidence = Evidence::new(
        format!(
            "The {} of {observed} is far {direction} this step's usual band.",
            measure.noun
        ),
        observed,
        format!("{} to {}", words(low), words(high)),
    );
    let in_unit = |value: f64| value / measure.unit;
    Some(evidence.with_sample(Some(Sample {
        n: sample.len() as u32,
        p50: in_unit(sample.quantile(10)?),
        p95: in_unit(sample.quantile(19)?),
        window: format!(
            "clean ones among the last {} steps of this name, model and template",
            grouped(crate::history::STEP_SAMPLES as u64)
        ),
    })))
}

/// A quantile on the logarithmic scale; the sample holds positive values only.
fn log_quantile(sample: &Sorted, twentieths: usize) -> Option<f64> {
    let (low, high, between) = sample.around(twentieths)?;
    let (low, high) = ((low as f64).ln(), (high as f64).ln());
    Some(low + (high - low) * between as f64 / 20.0)
}
