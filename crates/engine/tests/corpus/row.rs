//! A row of `corpus.json`: a step, and what scoring must find. A row names only what differs from an ordinary step
//! that has nothing wrong with it.

use domain::step::ReportedTokens;
use domain::{NanoUsd, Severity, StepKind, StepStatus, TokenUsage};
use engine::{History, Rules, Score, SeriesKey, Shape, StepFacts, StepRecord, ToolCall, score};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) step: Step,
    #[serde(default)]
    pub(crate) rules: Rules,
    #[serde(default)]
    pub(crate) history: Vec<Past>,
    pub(crate) expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    pub(crate) run_id: String,
    pub(crate) step_name: String,
    pub(crate) model: String,
    pub(crate) template: String,
    pub(crate) prompt: String,
    pub(crate) output: Option<String>,
    pub(crate) kind: StepKind,
    pub(crate) status: StepStatus,
    pub(crate) error: Option<String>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) stream_incomplete: bool,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) max_gap_ms: Option<f64>,
    pub(crate) reported: Reported,
    pub(crate) usage: TokenUsage,
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    pub(crate) reported_cost_nano_usd: Option<NanoUsd>,
    pub(crate) context_window: Option<i64>,
    pub(crate) same_calls_in_run: u32,
    pub(crate) run_cost_before_nano_usd: Option<NanoUsd>,
    pub(crate) tool_calls: Vec<Call>,
    pub(crate) output_schema: Option<Value>,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            run_id: "run".to_owned(),
            step_name: "answer".to_owned(),
            model: "model".to_owned(),
            template: "t1".to_owned(),
            prompt: "Say hello to the reader.".to_owned(),
            output: Some("Hello there, dear reader of this page.".to_owned()),
            kind: StepKind::Llm,
            status: StepStatus::Ok,
            error: None,
            stop_reason: None,
            stream_incomplete: false,
            latency_ms: Some(500.0),
            ttft_ms: None,
            max_gap_ms: None,
            reported: Reported::default(),
            usage: TokenUsage {
                input_fresh: Some(10),
                output: Some(10),
                ..TokenUsage::default()
            },
            cost_nano_usd: Some(NanoUsd(1_000_000)),
            reported_cost_nano_usd: None,
            context_window: None,
            same_calls_in_run: 1,
            run_cost_before_nano_usd: None,
            tool_calls: Vec::new(),
            output_schema: None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reported {
    input: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    total: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct Call {
    name: String,
    pub(crate) arguments: String,
    pub(crate) schema: Option<Value>,
}

/// A step of the past that came `times` times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Past {
    times: usize,
    step_name: String,
    latency_ms: Option<f64>,
    tokens: Option<i64>,
    output_tokens: Option<i64>,
    cost: Option<NanoUsd>,
    cache_permille: Option<i64>,
    total: i32,
    is_usable: bool,
    is_refusal: bool,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            times: 1,
            step_name: "answer".to_owned(),
            latency_ms: None,
            tokens: None,
            output_tokens: None,
            cost: None,
            cache_permille: None,
            total: 0,
            is_usable: true,
            is_refusal: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) codes: Vec<u16>,
    pub(crate) total: Option<i32>,
    pub(crate) severity: Option<Severity>,
    pub(crate) threshold: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) stopped_at_layer: Option<Option<u8>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) prompt_shape: Option<Option<Shape>>,
    pub(crate) output_shape: Option<Shape>,
}

/// Tells an expected `null` from no expectation.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Every row.
#[expect(clippy::unwrap_used, reason = "a broken corpus fails every test")]
pub(crate) fn corpus() -> Vec<Row> {
    serde_json::from_str(include_str!("../corpus.json")).unwrap()
}

impl Row {
    /// What the step is judged against.
    pub(crate) fn history(&self) -> History {
        let mut history = History::new();
        for past in &self.history {
            let record = StepRecord {
                kind: StepKind::Llm,
                series: SeriesKey::of(&past.step_name, "model", "t1"),
                latency_ms: past.latency_ms,
                tokens: past.tokens,
                output_tokens: past.output_tokens,
                cost: past.cost,
                cache_permille: past.cache_permille,
                total: past.total,
                is_usable: past.is_usable,
                is_refusal: past.is_refusal,
            };
            (0..past.times).for_each(|_| history.push(&record));
        }
        history
    }

    /// The verdict by other rules than the row's own.
    pub(crate) fn score(&self, rules: &Rules) -> Score {
        self.evaluate(|facts, history| score(facts, history, rules))
    }

    /// Hands the step and its history to `evaluate`.
    pub(crate) fn evaluate<T>(&self, evaluate: impl FnOnce(&StepFacts<'_>, &History) -> T) -> T {
        let step = &self.step;
        let calls: Vec<ToolCall<'_>> = step
            .tool_calls
            .iter()
            .map(|call| ToolCall {
                name: &call.name,
                arguments: &call.arguments,
                schema: call.schema.as_ref(),
            })
            .collect();
        let facts = StepFacts {
            template: &step.template,
            output: step.output.as_deref(),
            kind: step.kind,
            status: step.status,
            error: step.error.as_deref(),
            stop_reason: step.stop_reason.as_deref(),
            stream_incomplete: step.stream_incomplete,
            latency_ms: step.latency_ms,
            ttft_ms: step.ttft_ms,
            max_gap_ms: step.max_gap_ms,
            reported: ReportedTokens {
                input: step.reported.input,
                output: step.reported.output,
                reasoning: step.reported.reasoning,
                total: step.reported.total,
                cache_read: step.reported.cache_read,
                cache_write: step.reported.cache_write,
                ..ReportedTokens::default()
            },
            usage: step.usage,
            cost: step.cost_nano_usd,
            reported_cost: step.reported_cost_nano_usd,
            context_window: step.context_window,
            same_calls_in_run: step.same_calls_in_run,
            run_cost_before: step.run_cost_before_nano_usd,
            tool_calls: &calls,
            output_schema: step.output_schema.as_ref(),
            ..StepFacts::new(&step.run_id, &step.step_name, &step.model, &step.prompt)
        };
        evaluate(&facts, &self.history())
    }
}
