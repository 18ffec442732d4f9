//! Pricing history again.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;
use storage::reprice::Which;

use super::{Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::reprice;
use crate::state::AppState;

/// `POST /p/{slug}/settings/prices/reprice` {model?, preview?}: prices history again, or counts what that would change.
pub(super) async fn start(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/prices", project.slug);
    let model = Some(fields.text("model")).filter(|model| !model.is_empty());
    let request = reprice::Request {
        which: Which {
            model: model.map(str::to_owned),
            ..Which::default()
        },
        dry_run: !fields.text("preview").is_empty(),
    };
    let actor = visitor.name_in_log();
    let started = reprice::start(&state.db, project.id, &request, &actor, clock::now()).await;
    let done = on_conflict(started, storage::jobs::OPEN_JOB, "job_runs");
    lead(&page, done.map(|_job| format!("{page}?done=reprice#reprice")))
}

/// `POST /p/{slug}/settings/prices/reprice/{id}/cancel`: what was priced stays.
pub(super) async fn cancel(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let job = id.parse().map_err(|_malformed| HttpError::not_found("job"))?;
    storage::jobs::cancel(&state.db, project.id, job, &visitor.name_in_log(), clock::now()).await?;
    Ok(Redirect::to(&format!(
        "/p/{}/settings/prices?done=cancelled#reprice",
        project.slug
    )))
}
