//! What is said of a step: OpenTelemetry's names for calls to models, those of Sentry beside them, and ours. Never a
//! prompt, an answer or an error's text.

use domain::{NanoUsd, StepKind, StepSummary};
use serde_json::{Value, json};

use super::TracedRun;

/// Characters of a text.
const MAX_TEXT_CHARS: usize = 200;

/// A value with the type that spans name beside it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::alerts) enum Attribute {
    Text(String),
    Whole(i64),
    Real(f64),
}

impl Attribute {
    /// As a transaction's `data` has it.
    pub(super) fn plain(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Whole(number) => Value::from(*number),
            Self::Real(number) => Value::from(*number),
        }
    }

    /// As a span's `attributes` have it.
    pub(super) fn typed(&self) -> Value {
        let kind = match self {
            Self::Text(_) => "string",
            Self::Whole(_) => "integer",
            Self::Real(_) => "double",
        };
        json!({ "type": kind, "value": self.plain() })
    }
}

pub(super) type Attributes = Vec<(&'static str, Attribute)>;

pub(super) fn text(attributes: &mut Attributes, name: &'static str, value: Option<&str>) {
    let value = value.filter(|value| !value.trim().is_empty());
    attributes.extend(value.map(|value| {
        (
            name,
            Attribute::Text(domain::text::first_line(value, MAX_TEXT_CHARS)),
        )
    }));
}

fn whole(attributes: &mut Attributes, name: &'static str, value: Option<i64>) {
    attributes.extend(value.map(|value| (name, Attribute::Whole(value))));
}

fn real(attributes: &mut Attributes, name: &'static str, value: Option<f64>) {
    let value = value.filter(|value| value.is_finite());
    attributes.extend(value.map(|value| (name, Attribute::Real(value))));
}

/// Dollars, for Sentry's views, which count in floating point.
fn dollars(amount: NanoUsd) -> f64 {
    amount.0 as f64 / 1e9
}

/// Everything that is said of a step. What is not known is left out.
pub(super) fn of_step(run: &TracedRun<'_>, step: &StepSummary) -> Attributes {
    let mut found = Attributes::new();
    let to = &mut found;
    let operation = match step.kind {
        StepKind::Llm => Some("chat"),
        StepKind::Embedding => Some("embeddings"),
        StepKind::Tool => Some("execute_tool"),
        StepKind::Agent => Some("invoke_agent"),
        StepKind::Retrieval => Some("retrieval"),
        StepKind::Chain | StepKind::Guardrail | StepKind::Other => None,
    };
    text(to, "gen_ai.operation.name", operation);
    text(to, "gen_ai.provider.name", step.provider.as_deref());
    text(to, "gen_ai.system", step.provider.as_deref());
    let request_model = step.request_model.as_deref().or(step.model.as_deref());
    text(to, "gen_ai.request.model", request_model);
    text(to, "gen_ai.response.model", step.model.as_deref());
    if step.kind == StepKind::Agent {
        text(to, "gen_ai.agent.name", Some(&step.name));
    }
    if step.kind == StepKind::Tool {
        text(
            to,
            "gen_ai.tool.name",
            Some(step.tool_name.as_ref().unwrap_or(&step.name)),
        );
    }
    text(to, "gen_ai.conversation.id", run.run.session_id.as_deref());
    if let Some(reason) = step.stop_reason.as_deref() {
        text(
            to,
            "gen_ai.response.finish_reasons",
            Some(&json!([reason]).to_string()),
        );
    }
    let tokens = &step.tokens;
    whole(to, "gen_ai.usage.input_tokens", tokens.input());
    whole(to, "gen_ai.usage.output_tokens", tokens.output);
    whole(to, "gen_ai.usage.total_tokens", tokens.total());
    whole(to, "gen_ai.usage.cache_read.input_tokens", tokens.cache_read);
    whole(to, "gen_ai.usage.input_tokens.cached", tokens.cache_read);
    whole(to, "gen_ai.usage.cache_creation.input_tokens", tokens.cache_write);
    whole(to, "gen_ai.usage.input_tokens.cache_write", tokens.cache_write);
    whole(to, "gen_ai.usage.reasoning.output_tokens", tokens.reasoning);
    whole(to, "gen_ai.usage.output_tokens.reasoning", tokens.reasoning);
    real(to, "gen_ai.cost.total_tokens", step.cost_nano_usd.map(dollars));
    real(
        to,
        "gen_ai.response.time_to_first_chunk",
        step.ttft_ms.map(|ms| ms / 1_000.0),
    );
    if super::has_failed(step) {
        text(
            to,
            "error.type",
            Some(step.error_class.as_deref().unwrap_or("error")),
        );
    }
    text(to, "plumbline.run_id", Some(&run.run.run_id));
    text(to, "plumbline.step_id", Some(&step.step_id));
    text(to, "plumbline.step", Some(&step.name));
    text(to, "plumbline.key", Some(&step.key_label));
    text(to, "plumbline.severity", Some(step.severity.as_str()));
    whole(to, "plumbline.score", step.score.map(i64::from));
    let codes: Vec<u16> = step.conditions.iter().map(|condition| condition.code).collect();
    if !codes.is_empty() {
        text(to, "plumbline.codes", Some(&json!(codes).to_string()));
    }
    found
}

/// What is said of the run as a whole: no usage and no cost under the names of calls, or they would be counted twice.
pub(super) fn of_run(run: &TracedRun<'_>) -> Attributes {
    let mut found = Attributes::new();
    let to = &mut found;
    text(to, "gen_ai.conversation.id", run.run.session_id.as_deref());
    text(to, "plumbline.run_id", Some(&run.run.run_id));
    text(to, "plumbline.project", Some(run.slug));
    text(to, "plumbline.url", Some(&run.url()));
    text(to, "plumbline.severity", Some(run.run.severity.as_str()));
    whole(to, "plumbline.steps", Some(run.run.step_count));
    real(to, "plumbline.cost_usd", run.run.cost_nano_usd.map(dollars));
    found
}
