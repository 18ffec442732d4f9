//! `GET /api/runs`, `/api/runs/{id}`, `/api/runs/{id}/steps/{step}/payload`.

use axum::Json;
use axum::extract::State;
use domain::{
    CostSource, NanoUsd, RunProblem, RunStatus, RunSummary, Severity, StepKind, StepPayload, StepStatus,
    StepSummary, Timestamp, TokenUsage, Window,
};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::query::{Bounded, InPath, InQuery, Params, Reader};
use crate::clock;
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};
use crate::state::AppState;

/// The most steps of one answer; `run.step_count` says how many there are.
const MAX_STEPS: u32 = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many runs.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<50, { storage::runs::MAX_PAGE }>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What narrows a list of runs. Only described here: [`domain::RunFilter`] reads it, and a test compares the two.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described here")]
struct RunFilterParams {
    status: Option<RunStatus>,
    /// The worst severity of its steps.
    severity: Option<Severity>,
    /// A step was answered by it.
    model: Option<String>,
    /// Label of the key.
    key: Option<String>,
    /// A step has this name.
    step: Option<String>,
    environment: Option<String>,
    /// The release, or the beginning of its sha.
    release: Option<String>,
    /// Session id.
    session: Option<String>,
    /// User id.
    user: Option<String>,
    /// One of the run's tags.
    tag: Option<String>,
    /// An attribute of a step, `key=value`; `attributes.key=value` as a parameter says the same.
    attribute: Option<String>,
    /// Text in id, name or problem.
    q: Option<String>,
    /// Dollars, such as 0.05.
    #[param(value_type = Option<f64>)]
    cost_min: Option<NanoUsd>,
    /// Dollars, such as 0.05.
    #[param(value_type = Option<f64>)]
    cost_max: Option<NanoUsd>,
    /// Milliseconds.
    latency_min: Option<i64>,
    /// Milliseconds.
    latency_max: Option<i64>,
    tokens_min: Option<i64>,
    tokens_max: Option<i64>,
    /// A window that ends now.
    #[param(inline)]
    range: Option<WindowWord>,
    /// Begun then or later.
    from: Option<Timestamp>,
    /// Begun before.
    to: Option<Timestamp>,
}

/// One of [`Window::CHOICES`], or `all`.
struct WindowWord;

impl ToSchema for WindowWord {}

impl PartialSchema for WindowWord {
    fn schema() -> RefOr<Schema> {
        let words = Window::CHOICES.iter().map(|(word, ..)| *word);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(std::iter::once("all").chain(words)))
            .into()
    }
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunList {
    items: Vec<Run>,
    /// The parameter `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A run as programs read it.
#[derive(Debug, Serialize, ToSchema)]
struct Run {
    /// The client's own id.
    run_id: String,
    /// Name of its first top-level step.
    name: String,
    status: RunStatus,
    /// The worst of its steps.
    severity: Severity,
    started_at: Timestamp,
    ended_at: Timestamp,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number")]
    latency_ms: f64,
    /// Label of the key that sent it.
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
    /// The sum of what is known, in dollars, as a decimal text; null when nothing is.
    cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    cost_nano_usd: Option<NanoUsd>,
    /// Steps that cost something nobody knows.
    unpriced_steps: i64,
    /// The highest score of its steps; null when none was scored.
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

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunWithSteps {
    run: Run,
    /// At most the first 20,000; `run.step_count` says how many there are.
    steps: Vec<Step>,
}

/// A step as programs read it.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    /// Its identity within the run.
    step_id: String,
    /// The step that contains it, which may not have been received; null for a top-level step.
    parent_step_id: Option<String>,
    name: String,
    kind: StepKind,
    /// Position within the run as the client counts.
    step_index: Option<i32>,
    provider: Option<String>,
    /// The model that answered.
    model: Option<String>,
    /// The model that was asked for, where it differs.
    request_model: Option<String>,
    started_at: Timestamp,
    /// Null while it runs.
    ended_at: Option<Timestamp>,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    ttft_ms: Option<f64>,
    status: StepStatus,
    /// The first 4 KiB of the error's text.
    error: Option<String>,
    /// The kind of error in a word that can be counted: the provider's, or ours such as `upstream_unreachable`.
    error_class: Option<String>,
    /// Why the model stopped, in the provider's word.
    stop_reason: Option<String>,
    /// The tier at which the provider served it.
    service_tier: Option<String>,
    /// The longest pause between two chunks of its stream, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    max_gap_ms: Option<f64>,
    /// Its stream ended without its final event.
    stream_incomplete: bool,
    tokens: TokenUsage,
    /// How the token buckets were worked out.
    usage_semantics: Option<String>,
    /// Searches of the web that the provider bills by number.
    web_searches: Option<i64>,
    /// The price row behind a computed cost; behind an unknown one the row that fits the model, by which the call
    /// can't be priced.
    price_version: Option<String>,
    /// Identity of the prompt's template, 64 hexadecimal digits.
    template_fingerprint: Option<String>,
    /// Dollars, as a decimal text; null when unknown or when nothing costs.
    cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    cost_nano_usd: Option<NanoUsd>,
    /// Where the cost comes from; null for steps that cost nothing by nature.
    cost_source: Option<CostSource>,
    /// The client's own idea of the cost, in dollars.
    reported_cost_usd: Option<String>,
    /// Label of the key that sent it.
    key: String,
    environment: Option<String>,
    release: Option<String>,
    /// For tool steps.
    tool_name: Option<String>,
    /// The sum of its conditions' points; null when it was not scored.
    score: Option<i32>,
    /// From how many points a step was critical when this one was scored.
    threshold: Option<i32>,
    severity: Severity,
    /// The layer after which scoring stopped early.
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

/// Runs, newest first
///
/// Narrowed by the same parameters as the page's URL.
#[utoipa::path(get, path = "/api/runs", operation_id = "list_runs", params(PageParams, RunFilterParams, Reader),
    responses((status = 200, description = "A page", body = inline(RunList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<PageParams>,
    InQuery(filter): InQuery,
) -> HttpResult<Json<RunList>> {
    let cursor = params.cursor.as_deref();
    let Bounded(limit) = params.limit;
    if cursor.is_some_and(|cursor| !storage::runs::is_cursor(cursor)) {
        return Err(HttpError::invalid(
            "cursor",
            "cursor must be the next_cursor of an earlier answer",
        ));
    }
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
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

/// One run with its steps
#[utoipa::path(get, path = "/api/runs/{run_id}", operation_id = "get_run",
    params(("run_id" = String, Path, description = "The client's run id"), Reader),
    responses((status = 200, description = "The run", body = inline(RunWithSteps)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(run_id): InPath<String>,
) -> HttpResult<Json<RunWithSteps>> {
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

/// Texts, attributes and events of a step
#[utoipa::path(get, path = "/api/runs/{run_id}/steps/{step_id}/payload", operation_id = "get_step_payload",
    params(
        ("run_id" = String, Path, description = "The client's run id"),
        ("step_id" = String, Path, description = "The client's step id"),
        Reader,
    ),
    responses((status = 200, description = "The texts", body = StepPayload), NotFound, ReadErrors))]
pub(crate) async fn payload(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath((run_id, step_id)): InPath<(String, String)>,
) -> HttpResult<Json<StepPayload>> {
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
