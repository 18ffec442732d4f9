//! What new steps add to the hourly sums of their series.

use std::collections::{BTreeMap, HashMap};

use domain::{CostSource, Severity, StepStatus};
use engine::histogram::Histogram;
use storage::ingest::{Rollup, RollupKey, Squares, StepRow};
use storage::recount::Latencies;

use super::cardinality::CountedAs;
use super::run_delta::known_sum;

/// One row per hour and series that occurs in `rows`.
pub(super) fn rollups<'a>(
    rows: impl IntoIterator<Item = (&'a StepRow<'a>, &'a CountedAs<'a>)>,
) -> Vec<(RollupKey, Rollup)> {
    let mut sums: HashMap<RollupKey, Sum> = HashMap::new();
    for (row, counted) in rows {
        let key = RollupKey {
            project_id: row.project_id,
            hour: row.step.started_at.hour(),
            series_id: counted.series_id,
        };
        sums.entry(key)
            .or_insert_with(|| Sum::of_series(row.key_label, counted))
            .add(row, counted);
    }
    let mut rollups: Vec<_> = sums.into_iter().map(|(key, sum)| (key, sum.finish())).collect();
    rollups.sort_unstable_by_key(|(key, _)| *key);
    rollups
}

/// The sums of `new` added to those that are `stored` already.
pub(super) fn merge(mut new: Rollup, stored: &Rollup) -> Rollup {
    new.calls += stored.calls;
    new.errors += stored.errors;
    new.anomalies += stored.anomalies;
    new.squares = new.squares.plus(stored.squares);
    new.unpriced += stored.unpriced;
    new.priced += stored.priced;
    new.tokens = new.tokens.plus(&stored.tokens);
    new.cost_nano_usd = known_sum(new.cost_nano_usd, stored.cost_nano_usd);
    new.latency_us = merge_histograms(&new.latency_us, &stored.latency_us);
    new.ttft_us = merge_histograms(&new.ttft_us, &stored.ttft_us);
    for (counts, more) in [
        (&mut new.output_shapes, &stored.output_shapes),
        (&mut new.finish_reasons, &stored.finish_reasons),
        (&mut new.conditions, &stored.conditions),
    ] {
        for (word, count) in more {
            *counts.entry(word.clone()).or_insert(0) += count;
        }
    }
    for (word, more) in &stored.usage_parts {
        add_part(&mut new.usage_parts, word, *more);
    }
    new
}

fn add_part(parts: &mut BTreeMap<String, i64>, word: &str, more: i64) {
    match parts.get_mut(word) {
        Some(sum) => *sum = sum.saturating_add(more),
        None => {
            parts.insert(word.to_owned(), more);
        }
    }
}

fn merge_histograms(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut merged = Histogram::decode(a).unwrap_or_default();
    merged.merge(&Histogram::decode(b).unwrap_or_default());
    merged.encode()
}

struct Sum {
    rollup: Rollup,
    latency: Histogram,
    ttft: Histogram,
}

impl Sum {
    fn of_series(key_label: &str, counted: &CountedAs<'_>) -> Self {
        let rollup = Rollup {
            key_label: key_label.to_owned(),
            environment: counted.environment.map(str::to_owned),
            step_name: counted.step_name.to_owned(),
            model: counted.model.map(str::to_owned),
            template_fingerprint: counted.template.map(Vec::from),
            ..Rollup::default()
        };
        Self {
            rollup,
            latency: Histogram::default(),
            ttft: Histogram::default(),
        }
    }

    fn add(&mut self, row: &StepRow<'_>, counted: &CountedAs<'_>) {
        let rollup = &mut self.rollup;
        rollup.calls += 1;
        rollup.errors += i64::from(row.step.status == StepStatus::Error);
        rollup.anomalies += i64::from(row.severity > Severity::Ok);
        rollup.squares = rollup.squares.plus(squares_of(row));
        rollup.unpriced += i64::from(row.cost_source == Some(CostSource::Unknown));
        rollup.priced += i64::from(row.cost_nano_usd.is_some());
        rollup.tokens = rollup.tokens.plus(&row.tokens);
        rollup.cost_nano_usd = known_sum(rollup.cost_nano_usd, row.cost_nano_usd);
        count(&mut rollup.output_shapes, row.output_shape);
        count(&mut rollup.finish_reasons, counted.finish_reason);
        for condition in &row.conditions {
            count(&mut rollup.conditions, Some(&condition.code.to_string()));
        }
        // What another step says already counts there: such a step has neither.
        if row.usage_semantics.is_some() || row.cost_source.is_some() {
            let details = &row.step.usage_details;
            for (word, n) in details.counted_parts(row.step.web_searches, row.tokens.cache_write_1h) {
                add_part(&mut rollup.usage_parts, word, n);
            }
        }
        record(&mut self.latency, row.step.latency_ms);
        record(&mut self.ttft, row.step.ttft_ms);
    }

    fn finish(mut self) -> Rollup {
        self.rollup.latency_us = self.latency.encode();
        self.rollup.ttft_us = self.ttft.encode();
        self.rollup
    }
}

/// What one step adds to the sums of squares.
fn squares_of(row: &StepRow<'_>) -> Squares {
    let square = |value: Option<i64>| value.map_or(0, |value| i128::from(value) * i128::from(value));
    Squares {
        cost_nano_usd: square(row.cost_nano_usd.map(|cost| cost.0)),
        input: square(row.tokens.input()),
        output: square(row.tokens.output),
    }
}

/// Whether the stored histograms are those of these latencies.
pub fn histograms_agree(found: &Latencies) -> bool {
    let is_of = |stored: &[u8], latencies: &[f64]| {
        Histogram::decode(stored).unwrap_or_default() == counted(latencies)
    };
    is_of(&found.latency_us, &found.latency_ms) && is_of(&found.ttft_us, &found.ttft_ms)
}

/// The histogram of latencies in milliseconds, as the sums have it.
pub fn histogram_of(latencies_ms: &[f64]) -> Vec<u8> {
    counted(latencies_ms).encode()
}

fn counted(latencies_ms: &[f64]) -> Histogram {
    let mut counted = Histogram::default();
    for ms in latencies_ms {
        record(&mut counted, Some(*ms));
    }
    counted
}

fn count(counts: &mut BTreeMap<String, i64>, word: Option<&str>) {
    if let Some(word) = word {
        *counts.entry(word.to_owned()).or_insert(0) += 1;
    }
}

/// A negative latency is a client's mistake, not a fast call: it is flagged on the step and left out here.
fn record(histogram: &mut Histogram, ms: Option<f64>) {
    if let Some(ms) = ms.filter(|ms| *ms >= 0.0) {
        histogram.add((ms * 1_000.0) as i64);
    }
}
