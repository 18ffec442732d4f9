//! Runs as LangSmith exports them: what its SDKs' `list_runs` and its API (`/runs/query`) answer, and rows of its bulk
//! export as JSON. A run of LangSmith is a step of ours, and its trace our run.

use domain::{NewStep, Timestamp};
use otlp::Recorded;
use otlp::wire::Status;
use serde_json::{Map, Value, json};

use super::records::{self, Record};
use crate::ingest::step_of_record;

/// Fields of a run's metadata that are ours, by the names that tracers give them. A run's own `session_id` is the id of
/// LangSmith's project.
const WORDS: &[(&str, &[&str])] = &[
    ("session.id", &["session_id", "thread_id", "conversation_id"]),
    ("user.id", &["user_id"]),
    ("deployment.environment.name", &["environment", "env"]),
    ("service.version", &["revision_id"]),
    ("gen_ai.provider.name", &["ls_provider"]),
];

/// Whether an object is one of such an export.
pub(super) fn is_record(record: &Record) -> bool {
    record.has(&["run_type"]) && record.has(&["id"])
}

/// The runs as steps; what is wrong in words, with the line.
pub(super) fn steps(text: &str) -> Result<Vec<NewStep>, String> {
    let records = records::read(text)?;
    if records.is_empty() {
        return Err("there are no runs in it".to_owned());
    }
    records.iter().map(step).collect()
}

fn step(record: &Record) -> Result<NewStep, String> {
    let step_id = record.id(&["id"])?;
    let run_type = record.text(&["run_type"])?;
    let run_type = run_type.ok_or_else(|| record.problem("it has no run_type"))?;
    let order = record.text(&["dotted_order"])?;
    let parent = record.optional_id(&["parent_run_id"])?;
    let parent = parent.map(str::to_owned).or_else(|| ancestors(order).pop());
    let run_id = match record.optional_id(&["trace_id"])? {
        Some(trace_id) => trace_id.to_owned(),
        None => match (ancestors(order).first(), &parent) {
            (Some(root), _) => root.clone(),
            (None, None) => step_id.clone(),
            (None, Some(_)) => return Err(record.problem("it has no trace_id")),
        },
    };
    let missing = || record.problem("it has no start_time");
    let started_at = record.time(&["start_time"])?.ok_or_else(missing)?;
    let ended_at = record.time(&["end_time"])?;
    let error = record.text(&["error"])?;
    let failed = error.is_some() || record.text(&["status"])? == Some("error");
    let mut step = otlp::step_of(Recorded {
        run_id,
        parent_step_id: parent.filter(|parent| *parent != step_id),
        step_id,
        name: record.text(&["name"])?.unwrap_or_default().to_owned(),
        started_at,
        ended_at,
        attributes: attributes(record, run_type),
        status: Status {
            message: error.unwrap_or_default().to_owned(),
            code: if failed { Status::ERROR } else { 0 },
        },
    });
    step.ttft_ms = record
        .time(&["first_token_time"])?
        .map(|at: Timestamp| at.ms_since(started_at))
        .filter(|ms| *ms >= 0.0);
    if step.kind.is_billable() {
        step.reported_cost = step.reported_cost.or_else(|| record.dollars(&["total_cost"]));
    }
    Ok(step_of_record(step))
}

/// The runs that contain one, the root first, as its `dotted_order` tells them: `<time>Z<id>.<time>Z<id>`.
fn ancestors(order: Option<&str>) -> Vec<String> {
    let ids = order.unwrap_or_default().split('.');
    let mut ids: Vec<String> = ids
        .filter_map(|part| part.split_once('Z'))
        .map(|(_, id)| id.to_owned())
        .collect();
    ids.pop();
    ids
}

fn attributes(record: &Record, run_type: &str) -> Map<String, Value> {
    let object = |name: &str| record.object(&[name]).unwrap_or_default();
    let (extra, inputs, outputs) = (object("extra"), object("inputs"), object("outputs"));
    let within = |name: &str| extra.get(name).and_then(Value::as_object);
    let mut metadata = within("metadata").cloned().unwrap_or_default();
    let used = metadata.remove("usage_metadata");
    let asked_with = within("invocation_params");
    let answered = answered(&outputs);
    let mut attributes = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            attributes.insert(key.to_owned(), value);
        }
    };
    set("langsmith.span.kind", Some(run_type.into()));
    for &(attribute, names) in WORDS {
        set(
            attribute,
            names.iter().find_map(|name| metadata.get(*name)).cloned(),
        );
    }
    let asked_model = ["model", "model_name", "model_id"];
    let asked_model = asked_model.iter().find_map(|name| asked_with?.get(*name));
    set(
        "gen_ai.request.model",
        metadata.get("ls_model_name").or(asked_model).cloned(),
    );
    let said_by = |names: &[&str]| names.iter().find_map(|name| answered.said.get(*name)).cloned();
    set("gen_ai.response.model", said_by(&["model_name", "model"]));
    set(
        "gen_ai.response.finish_reasons",
        said_by(&["finish_reason", "stop_reason"]),
    );
    set("tag.tags", record.value(&["tags"]).cloned());
    // What contains calls only adds them up.
    if matches!(run_type, "llm" | "embedding") {
        set(
            "langsmith.usage",
            answered
                .usage
                .or_else(|| used.as_ref().map(with_details))
                .or_else(|| counted(record)),
        );
    }
    if run_type == "llm" {
        set("gen_ai.input.messages", conversation(&inputs).map(Value::Array));
        set(
            "gen_ai.output.messages",
            answered.message.map(|message| json!([message])),
        );
        set(
            "gen_ai.tool.definitions",
            asked_with.and_then(|asked| asked.get("tools")).cloned(),
        );
    }
    set("input.value", unwrapped(inputs, "input"));
    set("output.value", unwrapped(outputs, "output"));
    for (key, value) in metadata {
        set(&format!("langsmith.metadata.{key}"), Some(value));
    }
    attributes
}

/// What LangSmith counted itself: input with the cache in it. Zeros are what it says where it knows nothing.
fn counted(record: &Record) -> Option<Value> {
    let count = |name: &str| record.value(&[name]).and_then(Value::as_i64).unwrap_or(0);
    let (input, output) = (count("prompt_tokens"), count("completion_tokens"));
    let details = |name: &str| Value::Object(record.object(&[name]).unwrap_or_default());
    (input != 0 || output != 0).then(|| {
        json!({
            "input_tokens": input, "output_tokens": output,
            "input_token_details": details("prompt_token_details"),
            "output_token_details": details("completion_token_details"),
        })
    })
}

/// An object of nothing but one text under the name that tracers give it is that text.
fn unwrapped(object: Map<String, Value>, name: &str) -> Option<Value> {
    if object.is_empty() {
        return None;
    }
    let text = object
        .get(name)
        .and_then(Value::as_str)
        .filter(|_| object.len() == 1);
    match text.map(str::to_owned) {
        Some(text) => Some(text.into()),
        None => Some(Value::Object(object)),
    }
}

/// What a call's outputs say.
#[derive(Default)]
struct Answered {
    message: Option<Value>,
    usage: Option<Value>,
    /// Model and reason to stop.
    said: Map<String, Value>,
}

fn answered(outputs: &Map<String, Value>) -> Answered {
    // LangChain's generations are a list for each prompt; `list_runs` flattens them.
    let first = |value: &Value| value.as_array().and_then(|items| items.first()).cloned();
    let generation = outputs.get("generations").and_then(first);
    let generation = generation.map(|one| first(&one).unwrap_or(one));
    let llm_output = outputs.get("llm_output").and_then(Value::as_object);
    let body = Value::Object(outputs.clone());
    let choice = body.pointer("/choices/0");
    let raw = generation
        .as_ref()
        .map(|generation| generation.get("message").unwrap_or(generation));
    let raw = raw.or_else(|| choice.and_then(|choice| choice.get("message")));
    let raw = raw.or_else(|| body.get("role").map(|_| &body));
    let fields = raw.map(|raw| raw.get("kwargs").unwrap_or(raw));
    let mut said = llm_output.cloned().unwrap_or_default();
    let found = [
        Some(&body),
        choice,
        generation
            .as_ref()
            .and_then(|generation| generation.get("generation_info")),
        fields.and_then(|fields| fields.get("response_metadata")),
    ];
    for key in ["model_name", "model", "finish_reason", "stop_reason"] {
        let mut values = found.iter().flatten().filter_map(|place| place.get(key));
        if let Some(value) = values.rfind(|value| value.is_string()) {
            said.insert(key.to_owned(), value.clone());
        }
    }
    let usage = [
        fields.and_then(|fields| fields.get("usage_metadata")),
        outputs.get("usage_metadata"),
        llm_output.and_then(|output| output.get("token_usage").or_else(|| output.get("usage"))),
        outputs.get("usage"),
    ];
    let usage = usage.into_iter().flatten().find(|usage| usage.is_object());
    Answered {
        message: raw.map(message),
        usage: usage.map(with_details),
        said,
    }
}

/// LangChain's usage has the cache in its input, which its details say.
fn with_details(usage: &Value) -> Value {
    let mut usage = usage.clone();
    if let Some(counts) = usage.as_object_mut()
        && counts.contains_key("input_tokens")
        && counts.contains_key("total_tokens")
    {
        counts.entry("input_token_details").or_insert_with(|| json!({}));
    }
    usage
}

/// A call's messages, the system's among them; `None` where it was not called with any.
fn conversation(inputs: &Map<String, Value>) -> Option<Vec<Value>> {
    let messages = inputs.get("messages")?.as_array()?;
    // LangChain calls a model with a list for each prompt.
    let messages = match messages.first() {
        Some(Value::Array(first)) if first.iter().all(Value::is_object) => first,
        _ => messages,
    };
    let system = inputs.get("system").filter(|system| !system.is_null());
    let system = system.map(|system| json!({"role": "system", "content": system}));
    Some(system.into_iter().chain(messages.iter().map(message)).collect())
}

/// A message of LangChain, serialised as its constructor or as it is, in words that are known.
fn message(raw: &Value) -> Value {
    let Value::Object(fields) = raw.get("kwargs").or_else(|| raw.get("data")).unwrap_or(raw) else {
        return raw.clone();
    };
    let mut message = fields.clone();
    let class = raw
        .pointer("/id")
        .and_then(Value::as_array)
        .and_then(|path| path.last()?.as_str());
    let role = match (
        class,
        raw.get("type")
            .or_else(|| fields.get("type"))
            .and_then(Value::as_str),
    ) {
        (Some(class), _) if class.starts_with("Human") => "user",
        (Some(class), _) if class.starts_with("AI") => "assistant",
        (Some(class), _) if class.starts_with("System") => "system",
        (Some(class), _) if class.starts_with("Tool") || class.starts_with("Function") => "tool",
        (_, Some("human")) => "user",
        (_, Some("ai")) => "assistant",
        (_, Some("system")) => "system",
        (_, Some("tool" | "function")) => "tool",
        _ => "assistant",
    };
    message.entry("role").or_insert_with(|| role.into());
    // A completion has a text and no message.
    if !message.contains_key("content")
        && let Some(text) = message.get("text").cloned()
    {
        message.insert("content".to_owned(), text);
    }
    message.retain(|key, _| {
        matches!(
            key.as_str(),
            "role" | "content" | "tool_calls" | "tool_call_id" | "name"
        )
    });
    message.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()));
    Value::Object(message)
}

#[cfg(test)]
#[path = "langsmith/tests.rs"]
mod tests;
