//! What a span of tracing can do here beyond what tracing lets it.

use std::fmt::Display;

use serde_json::{Map, Value};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::described;
use crate::model::Context;
use crate::open_span::OpenSpan;
use crate::provider::{answer_fields, request_fields};

/// For spans of tracing. On one that is not recorded all of it does nothing.
pub trait SpanExt {
    /// Sets an attribute, also one that the span was not declared with.
    fn set(&self, name: &str, value: impl Into<Value>);

    /// Sets what a request to a provider says, given as its JSON.
    fn set_request(&self, request: &Value);

    /// Sets what a provider's answer says, given as its JSON: model, output, usage, why it stopped. It reads Anthropic's
    /// Messages, OpenAI's Chat Completions, Responses and Embeddings, and services that speak like them; of anything else
    /// nothing.
    fn set_answer(&self, answer: &Value);

    /// Marks a point in time, with attributes as a JSON object.
    fn add_event(&self, name: &str, attributes: impl Into<Value>);

    /// Marks it as failed. The first error stays.
    fn fail(&self, error: impl Display);

    /// Where in its trace it stands, to be handed on. `None`: it is not recorded.
    fn context(&self) -> Option<Context>;

    /// Goes on with a trace that began in another process. To be called before there are spans in this one.
    fn continue_from(&self, context: &Context);
}

impl SpanExt for tracing::Span {
    fn set(&self, name: &str, value: impl Into<Value>) {
        with_open(self, |open| {
            open.attributes().insert(name.to_owned(), value.into());
        });
    }

    fn set_request(&self, request: &Value) {
        let fields = request_fields(request);
        with_open(self, |open| open.attributes().extend(fields));
    }

    fn set_answer(&self, answer: &Value) {
        let fields = answer_fields(answer);
        with_open(self, |open| {
            for (name, value) in fields {
                // Who asked knows better whom, and what for.
                let is_guess = name == "provider" || name == "kind";
                if !(is_guess && open.attributes().contains_key(&name)) {
                    open.attributes().insert(name, value);
                }
            }
        });
    }

    fn add_event(&self, name: &str, attributes: impl Into<Value>) {
        let attributes = object(attributes.into());
        with_open(self, |open| open.event(name, attributes));
    }

    fn fail(&self, error: impl Display) {
        let error = described(format_args!("{error}"));
        with_open(self, |open| open.fail(error));
    }

    fn context(&self) -> Option<Context> {
        with_open(self, |open| open.context())
    }

    fn continue_from(&self, context: &Context) {
        with_open(self, |open| open.continue_from(context));
    }
}

/// Marks a point in time in the current span.
pub fn add_event(name: &str, attributes: impl Into<Value>) {
    tracing::Span::current().add_event(name, attributes);
}

/// Sets attributes of the current span, given as a JSON object.
pub fn set_attributes(attributes: impl Into<Value>) {
    let attributes = object(attributes.into());
    with_open(&tracing::Span::current(), |open| {
        open.attributes().extend(attributes)
    });
}

/// Where in which trace the caller is. `None`: in none.
pub fn current_context() -> Option<Context> {
    tracing::Span::current().context()
}

/// What is no object is the value of one field.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn with_open<R>(span: &tracing::Span, act: impl FnOnce(&mut OpenSpan) -> R) -> Option<R> {
    span.with_subscriber(|(id, subscriber)| {
        let registry = subscriber.downcast_ref::<Registry>()?;
        let span = registry.span(id)?;
        let mut extensions = span.extensions_mut();
        Some(act(extensions.get_mut::<OpenSpan>()?))
    })
    .flatten()
}
