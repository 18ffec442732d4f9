//! `GET /api/runs`, `/api/runs/{id}`.

use axum::Json;
use axum::extract::State;
use domain::{NanoUsd, RunStatus, Severity, Timestamp, Window};
use serde::{Deserialize, Serialize};
use storage::Db;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::query::{Bounded, InPath, InQuery, Params, Reader};
pub(crate) use crate::answers::{Run, Step};
use crate::clock;
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};

/// The most steps of one answer; `run.step_count` says how many there are.
const MAX_STEPS: u32 = 20_000;

/// What is said of a search in a project that has its texts encrypted.
pub(crate) const ENCRYPTED_NOT_SEARCHED: &str = "texts of this project are or were encrypted: q looks at ids, names and errors, not into prompts and answers";

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
