//! What becomes of a span that has ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tracing::Level;

use crate::exporter::{ExportError, Exporter};
use crate::model::{Span, Trace};
use crate::open_span::OpenTrace;
use crate::sender::Sender;
use crate::step::step_json;
use crate::warnings::{Warnings, lock};

/// Spans of one trace that are kept for exporters.
const MAX_SPANS_OF_TRACE: usize = 10_000;

pub(crate) type Redact = Box<dyn Fn(Span) -> Option<Span> + Send + Sync>;

pub(crate) struct Recorder {
    pub(crate) is_enabled: bool,
    pub(crate) max_level: Level,
    /// What every step has, unless it says otherwise.
    pub(crate) labels: Map<String, Value>,
    pub(crate) redact: Option<Redact>,
    /// `None`: nothing goes to a server.
    pub(crate) sender: Option<Sender>,
    pub(crate) exporters: Vec<Box<dyn Exporter>>,
    pub(crate) warnings: Arc<Warnings>,
}

impl Recorder {
    /// Takes a span that has ended, and with the first span of a trace the trace.
    pub(crate) fn take(&self, span: Span, trace: &OpenTrace, is_first: bool) {
        let trace_id = is_first.then(|| span.trace_id.clone());
        if let Some(span) = self.redacted(span) {
            self.keep(span, trace);
        }
        if let Some(trace_id) = trace_id.filter(|_| !self.exporters.is_empty()) {
            self.export(Trace {
                trace_id,
                created_at: trace.created_at,
                metadata: self.labels.clone(),
                spans: std::mem::take(&mut *lock(&trace.ended)),
            });
        }
    }

    fn redacted(&self, span: Span) -> Option<Span> {
        let Some(redact) = &self.redact else {
            return Some(span);
        };
        // Better no span than one that was to be redacted.
        catch_unwind(AssertUnwindSafe(|| redact(span))).unwrap_or_else(|_| {
            self.warnings.say_once(
                "redact",
                "the redaction hook panicked; the spans at which it does are not recorded",
            );
            None
        })
    }

    fn keep(&self, span: Span, trace: &OpenTrace) {
        if !self.exporters.is_empty() {
            let mut ended = lock(&trace.ended);
            if ended.len() < MAX_SPANS_OF_TRACE {
                ended.push(span.clone());
            } else {
                drop(ended);
                self.warnings.say_once(
                    "large trace",
                    &format!(
                        "a trace has more than {MAX_SPANS_OF_TRACE} spans; exporters get the first that ended"
                    ),
                );
            }
        }
        if let Some(sender) = &self.sender {
            sender.enqueue(step_json(span, &self.labels));
        }
    }

    fn export(&self, trace: Trace) {
        let trace = Arc::new(trace);
        self.each_exporter(|exporter| exporter.export(&trace));
    }

    fn each_exporter(&self, act: impl Fn(&dyn Exporter) -> Result<(), ExportError>) -> bool {
        let mut all_well = true;
        for exporter in &self.exporters {
            let problem = match catch_unwind(AssertUnwindSafe(|| act(exporter.as_ref()))) {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked".to_owned(),
            };
            all_well = false;
            self.warnings.say_once(
                &format!("exporter: {problem}"),
                &format!("a trace was not exported: {problem}"),
            );
        }
        all_well
    }

    /// Waits until everything is where it belongs. Says whether it is.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let began = Instant::now();
        // Exporters first: a server that is away leaves no time for them.
        let is_exported = self.each_exporter(|exporter| exporter.flush(timeout));
        let left = timeout.saturating_sub(began.elapsed());
        let is_sent = self.sender.as_ref().is_none_or(|sender| sender.flush(left));
        is_exported && is_sent
    }

    pub(crate) fn shutdown(&self, timeout: Duration) {
        self.flush(timeout);
        if let Some(sender) = &self.sender {
            sender.close(timeout);
        }
    }
}
