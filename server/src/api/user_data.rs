//! `GET /api/users/{id}/export`, `DELETE /api/users/{id}/data`: what there is of one end user of the application.

use std::collections::{BTreeSet, VecDeque};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::{ProjectId, Role, Scope, StepStatus};
use futures::stream;
use serde::Serialize;
use serde_json::{Value, json};
use storage::projects::deletion::LEGAL_HOLD;
use storage::{Db, user_data};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::{InPath, Params, ProjectParam, Reader};
use super::runs::{Run, Step};
use super::step_lines::{add_texts, body_of};
use crate::clock;
use crate::error::{ErrorBody, HttpError, HttpResult, NotFound, ReadErrors};
use crate::state::AppState;

/// Exports of this process that read a page at a time. Sending one holds nothing: who reads slowly keeps nobody waiting.
static EXPORTS: Semaphore = Semaphore::const_new(8);
/// Runs looked up at a time.
const RUNS_PER_PAGE: u32 = 100;
/// Steps read and sent at a time, and from how many bytes on no more of them.
const STEPS_PER_PAGE: usize = 50;
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// The deletion of a user's data.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserDataDeletionStarted {
    /// `GET /api/jobs/{job_id}` says how far it is, and what went when it is done.
    #[schema(value_type = String, format = "uuid")]
    job_id: Uuid,
    /// What the receipt and the audit log call the user: the SHA-256 of the id, in hexadecimal digits.
    user_sha256: String,
}

/// Delete everything of one user
///
/// Their steps with texts, conditions and events, and what cites them: findings, analyses, chats, alerts, feedback, links. A run
/// that names nobody else goes as a whole. Sums are counted again without them. A receipt stays, with a hash of the id. It is
/// done in the background and can't be undone. 409 while the project is on legal hold. What comes in of the user later is
/// stored like anything else. Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(delete, path = "/api/users/{user_id}/data", operation_id = "delete_user_data",
    params(("user_id" = String, Path, description = "The application's user id"), ProjectParam),
    responses(
        (status = 202, description = "It is under way", body = inline(UserDataDeletionStarted)),
        (status = 409, description = "The project is on legal hold", body = ErrorBody),
        NotFound, ReadErrors))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(user_id): InPath<String>,
) -> HttpResult<(StatusCode, Json<UserDataDeletionStarted>)> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Admin)
        .await?;
    let project = caller.project_id;
    let job_id = user_data::start(&state.db, project, &user_id, &caller.key_label, clock::now())
        .await
        .map_err(refusal)?;
    let started = UserDataDeletionStarted {
        job_id,
        user_sha256: user_data::user_sha256(&user_id),
    };
    Ok((StatusCode::ACCEPTED, Json(started)))
}

fn refusal(cause: storage::Error) -> HttpError {
    match cause {
        storage::Error::NotFound => HttpError::not_found("user in this project"),
        storage::Error::Conflict(LEGAL_HOLD) => HttpError::new(
            StatusCode::CONFLICT,
            LEGAL_HOLD,
            "The project is on legal hold, so nothing of it is deleted; lift the hold first",
        ),
        other => other.into(),
    }
}

/// Export everything of one user
///
/// JSON lines, a step each with its texts, as `POST /ingest` takes them and `plumbline import` reads them; steps that have not
/// ended are left out. Of a run that names others too, only the steps that name this user.
#[utoipa::path(get, path = "/api/users/{user_id}/export", operation_id = "export_user_data",
    params(("user_id" = String, Path, description = "The application's user id"), Reader),
    responses((status = 200, description = "The steps", body = String, content_type = "application/x-ndjson"), NotFound, ReadErrors))]
pub(crate) async fn export(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(user_id): InPath<String>,
) -> HttpResult<Response> {
    let Ok(_turn) = EXPORTS.try_acquire() else {
        let message = "Too many exports at once; try again when one of them is done";
        return Err(HttpError::overloaded(message));
    };
    let export = Export::begin(db, caller.project_id, user_id).await?;
    let lines = stream::try_unfold(export, Export::next_lines);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// An export as far as it is.
struct Export {
    db: Db,
    project: ProjectId,
    user_id: String,
    /// Runs that were looked up and are to come.
    runs: VecDeque<String>,
    /// The last run that was looked up; `None` when there are no more.
    last: Option<String>,
    /// Of the first of the runs, the steps that are to come.
    steps: VecDeque<String>,
}

impl Export {
    async fn begin(db: Db, project: ProjectId, user_id: String) -> HttpResult<Self> {
        let mut snapshot = db.snapshot(project).await?;
        let runs = user_data::runs(&mut snapshot, project, &user_id, None, RUNS_PER_PAGE).await?;
        drop(snapshot);
        if runs.is_empty() {
            return Err(HttpError::not_found("user in this project"));
        }
        Ok(Self {
            db,
            project,
            user_id,
            last: runs.last().cloned(),
            runs: runs.into(),
            steps: VecDeque::new(),
        })
    }

    /// The next lines and what follows them; `None` after the last. Each page is read at its own moment: a run that is deleted
    /// meanwhile is not among them.
    async fn next_lines(mut self) -> Result<Option<(Bytes, Self)>, storage::Error> {
        loop {
            let turn = EXPORTS.acquire().await.ok();
            let mut snapshot = self.db.snapshot(self.project).await?;
            let Some(run_id) = self.runs.front().cloned() else {
                let Some(last) = self.last.take() else {
                    return Ok(None);
                };
                let (project, user) = (self.project, &self.user_id);
                let more = user_data::runs(&mut snapshot, project, user, Some(&last), RUNS_PER_PAGE).await?;
                self.last = more.last().cloned();
                self.runs = more.into();
                continue;
            };
            if self.steps.is_empty() {
                let ids = user_data::step_ids(&mut snapshot, self.project, &self.user_id, &run_id).await?;
                self.steps = ids.into();
            }
            let mut page: Vec<String> = self.steps.drain(..self.steps.len().min(STEPS_PER_PAGE)).collect();
            let lines = match self.lines(&mut snapshot, &run_id, &mut page).await {
                Err(storage::Error::NotFound) => String::new(),
                lines => lines?,
            };
            for step_id in page.into_iter().rev() {
                self.steps.push_front(step_id);
            }
            if self.steps.is_empty() {
                self.runs.pop_front();
            }
            drop((snapshot, turn));
            if !lines.is_empty() {
                return Ok(Some((Bytes::from(lines), self)));
            }
        }
    }

    /// The lines of the steps, until they are enough; those that did not come to it are left in `step_ids`.
    async fn lines(
        &self,
        snapshot: &mut storage::Snapshot,
        run_id: &str,
        step_ids: &mut Vec<String>,
    ) -> Result<String, storage::Error> {
        let asked = std::mem::take(step_ids);
        let run: Run = storage::runs::get(snapshot, self.project, run_id).await?.into();
        let steps = storage::steps::of_ids(snapshot, self.project, run_id, &asked).await?;
        // What a run has of several people says nothing of one of them.
        let is_shared = user_data::is_shared(snapshot, self.project, &self.user_id, run_id).await?;
        let mut lines = String::new();
        let mut read = BTreeSet::new();
        for step in steps.into_iter().map(Step::from) {
            if step.status == StepStatus::Running {
                continue;
            }
            let mut body = body_of(&run, &step);
            body.insert("user_id".to_owned(), json!(self.user_id));
            if is_shared {
                body.remove("tags");
                body.remove("session_id");
            }
            let payload = storage::steps::payload(snapshot, self.project, run_id, &step.step_id).await?;
            add_texts(&mut body, payload);
            lines.push_str(&Value::Object(body).to_string());
            lines.push('\n');
            read.insert(step.step_id);
            if lines.len() >= ENOUGH_BYTES {
                *step_ids = asked;
                step_ids.retain(|id| !read.contains(id));
                break;
            }
        }
        Ok(lines)
    }
}
