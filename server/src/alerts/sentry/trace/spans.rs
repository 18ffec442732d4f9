//! A run as spans of the second version, each by itself: what Sentry's newer clients send.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::attributes::{self, Attribute, Attributes};
use super::{MAX_ITEM_BYTES, MAX_SPANS, TraceFormat, TracedRun, description, has_failed, operation, times};

/// Any number of steps, in as many envelopes as they need.
#[derive(Debug)]
pub(in crate::alerts) struct Spans;

impl TraceFormat for Spans {
    fn envelopes(&self, run: &TracedRun<'_>) -> (Vec<Vec<u8>>, usize) {
        let mut envelopes = Vec::new();
        let known = run.known();
        let (mut items, mut bytes): (Vec<String>, usize) = (Vec::new(), 0);
        let steps = run.steps.iter().map(|step| span(run, step, &known));
        for span in std::iter::once(segment(run)).chain(steps) {
            let span = span.to_string();
            if !items.is_empty() && (items.len() >= MAX_SPANS || bytes + span.len() + 1 > MAX_ITEM_BYTES) {
                envelopes.push(envelope(run, &items));
                (items, bytes) = (Vec::new(), 0);
            }
            bytes += span.len() + 1;
            items.push(span);
        }
        envelopes.push(envelope(run, &items));
        (envelopes, 0)
    }

    fn category(&self) -> &'static str {
        "span"
    }
}

fn envelope(run: &TracedRun<'_>, spans: &[String]) -> Vec<u8> {
    let payload = format!("{{\"items\":[{}]}}", spans.join(","));
    let item = json!({
        "type": "span",
        "item_count": spans.len(),
        "content_type": "application/vnd.sentry.items.span.v2+json",
        "length": payload.len(),
    });
    format!("{}\n{item}\n{payload}\n", run.head(None)).into_bytes()
}

/// The run, which all steps lie in.
fn segment(run: &TracedRun<'_>) -> Value {
    let from = run.run.started_at.epoch_ms() / 1_000.0;
    let mut said = attributes::of_run(run);
    attributes::text(&mut said, "sentry.op", Some("plumbline.run"));
    json!({
        "trace_id": run.trace_id(),
        "span_id": run.root_id(),
        "name": domain::text::first_line(run.name(), 199),
        "status": if run.has_failed() { "error" } else { "ok" },
        "is_segment": true,
        "start_timestamp": from,
        "end_timestamp": (run.run.ended_at.epoch_ms() / 1_000.0).max(from),
        "attributes": typed(run, said),
    })
}

fn span(run: &TracedRun<'_>, step: &domain::StepSummary, known: &HashSet<&str>) -> Value {
    let (from, to) = times(step);
    let mut said = attributes::of_step(run, step);
    attributes::text(&mut said, "sentry.op", Some(operation(step.kind)));
    json!({
        "trace_id": run.trace_id(),
        "span_id": run.span_id(&step.step_id),
        "parent_span_id": run.parent_id(step, known),
        "name": domain::text::first_line(&description(step), 200),
        "status": if has_failed(step) { "error" } else { "ok" },
        "is_segment": false,
        "start_timestamp": from,
        "end_timestamp": to,
        "attributes": typed(run, said),
    })
}

fn typed(run: &TracedRun<'_>, mut said: Attributes) -> Value {
    attributes::text(&mut said, "sentry.segment.name", Some(run.name()));
    attributes::text(&mut said, "sentry.environment", run.environment().as_deref());
    attributes::text(&mut said, "sentry.release", run.release().as_deref());
    let pairs = said
        .iter()
        .map(|(name, value): &(&str, Attribute)| ((*name).to_owned(), value.typed()));
    Value::Object(pairs.collect())
}
