//! OpenTelemetry's spans as steps: the wire (protobuf and JSON), the attributes of every dialect that is known, and
//! what both become.
//!
//! Instrumentations say the same thing by many names. Which names those are is data: [`dialects`] for words and
//! figures, `engine::usage` for tokens. Messages come in more shapes than names; [`messages`] reads all of them into
//! the one that the proxy and `/ingest` record.
//!
//! **Invariants:** nothing here fails over what a span says of itself, only over what is no span; memory is bounded by
//! [`wire::MAX_VALUES`] before anything is decoded.

mod attributes;
mod dialects;
mod documents;
mod messages;
mod nested;
mod span;
pub mod wire;

use domain::{NewStep, Timestamp};

use serde_json::{Map, Value};
use wire::{Scope, Status, TracesData};

/// A span that was read.
#[derive(Clone, Debug)]
pub struct ReadSpan {
    /// The step it is; nothing is checked or cut yet.
    pub step: NewStep,
    /// Whether it says anything in a dialect of those who call models. Others are of the software around them.
    pub is_of_a_model: bool,
}

/// What another tool recorded of a step, its words and figures under names of dialects that are known.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Identity of its run, as that tool has it.
    pub run_id: String,
    /// Its own.
    pub step_id: String,
    /// That of the step which contains it.
    pub parent_step_id: Option<String>,
    /// Its name; may be blank.
    pub name: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Everything else.
    pub attributes: Map<String, Value>,
    /// Whether it failed, and over what.
    pub status: Status,
}

/// Reads a record as a span with these attributes would be read; nothing is checked or cut yet.
pub fn step_of(recorded: Recorded) -> NewStep {
    let beside = span::Beside {
        resource: &Map::<String, Value>::new(),
        scope: &Scope::default(),
        links: &[],
    };
    span::step_of(recorded, Vec::new(), &beside)
}

/// The spans of a request.
#[derive(Debug, Default)]
pub struct ReadSpans {
    /// In the order in which they were sent.
    pub spans: Vec<ReadSpan>,
    /// How many have no valid ids and so are no spans.
    pub without_ids: usize,
}

/// Reads every span. `received_at` stands in for a start that is not told.
pub fn read(data: TracesData, received_at: Timestamp) -> ReadSpans {
    let mut read = ReadSpans::default();
    for of_resource in data.resource_spans {
        let mut resource = attributes::object(of_resource.resource.unwrap_or_default().attributes);
        attributes::bound_shared(&mut resource);
        for of_scope in of_resource.scope_spans {
            let mut scope = of_scope.scope.unwrap_or_default();
            attributes::cut(&mut scope.name, attributes::MAX_SHARED_BYTES);
            for span in of_scope.spans {
                match span::read(span, &resource, &scope, received_at) {
                    Some(span) => read.spans.push(span),
                    None => read.without_ids += 1,
                }
            }
        }
    }
    read
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
