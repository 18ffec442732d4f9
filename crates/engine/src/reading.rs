//! What several rules need to know about a step, worked out once.

use std::borrow::Cow;

use crate::facts::StepFacts;
use crate::json_scan::{JsonError, JsonKind};
use crate::prompt::instruction;
use crate::requested_format::{RequestedFormat, requested_format};
use crate::shape::{Shape, json_document, shape_of_parsed};
use crate::words::name_contains;

/// A step with its instruction read and its output looked at.
pub(crate) struct Reading<'a> {
    pub(crate) facts: &'a StepFacts<'a>,
    pub(crate) instruction: Cow<'a, str>,
    pub(crate) requested: RequestedFormat,
    /// The output as it came; blank when missing.
    pub(crate) output: &'a str,
    pub(crate) trimmed: &'a str,
    /// Where `trimmed` begins in `output`.
    pub(crate) trimmed_at: usize,
    /// Whether the trimmed output is one JSON object or array.
    pub(crate) json: Result<JsonKind, JsonError>,
    pub(crate) shape: Shape,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(facts: &'a StepFacts<'a>) -> Self {
        let (instruction, requested) = if facts.has_answer() {
            let instruction = instruction(facts.prompt);
            let requested = requested_format(&instruction);
            (instruction, requested)
        } else {
            (Cow::Borrowed(""), RequestedFormat::default())
        };
        let output = facts.output.unwrap_or("");
        let trimmed = output.trim();
        let json = json_document(trimmed);
        Self {
            facts,
            instruction,
            requested,
            output,
            trimmed,
            trimmed_at: output.len() - output.trim_start().len(),
            json,
            shape: shape_of_parsed(trimmed, json.is_ok()),
        }
    }

    /// Whether JSON was asked for and came: then closed questions in the instruction are about values inside it.
    pub(crate) fn answers_in_json(&self) -> bool {
        self.requested.json && self.json.is_ok()
    }

    /// Whether the answer is a tool call and nothing else, so that there is no text to hold to the instruction.
    pub(crate) fn is_only_tool_calls(&self) -> bool {
        self.trimmed.is_empty() && !self.facts.tool_calls.is_empty()
    }

    /// The answer of a closed question: without surrounding space, `.` and `!`, in lower case. `None` when it is
    /// too long to be any option.
    pub(crate) fn short_answer(&self) -> Option<String> {
        const MAX_BYTES: usize = 10_000;
        let answer = self
            .trimmed
            .trim_matches(|c: char| c.is_whitespace() || c == '.' || c == '!');
        (answer.len() <= MAX_BYTES).then(|| answer.to_lowercase())
    }

    /// Whether the step's name says that it classifies.
    pub(crate) fn is_classify_step(&self) -> bool {
        name_contains(self.facts.step_name, &["classify", "intent"])
    }

    /// Whether the provider stopped because a token limit was reached.
    pub(crate) fn hit_token_limit(&self) -> Option<&'a str> {
        const LIMITS: &[&str] = &[
            "max_tokens",
            "length",
            "max_output_tokens",
            "max_completion_tokens",
            "model_context_window_exceeded",
        ];
        self.stop_reason_in(LIMITS)
    }

    /// The stop reason, if it is one of some words in any case.
    pub(crate) fn stop_reason_in(&self, words: &[&str]) -> Option<&'a str> {
        let reason = self.facts.stop_reason?.trim();
        words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(reason))
            .then_some(reason)
    }

    /// Whether the answer has to be JSON or a tool call.
    pub(crate) fn must_be_machine_readable(&self) -> bool {
        self.requested.json || self.facts.output_schema.is_some() || !self.facts.tool_calls.is_empty()
    }
}
