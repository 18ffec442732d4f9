//! What came before: the project's last steps, and the last steps of each step name, model and template.
//!
//! Push every step once, in order of arrival, after it has been scored. The same rows pushed in the same order
//! give the same history, so it can be rebuilt from the database at any time.

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
const MAX_STEP_KEYS: usize = 400;

/// One scored step as history needs it: a database row has all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What the step does. Only steps that call a model count for the project's limits.
    pub kind: StepKind,
    /// Its name.
    pub step_name: String,
    /// The model that answered.
    pub model: String,
    /// Fingerprint of the prompt template.
    pub template: String,
    /// Duration in milliseconds.
    pub latency_ms: Option<f64>,
    /// All tokens.
    pub tokens: Option<i64>,
    /// Output tokens.
    pub output_tokens: Option<i64>,
    /// Cost.
    pub cost: Option<NanoUsd>,
    /// Thousandths of the input that came from the prompt cache.
    pub cache_permille: Option<i64>,
    /// Its score.
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
            step_name: facts.step_name.to_owned(),
            model: facts.model.to_owned(),
            template: facts.template.to_owned(),
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
    steps: BTreeMap<u64, StepSamples>,
    pushed: u64,
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
        if matches!(record.kind, StepKind::Llm | StepKind::Embedding) {
            self.recent.push(RecentStep::of(record));
        }
        self.pushed += 1;
        let key = step_key(&record.step_name, &record.model, &record.template);
        if self.steps.len() >= MAX_STEP_KEYS && !self.steps.contains_key(&key) {
            self.forget_oldest_half();
        }
        let samples = self.steps.entry(key).or_default();
        samples.last_pushed = self.pushed;
        samples.push(record);
    }

    /// The samples of a step name, model and template.
    pub fn samples_of(&self, step_name: &str, model: &str, template: &str) -> Option<&StepSamples> {
        self.steps.get(&step_key(step_name, model, template))
    }

    fn forget_oldest_half(&mut self) {
        let mut ages: Vec<u64> = self.steps.values().map(|samples| samples.last_pushed).collect();
        ages.sort_unstable();
        let middle = ages.get(ages.len() / 2).copied().unwrap_or(0);
        self.steps.retain(|_, samples| samples.last_pushed >= middle);
    }
}

/// FNV-1a over the three parts: a history is asked for each step and must not allocate for the question.
fn step_key(step_name: &str, model: &str, template: &str) -> u64 {
    let parts = [step_name, model, template];
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xFF]));
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// One of the project's last steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentStep {
    /// Latency in microseconds, tokens, and cost in nano-dollars.
    pub metrics: [Option<i64>; 3],
    /// Its score.
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

/// The project's last 100 steps in order of arrival, with their usable values kept sorted.
#[derive(Clone, Debug, Default)]
pub struct RecentSteps {
    ring: VecDeque<RecentStep>,
    /// Latency in microseconds, tokens, cost in nano-dollars: usable steps only.
    pub(crate) metrics: [Sorted; 3],
    /// The scores of all of them.
    pub(crate) totals: Sorted,
}

impl RecentSteps {
    /// Adds the step that came last and drops the one that is now too old.
    pub fn push(&mut self, step: RecentStep) {
        if self.ring.len() >= RECENT_STEPS
            && let Some(old) = self.ring.pop_front()
        {
            self.totals.remove(i64::from(old.total));
            for (sample, value) in self.metrics.iter_mut().zip(old.usable_values()) {
                value.into_iter().for_each(|value| sample.remove(value));
            }
        }
        self.totals.insert(i64::from(step.total));
        for (sample, value) in self.metrics.iter_mut().zip(step.usable_values()) {
            value.into_iter().for_each(|value| sample.insert(value));
        }
        self.ring.push_back(step);
    }

    /// How many steps it holds, at most 100.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether no step has come yet.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The steps it holds, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &RecentStep> {
        self.ring.iter()
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
    ring: VecDeque<StepSample>,
    metrics: [Sorted; 5],
    refusals: usize,
    last_pushed: u64,
}

impl StepSamples {
    fn push(&mut self, record: &StepRecord) {
        let values = [
            record.latency_ms.and_then(us_from_ms),
            record.tokens,
            record.cost.map(|cost| cost.0),
            record.output_tokens,
            record.cache_permille,
        ];
        self.push_values(values, record.is_usable, record.is_refusal);
    }

    /// Adds the step that came last: latency in microseconds, tokens, cost in nano-dollars, output tokens,
    /// thousandths of the input that came from the cache.
    pub(crate) fn push_values(&mut self, values: [Option<i64>; 5], is_usable: bool, is_refusal: bool) {
        if self.ring.len() >= STEP_SAMPLES
            && let Some(old) = self.ring.pop_front()
        {
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
        self.ring.push_back(StepSample { values, is_refusal });
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
        self.ring.len() >= 5 && self.refusals * 2 >= self.ring.len()
    }
}
