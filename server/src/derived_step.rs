//! What is derived from a step before it is scored: its token buckets, its cost, its fingerprints.

use domain::{CostSource, NanoUsd, NewStep, StepKind, StepStatus, TokenUsage};
use engine::pricing::PriceTable;
use engine::{fingerprint, usage};

use crate::prices;

#[derive(Clone, Debug, Default)]
pub struct DerivedStep {
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// How the buckets were worked out; `None` without tokens.
    pub usage_semantics: Option<&'static str>,
    /// Its cost; `None` when unknown or when nothing costs.
    pub cost: Option<NanoUsd>,
    /// Where the cost comes from; `None` for steps that cost nothing by nature.
    pub cost_source: Option<CostSource>,
    /// The price row behind a computed cost, or the one by which an unknown one can't be computed.
    pub price_version: Option<String>,
    /// Size of the model's context window, where the price list says so.
    pub context_window: Option<i64>,
    /// Hash of the whole prompt.
    pub prompt: Option<i64>,
    /// Identity of the prompt's template, for steps that ask a model.
    pub template: Option<[u8; 32]>,
    /// The text behind `template`.
    pub canonical: String,
}

impl DerivedStep {
    /// Works out a step by its project's prices.
    pub fn of(step: &NewStep, prices: &PriceTable) -> Self {
        let mut derived = Self::default();
        (derived.tokens, derived.usage_semantics) = usage::normalise(&step.tokens);
        derived.price(step, prices);
        derived.fingerprint(step);
        derived
    }

    /// Makes it a step that used nothing: what it says was used is counted at another.
    pub fn forget_usage(&mut self) {
        (self.tokens, self.usage_semantics) = (TokenUsage::default(), None);
        (self.cost, self.cost_source, self.price_version) = (None, None, None);
    }

    /// Steps of a kind that costs nothing by nature, and calls that were refused, have no cost rather than an unknown
    /// one.
    fn price(&mut self, step: &NewStep, table: &PriceTable) {
        let priced = prices::cost_of(
            table,
            &prices::Call {
                provider: step.provider.as_deref(),
                model: step.model.as_deref(),
                request_model: step.request_model.as_deref(),
                started_at: step.started_at,
                tokens: &self.tokens,
                details: &step.usage_details,
                service_tier: step.service_tier.as_deref(),
                web_searches: step.web_searches,
                reported: step.reported_cost,
            },
        );
        let is_billable = self.usage_semantics.is_some() || (step.kind.is_billable() && !was_refused(step));
        self.cost_source = Some(priced.source).filter(|source| is_billable || *source != CostSource::Unknown);
        self.cost = priced.cost;
        self.price_version = priced.price_version.filter(|_| self.cost_source.is_some());
        self.context_window = priced.context_window;
    }

    fn fingerprint(&mut self, step: &NewStep) {
        let Some(input) = step.input.as_deref().filter(|input| !input.is_empty()) else {
            return;
        };
        // What a tool is called with, or a text that is embedded, is data and has no template.
        if step.kind != StepKind::Llm {
            self.prompt = Some(prompt_hash(fingerprint::prompt_fingerprint(input)));
            return;
        }
        let found = fingerprint::fingerprints(input, step.prompt_template.as_deref());
        self.prompt = Some(prompt_hash(found.prompt));
        self.template = Some(found.template);
        self.canonical = found.canonical;
    }
}

/// Whether a failed call of which nothing was counted did no work: no provider bills a key it does not know, a limit,
/// or a request it can't read. One that ended in between (the answer broke off, the caller gave up) may have.
fn was_refused(step: &NewStep) -> bool {
    const ENDED_IN_BETWEEN: &[&str] = &[
        "timeout",
        "timed_out",
        "disconnected",
        "stopped",
        "aborted",
        "cancelled",
    ];
    let class = step
        .error_class
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    step.status == StepStatus::Error
        && !step.stream_incomplete
        && step.web_searches.is_none()
        && !ENDED_IN_BETWEEN.iter().any(|word| class.contains(word))
}

/// The first eight bytes: enough to tell the prompts of a run apart, and a quarter of the disk.
fn prompt_hash([a, b, c, d, e, f, g, h, ..]: [u8; 32]) -> i64 {
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
