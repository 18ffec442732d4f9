//! What listens to tracing.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Fields, cut};
use crate::open_span::OpenSpan;
use crate::recorder::Recorder;

/// Of an event's message, so much is its name.
const MAX_EVENT_NAME_BYTES: usize = 200;

/// Records the spans of tracing, and the events in them. [`Tracer::layer`](crate::Tracer::layer) makes it; a subscriber has
/// room for one.
pub struct Layer {
    recorder: Arc<Recorder>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl Layer {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder }
    }

    fn records(&self, level: &Level) -> bool {
        self.recorder.is_enabled && *level <= self.recorder.max_level
    }
}

// No lock on a span is held while somebody else's code runs: of values that describe themselves, of hooks, of exporters.
impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let Some(span) = context.span(id).filter(|_| self.records(metadata.level())) else {
            return;
        };
        let mut fields = Map::new();
        attributes.record(&mut Fields(&mut fields));
        // Those that are not recorded are passed over.
        let parent = span
            .scope()
            .skip(1)
            .find_map(|outer| outer.extensions().get::<OpenSpan>().map(OpenSpan::as_parent));
        let open = OpenSpan::begin(parent, metadata.name(), fields);
        span.extensions_mut().replace(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Map::new();
        values.record(&mut Fields(&mut fields));
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            open.attributes().extend(fields);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if !self.records(metadata.level()) {
            return;
        }
        let around = context.event_scope(event);
        let is_recorded = |span: &tracing_subscriber::registry::SpanRef<'_, S>| {
            span.extensions().get::<OpenSpan>().is_some()
        };
        let Some(span) = around.and_then(|mut scope| scope.find(is_recorded)) else {
            return;
        };
        let mut fields = Map::new();
        event.record(&mut Fields(&mut fields));
        let message = match fields.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let is_error = *metadata.level() == Level::ERROR;
        let error = is_error.then(|| error_of(&message, &fields));
        // Without a name of its own, tracing names an event after its place in the source.
        let name = if !metadata.name().starts_with("event ") {
            if !message.is_empty() {
                fields.insert("message".to_owned(), Value::String(message));
            }
            metadata.name().to_owned()
        } else if message.is_empty() {
            metadata.target().to_owned()
        } else {
            let name = cut(&message, MAX_EVENT_NAME_BYTES).to_owned();
            if name.len() < message.len() {
                fields.insert("message".to_owned(), Value::String(message));
            }
            name
        };
        if *metadata.level() <= Level::WARN {
            fields.insert("level".to_owned(), Value::from(metadata.level().as_str()));
        }
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            open.event(&name, fields);
            if let Some(error) = error {
                open.fail(error);
            }
        };
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let open = context
            .span(&id)
            .and_then(|span| span.extensions_mut().remove::<OpenSpan>());
        if let Some(open) = open {
            let (span, trace, is_first) = open.end();
            self.recorder.take(span, &trace, is_first);
        }
    }
}

/// What an event of the level ERROR says went wrong: `#[instrument(err)]` has it in the field `error`.
fn error_of(message: &str, fields: &Map<String, Value>) -> String {
    let field = fields.get("error").or_else(|| fields.get("err"));
    let said = field.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    match (message, said) {
        ("", Some(said)) => said,
        ("", None) => "error".to_owned(),
        (message, Some(said)) => format!("{message}: {said}"),
        (message, None) => message.to_owned(),
    }
}
