//! Steps for the tests of the drawing.

use std::collections::BTreeMap;

use domain::skeleton::Skeleton;
use domain::{
    Condition, RunStatus, RunSummary, Severity, StepKind, StepStatus, StepSummary, Timestamp, TokenUsage,
};

/// 2026-11-21T09:11:52Z
pub(crate) const BEGIN: Timestamp = Timestamp::from_micros(1_795_252_312_000_000);

/// A finished tool step, `start_ms` after the beginning of the run.
pub(crate) fn step(id: &str, parent: Option<&str>, start_ms: i64, length_ms: i64) -> StepSummary {
    let started_at = BEGIN.plus_micros(start_ms * 1_000);
    StepSummary {
        step_id: id.to_owned(),
        parent_step_id: parent.map(str::to_owned),
        name: id.to_owned(),
        kind: StepKind::Tool,
        step_index: None,
        provider: None,
        model: None,
        request_model: None,
        started_at,
        ended_at: Some(started_at.plus_micros(length_ms * 1_000)),
        latency_ms: Some(length_ms as f64),
        ttft_ms: None,
        status: StepStatus::Ok,
        error: None,
        error_class: None,
        stop_reason: None,
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        usage_semantics: None,
        usage_details: domain::UsageDetails::default(),
        web_searches: None,
        price_version: None,
        template_fingerprint: None,
        tokens: TokenUsage::default(),
        cost_nano_usd: None,
        cost_source: None,
        reported_cost_nano_usd: None,
        key_label: "prod".to_owned(),
        environment: None,
        release: None,
        tool_name: None,
        score: None,
        severity: Severity::Ok,
        stopped_at_layer: None,
        threshold: None,
        conditions: Vec::new(),
    }
}

/// A condition of a step, with 30 points.
pub(crate) fn condition(code: u16, message: &str) -> Condition {
    Condition {
        code,
        layer: (code / 1_000) as u8,
        name: String::new(),
        points: 30,
        message: message.to_owned(),
        observed: String::new(),
        expected: String::new(),
        place: None,
        sample: None,
    }
}

/// A call of one name, 1 ms long.
pub(crate) fn call(id: &str, parent: &str, start_ms: i64) -> StepSummary {
    let mut call = step(id, Some(parent), start_ms, 1);
    call.name = "call".to_owned();
    call
}

/// What is drawn of these steps.
pub(crate) fn skeleton(steps: &[StepSummary]) -> Skeleton {
    Skeleton::of(steps, &BTreeMap::new())
}

/// The same, where all steps named `call` sent one prompt.
pub(crate) fn skeleton_of_calls(steps: &[StepSummary]) -> Skeleton {
    let calls = steps.iter().filter(|step| step.name == "call");
    Skeleton::of(steps, &calls.map(|step| (step.step_id.clone(), 0)).collect())
}

/// A finished run without steps, `start_s` seconds after the beginning.
pub(crate) fn run_summary(id: &str, start_s: i64) -> RunSummary {
    let at = BEGIN.plus_micros(start_s * 1_000_000);
    RunSummary {
        run_id: id.to_owned(),
        name: "resolve-ticket".to_owned(),
        partition_at: at,
        started_at: at,
        ended_at: at.plus_micros(5_310_000),
        latency_ms: 5_310.0,
        status: RunStatus::Ok,
        key_label: "prod".to_owned(),
        environment: None,
        release: None,
        session_id: None,
        user_id: None,
        tags: Vec::new(),
        models: Vec::new(),
        step_count: 0,
        error_count: 0,
        tokens: TokenUsage::default(),
        cost_nano_usd: None,
        unpriced_steps: 0,
        score_max: None,
        severity: Severity::Ok,
        problem: None,
    }
}
