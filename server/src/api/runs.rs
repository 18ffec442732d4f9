//! `GET /api/runs`, `/api/runs/{id}`.

use axum::Json;
use axum::extract::State;
use domain::{
    CostSource, NanoUsd, RunProblem, RunStatus, RunSummary, Severity, StepKind, StepStatus, StepSummary,
    Timestamp, TokenUsage, UsageDetails, Window,
};
use serde::{Deserialize, Serialize, Serializer};
use storage::Db;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::query::{Bounded, InPath, InQuery, Params, Reader};
use crate::clock;
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};

/// The most steps of one answer; `run.step_count` says how many there are.
const MAX_STEPS: u32 = 20_000;

/// What is said of a search in a project that has its texts encrypted.
pub(crate) const ENCRYPTED_NOT_SEARCHED: &str =
    "texts of this project are encrypted: q looks at ids, names and errors, not into prompts and answers";

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
pub(super) struct RunFilterParams {
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
    /// Text in id, name or problem; prompts and answers are not searched.
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunList {
    pub(crate) items: Vec<Run>,
    /// The parameter `cursor` of the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
    /// With `q`, what it can't find here because it is stored encrypted; null where nothing is.
    pub(crate) search_note: Option<String>,
}

/// A run as programs read it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Run {
    /// The client's own id.
    pub(crate) run_id: String,
    /// Name of its first top-level step.
    pub(crate) name: String,
    pub(crate) status: RunStatus,
    /// The worst of its steps.
    pub(crate) severity: Severity,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number")]
    pub(crate) latency_ms: f64,
    /// Label of the key that sent it.
    pub(crate) key: String,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) step_count: i64,
    pub(crate) error_count: i64,
    pub(crate) tokens: TokenUsage,
    /// The sum of what is known, in dollars, as a decimal text; null when nothing is.
    pub(crate) cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Steps that cost something nobody knows.
    pub(crate) unpriced_steps: i64,
    /// The highest score of its steps; null when none was scored.
    pub(crate) score_max: Option<i32>,
    pub(crate) problem: Option<RunProblem>,
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunParams {
    /// How many of its steps.
    #[serde(default)]
    #[param(inline)]
    steps: Bounded<{ MAX_STEPS }, { MAX_STEPS }>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunWithSteps {
    pub(crate) run: Run,
    /// At most the first 20,000, or as many as were asked for; `run.step_count` says how many there are.
    pub(crate) steps: Vec<Step>,
}

/// A step as programs read it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    /// Its identity within the run.
    pub(crate) step_id: String,
    /// The step that contains it, which may not have been received; null for a top-level step.
    pub(crate) parent_step_id: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    /// Position within the run as the client counts.
    pub(crate) step_index: Option<i32>,
    pub(crate) provider: Option<String>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// The model that was asked for, where it differs.
    pub(crate) request_model: Option<String>,
    pub(crate) started_at: Timestamp,
    /// Null while it runs.
    pub(crate) ended_at: Option<Timestamp>,
    /// Milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) status: StepStatus,
    /// The first 4 KiB of the error's text.
    pub(crate) error: Option<String>,
    /// The kind of error in a word that can be counted: the provider's, or ours such as `upstream_unreachable`.
    pub(crate) error_class: Option<String>,
    /// Why the model stopped, in the provider's word.
    pub(crate) stop_reason: Option<String>,
    /// The tier at which the provider served it.
    pub(crate) service_tier: Option<String>,
    /// The longest pause between two chunks of its stream, in milliseconds.
    #[serde(serialize_with = "plain_number_if_known")]
    pub(crate) max_gap_ms: Option<f64>,
    /// Its stream ended without its final event.
    pub(crate) stream_incomplete: bool,
    pub(crate) tokens: TokenUsage,
    /// How the token buckets were worked out.
    pub(crate) usage_semantics: Option<String>,
    /// What it used beside the buckets: parts by modality, tools, where it ran.
    #[serde(default)]
    #[schema(required)]
    pub(crate) usage_details: UsageDetails,
    /// Searches of the web that the provider bills by number.
    pub(crate) web_searches: Option<i64>,
    /// The price row behind a computed cost; behind an unknown one the row that fits the model, by which the call
    /// can't be priced.
    pub(crate) price_version: Option<String>,
    /// Identity of the prompt's template, 64 hexadecimal digits.
    pub(crate) template_fingerprint: Option<String>,
    /// Dollars, as a decimal text; null when unknown or when nothing costs.
    pub(crate) cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Where the cost comes from; null for steps that cost nothing by nature.
    pub(crate) cost_source: Option<CostSource>,
    /// The client's own idea of the cost, in dollars.
    pub(crate) reported_cost_usd: Option<String>,
    /// Label of the key that sent it.
    pub(crate) key: String,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    /// For tool steps.
    pub(crate) tool_name: Option<String>,
    /// The sum of its conditions' points; null when it was not scored.
    pub(crate) score: Option<i32>,
    /// From how many points a step was critical when this one was scored.
    pub(crate) threshold: Option<i32>,
    pub(crate) severity: Severity,
    /// The layer after which scoring stopped early.
    pub(crate) stopped_at_layer: Option<u8>,
    pub(crate) conditions: Vec<domain::Condition>,
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
            usage_details: step.usage_details,
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
    State(db): State<Db>,
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
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let page = storage::runs::list(
        &mut snapshot,
        caller.project_id,
        &filter,
        clock::now(),
        cursor,
        limit,
    )
    .await?;
    let is_sealed = filter.q.is_some()
        && storage::payloads::sealing(&mut snapshot, caller.project_id)
            .await?
            .is_some();
    let items = page.items.into_iter().map(Run::from).collect();
    Ok(Json(RunList {
        search_note: is_sealed.then(|| ENCRYPTED_NOT_SEARCHED.to_owned()),
        items,
        next_cursor: page.next_cursor,
    }))
}

/// One run with its steps
#[utoipa::path(get, path = "/api/runs/{run_id}", operation_id = "get_run",
    params(("run_id" = String, Path, description = "The client's run id"), RunParams, Reader),
    responses((status = 200, description = "The run", body = inline(RunWithSteps)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(run_id): InPath<String>,
    Params(params): Params<RunParams>,
) -> HttpResult<Json<RunWithSteps>> {
    let Bounded(limit) = params.steps;
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let run = storage::runs::get(&mut snapshot, caller.project_id, &run_id)
        .await
        .map_err(|cause| absent(cause, "run"))?;
    let steps = storage::steps::of_run(&mut snapshot, caller.project_id, &run_id, limit).await?;
    Ok(Json(RunWithSteps {
        run: run.into(),
        steps: steps.into_iter().map(Step::from).collect(),
    }))
}

pub(super) fn absent(cause: storage::Error, what: &str) -> HttpError {
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
