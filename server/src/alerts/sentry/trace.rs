//! A run as tracing data: what is said of it and of each step, the same in both formats that Sentry takes.

mod attributes;
mod spans;
mod transaction;

use std::collections::HashSet;

use domain::{ProjectId, RunStatus, RunSummary, StepKind, StepStatus, StepSummary, Timestamp};
use serde_json::{Value, json};

use super::id;
use crate::alerts::message::encoded;

use self::spans::Spans;
use self::transaction::Transaction;

/// The most bytes of one transaction, or of one item of spans: Sentry takes 1 MiB.
const MAX_ITEM_BYTES: usize = 1_000_000;
/// Sentry takes no more spans in one item, and in a transaction.
const MAX_SPANS: usize = 1_000;

/// One way to send runs.
pub(in crate::alerts) trait TraceFormat: Send + Sync {
    /// The envelopes of a run, and how many of its steps they leave out.
    fn envelopes(&self, run: &TracedRun<'_>) -> (Vec<Vec<u8>>, usize);

    /// The category of its rate limits.
    fn category(&self) -> &'static str;
}

/// The format that a project has chosen; transactions unless it says otherwise.
pub(in crate::alerts) fn format_of(options: &Value) -> &'static dyn TraceFormat {
    match options.get("format").and_then(Value::as_str) {
        Some("spans") => &Spans,
        _ => &Transaction,
    }
}

/// A run on its way.
#[derive(Debug)]
pub(in crate::alerts) struct TracedRun<'a> {
    pub(in crate::alerts) project: ProjectId,
    pub(in crate::alerts) slug: &'a str,
    /// Of the DSN.
    pub(in crate::alerts) public_key: &'a str,
    pub(in crate::alerts) public_url: &'a str,
    /// Of runs that name none.
    pub(in crate::alerts) environment: Option<&'a str>,
    pub(in crate::alerts) run: &'a RunSummary,
    pub(in crate::alerts) steps: &'a [StepSummary],
    pub(in crate::alerts) now: Timestamp,
}

impl TracedRun<'_> {
    fn trace_id(&self) -> String {
        id(&[self.project.0.as_bytes(), self.run.run_id.as_bytes()], 16)
    }

    /// Of the run as a whole, which no step is.
    fn root_id(&self) -> String {
        id(&[self.project.0.as_bytes(), self.run.run_id.as_bytes(), &[1]], 8)
    }

    /// The same on every attempt, so that a second one is recognised.
    fn event_id(&self) -> String {
        id(&[self.project.0.as_bytes(), self.run.run_id.as_bytes(), &[2]], 16)
    }

    /// The same as that of a step's events.
    fn span_id(&self, step_id: &str) -> String {
        id(
            &[
                self.project.0.as_bytes(),
                self.run.run_id.as_bytes(),
                &[0],
                step_id.as_bytes(),
            ],
            8,
        )
    }

    /// The ids of its steps.
    fn known(&self) -> HashSet<&str> {
        self.steps.iter().map(|step| step.step_id.as_str()).collect()
    }

    /// What contains a step: the run, where its parent is not `known`.
    fn parent_id(&self, step: &StepSummary, known: &HashSet<&str>) -> String {
        match &step.parent_step_id {
            Some(parent) if known.contains(parent.as_str()) => self.span_id(parent),
            _ => self.root_id(),
        }
    }

    fn name(&self) -> &str {
        if self.run.name.trim().is_empty() {
            "run"
        } else {
            &self.run.name
        }
    }

    fn environment(&self) -> Option<String> {
        super::sanitised(
            self.run.environment.as_deref().or(self.environment),
            super::MAX_ENVIRONMENT_CHARS,
        )
    }

    fn release(&self) -> Option<String> {
        super::sanitised(self.run.release.as_deref(), super::MAX_RELEASE_CHARS)
    }

    fn has_failed(&self) -> bool {
        self.run.status == RunStatus::Error
    }

    fn url(&self) -> String {
        format!(
            "{}/p/{}/runs/{}",
            self.public_url,
            self.slug,
            encoded(&self.run.run_id)
        )
    }

    /// The first line of an envelope.
    fn head(&self, event_id: Option<&str>) -> Value {
        let mut head = json!({
            "sent_at": self.now,
            "sdk": { "name": "plumbline", "version": env!("CARGO_PKG_VERSION") },
            "trace": {
                "trace_id": self.trace_id(),
                "public_key": self.public_key,
                "sampled": "true",
                "sample_rate": "1.0",
            },
        });
        if let Some(event_id) = event_id {
            head["event_id"] = Value::from(event_id);
        }
        if let Some(environment) = self.environment() {
            head["trace"]["environment"] = Value::from(environment);
        }
        if let Some(release) = self.release() {
            head["trace"]["release"] = Value::from(release);
        }
        head
    }
}

/// When a step began and ended, in seconds; the end is never before the begin.
fn times(step: &StepSummary) -> (f64, f64) {
    let from = step.started_at.epoch_ms();
    let to = match (step.ended_at, step.latency_ms) {
        (Some(ended_at), _) => ended_at.epoch_ms(),
        (None, Some(latency_ms)) => from + latency_ms.max(0.0),
        (None, None) => from,
    };
    (from / 1_000.0, to.max(from) / 1_000.0)
}

/// The operation by which Sentry's views know a step.
fn operation(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Llm => "gen_ai.chat",
        StepKind::Embedding => "gen_ai.embeddings",
        StepKind::Tool => "gen_ai.execute_tool",
        StepKind::Agent => "gen_ai.invoke_agent",
        StepKind::Retrieval => "gen_ai.retrieval",
        StepKind::Guardrail => "guardrail",
        StepKind::Chain | StepKind::Other => "function",
    }
}

/// `chat claude-haiku-4-5`, `execute_tool search`, or the step's own name.
fn description(step: &StepSummary) -> String {
    let model = || step.request_model.as_ref().or(step.model.as_ref());
    let named = |verb: &str, of: &str| format!("{verb} {of}");
    match step.kind {
        StepKind::Llm => model().map(|model| named("chat", model)),
        StepKind::Embedding => model().map(|model| named("embeddings", model)),
        StepKind::Tool => Some(named(
            "execute_tool",
            step.tool_name.as_ref().unwrap_or(&step.name),
        )),
        StepKind::Agent => Some(named("invoke_agent", &step.name)),
        StepKind::Chain | StepKind::Retrieval | StepKind::Guardrail | StepKind::Other => None,
    }
    .unwrap_or_else(|| step.name.clone())
}

fn has_failed(step: &StepSummary) -> bool {
    matches!(step.status, StepStatus::Error | StepStatus::Aborted)
}

#[cfg(test)]
#[path = "trace/tests.rs"]
mod tests;
