//! `GET /api/jobs`, `/api/jobs/{id}`, `POST /api/jobs/{id}/cancel`: work in the background, and how far it is.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{ProjectId, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::jobs::{JobState, ProjectJob};
use storage::projects::deletion::{self, Deletion};
use storage::user_data;
use utoipa::openapi::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{Bounded, InPath, Params, ProjectParam, Reader};
use crate::auth::{Caller, Visitor};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::reprice;
use crate::state::AppState;

/// How many of a project's jobs are looked through for one.
const LATEST: u32 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobParams {
    /// How many jobs.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<50, 500>,
}

/// The project's jobs, newest first; before them those that delete other projects of whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobList {
    items: Vec<Job>,
}

/// Work in the background.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    #[schema(value_type = String, format = "uuid")]
    pub(crate) job_id: Uuid,
    /// Slug of the project.
    pub(crate) project: String,
    /// What kind of work, such as `reprice` or `delete_project`.
    pub(crate) kind: String,
    /// Failed is what was given up; what was done stays.
    #[serde(serialize_with = "word")]
    #[schema(schema_with = state_words)]
    pub(crate) state: JobState,
    /// What `done` and `total` count: `steps` or `rows`.
    #[schema(value_type = String)]
    pub(crate) unit: &'static str,
    pub(crate) done: i64,
    /// Null until it is known.
    pub(crate) total: Option<i64>,
    /// Of a deletion the total is what the database's planner believes.
    pub(crate) total_is_estimate: bool,
    /// Why it failed, or why its last chunk did, which is tried again then.
    pub(crate) error: Option<String>,
    /// When it was asked for.
    pub(crate) created_at: Timestamp,
    /// When its first chunk was done.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// What came of it so far; each kind has its own.
    #[schema(value_type = Option<Object>)]
    pub(crate) result: Option<Value>,
}

fn word<S: serde::Serializer>(state: &JobState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

fn state_words() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(JobState::ALL.map(JobState::as_str)))
        .into()
}

impl From<ProjectJob> for Job {
    fn from(ProjectJob { slug, job }: ProjectJob) -> Self {
        let is_deletion = job.kind == deletion::KIND;
        Self {
            job_id: job.job_id,
            project: slug,
            unit: match job.kind.as_str() {
                reprice::KIND | user_data::KIND => "steps",
                _ => "rows",
            },
            kind: job.kind,
            state: job.state,
            done: job.progress_done,
            total: job.progress_total,
            total_is_estimate: is_deletion,
            error: job.error,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            result: job.result,
        }
    }
}

impl From<Deletion> for Job {
    fn from(deletion: Deletion) -> Self {
        Self {
            job_id: deletion.job_id,
            project: deletion.slug,
            kind: deletion::KIND.to_owned(),
            state: match deletion.started_at {
                Some(_) => JobState::Running,
                None => JobState::Waiting,
            },
            unit: "rows",
            done: deletion.rows,
            total: deletion.total_rows,
            total_is_estimate: true,
            error: deletion.error,
            created_at: deletion.deleted_at,
            started_at: deletion.started_at,
            finished_at: None,
            result: None,
        }
    }
}

/// Jobs, newest first
///
/// Those of the project, and for signed-in people the deletion of projects that were theirs: such a project itself is
/// not there any more.
#[utoipa::path(get, path = "/api/jobs", operation_id = "list_jobs", params(JobParams, Reader),
    responses((status = 200, description = "The jobs", body = inline(JobList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
    headers: HeaderMap,
    Params(JobParams {
        limit: Bounded(limit),
    }): Params<JobParams>,
) -> HttpResult<Json<JobList>> {
    let items = visible(&state, &caller, &headers, limit).await?;
    Ok(Json(JobList { items }))
}

/// One job
#[utoipa::path(get, path = "/api/jobs/{job_id}", operation_id = "get_job",
    params(("job_id" = String, Path, description = "Its id"), Reader),
    responses((status = 200, description = "The job", body = Job), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    headers: HeaderMap,
    InPath(job_id): InPath<String>,
) -> HttpResult<Json<Job>> {
    let jobs = visible(&state, &caller, &headers, LATEST).await?;
    one(jobs, &job_id)
}

/// Cancel a job; what it has done stays
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project. A job that has ended stays as it is, and the
/// deletion of a project cannot be cancelled.
#[utoipa::path(post, path = "/api/jobs/{job_id}/cancel", operation_id = "cancel_job",
    params(("job_id" = String, Path, description = "Its id"), ProjectParam),
    responses((status = 200, description = "The job now", body = Job), NotFound, BodyErrors))]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(job_id): InPath<String>,
) -> HttpResult<Json<Job>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Admin)
        .await?;
    let own = of_project(&state, caller.project_id, LATEST).await?;
    let Json(job) = one(own, &job_id)?;
    let actor = caller.key_label;
    storage::jobs::cancel(&state.db, caller.project_id, job.job_id, &actor, clock::now()).await?;
    one(of_project(&state, caller.project_id, LATEST).await?, &job_id)
}

/// The jobs that a caller may see.
async fn visible(state: &AppState, caller: &Caller, headers: &HeaderMap, limit: u32) -> HttpResult<Vec<Job>> {
    let mut jobs = Vec::new();
    // A key's own project is there, and it knows no other.
    if caller.key_id.is_none() {
        let visitor = Visitor::find(&state.auth, headers, clock::now()).await?;
        // On an open server everybody is everything.
        let of = visitor.viewer.user.map(|user| user.id);
        let under_way = deletion::under_way(&state.db, of).await?;
        jobs.extend(under_way.into_iter().map(Job::from));
    }
    jobs.extend(of_project(state, caller.project_id, limit).await?);
    jobs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(jobs)
}

async fn of_project(state: &AppState, project: ProjectId, limit: u32) -> HttpResult<Vec<Job>> {
    let mut snapshot = state.db.snapshot(project).await?;
    let jobs = storage::jobs::latest(&mut snapshot, project, limit).await?;
    Ok(jobs.into_iter().map(Job::from).collect())
}

fn one(jobs: Vec<Job>, job_id: &str) -> HttpResult<Json<Job>> {
    let job_id: Option<Uuid> = job_id.parse().ok();
    jobs.into_iter()
        .find(|job| Some(job.job_id) == job_id)
        .map(Json)
        .ok_or_else(|| HttpError::not_found("job in this project"))
}
