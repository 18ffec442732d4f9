//! Traces and observations as Langfuse exports them: what its API answers (`/api/public/traces`, `/traces/{id}`,
//! `/observations`), the download of a trace, and the files of its export to blob storage, whose fields are the same in
//! snake case. An observation is a step, and says the same as the span that Langfuse's SDK would have sent.

use std::collections::BTreeMap;

use domain::NewStep;
use otlp::Recorded;
use otlp::wire::Status;
use serde_json::{Map, Value, json};

use super::records::{self, Record};
use crate::ingest::step_of_record;

const TRACE_ID: &[&str] = &["traceId", "trace_id"];
const START: &[&str] = &["startTime", "start_time"];

/// An attribute of a span, and the fields that say the same.
type Field = (&'static str, &'static [&'static str]);

/// What stands on traces and, in enriched exports, on observations too.
const OF_TRACES: &[Field] = &[
    ("session.id", &["sessionId", "session_id"]),
    ("user.id", &["userId", "user_id"]),
    ("langfuse.environment", &["environment"]),
    ("langfuse.release", &["release"]),
    ("langfuse.version", &["version"]),
    ("langfuse.trace.name", &["traceName", "trace_name"]),
];

/// Words of an observation.
const WORDS: &[Field] = &[
    (
        "langfuse.observation.model.name",
        &["model", "providedModelName", "provided_model_name"],
    ),
    ("langfuse.observation.level", &["level"]),
    (
        "langfuse.observation.status_message",
        &["statusMessage", "status_message"],
    ),
    ("langfuse.observation.prompt.name", &["promptName", "prompt_name"]),
];

/// What of an observation may be anything.
const VALUES: &[Field] = &[
    ("langfuse.observation.input", &["input"]),
    ("langfuse.observation.output", &["output"]),
    (
        "langfuse.observation.model.parameters",
        &["modelParameters", "model_parameters"],
    ),
];

/// Whether an object is one of such an export.
pub(super) fn is_record(record: &Record) -> bool {
    is_observation(record) || is_trace(record)
}

fn is_observation(record: &Record) -> bool {
    record.has(START) && record.has(&["type"]) && !record.has(&["run_type"])
}

fn is_trace(record: &Record) -> bool {
    record.has(&["observations"]) || (record.has(&["timestamp"]) && !record.has(&["step_name"]))
}

/// What a trace says of all its observations, by its id.
type Traces = BTreeMap<String, Map<String, Value>>;

/// The observations as steps; what is wrong in words, with the line.
pub(super) fn steps(text: &str) -> Result<Vec<NewStep>, String> {
    let mut traces = Traces::new();
    let mut observations: Vec<(Record, Option<String>)> = Vec::new();
    for record in records::read(text)? {
        if is_observation(&record) || (record.has(TRACE_ID) && !is_trace(&record)) {
            observations.push((record, None));
        } else if is_trace(&record) {
            let line = record.line;
            // The download of one trace keeps it beside its observations.
            let trace = match record.object(&["trace"]) {
                Some(trace) => Record::within(line, trace),
                None => Record::within(line, Map::new()),
            };
            let described = if trace.has(&["id"]) { &trace } else { &record };
            let id = described.id(&["id"])?;
            let mut said = Map::new();
            keep_words(described, &mut said)?;
            if let Some(name) = described.text(&["name"])? {
                said.insert("langfuse.trace.name".to_owned(), name.into());
            }
            traces.insert(id.clone(), said);
            for within in observations_in(&record)? {
                observations.push((within, Some(id.clone())));
            }
        } else {
            return Err(record.problem("it is neither a trace nor an observation of Langfuse"));
        }
    }
    if observations.is_empty() {
        return Err(match traces.len() {
            0 => "there are no observations in it".to_owned(),
            n => format!(
                "there are no observations in it, only traces ({n}): export those too, into the same file"
            ),
        });
    }
    observations
        .iter()
        .map(|(record, trace_id)| step(record, trace_id.as_deref(), &traces))
        .collect()
}

/// The observations that stand in a trace; lists of traces name them by their ids alone.
fn observations_in(record: &Record) -> Result<Vec<Record>, String> {
    let wrong = || record.problem("observations must be a list of objects");
    match record.value(&["observations"]) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| match item {
                Value::Object(fields) => Ok(Record::within(record.line, fields.clone())),
                _ => Err(wrong()),
            })
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// What stands on traces and, in enriched exports, on each observation.
fn keep_words(record: &Record, attributes: &mut Map<String, Value>) -> Result<(), String> {
    for &(attribute, names) in OF_TRACES {
        // What nobody set is called `default` by Langfuse.
        let word = record.text(names)?;
        let word = word.filter(|word| attribute != "langfuse.environment" || *word != "default");
        if let Some(word) = word {
            attributes.insert(attribute.to_owned(), word.into());
        }
    }
    if let Some(tags) = record.value(&["tags"]) {
        attributes.insert("langfuse.trace.tags".to_owned(), tags.clone());
    }
    Ok(())
}

fn step(record: &Record, trace_id: Option<&str>, traces: &Traces) -> Result<NewStep, String> {
    let step_id = record.id(&["id"])?;
    let run_id = match record.optional_id(TRACE_ID)?.or(trace_id) {
        Some(trace_id) => trace_id.to_owned(),
        None => return Err(record.problem("it has no traceId or trace_id")),
    };
    let missing = || record.problem("it has no startTime or start_time");
    let started_at = record.time(START)?.ok_or_else(missing)?;
    let kind = record.text(&["type"])?.unwrap_or("SPAN");
    let is_point = kind.eq_ignore_ascii_case("event");
    let ended_at = record.time(&["endTime", "end_time"])?;
    let parent = record.optional_id(&["parentObservationId", "parent_observation_id"])?;
    let mut attributes = traces.get(&run_id).cloned().unwrap_or_default();
    keep_words(record, &mut attributes)?;
    attributes.insert("langfuse.observation.type".to_owned(), kind.into());
    keep_own(record, &mut attributes)?;
    let cost = record.dollars(&["calculatedTotalCost", "totalCost", "total_cost"]);
    let cost = cost.or_else(|| {
        let details = record.object(&["costDetails", "cost_details"])?;
        Record::within(record.line, details).dollars(&["total"])
    });
    let mut step = otlp::step_of(Recorded {
        run_id,
        parent_step_id: parent.map(str::to_owned).filter(|parent| *parent != step_id),
        step_id,
        name: record.text(&["name"])?.unwrap_or_default().to_owned(),
        started_at,
        ended_at: ended_at.or_else(|| is_point.then_some(started_at)),
        attributes,
        status: Status::default(),
    });
    step.reported_cost = step.reported_cost.or(cost.filter(|_| step.kind.is_billable()));
    Ok(step_of_record(step))
}

/// What an observation says of itself.
fn keep_own(record: &Record, attributes: &mut Map<String, Value>) -> Result<(), String> {
    for &(attribute, names) in WORDS {
        if let Some(word) = record.text(names)? {
            attributes.insert(attribute.to_owned(), word.into());
        }
    }
    for &(attribute, names) in VALUES {
        if let Some(value) = record.value(names) {
            attributes.insert(attribute.to_owned(), value.clone());
        }
    }
    for (key, value) in record.object(&["metadata"]).unwrap_or_default() {
        attributes.insert(format!("langfuse.observation.metadata.{key}"), value);
    }
    if let Some(at) = record.time(&["completionStartTime", "completion_start_time"])? {
        let attribute = "langfuse.observation.completion_start_time";
        attributes.insert(attribute.to_owned(), at.to_string().into());
    }
    if let Some(usage) = usage(record) {
        attributes.insert("langfuse.observation.usage_details".to_owned(), usage.into());
    }
    Ok(())
}

/// What was used. The API says zeros where nothing is known; those are no figures.
fn usage(record: &Record) -> Option<Map<String, Value>> {
    let is_known = |usage: &Map<String, Value>| {
        let mut figures = usage.values().filter_map(Value::as_f64);
        figures.any(|figure| figure != 0.0)
    };
    let details = record.object(&["usageDetails", "usage_details"]).filter(is_known);
    let older = || {
        let mut usage = record.object(&["usage"])?;
        // Characters, images and seconds are no tokens.
        let unit = usage.remove("unit");
        // Costs stand beside the counts.
        usage.retain(|key, _| matches!(key.as_str(), "input" | "output" | "total"));
        let is_tokens = unit.is_none_or(|unit| unit.is_null() || unit == "TOKENS");
        Some(usage).filter(|_| is_tokens)
    };
    let oldest = || {
        let count = |name: &str| record.value(&[name]).cloned().unwrap_or(Value::Null);
        let usage = json!({"input": count("promptTokens"), "output": count("completionTokens"), "total": count("totalTokens")});
        usage.as_object().cloned()
    };
    details
        .or_else(|| older().filter(is_known))
        .or_else(|| oldest().filter(is_known))
}

#[cfg(test)]
#[path = "langfuse/tests.rs"]
mod tests;
