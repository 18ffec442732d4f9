//! Runs `corpus.json`: one row per step, with what scoring must find. A row names only what differs from an
//! ordinary step that has nothing wrong with it.

use std::collections::BTreeSet;

use domain::step::ReportedTokens;
use domain::{NanoUsd, Severity, StepKind, StepStatus, TokenUsage};
use engine::codes::{self, Group};
use engine::{History, Rules, Shape, StepFacts, StepRecord, ToolCall, score};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    step: Step,
    #[serde(default)]
    rules: Rules,
    #[serde(default)]
    history: Vec<Past>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    run_id: String,
    step_name: String,
    model: String,
    template: String,
    prompt: String,
    output: Option<String>,
    kind: StepKind,
    status: StepStatus,
    error: Option<String>,
    stop_reason: Option<String>,
    stream_incomplete: bool,
    latency_ms: Option<f64>,
    ttft_ms: Option<f64>,
    max_gap_ms: Option<f64>,
    reported: Reported,
    usage: TokenUsage,
    cost_nano_usd: Option<NanoUsd>,
    reported_cost_nano_usd: Option<NanoUsd>,
    context_window: Option<i64>,
    same_calls_in_run: u32,
    run_cost_before_nano_usd: Option<NanoUsd>,
    tool_calls: Vec<Call>,
    output_schema: Option<Value>,
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
struct Reported {
    input: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    total: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    arguments: String,
    schema: Option<Value>,
}

/// A step of the past that came `times` times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Past {
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
struct Expect {
    codes: Vec<u16>,
    total: Option<i32>,
    severity: Option<Severity>,
    threshold: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    stopped_at_layer: Option<Option<u8>>,
    #[serde(default, deserialize_with = "present")]
    prompt_shape: Option<Option<Shape>>,
    output_shape: Option<Shape>,
}

/// Tells an expected `null` from no expectation.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[expect(clippy::unwrap_used, reason = "a broken corpus fails every test")]
fn corpus() -> Vec<Row> {
    serde_json::from_str(include_str!("corpus.json")).unwrap()
}

impl Row {
    fn history(&self) -> History {
        let mut history = History::new();
        for past in &self.history {
            let record = StepRecord {
                kind: StepKind::Llm,
                step_name: past.step_name.clone(),
                model: "model".to_owned(),
                template: "t1".to_owned(),
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

    fn score(&self, rules: &Rules) -> engine::Score {
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
                input_includes_cache: false,
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
        score(&facts, &self.history(), rules)
    }
}

#[test]
fn every_row_scores_as_expected() {
    let mut failures = Vec::new();
    for row in corpus() {
        let score = row.score(&row.rules);
        let found: Vec<u16> = score.conditions.iter().map(|condition| condition.code).collect();
        let expect = &row.expect;
        let holds = found == expect.codes
            && expect.total.is_none_or(|total| total == score.total)
            && expect.severity.is_none_or(|severity| severity == score.severity)
            && expect
                .threshold
                .is_none_or(|threshold| threshold == score.threshold)
            && expect
                .stopped_at_layer
                .is_none_or(|layer| layer == score.stopped_at_layer)
            && expect
                .prompt_shape
                .is_none_or(|shape| shape == score.prompt_shape)
            && expect
                .output_shape
                .is_none_or(|shape| shape == score.output_shape);
        if !holds {
            failures.push(format!("{}: {found:?} {score:#?}", row.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_code_has_a_row_that_hits() {
    let hit: BTreeSet<u16> = corpus().iter().flat_map(|row| row.expect.codes.clone()).collect();
    let missing: Vec<u16> = codes::ALL
        .iter()
        .map(|code| code.code)
        .filter(|code| !hit.contains(code))
        .collect();
    assert_eq!(missing, Vec::<u16>::new());
}

#[test]
fn without_the_extended_group_only_core_codes_fire() {
    for row in corpus() {
        let rules = Rules {
            extended: false,
            ..row.rules.clone()
        };
        for condition in row.score(&rules).conditions {
            assert_eq!(
                codes::find(condition.code).unwrap().group,
                Group::Core,
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn conditions_carry_evidence_that_points_into_the_output() {
    for row in corpus() {
        for condition in row.score(&row.rules).conditions {
            let output = row.step.output.as_deref().unwrap_or("");
            assert!(
                !condition.message.is_empty() && !condition.observed.is_empty(),
                "{condition:?}"
            );
            assert!(!condition.expected.is_empty(), "{condition:?}");
            if let Some(domain::Place::Bytes { start, end }) = condition.place {
                assert!(output.get(start..end).is_some(), "{}: {condition:?}", row.name);
            }
        }
    }
}
