//! `POST /api/incidents/{id}/github`: an issue for an incident, or a fix.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::{NanoUsd, ProjectId, Role, Scope};
use serde::{Deserialize, Serialize};
use storage::fixes::{self, Fix};
use storage::incidents;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::{InPath, Params, ProjectParam};
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound};
use crate::fixes::Fixing;
use crate::github::connection::NoRest;
use crate::incidents::answer::judgement;
use crate::ingest;
use crate::state::AppState;
use crate::watcher::{Watching, severity};

const MAX_BODY_BYTES: usize = 4 * 1024;

/// What is to be done on GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GithubAction {
    Issue,
    FixPr,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GithubWish)]
struct Wish {
    action: GithubAction,
    /// Of `fix_pr`: the fix that is opened as a draft of a pull request. Without it one is proposed, and nothing is written.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    fix_id: Option<Uuid>,
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeOnGithub {
    /// The issue's; null of a fix.
    number: Option<i64>,
    /// Where the issue or the pull request can be read; null of a fix that is proposed.
    url: Option<String>,
    /// null of an issue.
    fix: Option<FixAnswer>,
}

/// A fix that a model proposed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentFix)]
struct FixAnswer {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    title: String,
    explanation: String,
    model: String,
    /// What asking for it cost, in dollars; null where that is unknown.
    cost_usd: Option<String>,
    /// The branch that the files were read from.
    base_branch: String,
    /// The branch that it was pushed to; null before that.
    branch: Option<String>,
    files: Vec<FixedFileAnswer>,
}

/// A file that a fix changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentFixFile)]
struct FixedFileAnswer {
    path: String,
    /// Its text as it was read.
    before: String,
    /// Its text with the fix.
    after: String,
}

impl From<Fix> for MadeOnGithub {
    fn from(fix: Fix) -> Self {
        Self {
            number: None,
            url: fix.pull_url,
            fix: Some(FixAnswer {
                id: fix.id,
                title: fix.draft.title,
                explanation: fix.draft.explanation,
                model: fix.model,
                cost_usd: fix.cost.map(NanoUsd::to_decimal),
                base_branch: fix.base_branch,
                branch: fix.branch,
                files: fix
                    .draft
                    .files
                    .into_iter()
                    .map(|file| FixedFileAnswer {
                        path: file.path,
                        before: file.before,
                        after: file.after,
                    })
                    .collect(),
            }),
        }
    }
}

/// Open an issue on GitHub for an incident, propose a fix, or open a fix as a draft of a pull request
///
/// `issue` needs a key with the scope `deploy`, `fix_pr` one with the scope `admin`, or either a signed-in member of the
/// project. A fix is proposed first, and opened only when it is named by its id.
#[utoipa::path(post, path = "/api/incidents/{id}/github", operation_id = "act_on_github",
    params(("id" = String, Path), ProjectParam), request_body = inline(Wish),
    responses((status = 200, description = "What was made", body = inline(MadeOnGithub)), NotFound, BodyErrors))]
pub(crate) async fn act(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    body: Body,
) -> HttpResult<Json<MadeOnGithub>> {
    let auth = &state.auth;
    let caller = auth
        .api_caller(&headers, project.as_deref(), Scope::Deploy, Role::Member)
        .await?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let wish: Wish = serde_json::from_slice(&body)
        .map_err(|_other_shape| HttpError::invalid("action", "action must be issue or fix_pr"))?;
    if wish.action == GithubAction::Issue {
        return issue(&state, caller.project_id, id, &caller.key_label)
            .await
            .map(Json);
    }
    let caller = auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Member)
        .await?;
    let (project, actor) = (caller.project_id, caller.key_label.as_str());
    let fixing = Fixing {
        toolbox: state.toolbox(),
        models: state.models.clone(),
        origin: state.origin(),
    };
    match wish.fix_id {
        None => Box::pin(fixing.draft(project, id, actor)).await?,
        Some(fix) => Box::pin(fixing.open(project, (id, fix), actor)).await?,
    }
    let mut snapshot = state.db.snapshot(project).await?;
    let fix = match wish.fix_id {
        None => fixes::latest(&mut snapshot, project, id).await?,
        Some(fix) => fixes::get(&mut snapshot, project, fix).await?,
    };
    let fix = fix.ok_or_else(|| HttpError::not_found("fix"))?;
    match fix.failure {
        Some(failure) => Err(HttpError::new(StatusCode::BAD_GATEWAY, "github", failure)),
        None => Ok(Json(fix.into())),
    }
}

/// Opens an issue for an incident.
pub(crate) async fn issue(
    state: &AppState,
    project: ProjectId,
    id: Uuid,
    actor: &str,
) -> HttpResult<MadeOnGithub> {
    let mut snapshot = state.db.snapshot(project).await?;
    let stored = incidents::get(&mut snapshot, project, id).await?;
    drop(snapshot);
    let incident = judgement(&stored).ok_or_else(|| {
        HttpError::internal(anyhow::anyhow!("the judgement of incident {id} can't be read"))
    })?;
    let watching = Watching {
        toolbox: state.toolbox(),
        origin: state.origin(),
        inquiries_wake: Arc::clone(&state.inquiries_wake),
    };
    let issue = watching
        .open_issue(project, id, &incident, severity(&incident), actor)
        .await
        .map_err(|cause| match cause {
            NoRest::Database(cause) => cause.into(),
            NoRest::NotConnected => HttpError::invalid("action", cause.to_string()),
            NoRest::Token(_) | NoRest::Rest(_) => {
                HttpError::new(StatusCode::BAD_GATEWAY, "github", cause.to_string())
            }
        })?;
    Ok(MadeOnGithub {
        number: Some(issue.number),
        url: Some(issue.html_url),
        fix: None,
    })
}
