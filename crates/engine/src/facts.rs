//! What is known about a step when it is scored.

use domain::{NanoUsd, NewStep, StepKind, StepStatus, TokenUsage, step::ReportedTokens};
use serde_json::Value;

use crate::series_key::SeriesKey;

/// A step as the rules see it. Borrowed: scoring copies no text. Unknown is `None`, never 0.
#[derive(Clone, Debug)]
pub struct StepFacts<'a> {
    /// The run it belongs to.
    pub run_id: &'a str,
    /// Its name.
    pub step_name: &'a str,
    /// The model that answered.
    pub model: &'a str,
    /// The prompt: plain text, or the JSON text of `{system, messages}`.
    pub prompt: &'a str,
    /// There was a prompt that was not kept: a blank `prompt` means nothing then.
    pub prompt_is_unknown: bool,
    /// Fingerprint of the prompt template; blank when unknown.
    pub template: &'a str,
    /// What it does. Only `Llm` steps are held to an instruction.
    pub kind: StepKind,
    /// How it ended.
    pub status: StepStatus,
    /// The error text.
    pub error: Option<&'a str>,
    /// What came back.
    pub output: Option<&'a str>,
    /// There was an answer that was not kept: a missing `output` means nothing then.
    pub output_is_unknown: bool,
    /// The answer is something else than a text: a picture, sound, what a tool of the provider did.
    pub answers_without_text: bool,
    /// Tool calls in the answer.
    pub tool_calls: &'a [ToolCall<'a>],
    /// The JSON schema the output was declared to follow.
    pub output_schema: Option<&'a Value>,
    /// Why the model stopped, in the provider's word.
    pub stop_reason: Option<&'a str>,
    /// True when a stream ended without its final event.
    pub stream_incomplete: bool,
    /// Duration in milliseconds, as reported.
    pub latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Longest pause between two chunks of a stream, in milliseconds.
    pub max_gap_ms: Option<f64>,
    /// Token counts as the client reported them: what layer 1 checks.
    pub reported: ReportedTokens,
    /// The same tokens in disjoint buckets: what layers 4 and 5 measure.
    pub usage: TokenUsage,
    /// What the step costs.
    pub cost: Option<NanoUsd>,
    /// The client's own idea of the cost.
    pub reported_cost: Option<NanoUsd>,
    /// Size of the model's context window, in tokens.
    pub context_window: Option<i64>,
    /// How often this very call (same fingerprint, same step) came in the run, this one included.
    pub same_calls_in_run: u32,
    /// What the run had cost before this step.
    pub run_cost_before: Option<NanoUsd>,
}

/// A tool call in a model's answer.
#[derive(Clone, Copy, Debug)]
pub struct ToolCall<'a> {
    /// Name of the tool.
    pub name: &'a str,
    /// The arguments, as JSON text.
    pub arguments: &'a str,
    /// The JSON schema declared for the arguments.
    pub schema: Option<&'a Value>,
}

impl<'a> StepFacts<'a> {
    /// The attribute by which a step says that it had a prompt and that it was too large to keep.
    pub const INPUT_NOT_KEPT: &'static str = "input_not_kept";
    /// The same of its output.
    pub const OUTPUT_NOT_KEPT: &'static str = "output_not_kept";

    /// A successful model call of which nothing else is known.
    pub fn new(run_id: &'a str, step_name: &'a str, model: &'a str, prompt: &'a str) -> Self {
        Self {
            run_id,
            step_name,
            model,
            prompt,
            prompt_is_unknown: false,
            template: "",
            kind: StepKind::Llm,
            status: StepStatus::Ok,
            error: None,
            output: None,
            output_is_unknown: false,
            answers_without_text: false,
            tool_calls: &[],
            output_schema: None,
            stop_reason: None,
            stream_incomplete: false,
            latency_ms: None,
            ttft_ms: None,
            max_gap_ms: None,
            reported: ReportedTokens::default(),
            usage: TokenUsage::default(),
            cost: None,
            reported_cost: None,
            context_window: None,
            same_calls_in_run: 1,
            run_cost_before: None,
        }
    }

    /// A received step with what the pipeline worked out before scoring. The caller adds what only it knows:
    /// template, tool calls, schema, stream state, context window and the run so far.
    pub fn of(step: &'a NewStep, usage: TokenUsage, cost: Option<NanoUsd>) -> Self {
        let says = |attribute| step.attributes.get(attribute) == Some(&Value::Bool(true));
        Self {
            prompt_is_unknown: step.input.is_none() && says(Self::INPUT_NOT_KEPT),
            output_is_unknown: step.output.is_none() && says(Self::OUTPUT_NOT_KEPT),
            kind: step.kind,
            status: step.status,
            error: step.error.as_deref(),
            output: step.output.as_deref(),
            stop_reason: step.stop_reason.as_deref(),
            stream_incomplete: step.stream_incomplete,
            max_gap_ms: step.max_gap_ms,
            latency_ms: step.latency_ms,
            ttft_ms: step.ttft_ms,
            reported: step.tokens,
            usage,
            cost,
            reported_cost: step.reported_cost,
            ..Self::new(
                &step.run_id,
                &step.name,
                step.model
                    .as_deref()
                    .or(step.request_model.as_deref())
                    .unwrap_or(""),
                step.input.as_deref().unwrap_or(""),
            )
        }
    }

    /// The steps it is measured against.
    pub(crate) fn series(&self) -> SeriesKey {
        SeriesKey::of(self.step_name, self.model, self.template)
    }

    /// Whether a language model wrote the output and it is known, so that an answer can be held to an instruction.
    pub(crate) fn has_answer(&self) -> bool {
        self.kind == StepKind::Llm && !self.output_is_unknown
    }

    /// Whether the step calls a model at all. Only such steps are measured against the project's limits: the
    /// latency of an agent contains its children, and a tool has no tokens.
    pub(crate) fn calls_model(&self) -> bool {
        matches!(self.kind, StepKind::Llm | StepKind::Embedding)
    }

    /// All tokens: the buckets together, else the reported total.
    pub(crate) fn tokens(&self) -> Option<i64> {
        self.usage.total().or(self.reported.total)
    }

    /// Latency in whole microseconds, which is how samples keep it.
    pub(crate) fn latency_us(&self) -> Option<i64> {
        self.latency_ms.and_then(us_from_ms)
    }

    /// Thousandths of the input that came from the cache; `None` when input or cache reads are unknown.
    pub(crate) fn cache_permille(&self) -> Option<i64> {
        let input = self.usage.input().filter(|input| *input > 0)?;
        let permille = i128::from(self.usage.cache_read?) * 1_000 / i128::from(input);
        i64::try_from(permille.clamp(0, 1_000)).ok()
    }
}

/// Whole microseconds; `None` for anything that is not a number.
pub(crate) fn us_from_ms(ms: f64) -> Option<i64> {
    // A float beyond the range of i64 saturates in the cast, which is what a limit comparison needs.
    ms.is_finite().then(|| (ms * 1_000.0).round() as i64)
}
