//! What is done on GitHub for an incident: an issue; a fix, proposed by a model, then opened as a draft of a pull request.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;
use storage::issues;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Fields;
use crate::api::incident_github;
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::fixes::Fixing;
use crate::state::AppState;

/// `POST /p/{slug}/incidents/{id}/fix`: has a model propose one. Nothing leaves for GitHub but questions.
pub(super) async fn draft(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    let actor = visitor.name_in_log();
    Box::pin(fixing(&state).draft(project.id, id, &actor)).await?;
    Ok(Redirect::to(&format!("/p/{}/incidents/{id}#fix", project.slug)))
}

/// `POST /p/{slug}/incidents/{id}/issue`: opens an issue on GitHub, once however often the button is pressed.
pub(super) async fn issue(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    let mut snapshot = state.db.snapshot(project.id).await?;
    storage::incidents::get(&mut snapshot, project.id, id).await?;
    drop(snapshot);
    let (project_id, actor) = (project.id, visitor.name_in_log());
    // To its end, also where the visitor is gone by then, who may have pressed twice: GitHub has the issue.
    let opening = TaskTracker::new().spawn(async move {
        if issues::claim(&state.db, project_id, id, clock::now()).await?
            && let Err(cause) = Box::pin(incident_github::issue(&state, project_id, id, &actor)).await
        {
            issues::release(&state.db, project_id, id).await?;
            return Err(cause);
        }
        Ok::<(), HttpError>(())
    });
    opening
        .await
        .unwrap_or_else(|_panicked| Err(storage::Error::no_answer().into()))?;
    Ok(Redirect::to(&format!("/p/{}/incidents/{id}#fix", project.slug)))
}

/// `POST /p/{slug}/incidents/{id}/pull` {fix}: opens what was shown. Where GitHub does not take it, the page says why.
pub(super) async fn open(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    let fix: Uuid = fields
        .text("fix")
        .parse()
        .map_err(|_no_uuid| HttpError::not_found("fix"))?;
    let actor = visitor.name_in_log();
    Box::pin(fixing(&state).open(project.id, (id, fix), &actor)).await?;
    Ok(Redirect::to(&format!("/p/{}/incidents/{id}#fix", project.slug)))
}

fn fixing(state: &AppState) -> Fixing {
    Fixing {
        toolbox: state.toolbox(),
        models: state.models.clone(),
        origin: state.origin(),
    }
}
