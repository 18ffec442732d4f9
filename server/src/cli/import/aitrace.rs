//! Traces as AITrace's file exporter writes them, one a file.
//!
//! Version 0.1 has times of a monotonic clock alone, in microseconds; version 0.2 says beside them what the clock on the
//! wall showed. Where nothing does, the latest time of a trace is when its file was written.

use domain::{NewStep, StepEvent, StepKind, StepStatus, Timestamp, UsageDetails};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::step_builder::StepBuilder;

#[derive(Debug, Deserialize)]
struct Trace {
    trace_id: String,
    spans: Vec<Span>,
    #[serde(default)]
    metadata: Map<String, Value>,
    created_at: Option<i64>,
    created_at_wall_time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Span {
    span_id: String,
    parent_span_id: Option<String>,
    #[serde(default)]
    name: String,
    start_time: i64,
    start_wall_time: Option<String>,
    /// `None` for a span that was never finished.
    end_time: Option<i64>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    events: Vec<Event>,
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    name: String,
    timestamp: i64,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Whether a text is such a trace.
pub(super) fn is_trace(text: &str) -> bool {
    serde_json::from_str::<Trace>(text).is_ok()
}

/// The spans of a trace as steps; what is wrong in words. `written_at` is when its file was written.
pub(super) fn steps(text: &str, written_at: Timestamp) -> Result<Vec<NewStep>, String> {
    let trace: Trace =
        serde_json::from_str(text).map_err(|cause| format!("it is no trace of AITrace: {cause}"))?;
    if trace.spans.is_empty() {
        return Err("there are no spans in it".to_owned());
    }
    if let Some(span) = trace.spans.iter().find(|span| span.span_id.trim().is_empty()) {
        return Err(format!("the span {:?} has no span_id", span.name));
    }
    let clock = Clock::of(&trace, written_at);
    Ok(trace
        .spans
        .iter()
        .map(|span| StepBuilder::new(step(&trace, span, clock)).or_cut())
        .collect())
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
struct Clock {
    monotonic_us: i64,
    wall: Timestamp,
}

impl Clock {
    fn of(trace: &Trace, written_at: Timestamp) -> Self {
        let told = trace.created_at.zip(
            trace
                .created_at_wall_time
                .as_deref()
                .and_then(Timestamp::parse_rfc3339),
        );
        if let Some((monotonic_us, wall)) = told {
            return Self { monotonic_us, wall };
        }
        let of_spans = trace.spans.iter().flat_map(|span| {
            let events = span.events.iter().map(|event| event.timestamp);
            [Some(span.start_time), span.end_time]
                .into_iter()
                .flatten()
                .chain(events)
        });
        Self {
            monotonic_us: of_spans.chain(trace.created_at).max().unwrap_or(0),
            wall: written_at,
        }
    }

    fn at(self, monotonic_us: i64) -> Timestamp {
        self.wall
            .plus_micros(monotonic_us.saturating_sub(self.monotonic_us))
    }
}

fn step(trace: &Trace, span: &Span, clock: Clock) -> NewStep {
    let told = span.start_wall_time.as_deref().and_then(Timestamp::parse_rfc3339);
    let started_at = told.unwrap_or_else(|| clock.at(span.start_time));
    let at = |monotonic_us: i64| started_at.plus_micros(monotonic_us.saturating_sub(span.start_time));
    let word = |name: &str| word_of(span.attributes.get(name));
    let of_run = |name: &str| word(name).or_else(|| word_of(trace.metadata.get(name)));
    let (model, tool_name) = (word("model"), word("tool"));
    let failed = span.status.as_deref() == Some("error");
    let status = match span.end_time {
        _ if failed => StepStatus::Error,
        Some(_) => StepStatus::Ok,
        None => StepStatus::Running,
    };
    NewStep {
        run_id: trace.trace_id.clone(),
        step_id: span.span_id.clone(),
        parent_step_id: span.parent_span_id.clone(),
        kind: match (&model, &tool_name) {
            (Some(_), _) => StepKind::Llm,
            (None, Some(_)) => StepKind::Tool,
            (None, None) => StepKind::Other,
        },
        name: span.name.clone(),
        step_index: None,
        provider: word("provider"),
        request_model: None,
        model,
        started_at,
        ended_at: span.end_time.map(|end| at(end.max(span.start_time))),
        latency_ms: span
            .end_time
            .map(|end| end.saturating_sub(span.start_time) as f64 / 1_000.0),
        ttft_ms: None,
        status,
        error: word("error").filter(|_| failed),
        error_class: None,
        stop_reason: None,
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: domain::step::ReportedTokens::default(),
        usage_details: UsageDetails::default(),
        web_searches: None,
        reported_cost: None,
        environment: of_run("environment"),
        release: None,
        session_id: of_run("session_id"),
        user_id: of_run("user_id"),
        tags: Vec::new(),
        tool_name,
        attributes: span.attributes.clone(),
        prompt_template: None,
        input: None,
        output: None,
        events: span
            .events
            .iter()
            .map(|event| StepEvent {
                at: at(event.timestamp),
                name: event.name.clone(),
                attributes: event.attributes.clone(),
            })
            .collect(),
    }
}

/// A single value as a word.
fn word_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn trace(more: Value) -> Value {
        let mut trace = json!({
            "trace_id": "b37b73325dbd626481e0ff3e89de02c8", "metadata": {"user_id": 42}, "created_at": -576_460_000_000_i64,
            "spans": [
                {"span_id": "a1", "parent_span_id": "gone", "name": "reasoning", "start_time": -576_459_000_000_i64,
                 "end_time": -576_458_000_000_i64, "status": "ok", "attributes": {"model": "gpt-4", "temperature": 0.7},
                 "events": [{"name": "reasoning_complete", "timestamp": -576_458_500_000_i64, "attributes": {"n": 3}}]},
                {"span_id": "a2", "parent_span_id": null, "name": "search", "start_time": -576_458_000_000_i64,
                 "end_time": null, "status": "ok", "attributes": {"tool": "web_search"}, "events": []},
                {"span_id": "a3", "parent_span_id": "a2", "name": "reply", "start_time": -576_457_000_000_i64,
                 "end_time": -576_456_000_000_i64, "status": "error", "attributes": {"error": "boom"}, "events": []}
            ]
        });
        for (name, value) in more.as_object().unwrap() {
            trace[name] = value.clone();
        }
        trace
    }

    #[test]
    fn a_monotonic_clock_is_set_by_when_the_file_was_written() {
        let text = trace(json!({})).to_string();
        assert!(is_trace(&text));
        let steps = steps(&text, at("2026-11-20T09:00:10Z")).unwrap();
        let times: Vec<_> = steps
            .iter()
            .map(|step| (step.started_at, step.ended_at))
            .collect();
        assert_eq!(
            times,
            [
                (at("2026-11-20T09:00:07Z"), Some(at("2026-11-20T09:00:08Z"))),
                (at("2026-11-20T09:00:08Z"), None),
                (at("2026-11-20T09:00:09Z"), Some(at("2026-11-20T09:00:10Z"))),
            ]
        );
        assert_eq!(steps[0].events[0].at, at("2026-11-20T09:00:07.5Z"));
        let kinds = [StepKind::Llm, StepKind::Tool, StepKind::Other];
        assert_eq!(steps.iter().map(|step| step.kind).collect::<Vec<_>>(), kinds);
        let states = [StepStatus::Ok, StepStatus::Running, StepStatus::Error];
        assert_eq!(steps.iter().map(|step| step.status).collect::<Vec<_>>(), states);
        assert_eq!(steps[0].parent_step_id.as_deref(), Some("gone"));
        assert_eq!(steps[2].error.as_deref(), Some("boom"));
        assert!(steps.iter().all(|step| step.user_id.as_deref() == Some("42")));
        assert_eq!(steps[0].latency_ms, Some(1_000.0));
    }

    #[test]
    fn the_clock_on_the_wall_wins_where_it_is_told() {
        let told = json!({"created_at_wall_time": "2026-11-19T08:00:00.000000Z"});
        let read = steps(&trace(told).to_string(), at("2026-11-20T09:00:10Z")).unwrap();
        assert_eq!(read[0].started_at, at("2026-11-19T08:00:01Z"));
        let mut each = trace(json!({}));
        each["spans"][0]["start_wall_time"] = json!("2026-11-18T07:00:00Z");
        let read = steps(&each.to_string(), at("2026-11-20T09:00:10Z")).unwrap();
        assert_eq!(read[0].started_at, at("2026-11-18T07:00:00Z"));
        assert_eq!(read[0].ended_at, Some(at("2026-11-18T07:00:01Z")));
    }

    #[test]
    fn what_is_no_trace_is_said() {
        let check = |text: &str, expected: &str| {
            let problem = steps(text, Timestamp::default()).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        };
        check("{}", "trace_id");
        check(&trace(json!({"spans": []})).to_string(), "no spans");
        let mut nameless = trace(json!({}));
        nameless["spans"][1]["span_id"] = json!(" ");
        check(&nameless.to_string(), "no span_id");
        let mut far = trace(json!({"created_at": i64::MAX}));
        far["spans"][0]["start_time"] = json!(i64::MIN);
        assert!(steps(&far.to_string(), Timestamp::default()).is_ok());
        assert!(!is_trace(r#"{"run_id":"r","step_name":"s"}"#));
    }
}
