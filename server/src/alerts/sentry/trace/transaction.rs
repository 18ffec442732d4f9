//! A run as one transaction with its steps as spans.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::attributes::{self, Attributes};
use super::{MAX_ITEM_BYTES, MAX_SPANS, TraceFormat, TracedRun, description, has_failed, operation, times};

/// What every Sentry-compatible server takes.
#[derive(Debug)]
pub(in crate::alerts) struct Transaction;

impl TraceFormat for Transaction {
    fn envelopes(&self, run: &TracedRun<'_>) -> (Vec<Vec<u8>>, usize) {
        let mut payload = payload(run);
        let mut bytes = payload.to_string().len();
        let mut spans = Vec::new();
        let known = run.known();
        for step in run.steps.iter().take(MAX_SPANS) {
            let span = span(run, step, &known);
            let size = span.to_string().len() + 1;
            if bytes + size > MAX_ITEM_BYTES {
                break;
            }
            bytes += size;
            spans.push(span);
        }
        let cut = run.steps.len() - spans.len();
        payload["spans"] = Value::Array(spans);
        if cut > 0 {
            payload["contexts"]["trace"]["data"]["plumbline.steps_left_out"] = Value::from(cut);
        }
        let payload = payload.to_string();
        let event_id = run.event_id();
        let head = run.head(Some(&event_id));
        let item = json!({ "type": "transaction", "length": payload.len() });
        (vec![format!("{head}\n{item}\n{payload}\n").into_bytes()], cut)
    }

    fn category(&self) -> &'static str {
        "transaction"
    }
}

fn payload(run: &TracedRun<'_>) -> Value {
    let from = run.run.started_at.epoch_ms() / 1_000.0;
    let to = (run.run.ended_at.epoch_ms() / 1_000.0).max(from);
    let mut tags = Map::new();
    let mut tag = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            tags.insert(name.to_owned(), Value::from(domain::text::first_line(value, 199)));
        }
    };
    tag("plumbline.project", Some(run.slug));
    tag("run", Some(&run.run.run_id));
    tag("key", Some(&run.run.key_label));
    tag("severity", Some(run.run.severity.as_str()));
    let mut payload = json!({
        "type": "transaction",
        "event_id": run.event_id(),
        "transaction": domain::text::first_line(run.name(), 199),
        "transaction_info": { "source": "task" },
        "start_timestamp": from,
        "timestamp": to,
        "platform": "other",
        "contexts": {
            "trace": {
                "trace_id": run.trace_id(),
                "span_id": run.root_id(),
                "op": "plumbline.run",
                "status": if run.has_failed() { "internal_error" } else { "ok" },
                "data": data(&attributes::of_run(run)),
            },
        },
        "tags": tags,
        "measurements": measurements(run),
    });
    if let Some(user) = &run.run.user_id {
        payload["user"] = json!({ "id": domain::text::first_line(user, 128) });
    }
    if let Some(environment) = run.environment() {
        payload["environment"] = Value::from(environment);
    }
    if let Some(release) = run.release() {
        payload["release"] = Value::from(release);
    }
    payload
}

fn measurements(run: &TracedRun<'_>) -> Value {
    let mut found = Map::new();
    let mut add = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            found.insert(name.to_owned(), json!({ "value": value, "unit": unit }));
        }
    };
    add("steps", Some(run.run.step_count as f64), "none");
    add(
        "tokens",
        run.run.tokens.total().map(|tokens| tokens as f64),
        "none",
    );
    add(
        "cost_usd",
        run.run.cost_nano_usd.map(|cost| cost.0 as f64 / 1e9),
        "none",
    );
    Value::Object(found)
}

fn span(run: &TracedRun<'_>, step: &domain::StepSummary, known: &HashSet<&str>) -> Value {
    let (from, to) = times(step);
    json!({
        "trace_id": run.trace_id(),
        "span_id": run.span_id(&step.step_id),
        "parent_span_id": run.parent_id(step, known),
        "op": operation(step.kind),
        "description": domain::text::first_line(&description(step), 200),
        "start_timestamp": from,
        "timestamp": to,
        "status": if has_failed(step) { "internal_error" } else { "ok" },
        "data": data(&attributes::of_step(run, step)),
    })
}

fn data(attributes: &Attributes) -> Value {
    let pairs = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.plain()));
    Value::Object(pairs.collect())
}
