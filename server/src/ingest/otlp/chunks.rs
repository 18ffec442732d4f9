//! A request's spans in parts that the pipeline takes one after the other: senders batch as they like, and what is in
//! one transaction waits for all of it.

use std::cmp::Reverse;

use domain::{NewStep, Timestamp};
use otlp::ReadSpan;

use crate::ingest::{MAX_BATCH_EVENTS, MAX_BATCH_STEPS};
use crate::step_builder::StepBuilder;

/// Where a text of a span ends.
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;
/// How much text the steps of one part have.
const MAX_PART_BYTES: usize = 16 * 1024 * 1024;

/// The step that a span is, cut to what every step keeps to.
pub(crate) fn step_of_span(span: ReadSpan) -> NewStep {
    step_of_record(span.step)
}

/// A step that was read from what another tool recorded, cut in the same way.
pub(crate) fn step_of_record(mut step: NewStep) -> NewStep {
    for text in [&mut step.input, &mut step.output].into_iter().flatten() {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    }
    StepBuilder::new(step).or_cut()
}

/// Sorts what contains others behind them: whose usage counts is decided part by part.
pub(crate) fn containers_last(step: &NewStep) -> (bool, Option<Timestamp>, Reverse<Timestamp>) {
    (step.ended_at.is_none(), step.ended_at, Reverse(step.started_at))
}

/// The steps, checked and cut, in parts; at least one, which may be empty.
pub(super) fn chunks(spans: Vec<ReadSpan>) -> Vec<Vec<NewStep>> {
    in_parts(spans.into_iter().map(step_of_span))
}

/// Steps in parts that one transaction each takes; at least one, which may be empty.
pub(crate) fn in_parts(steps: impl IntoIterator<Item = NewStep>) -> Vec<Vec<NewStep>> {
    let mut parts = vec![Vec::new()];
    let (mut bytes, mut events) = (0, 0);
    for step in steps {
        let own = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        bytes += own(&step.input) + own(&step.output);
        events += step.events.len();
        let is_full = |part: &Vec<NewStep>| {
            part.len() >= MAX_BATCH_STEPS
                || (!part.is_empty() && (bytes > MAX_PART_BYTES || events > MAX_BATCH_EVENTS))
        };
        match parts.last_mut().filter(|part| !is_full(part)) {
            Some(part) => part.push(step),
            None => {
                (bytes, events) = (own(&step.input) + own(&step.output), step.events.len());
                parts.push(vec![step]);
            }
        }
    }
    parts
}
