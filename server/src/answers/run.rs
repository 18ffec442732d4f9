//! A run and a step as programs read them.

use domain::{
    CostSource, NanoUsd, RunProblem, RunStatus, RunSummary, Severity, StepKind, StepStatus, StepSummary,
    Timestamp, TokenUsage, UsageDetails,
};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// A run as programs read it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Run {
    /// The client's own id.
    pub(crate) run_id: String,
    /// Name of its first top-level step.
    pub(crate) name: String,
    pub(crate) status: RunStatus,
    /// The worst of its steps.
    pub(crate) severity: Severity,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number")]
    pub(crate) latency_ms: f64,
    /// Label of the key that sent it.
    pub(crate) key: String,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) step_count: i64,
    pub(crate) error_count: i64,
    pub(crate) tokens: TokenUsage,
    /// The sum of what is known, in dollars, as a decimal text; null when nothing is.
    pub(crate) cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Steps that cost something nobody knows.
    pub(crate) unpriced_steps: i64,
    /// The highest score of its steps; null when none was scored.
    pub(crate) score_max: Option<i32>,
    pub(crate) problem: Option<RunProblem>,
}

impl From<RunSummary> for Run {
    fn from(run: RunSummary) -> Self {
        Self {
            cost_usd: run.cost_nano_usd.map(NanoUsd::to_decimal),
            run_id: run.run_id,
            name: run.name,
            status: run.status,
            severity: run.severity,
            started_at: run.started_at,
            ended_at: run.ended_at,
            latency_ms: run.latency_ms,
            key: run.key_label,
            environment: run.environment,
            release: run.release,
            session_id: run.session_id,
            user_id: run.user_id,
            tags: run.tags,
            models: run.models,
            step_count: run.step_count,
            error_count: run.error_count,
            tokens: run.tokens,
            cost_nano_usd: run.cost_nano_usd,
            unpriced_steps: run.unpriced_steps,
            score_max: run.score_max,
            problem: run.problem,
        }
    }
}

/// A step as programs read it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    /// Its identity within the run.
    pub(crate) step_id: String,
    /// The step that contains it, which may not have been received; null for a top-level step.
    pub(crate) parent_step_id: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    /// Position within the run as the client counts.
    pub(crate) step_index: Option<i32>,
    pub(crate) provider: Option<String>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// The model that was asked for, where it differs.
    pub(crate) request_model: Option<String>,
    pub(crate) started_at: Timestamp,
    /// Null while it runs.
    pub(crate) ended_at: Option<Timestamp>,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) status: StepStatus,
    /// The first 4 KiB of the error's text.
    pub(crate) error: Option<String>,
    /// The kind of error in a word that can be counted: the provider's, or ours such as `upstream_unreachable`.
    pub(crate) error_class: Option<String>,
    /// Why the model stopped, in the provider's word.
    pub(crate) stop_reason: Option<String>,
    /// The tier at which the provider served it.
    pub(crate) service_tier: Option<String>,
    /// The longest pause between two chunks of its stream, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) max_gap_ms: Option<f64>,
    /// Its stream ended without its final event.
    pub(crate) stream_incomplete: bool,
    pub(crate) tokens: TokenUsage,
    /// How the token buckets were worked out.
    pub(crate) usage_semantics: Option<String>,
    /// What it used beside the buckets: parts by modality, tools, where it ran.
    #[serde(default)]
    #[schema(required)]
    pub(crate) usage_details: UsageDetails,
    /// Searches of the web that the provider bills by number.
    pub(crate) web_searches: Option<i64>,
    /// The price row behind a computed cost; behind an unknown one the row that fits the model, by which the call
    /// can't be priced.
    pub(crate) price_version: Option<String>,
    /// Identity of the prompt's template, 64 hexadecimal digits.
    pub(crate) template_fingerprint: Option<String>,
    /// Dollars, as a decimal text; null when unknown or when nothing costs.
    pub(crate) cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Where the cost comes from; null for steps that cost nothing by nature.
    pub(crate) cost_source: Option<CostSource>,
    /// The client's own idea of the cost, in dollars.
    pub(crate) reported_cost_usd: Option<String>,
    /// Label of the key that sent it.
    pub(crate) key: String,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    /// For tool steps.
    pub(crate) tool_name: Option<String>,
    /// The sum of its conditions' points; null when it was not scored.
    pub(crate) score: Option<i32>,
    /// From how many points a step was critical when this one was scored.
    pub(crate) threshold: Option<i32>,
    pub(crate) severity: Severity,
    /// The layer after which scoring stopped early.
    pub(crate) stopped_at_layer: Option<u8>,
    pub(crate) conditions: Vec<domain::Condition>,
}

impl From<StepSummary> for Step {
    fn from(step: StepSummary) -> Self {
        Self {
            cost_usd: step.cost_nano_usd.map(NanoUsd::to_decimal),
            reported_cost_usd: step.reported_cost_nano_usd.map(NanoUsd::to_decimal),
            step_id: step.step_id,
            parent_step_id: step.parent_step_id,
            name: step.name,
            kind: step.kind,
            step_index: step.step_index,
            provider: step.provider,
            model: step.model,
            request_model: step.request_model,
            started_at: step.started_at,
            ended_at: step.ended_at,
            latency_ms: step.latency_ms,
            ttft_ms: step.ttft_ms,
            status: step.status,
            error: step.error,
            error_class: step.error_class,
            stop_reason: step.stop_reason,
            service_tier: step.service_tier,
            max_gap_ms: step.max_gap_ms,
            stream_incomplete: step.stream_incomplete,
            tokens: step.tokens,
            usage_semantics: step.usage_semantics,
            usage_details: step.usage_details,
            web_searches: step.web_searches,
            price_version: step.price_version,
            template_fingerprint: step.template_fingerprint,
            cost_nano_usd: step.cost_nano_usd,
            cost_source: step.cost_source,
            key: step.key_label,
            environment: step.environment,
            release: step.release,
            tool_name: step.tool_name,
            score: step.score,
            threshold: step.threshold,
            severity: step.severity,
            stopped_at_layer: step.stopped_at_layer,
            conditions: step.conditions.into_iter().map(named).collect(),
        }
    }
}

/// A stored condition with the name of its code, which is not stored.
fn named(condition: domain::Condition) -> domain::Condition {
    let name = engine::codes::find(condition.code).map_or_else(String::new, |code| code.name.to_owned());
    domain::Condition { name, ..condition }
}

/// Whole numbers without a decimal point: clients compare `640`, not `640.0`.
fn plain_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT_TO: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT_TO {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

fn plain_number_if_known<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => plain_number(number, serializer),
        None => serializer.serialize_none(),
    }
}
