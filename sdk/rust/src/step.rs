//! A span as a step of `POST /ingest/batch`; docs/ingest.md describes every field.

use serde_json::{Map, Value, json};

use crate::fields::cut;
use crate::model::{Event, Span, Status, time_text};

/// Names and words of a step are this long at most.
pub(crate) const MAX_NAME_BYTES: usize = 512;
const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// The server refuses a step with more.
const MAX_ATTRIBUTES_BYTES: usize = 250 * 1024;
const MAX_EVENT_ATTRIBUTES_BYTES: usize = 15 * 1024;

/// What a span has from the one around it, unless it says otherwise.
pub(crate) const INHERITED: [&str; 4] = ["session_id", "user_id", "environment", "release"];

/// How the value of a field has to look.
#[derive(Clone, Copy)]
enum Form {
    Word,
    Text,
    Integer,
    Number,
    Flag,
    Object,
    Words,
}

/// Attributes that are fields of a step: their name, the field, and its form. Where two are one field, the first that is
/// there wins. Names with `gen_ai.` are those of OpenTelemetry; the server reads its token counts by itself.
const FIELDS: [(&str, &str, Form); 40] = [
    ("model", "model", Form::Word),
    ("gen_ai.response.model", "model", Form::Word),
    ("gen_ai.request.model", "model", Form::Word),
    ("request_model", "request_model", Form::Word),
    ("provider", "provider", Form::Word),
    ("gen_ai.provider.name", "provider", Form::Word),
    ("gen_ai.system", "provider", Form::Word),
    ("prompt", "prompt", Form::Text),
    ("gen_ai.input.messages", "prompt", Form::Text),
    ("gen_ai.prompt", "prompt", Form::Text),
    ("output_code", "output_code", Form::Text),
    ("output", "output_code", Form::Text),
    ("gen_ai.output.messages", "output_code", Form::Text),
    ("gen_ai.completion", "output_code", Form::Text),
    ("prompt_template", "prompt_template", Form::Text),
    ("usage", "usage", Form::Object),
    ("input_tokens", "input_tokens", Form::Integer),
    ("output_tokens", "output_tokens", Form::Integer),
    ("cache_read_tokens", "cache_read_tokens", Form::Integer),
    ("cache_write_tokens", "cache_write_tokens", Form::Integer),
    ("cache_write_1h_tokens", "cache_write_1h_tokens", Form::Integer),
    ("reasoning_tokens", "reasoning_tokens", Form::Integer),
    ("total_tokens", "total_tokens", Form::Integer),
    ("web_searches", "web_searches", Form::Integer),
    ("cost", "cost", Form::Number),
    ("ttft_ms", "ttft_ms", Form::Number),
    ("max_gap_ms", "max_gap_ms", Form::Number),
    ("stop_reason", "stop_reason", Form::Word),
    ("service_tier", "service_tier", Form::Word),
    ("error_class", "error_class", Form::Word),
    ("error.type", "error_class", Form::Word),
    ("tool_name", "tool_name", Form::Word),
    ("gen_ai.tool.name", "tool_name", Form::Word),
    ("aborted", "aborted", Form::Flag),
    ("stream_incomplete", "stream_incomplete", Form::Flag),
    ("session_id", "session_id", Form::Word),
    ("user_id", "user_id", Form::Word),
    ("environment", "environment", Form::Word),
    ("release", "release", Form::Word),
    ("tags", "tags", Form::Words),
];

/// What OpenTelemetry calls the operations of models, as kinds.
const OPERATIONS: [(&str, &str); 6] = [
    ("chat", "llm"),
    ("generate_content", "llm"),
    ("text_completion", "llm"),
    ("embeddings", "embedding"),
    ("execute_tool", "tool"),
    ("invoke_agent", "agent"),
];

const KINDS: [&str; 8] = [
    "llm",
    "tool",
    "agent",
    "chain",
    "retrieval",
    "embedding",
    "guardrail",
    "other",
];

/// As JSON. `labels` are what every step has, unless the span says otherwise.
pub(crate) fn step_json(span: Span, labels: &Map<String, Value>) -> Vec<u8> {
    let mut attributes = labels.clone();
    let tags = [attributes.remove("tags"), span.attributes.get("tags").cloned()];
    attributes.extend(span.attributes);
    let tags: Vec<Value> = tags.into_iter().flatten().flat_map(words).collect();
    if !tags.is_empty() {
        attributes.insert("tags".to_owned(), Value::from(tags));
    }

    let mut step = Map::new();
    for (name, field, form) in FIELDS {
        if step.contains_key(field) {
            continue;
        }
        if let Some(value) = attributes.remove(name) {
            match formed(value, form) {
                Ok(value) => step.insert(field.to_owned(), value),
                // What does not fit into the field is worth keeping all the same.
                Err(value) => attributes.insert(name.to_owned(), value),
            };
        }
    }
    let operation = attributes.get("gen_ai.operation.name").and_then(Value::as_str);
    let operation = OPERATIONS.into_iter().find(|(name, _)| Some(*name) == operation);
    let said = attributes.remove("kind");
    let kind = match said.as_ref().and_then(Value::as_str) {
        Some(kind) => known_kind(kind),
        None => operation.map_or(
            if step.contains_key("model") {
                "llm"
            } else {
                "chain"
            },
            |(_, kind)| kind,
        ),
    };
    step.insert("kind".to_owned(), json!(kind));
    for field in ["model", "prompt"] {
        step.entry(field).or_insert_with(|| json!(""));
    }

    step.insert("run_id".to_owned(), json!(span.trace_id));
    step.insert("step_id".to_owned(), json!(span.span_id));
    step.insert("step_name".to_owned(), json!(span.name));
    step.insert(
        "step_index".to_owned(),
        json!(i32::try_from(span.index).unwrap_or(i32::MAX)),
    );
    step.insert("started_at".to_owned(), json!(time_text(span.started_at)));
    step.insert(
        "latency_ms".to_owned(),
        json!(span.duration.as_secs_f64() * 1_000.0),
    );
    if let Some(parent) = span.parent_span_id {
        step.insert("parent_step_id".to_owned(), json!(parent));
    }
    if let Status::Error(error) = span.status {
        step.insert("status_success".to_owned(), json!(false));
        step.insert("error".to_owned(), json!(cut(&error, MAX_ERROR_BYTES)));
    }
    if !attributes.is_empty() {
        step.insert("attributes".to_owned(), bounded(attributes, MAX_ATTRIBUTES_BYTES));
    }
    if !span.events.is_empty() {
        step.insert(
            "events".to_owned(),
            span.events.into_iter().map(event_json).collect(),
        );
    }
    Value::Object(step).to_string().into_bytes()
}

fn event_json(event: Event) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(event.name));
    fields.insert("at".to_owned(), json!(time_text(event.at)));
    if !event.attributes.is_empty() {
        fields.insert(
            "attributes".to_owned(),
            bounded(event.attributes, MAX_EVENT_ATTRIBUTES_BYTES),
        );
    }
    Value::Object(fields)
}

/// The attributes that fit, in the order of their names, and the names of those that do not.
fn bounded(attributes: Map<String, Value>, bytes: usize) -> Value {
    let mut size = 0;
    let (mut kept, mut left_out) = (Map::new(), Vec::new());
    for (name, value) in attributes {
        let name = cut(&name, MAX_NAME_BYTES).to_owned();
        let needed = name.len() + value.to_string().len() + 8;
        if size + needed <= bytes {
            size += needed;
            kept.insert(name, value);
        } else if left_out.len() < 20 {
            left_out.push(Value::String(cut(&name, 64).to_owned()));
        }
    }
    if !left_out.is_empty() {
        kept.insert("attributes_too_large".to_owned(), Value::from(left_out));
    }
    Value::Object(kept)
}

fn known_kind(kind: &str) -> &'static str {
    let kind = match kind {
        "span" | "function" => "chain",
        "retriever" => "retrieval",
        "generation" => "llm",
        other => other,
    };
    KINDS.into_iter().find(|known| *known == kind).unwrap_or("other")
}

/// The value as the field takes it; otherwise the value again.
fn formed(value: Value, form: Form) -> Result<Value, Value> {
    let found = match (form, &value) {
        (_, Value::Null) => None,
        (Form::Word, Value::String(text)) => Some(json!(cut(text, MAX_NAME_BYTES))),
        (Form::Word, Value::Number(_) | Value::Bool(_)) => Some(json!(value.to_string())),
        (Form::Text, Value::String(text)) if text.len() > MAX_TEXT_BYTES => {
            Some(json!(cut(text, MAX_TEXT_BYTES)))
        }
        (Form::Text, Value::String(_)) => return Ok(value),
        // As JSON, of which the beginning alone is text.
        (Form::Text, _) if size(&value) > MAX_TEXT_BYTES => {
            Some(json!(cut(&value.to_string(), MAX_TEXT_BYTES)))
        }
        (Form::Text, _) => return Ok(value),
        (Form::Integer, Value::Number(number)) => number.as_i64().map(Value::from),
        (Form::Number, Value::Number(_))
        | (Form::Flag, Value::Bool(_))
        | (Form::Object, Value::Object(_)) => {
            return Ok(value);
        }
        // Fields of tracing hold no objects, so they come as text.
        (Form::Object, Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        (Form::Words, Value::Array(_) | Value::String(_)) => return Ok(Value::from(words(value))),
        _ => None,
    };
    found.ok_or(value)
}

/// About how many bytes a value is.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + size(field)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// The texts of a list, or the one that stands in place of it: up to 50 that are short enough.
fn words(value: Value) -> Vec<Value> {
    let all = match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    let fits = |word: &Value| word.as_str().is_some_and(|word| word.len() <= MAX_NAME_BYTES);
    all.into_iter().filter(fits).take(50).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn span(attributes: Value) -> Span {
        let Value::Object(attributes) = attributes else {
            panic!("{attributes} is no object");
        };
        Span {
            trace_id: "t".to_owned(),
            span_id: "s".to_owned(),
            parent_span_id: None,
            name: "answer".to_owned(),
            index: 3,
            started_at: UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001),
            duration: Duration::from_micros(1_500),
            attributes,
            events: Vec::new(),
            status: Status::Ok,
        }
    }

    fn step(span: Span, labels: Value) -> Value {
        let Value::Object(labels) = labels else {
            panic!("{labels} is no object");
        };
        serde_json::from_slice(&step_json(span, &labels)).unwrap()
    }

    #[test]
    fn a_span_is_a_step() {
        let known = step(
            span(json!({
                "model": "claude-haiku-4-5", "prompt": "Hi", "output": "Hello", "usage": "{\"input_tokens\": 3}",
                "input_tokens": 3, "tags": "one", "retries": 2
            })),
            json!({ "release": "abc", "tags": ["all"] }),
        );
        assert_eq!(
            known,
            json!({
                "run_id": "t", "step_id": "s", "step_name": "answer", "step_index": 3, "kind": "llm",
                "model": "claude-haiku-4-5", "prompt": "Hi", "output_code": "Hello", "usage": { "input_tokens": 3 },
                "input_tokens": 3, "tags": ["all", "one"], "release": "abc", "attributes": { "retries": 2 },
                "started_at": "2023-11-14T22:13:20.000001Z", "latency_ms": 1.5
            })
        );
    }

    #[test]
    fn what_does_not_fit_a_field_is_an_attribute() {
        for (name, value) in [
            ("input_tokens", json!("many")),
            ("input_tokens", json!(1.5)),
            ("usage", json!("not JSON")),
            ("usage", json!([1])),
            ("cost", json!("$1")),
            ("aborted", json!("yes")),
            ("model", json!({ "name": "m" })),
        ] {
            let found = step(span(json!({ name: value })), json!({}));
            assert_eq!(found["attributes"][name], value, "{found}");
        }
    }

    #[test]
    fn kinds_are_said_or_follow() {
        for (attributes, expected) in [
            (json!({}), "chain"),
            (json!({ "model": "m" }), "llm"),
            (json!({ "kind": "tool", "model": "m" }), "tool"),
            (json!({ "kind": "retriever" }), "retrieval"),
            (json!({ "kind": "dance" }), "other"),
            (json!({ "gen_ai.operation.name": "chat" }), "llm"),
            (json!({ "gen_ai.operation.name": "execute_tool" }), "tool"),
            (json!({ "gen_ai.operation.name": "new" }), "chain"),
        ] {
            assert_eq!(
                step(span(attributes.clone()), json!({}))["kind"],
                expected,
                "{attributes}"
            );
        }
    }

    #[test]
    fn large_attributes_are_left_out_by_name() {
        let large = "x".repeat(MAX_EVENT_ATTRIBUTES_BYTES);
        let mut failed = span(json!({}));
        failed.status = Status::Error("é".repeat(MAX_ERROR_BYTES));
        failed.events.push(Event {
            name: "read".to_owned(),
            at: UNIX_EPOCH,
            attributes: Map::from_iter([("body".to_owned(), json!(large)), ("size".to_owned(), json!(1))]),
        });
        let found = step(failed, json!({}));
        assert_eq!(
            found["events"][0]["attributes"],
            json!({ "size": 1, "attributes_too_large": ["body"] })
        );
        assert_eq!(found["error"].as_str().map(str::len), Some(MAX_ERROR_BYTES));
        assert_eq!(found["status_success"], false);
    }

    #[test]
    fn large_texts_are_cut_whatever_they_are() {
        let large = "x".repeat(MAX_TEXT_BYTES);
        for prompt in [
            json!(format!("{large}y")),
            json!({ "messages": [{ "content": large }] }),
        ] {
            let found = step(span(json!({ "prompt": prompt })), json!({}));
            assert_eq!(found["prompt"].as_str().map(str::len), Some(MAX_TEXT_BYTES));
        }
    }
}
