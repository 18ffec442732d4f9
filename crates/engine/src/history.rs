//! What came before: the project's last steps, and the last steps of each step name, model and template.
//!
//! Every step has a place in the order of arrival. A history holds the latest ones, whatever order it learns of them
//! in and however often, so it can be rebuilt from the database at any time, and updated with what other processes have stored.
//!
//! A step counts from the moment it is scored, before it is stored. Until then it is *pending*: it can be undone, and
//! what it displaced comes back.

mod ring;

use std::collections::BTreeMap;

use domain::{NanoUsd, Severity, StepKind, StepStatus};
use serde::{Deserialize, Serialize};

use ring::{Pending, Ring};

use crate::codes;
use crate::facts::{StepFacts, us_from_ms};
use crate::sample::Sorted;
use crate::score::Score;
use crate::series_key::SeriesKey;

/// How many of the project's steps the limits of layer 4 look back on.
pub const RECENT_STEPS: usize = 100;
/// How many steps of one name, model and template layer 5 looks back on.
pub const STEP_SAMPLES: usize = 200;
/// How many names, models and templates are kept at once; beyond it the half not seen for longest goes.
const MAX_SERIES: usize = 400;

/// One scored step as history needs it: a database row has all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// What the step does. Only steps that call a model count for the project's limits.
    pub kind: StepKind,
    /// By its name, the model that answered and the fingerprint of its template.
    pub series: SeriesKey,
    /// Duration in milliseconds.
    pub latency_ms: Option<f64>,
    /// Input, output and cache tokens together.
    pub tokens: Option<i64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<i64>,
    /// Cost.
    pub cost: Option<NanoUsd>,
    /// Thousandths of the input that came from the prompt cache.
    pub cache_permille: Option<i64>,
    /// Score in points.
    pub total: i32,
    /// Neither failed nor critical: its values may set limits.
    pub is_usable: bool,
    /// Whether code 3018 fired.
    pub is_refusal: bool,
}

impl StepRecord {
    /// The record of a step that has just been scored.
    pub fn of(facts: &StepFacts<'_>, score: &Score) -> Self {
        Self {
            kind: facts.kind,
            series: facts.series(),
            latency_ms: facts.latency_ms,
            tokens: facts.tokens(),
            output_tokens: facts.usage.output,
            cost: facts.cost,
            cache_permille: facts.cache_permille(),
            total: score.total,
            is_usable: facts.status != StepStatus::Error && score.severity != Severity::Critical,
            is_refusal: score
                .conditions
                .iter()
                .any(|condition| condition.code == codes::REFUSAL.code),
        }
    }
}

/// Everything scoring looks back on, for one project.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The project's last steps.
    pub recent: RecentSteps,
    steps: BTreeMap<SeriesKey, StepSamples>,
    last_sequence: i64,
}

impl History {
    /// An empty history: static limits, no baselines.
    pub fn new() -> Self {
        Self::default()
    }

    /// A history from stored rows, oldest arrival first.
    pub fn from_records<'r>(records: impl IntoIterator<Item = &'r StepRecord>) -> Self {
        let mut history = Self::default();
        records.into_iter().for_each(|record| history.push(record));
        history
    }

    /// Adds the step that came last.
    pub fn push(&mut self, record: &StepRecord) {
        self.insert(self.last_sequence.saturating_add(1), record);
    }

    /// Adds a stored step at its place in the order of arrival. Nothing changes when it is known, or older than
    /// everything that is held.
    pub fn insert(&mut self, sequence: i64, record: &StepRecord) {
        if counts_for_limits(record) {
            self.recent.insert(sequence, RecentStep::of(record), Pending::No);
        }
        self.samples_for(sequence, record.series)
            .insert(sequence, record, Pending::No);
    }

    /// Adds a step that has been scored and is not stored yet. It is followed by one of [`confirm`](Self::confirm) and
    /// [`undo`](Self::undo).
    pub fn insert_pending(&mut self, sequence: i64, record: &StepRecord) {
        if counts_for_limits(record) {
            self.recent.insert(sequence, RecentStep::of(record), Pending::Yes);
        }
        self.samples_for(sequence, record.series)
            .insert(sequence, record, Pending::Yes);
    }

    /// A pending step is stored.
    pub fn confirm(&mut self, record: &StepRecord) {
        if counts_for_limits(record) {
            self.recent.ring.confirm(RECENT_STEPS);
        }
        if let Some(samples) = self.steps.get_mut(&record.series) {
            samples.ring.confirm(STEP_SAMPLES);
        }
    }

    /// A pending step is not going to be stored: everything is as if it had never come.
    pub fn undo(&mut self, sequence: i64, record: &StepRecord) {
        if counts_for_limits(record) {
            self.recent.undo(sequence);
        }
        if let Some(samples) = self.steps.get_mut(&record.series) {
            samples.undo(sequence);
            if samples.ring.entries.is_empty() {
                self.steps.remove(&record.series);
            }
        }
    }

    /// About how many bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let series: usize = self.steps.values().map(StepSamples::size_bytes).sum();
        size_of::<Self>() + self.recent.size_bytes() + series
    }

    fn samples_for(&mut self, sequence: i64, series: SeriesKey) -> &mut StepSamples {
        self.last_sequence = self.last_sequence.max(sequence);
        if self.steps.len() >= MAX_SERIES && !self.steps.contains_key(&series) {
            self.forget_oldest_half();
        }
        self.steps.entry(series).or_default()
    }

    /// The part of it that a step of this series is judged against.
    pub fn concerning(&self, series: SeriesKey) -> Self {
        let samples = self.steps.get(&series).cloned();
        Self {
            recent: self.recent.clone(),
            steps: samples.map(|samples| (series, samples)).into_iter().collect(),
            last_sequence: self.last_sequence,
        }
    }

    /// The samples of a series.
    pub fn samples_of(&self, series: SeriesKey) -> Option<&StepSamples> {
        self.steps.get(&series)
    }

    fn forget_oldest_half(&mut self) {
        let mut ages: Vec<i64> = self.steps.values().map(|samples| samples.ring.last()).collect();
        ages.sort_unstable();
        let middle = ages.get(ages.len() / 2).copied().unwrap_or(0);
        self.steps.retain(|_, samples| samples.ring.last() >= middle);
    }
}

/// One of the project's last steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentStep {
    /// Latency in microseconds, tokens, and cost in nano-dollars.
    pub metrics: [Option<i64>; 3],
    /// Score in points.
    pub total: i32,
    /// Neither failed nor critical.
    pub is_usable: bool,
}

impl RecentStep {
    fn of(record: &StepRecord) -> Self {
        let latency_us = record.latency_ms.and_then(us_from_ms);
        Self {
            metrics: [latency_us, record.tokens, record.cost.map(|cost| cost.0)],
            total: record.total,
            is_usable: record.is_usable,
        }
    }
}

/// Only steps that call a model count for the project's limits.
fn counts_for_limits(record: &StepRecord) -> bool {
    matches!(record.kind, StepKind::Llm | StepKind::Embedding)
}

/// The project's last 100 steps in order of arrival, with their usable values kept sorted.
#[derive(Clone, Debug, Default)]
pub struct RecentSteps {
    ring: Ring<RecentStep>,
    /// Latency in microseconds, tokens, cost in nano-dollars: usable steps only.
    pub(crate) metrics: [Sorted; 3],
    /// The scores of all of them.
    pub(crate) totals: Sorted,
}

impl RecentSteps {
    /// Adds the step that came last and drops the one that is now too old.
    pub fn push(&mut self, step: RecentStep) {
        self.insert(self.ring.last().saturating_add(1), step, Pending::No);
    }

    fn insert(&mut self, sequence: i64, step: RecentStep, pending: Pending) {
        let Some(change) = self.ring.insert(RECENT_STEPS, sequence, step, pending) else {
            return;
        };
        if let Some(old) = change.hidden {
            self.hide(old);
        }
        if change.is_shown {
            self.show(step);
        }
    }

    fn undo(&mut self, sequence: i64) {
        let Some((undone, shown_instead)) = self.ring.undo(RECENT_STEPS, sequence) else {
            return;
        };
        self.hide(undone);
        if let Some(older) = shown_instead {
            self.show(older);
        }
    }

    fn show(&mut self, step: RecentStep) {
        self.totals.insert(i64::from(step.total));
        for (sample, value) in self.metrics.iter_mut().zip(step.usable_values()) {
            value.into_iter().for_each(|value| sample.insert(value));
        }
    }

    fn hide(&mut self, step: RecentStep) {
        self.totals.remove(i64::from(step.total));
        for (sample, value) in self.metrics.iter_mut().zip(step.usable_values()) {
            value.into_iter().for_each(|value| sample.remove(value));
        }
    }

    fn size_bytes(&self) -> usize {
        let samples: usize = self.metrics.iter().map(Sorted::size_bytes).sum();
        self.ring.size_bytes() + samples + self.totals.size_bytes()
    }

    /// How many steps it holds, at most 100.
    pub fn len(&self) -> usize {
        self.ring.entries.len().min(RECENT_STEPS)
    }

    /// Whether no step has come yet.
    pub fn is_empty(&self) -> bool {
        self.ring.entries.is_empty()
    }

    /// The steps it holds, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &RecentStep> {
        self.ring.shown(RECENT_STEPS)
    }
}

impl RecentStep {
    fn usable_values(&self) -> [Option<i64>; 3] {
        if self.is_usable { self.metrics } else { [None; 3] }
    }
}

/// What layer 5 measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepMetric {
    LatencyUs,
    Tokens,
    Cost,
    OutputTokens,
    CachePermille,
}

#[derive(Clone, Copy, Debug)]
struct StepSample {
    /// [`UNKNOWN`] where there is no value: a word less for each than an option.
    values: [i64; 5],
    is_refusal: bool,
}

/// No metric has this value: those of layer 5 are not negative.
const UNKNOWN: i64 = i64::MIN;

impl StepSample {
    fn new(values: [Option<i64>; 5], is_usable: bool, is_refusal: bool) -> Self {
        // The band is drawn on a logarithmic scale, so only values above zero can be in it.
        let positive = |value: Option<i64>| value.filter(|value| *value > 0);
        let [latency_us, tokens, cost, output_tokens, cache_permille] = values;
        let values = [
            positive(latency_us),
            positive(tokens),
            positive(cost),
            positive(output_tokens),
            cache_permille,
        ];
        let values = values.map(|value| value.filter(|_| is_usable).unwrap_or(UNKNOWN));
        Self { values, is_refusal }
    }
}

/// The last 200 steps of one name, model and template. A changed template is another key and starts afresh.
#[derive(Clone, Debug, Default)]
pub struct StepSamples {
    ring: Ring<StepSample>,
    metrics: [Sorted; 5],
    refusals: usize,
}

impl StepSamples {
    fn insert(&mut self, sequence: i64, record: &StepRecord, pending: Pending) {
        let values = [
            record.latency_ms.and_then(us_from_ms),
            record.tokens,
            record.cost.map(|cost| cost.0),
            record.output_tokens,
            record.cache_permille,
        ];
        let sample = StepSample::new(values, record.is_usable, record.is_refusal);
        self.insert_sample(sequence, sample, pending);
    }

    /// Adds the step that came last: latency in microseconds, tokens, cost in nano-dollars, output tokens,
    /// thousandths of the input that came from the cache.
    pub(crate) fn push_values(&mut self, values: [Option<i64>; 5], is_usable: bool, is_refusal: bool) {
        let sample = StepSample::new(values, is_usable, is_refusal);
        self.insert_sample(self.ring.last().saturating_add(1), sample, Pending::No);
    }

    fn insert_sample(&mut self, sequence: i64, sample: StepSample, pending: Pending) {
        let Some(change) = self.ring.insert(STEP_SAMPLES, sequence, sample, pending) else {
            return;
        };
        if let Some(old) = change.hidden {
            self.hide(old);
        }
        if change.is_shown {
            self.show(sample);
        }
    }

    fn undo(&mut self, sequence: i64) {
        let Some((undone, shown_instead)) = self.ring.undo(STEP_SAMPLES, sequence) else {
            return;
        };
        self.hide(undone);
        if let Some(older) = shown_instead {
            self.show(older);
        }
    }

    fn show(&mut self, sample: StepSample) {
        self.refusals += usize::from(sample.is_refusal);
        for (sorted, value) in self.metrics.iter_mut().zip(sample.values) {
            if value != UNKNOWN {
                sorted.insert(value);
            }
        }
    }

    fn hide(&mut self, sample: StepSample) {
        self.refusals -= usize::from(sample.is_refusal);
        for (sorted, value) in self.metrics.iter_mut().zip(sample.values) {
            if value != UNKNOWN {
                sorted.remove(value);
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let sorted: usize = self.metrics.iter().map(Sorted::size_bytes).sum();
        size_of::<(SeriesKey, Self)>() + self.ring.size_bytes() + sorted
    }

    pub(crate) fn metric(&self, metric: StepMetric) -> &Sorted {
        match metric {
            StepMetric::LatencyUs => &self.metrics[0],
            StepMetric::Tokens => &self.metrics[1],
            StepMetric::Cost => &self.metrics[2],
            StepMetric::OutputTokens => &self.metrics[3],
            StepMetric::CachePermille => &self.metrics[4],
        }
    }

    /// Whether declining is what this step mostly does.
    pub(crate) fn usually_refuses(&self) -> bool {
        let len = self.ring.entries.len().min(STEP_SAMPLES);
        len >= 5 && self.refusals * 2 >= len
    }
}

#[cfg(test)]
mod tests;
