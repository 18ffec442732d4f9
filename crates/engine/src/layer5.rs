//! Layer 5, statistics: the step against the usual band of its own name, model and template.

use domain::text::{counted, duration, grouped};
use domain::{NanoUsd, Sample};

use crate::band::{Departure, MIN_DISTANCES, departure};
use crate::codes::{self, Code};
use crate::findings::{Evidence, Findings};
use crate::history::{StepMetric, StepSamples};
use crate::reading::Reading;

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
            words: |tokens| counted(tokens, "token"),
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
            words: |tokens| counted(tokens, "token"),
            unit: 1.0,
        },
    ];
    for measure in &measures {
        findings.check(&measure.code, || outlier(measure, samples));
    }
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
