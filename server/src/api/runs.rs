//! `GET /api/runs`, `/api/runs/{id}`, `/api/runs/{id}/steps/{step}/payload`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{
    CostSource, NanoUsd, RunProblem, RunStatus, RunSummary, Severity, StepKind, StepPayload, StepStatus,
    StepSummary, Timestamp, TokenUsage,
};
use serde::{Serialize, Serializer};

use super::query::{InPath, Params};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

const DEFAULT_LIMIT: u32 = 50;
/// The most steps of one answer; `run.step_count` says how many there are.
const MAX_STEPS: u32 = 20_000;

/// A page of runs.
#[derive(Debug, Serialize)]
pub(crate) struct RunList {
    items: Vec<Run>,
    next_cursor: Option<String>,
}

/// A run as programs read it.
#[derive(Debug, Serialize)]
struct Run {
    run_id: String,
    name: String,
    status: RunStatus,
    severity: Severity,
    started_at: Timestamp,
    ended_at: Timestamp,
    #[serde(serialize_with = "plain_number")]
    latency_ms: f64,
    key: String,
    environment: Option<String>,
    release: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    tags: Vec<String>,
    models: Vec<String>,
    step_count: i64,
    error_count: i64,
    tokens: TokenUsage,
    cost_usd: Option<String>,
    cost_nano_usd: Option<NanoUsd>,
    unpriced_steps: i64,
    score_max: Option<i32>,
    problem: Option<RunProblem>,
}

impl From<RunSummary> for Run {
    fn from(run: RunSummary) -> Self {
        Self {
            cost_usd: run.cost_nano_usd.map(NanoUsd::to_decimal),
            run_id: run.run_id,
            name: run.name,
            status: run.status,
            severity: run.severity,
            started_at: run.started_at,
            ended_at: run.ended_at,
            latency_ms: run.latency_ms,
            key: run.key_label,
            environment: run.environment,
            release: run.release,
            session_id: run.session_id,
            user_id: run.user_id,
            tags: run.tags,
            models: run.models,
            step_count: run.step_count,
            error_count: run.error_count,
            tokens: run.tokens,
            cost_nano_usd: run.cost_nano_usd,
            unpriced_steps: run.unpriced_steps,
            score_max: run.score_max,
            problem: run.problem,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct RunWithSteps {
    run: Run,
    steps: Vec<Step>,
}

/// A step as programs read it.
#[derive(Debug, Serialize)]
struct Step {
    step_id: String,
    parent_step_id: Option<String>,
    name: String,
    kind: StepKind,
    step_index: Option<i32>,
    provider: Option<String>,
    model: Option<String>,
    request_model: Option<String>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    #[serde(serialize_with = "plain_number_if_known")]
    latency_ms: Option<f64>,
    #[serde(serialize_with = "plain_number_if_known")]
    ttft_ms: Option<f64>,
    status: StepStatus,
    error: Option<String>,
    error_class: Option<String>,
    stop_reason: Option<String>,
    service_tier: Option<String>,
    #[serde(serialize_with = "plain_number_if_known")]
    max_gap_ms: Option<f64>,
    stream_incomplete: bool,
    tokens: TokenUsage,
    usage_semantics: Option<String>,
    web_searches: Option<i64>,
    price_version: Option<String>,
    template_fingerprint: Option<String>,
    cost_usd: Option<String>,
    cost_nano_usd: Option<NanoUsd>,
    cost_source: Option<CostSource>,
    reported_cost_usd: Option<String>,
    key: String,
    environment: Option<String>,
    release: Option<String>,
    tool_name: Option<String>,
    score: Option<i32>,
    threshold: Option<i32>,
    severity: Severity,
    stopped_at_layer: Option<u8>,
    conditions: Vec<domain::Condition>,
}

impl From<StepSummary> for Step {
    fn from(step: StepSummary) -> Self {
        Self {
            cost_usd: step.cost_nano_usd.map(NanoUsd::to_decimal),
            reported_cost_usd: step.reported_cost_nano_usd.map(NanoUsd::to_decimal),
            step_id: step.step_id,
            parent_step_id: step.parent_step_id,
            name: step.name,
            kind: step.kind,
            step_index: step.step_index,
            provider: step.provider,
            model: step.model,
            request_model: step.request_model,
            started_at: step.started_at,
            ended_at: step.ended_at,
            latency_ms: step.latency_ms,
            ttft_ms: step.ttft_ms,
            status: step.status,
            error: step.error,
            error_class: step.error_class,
            stop_reason: step.stop_reason,
            service_tier: step.service_tier,
            max_gap_ms: step.max_gap_ms,
            stream_incomplete: step.stream_incomplete,
            tokens: step.tokens,
            usage_semantics: step.usage_semantics,
            web_searches: step.web_searches,
            price_version: step.price_version,
            template_fingerprint: step.template_fingerprint,
            cost_nano_usd: step.cost_nano_usd,
            cost_source: step.cost_source,
            key: step.key_label,
            environment: step.environment,
            release: step.release,
            tool_name: step.tool_name,
            score: step.score,
            threshold: step.threshold,
            severity: step.severity,
            stopped_at_layer: step.stopped_at_layer,
            conditions: step.conditions.into_iter().map(named).collect(),
        }
    }
}

/// A stored condition with the name of its code, which is not stored.
fn named(condition: domain::Condition) -> domain::Condition {
    let name = engine::codes::find(condition.code).map_or_else(String::new, |code| code.name.to_owned());
    domain::Condition { name, ..condition }
}

/// Runs, newest first, narrowed by the same parameters as the page.
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Json<RunList>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let filter = params.filter()?;
    let limit = params.limit(DEFAULT_LIMIT, storage::runs::MAX_PAGE)?;
    let cursor = params.get("cursor");
    if cursor.is_some_and(|cursor| !storage::runs::is_cursor(cursor)) {
        return Err(HttpError::invalid(
            "cursor",
            "cursor must be the next_cursor of an earlier answer",
        ));
    }
    let page = storage::runs::list(
        &mut snapshot,
        caller.project_id,
        &filter,
        clock::now(),
        cursor,
        limit,
    )
    .await?;
    let items = page.items.into_iter().map(Run::from).collect();
    Ok(Json(RunList {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// One run with its steps.
pub(crate) async fn get(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
    InPath(run_id): InPath<String>,
) -> HttpResult<Json<RunWithSteps>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let run = storage::runs::get(&mut snapshot, caller.project_id, &run_id)
        .await
        .map_err(|cause| absent(cause, "run"))?;
    let steps = storage::steps::of_run(&mut snapshot, caller.project_id, &run_id, MAX_STEPS).await?;
    Ok(Json(RunWithSteps {
        run: run.into(),
        steps: steps.into_iter().map(Step::from).collect(),
    }))
}

/// The texts, attributes and events of one step.
pub(crate) async fn payload(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
    InPath((run_id, step_id)): InPath<(String, String)>,
) -> HttpResult<Json<StepPayload>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let payload = storage::steps::payload(&mut snapshot, caller.project_id, &run_id, &step_id)
        .await
        .map_err(|cause| absent(cause, "step"))?;
    Ok(Json(payload))
}

fn absent(cause: storage::Error, what: &str) -> HttpError {
    match cause {
        storage::Error::NotFound => HttpError::not_found(what),
        other => other.into(),
    }
}

/// Whole numbers without a decimal point: clients compare `640`, not `640.0`.
fn plain_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT_TO: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT_TO {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

fn plain_number_if_known<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => plain_number(number, serializer),
        None => serializer.serialize_none(),
    }
}
