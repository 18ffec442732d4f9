//! What came before: the project's last steps, and the last steps of each step name, model and template.
//!
//! Every step has a place in the order of arrival. A history holds the latest ones, whatever order it learns of them
//! in and however often, so it can be rebuilt from the database at any time, and be told what others have stored.

use std::collections::{BTreeMap, VecDeque};

use domain::{NanoUsd, Severity, StepKind, StepStatus};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::facts::{StepFacts, us_from_ms};
use crate::sample::Sorted;
use crate::score::Score;

/// How many of the project's steps the limits of layer 4 look back on.
pub const RECENT_STEPS: usize = 100;
/// How many steps of one name, model and template layer 5 looks back on.
pub const STEP_SAMPLES: usize = 200;
/// How many names, models and templates are remembered at once; beyond it the half not seen for longest goes.
const MAX_SERIES: usize = 400;

/// Which steps a step is measured against: those of its name, model and template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey(u64);

impl SeriesKey {
    /// FNV-1a over the three parts: every scored step asks for its series, and must not allocate for that.
    pub fn of(step_name: &str, model: &str, template: &str) -> Self {
        let parts = [step_name, model, template];
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xFF]));
        Self(bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }
}

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
    last_arrival: i64,
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
        self.insert(self.last_arrival.saturating_add(1), record);
    }

    /// Adds a step at its place in the order of arrival. Nothing changes when it is known, or older than everything
    /// that is held.
    pub fn insert(&mut self, arrival: i64, record: &StepRecord) {
        if matches!(record.kind, StepKind::Llm | StepKind::Embedding) {
            self.recent.insert(arrival, RecentStep::of(record));
        }
        self.last_arrival = self.last_arrival.max(arrival);
        if self.steps.len() >= MAX_SERIES && !self.steps.contains_key(&record.series) {
            self.forget_oldest_half();
        }
        self.steps
            .entry(record.series)
            .or_default()
            .insert(arrival, record);
    }

    /// The place of the latest step.
    pub fn last_arrival(&self) -> i64 {
        self.last_arrival
    }

    /// The part of it that a step of this series is judged against.
    pub fn concerning(&self, series: SeriesKey) -> Self {
        let samples = self.steps.get(&series).cloned();
        Self {
            recent: self.recent.clone(),
            steps: samples.map(|samples| (series, samples)).into_iter().collect(),
            last_arrival: self.last_arrival,
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

/// The latest of what arrived, in order of arrival.
#[derive(Clone, Debug)]
struct Ring<T>(VecDeque<(i64, T)>);

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Ring<T> {
    /// Makes room for one that arrived then. `None` when it is known, or older than all of a full ring; otherwise what
    /// had to go, which is nothing before the ring is full.
    fn make_room(&mut self, capacity: usize, arrival: i64) -> Option<impl Iterator<Item = T> + use<T>> {
        let place = self.place(arrival);
        let is_known = self.0.get(place).is_some_and(|(known, _)| *known == arrival);
        let is_full = self.0.len() >= capacity;
        if is_known || (is_full && place == 0) {
            return None;
        }
        let oldest = if is_full { self.0.pop_front() } else { None };
        Some(oldest.map(|(_, value)| value).into_iter())
    }

    fn insert(&mut self, arrival: i64, value: T) {
        self.0.insert(self.place(arrival), (arrival, value));
    }

    /// How many arrived before. Nearly always all of them.
    fn place(&self, arrival: i64) -> usize {
        if self.last() < arrival {
            self.0.len()
        } else {
            self.0.partition_point(|(known, _)| *known < arrival)
        }
    }

    /// When the latest arrived.
    fn last(&self) -> i64 {
        self.0.back().map_or(i64::MIN, |(arrival, _)| *arrival)
    }
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
        self.insert(self.ring.last().saturating_add(1), step);
    }

    fn insert(&mut self, arrival: i64, step: RecentStep) {
        let Some(dropped) = self.ring.make_room(RECENT_STEPS, arrival) else {
            return;
        };
        for old in dropped {
            self.totals.remove(i64::from(old.total));
            for (sample, value) in self.metrics.iter_mut().zip(old.usable_values()) {
                value.into_iter().for_each(|value| sample.remove(value));
            }
        }
        self.totals.insert(i64::from(step.total));
        for (sample, value) in self.metrics.iter_mut().zip(step.usable_values()) {
            value.into_iter().for_each(|value| sample.insert(value));
        }
        self.ring.insert(arrival, step);
    }

    /// How many steps it holds, at most 100.
    pub fn len(&self) -> usize {
        self.ring.0.len()
    }

    /// Whether no step has come yet.
    pub fn is_empty(&self) -> bool {
        self.ring.0.is_empty()
    }

    /// The steps it holds, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &RecentStep> {
        self.ring.0.iter().map(|(_, step)| step)
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
    values: [Option<i64>; 5],
    is_refusal: bool,
}

/// The last 200 steps of one name, model and template. A changed template is another key and starts afresh.
#[derive(Clone, Debug, Default)]
pub struct StepSamples {
    ring: Ring<StepSample>,
    metrics: [Sorted; 5],
    refusals: usize,
}

impl StepSamples {
    fn insert(&mut self, arrival: i64, record: &StepRecord) {
        let values = [
            record.latency_ms.and_then(us_from_ms),
            record.tokens,
            record.cost.map(|cost| cost.0),
            record.output_tokens,
            record.cache_permille,
        ];
        self.insert_values(arrival, values, record.is_usable, record.is_refusal);
    }

    /// Adds the step that came last: latency in microseconds, tokens, cost in nano-dollars, output tokens,
    /// thousandths of the input that came from the cache.
    pub(crate) fn push_values(&mut self, values: [Option<i64>; 5], is_usable: bool, is_refusal: bool) {
        self.insert_values(self.ring.last().saturating_add(1), values, is_usable, is_refusal);
    }

    fn insert_values(&mut self, arrival: i64, values: [Option<i64>; 5], is_usable: bool, is_refusal: bool) {
        let Some(dropped) = self.ring.make_room(STEP_SAMPLES, arrival) else {
            return;
        };
        for old in dropped {
            self.refusals -= usize::from(old.is_refusal);
            for (sample, value) in self.metrics.iter_mut().zip(old.values) {
                value.into_iter().for_each(|value| sample.remove(value));
            }
        }
        // The band is drawn on a logarithmic scale, so only values above zero can be in it.
        let positive = |value: Option<i64>| value.filter(|value| *value > 0);
        let values = if is_usable {
            let [latency_us, tokens, cost, output_tokens, cache_permille] = values;
            [
                positive(latency_us),
                positive(tokens),
                positive(cost),
                positive(output_tokens),
                cache_permille,
            ]
        } else {
            [None; 5]
        };
        for (sample, value) in self.metrics.iter_mut().zip(values) {
            value.into_iter().for_each(|value| sample.insert(value));
        }
        self.refusals += usize::from(is_refusal);
        self.ring.insert(arrival, StepSample { values, is_refusal });
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
        let len = self.ring.0.len();
        len >= 5 && self.refusals * 2 >= len
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(step_name: &str, value: i64) -> StepRecord {
        StepRecord {
            kind: StepKind::Llm,
            series: SeriesKey::of(step_name, "m", ""),
            latency_ms: Some(value as f64),
            tokens: Some(value),
            output_tokens: Some(value / 2),
            cost: Some(NanoUsd(value * 1_000)),
            cache_permille: None,
            total: (value % 40) as i32,
            is_usable: value % 7 != 0,
            is_refusal: value % 5 == 0,
        }
    }

    proptest! {
        #[test]
        fn what_is_held_does_not_depend_on_the_order_in_which_it_was_learned(
            values in prop::collection::vec(1_i64..9_000, 1..320),
            keys in prop::collection::vec(any::<u16>(), 320),
        ) {
            let steps: Vec<(i64, StepRecord)> = values
                .iter()
                .enumerate()
                .map(|(at, value)| (at as i64 * 3, record(if value % 9 == 0 { "rare" } else { "usual" }, *value)))
                .collect();
            let mut in_order = History::new();
            steps.iter().for_each(|(arrival, record)| in_order.insert(*arrival, record));
            let mut shuffled: Vec<usize> = (0..steps.len()).collect();
            shuffled.sort_by_key(|index| keys[*index]);
            let mut history = History::new();
            // Everything once in some order, and some of it again.
            for index in shuffled.iter().chain(shuffled.iter().take(50)) {
                let (arrival, record) = &steps[*index];
                history.insert(*arrival, record);
            }
            prop_assert_eq!(format!("{history:?}"), format!("{in_order:?}"));
        }
    }
}
