//! A step as `/ingest` takes it, so that another server can be sent what this one has.

use domain::{StepPayload, StepStatus, UsageDetails};
use serde_json::{Map, Value, json};

use super::runs::{Run, Step};

/// The step without its texts, under the names of `/ingest`. What is not known is left out.
pub(crate) fn body_of(run: &Run, step: &Step) -> Map<String, Value> {
    let tokens = &step.tokens;
    let fields = [
        ("run_id", json!(run.run_id)),
        ("step_id", json!(step.step_id)),
        ("parent_step_id", json!(step.parent_step_id)),
        ("step_name", json!(step.name)),
        ("step_index", json!(step.step_index)),
        ("kind", json!(step.kind)),
        ("provider", json!(step.provider)),
        ("model", json!(step.model.as_deref().unwrap_or_default())),
        ("request_model", json!(step.request_model)),
        ("started_at", json!(step.started_at)),
        ("latency_ms", json!(step.latency_ms.unwrap_or(0.0))),
        ("ttft_ms", json!(step.ttft_ms)),
        ("max_gap_ms", json!(step.max_gap_ms)),
        ("status_success", json!(step.status != StepStatus::Error)),
        ("aborted", json!(step.status == StepStatus::Aborted)),
        ("stream_incomplete", json!(step.stream_incomplete)),
        ("error", json!(step.error)),
        ("error_class", json!(step.error_class)),
        ("stop_reason", json!(step.stop_reason)),
        ("service_tier", json!(step.service_tier)),
        ("input_tokens", json!(tokens.input_fresh)),
        ("cache_read_tokens", json!(tokens.cache_read)),
        ("cache_write_tokens", json!(tokens.cache_write)),
        ("cache_write_1h_tokens", json!(tokens.cache_write_1h)),
        ("output_tokens", json!(tokens.output)),
        ("reasoning_tokens", json!(tokens.reasoning)),
        ("web_searches", json!(step.web_searches)),
        ("usage_details", details(&step.usage_details)),
        ("cost", decimal(step.reported_cost_usd.as_deref())),
        ("environment", json!(step.environment)),
        ("release", json!(step.release)),
        ("session_id", json!(run.session_id)),
        ("user_id", json!(run.user_id)),
        ("tags", json!(run.tags)),
        ("tool_name", json!(step.tool_name)),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What was used beside the buckets; null where that is nothing.
fn details(details: &UsageDetails) -> Value {
    if details.is_empty() {
        Value::Null
    } else {
        json!(details)
    }
}

/// Dollars as the number that `/ingest` reads.
fn decimal(dollars: Option<&str>) -> Value {
    let number = dollars.and_then(|text| serde_json::from_str::<serde_json::Number>(text).ok());
    number.map_or(Value::Null, Value::Number)
}

/// Adds its texts, attributes and events.
pub(crate) fn add_texts(body: &mut Map<String, Value>, payload: StepPayload) {
    body.insert("prompt".to_owned(), json!(payload.input.unwrap_or_default()));
    for (name, text) in [
        ("output_code", payload.output),
        ("prompt_template", payload.prompt_template),
    ] {
        if let Some(text) = text {
            body.insert(name.to_owned(), json!(text));
        }
    }
    if !payload.attributes.is_empty() {
        body.insert("attributes".to_owned(), Value::Object(payload.attributes));
    }
    if !payload.events.is_empty() {
        body.insert("events".to_owned(), json!(payload.events));
    }
}
