//! What is worked out about a step before it is scored: its token buckets, its cost, its fingerprints.

use domain::{CostSource, NanoUsd, NewStep, StepKind, TokenUsage};
use engine::pricing::PriceTable;
use engine::{fingerprint, usage};

use crate::prices;

/// Figures of one step.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// How the buckets were worked out; `None` without tokens.
    pub usage_semantics: Option<&'static str>,
    /// Its cost; `None` when unknown or when nothing costs.
    pub cost: Option<NanoUsd>,
    /// Where the cost comes from; `None` for steps that cost nothing by nature.
    pub cost_source: Option<CostSource>,
    /// The price row behind a computed cost.
    pub price_version: Option<String>,
    /// Size of the model's context window, where the price list says so.
    pub context_window: Option<i64>,
    /// Identity of the whole prompt.
    pub prompt: Option<[u8; 32]>,
    /// Identity of the prompt's template, for steps that ask a model.
    pub template: Option<[u8; 32]>,
    /// The text behind `template`.
    pub canonical: String,
}

impl Figures {
    /// Works out a step by its project's prices.
    pub fn of(step: &NewStep, prices: &PriceTable) -> Self {
        let mut figures = Self::default();
        (figures.tokens, figures.usage_semantics) = usage::normalise(&step.tokens);
        figures.price(step, prices);
        figures.fingerprint(step);
        figures
    }

    /// Steps of a kind that costs nothing by nature have no cost rather than an unknown one.
    fn price(&mut self, step: &NewStep, table: &PriceTable) {
        let priced = prices::cost_of(
            table,
            &prices::Call {
                provider: step.provider.as_deref(),
                model: step.model.as_deref(),
                request_model: step.request_model.as_deref(),
                started_at: step.started_at,
                tokens: &self.tokens,
                service_tier: step.service_tier.as_deref(),
                web_searches: step.web_searches,
                reported: step.reported_cost,
            },
        );
        let is_billable = step.kind.is_billable() || self.usage_semantics.is_some();
        self.cost_source = Some(priced.source).filter(|source| is_billable || *source != CostSource::Unknown);
        self.cost = priced.cost;
        self.price_version = priced.price_version;
        self.context_window = priced.context_window;
    }

    fn fingerprint(&mut self, step: &NewStep) {
        let Some(input) = step.input.as_deref().filter(|input| !input.is_empty()) else {
            return;
        };
        // What a tool is called with, or a text that is embedded, is data and has no template.
        if step.kind != StepKind::Llm {
            self.prompt = Some(fingerprint::prompt_fingerprint(input));
            return;
        }
        let found = fingerprint::fingerprints(input, step.prompt_template.as_deref());
        self.prompt = Some(found.prompt);
        self.template = Some(found.template);
        self.canonical = found.canonical;
    }
}
