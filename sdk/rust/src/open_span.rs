//! A span that is under way, as it is kept beside tracing's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value};

use crate::clock;
use crate::fields::cut;
use crate::model::{Context, Event, Span, Status, new_span_id, new_trace_id};
use crate::step::{INHERITED, MAX_NAME_BYTES};

/// The server takes so many of a step.
const MAX_EVENTS: usize = 1_000;

/// What the spans of one trace share.
pub(crate) struct OpenTrace {
    pub(crate) created_at: SystemTime,
    began: Instant,
    next_index: AtomicU32,
    /// Those that have ended, where an exporter waits for the whole.
    pub(crate) ended: Mutex<Vec<Span>>,
}

impl OpenTrace {
    /// Every time of a trace is its beginning by the clock and what has passed since, so that setting the clock moves nothing.
    fn now(&self) -> SystemTime {
        self.created_at
            .checked_add(self.began.elapsed())
            .unwrap_or(self.created_at)
    }
}

/// What a span hands on to those in it.
pub(crate) struct Parent {
    trace: Arc<OpenTrace>,
    context: Context,
    inherited: Map<String, Value>,
}

pub(crate) struct OpenSpan {
    trace: Arc<OpenTrace>,
    began: Instant,
    /// Whether the trace ends with it.
    is_first: bool,
    span: Span,
}

impl OpenSpan {
    pub(crate) fn begin(parent: Option<Parent>, name: &str, mut attributes: Map<String, Value>) -> Self {
        let began = Instant::now();
        let is_first = parent.is_none();
        let parent = parent.unwrap_or_else(|| Parent {
            trace: Arc::new(OpenTrace {
                created_at: clock::now(),
                began,
                next_index: AtomicU32::new(0),
                ended: Mutex::default(),
            }),
            context: Context {
                trace_id: new_trace_id(),
                span_id: String::new(),
            },
            inherited: Map::new(),
        });
        for (name, value) in parent.inherited {
            attributes.entry(name).or_insert(value);
        }
        // The name that OpenTelemetry's layer takes too, where it is known only when the program runs.
        let said = attributes.remove("otel.name");
        let name = said.as_ref().and_then(Value::as_str).unwrap_or(name);
        let span = Span {
            trace_id: parent.context.trace_id,
            span_id: new_span_id(),
            parent_span_id: (!is_first).then_some(parent.context.span_id),
            name: cut(name, MAX_NAME_BYTES).to_owned(),
            index: parent.trace.next_index.fetch_add(1, Ordering::Relaxed),
            started_at: parent.trace.now(),
            duration: Duration::ZERO,
            attributes,
            events: Vec::new(),
            status: Status::Ok,
        };
        Self {
            trace: parent.trace,
            began,
            is_first,
            span,
        }
    }

    pub(crate) fn as_parent(&self) -> Parent {
        let inherited = INHERITED
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.span.attributes.get(name)?.clone())))
            .collect();
        Parent {
            trace: Arc::clone(&self.trace),
            context: self.context(),
            inherited,
        }
    }

    pub(crate) fn context(&self) -> Context {
        self.span.context()
    }

    /// Goes on with a trace that began elsewhere.
    pub(crate) fn continue_from(&mut self, context: &Context) {
        self.span.trace_id.clone_from(&context.trace_id);
        self.span.parent_span_id = Some(context.span_id.clone());
    }

    pub(crate) fn attributes(&mut self) -> &mut Map<String, Value> {
        &mut self.span.attributes
    }

    pub(crate) fn event(&mut self, name: &str, attributes: Map<String, Value>) {
        if self.span.events.len() < MAX_EVENTS {
            self.span.events.push(Event {
                name: cut(name, MAX_NAME_BYTES).to_owned(),
                at: self.trace.now(),
                attributes,
            });
        }
    }

    /// Marks it as failed. The first error stays.
    pub(crate) fn fail(&mut self, error: String) {
        if self.span.status == Status::Ok {
            self.span.status = Status::Error(error);
        }
    }

    /// The span as it ended, its trace, and whether the trace has ended with it.
    pub(crate) fn end(mut self) -> (Span, Arc<OpenTrace>, bool) {
        self.span.duration = self.began.elapsed();
        if std::thread::panicking() {
            self.fail("panicked".to_owned());
        }
        (self.span, self.trace, self.is_first)
    }
}
