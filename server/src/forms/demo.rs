//! Demo data for an empty project.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::demo::{self, Amount, DAYS, RUNS_A_DAY, removal};
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/demo`: fills a project in the background, as long as nothing real is in it.
pub(super) async fn start(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}", project.slug);
    let mut snapshot = state.db.snapshot(project.id).await?;
    if storage::runs::any(&mut snapshot, project.id).await? {
        return Ok(Redirect::to(&page));
    }
    drop(snapshot);
    let amount = Amount {
        days: DAYS,
        runs_a_day: RUNS_A_DAY,
        until: clock::now(),
    };
    let started = demo::start(&state.db, project.id, amount, &visitor.name_in_log()).await;
    // Pressed twice, it is under way.
    let filling = format!("{page}?demo=filling");
    match on_conflict(started, storage::jobs::OPEN_JOB, "job_runs") {
        Ok(_) | Err(super::Failed::Field(_)) => Ok(Redirect::to(&filling)),
        Err(refused) => lead(&page, Err(refused)),
    }
}

/// `POST /p/{slug}/demo/remove`: takes the demo data away again in the background.
pub(super) async fn remove(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings", project.slug);
    let started = removal::start(&state.db, project.id, &visitor.name_in_log(), clock::now()).await;
    // Pressed twice, it is under way.
    match on_conflict(started, storage::jobs::OPEN_JOB, "job_runs") {
        Ok(_) | Err(super::Failed::Field(_)) => Ok(Redirect::to(&format!("{page}?done=demo_removed"))),
        Err(refused) => lead(&page, Err(refused)),
    }
}
