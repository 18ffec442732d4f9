//! Changing how long what is kept.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;
use storage::retention::KeptDays;

use super::{Failed, Fields, lead};
use crate::api::retention::are_days;
use crate::auth::Visitor;
use crate::clock;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/retention` {runs, payloads, sums?, held?}; without `sums` they are kept as long as runs.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/retention", project.slug);
    let done = async {
        let days = |name: &str| fields.text(name).parse::<i32>().ok();
        let sums = if fields.text("sums").is_empty() {
            days("runs")
        } else {
            days("sums")
        };
        let kept = days("runs").zip(days("payloads")).zip(sums);
        let kept = kept
            .map(|((runs, payloads), sums)| KeptDays { runs, payloads, sums })
            .filter(are_days)
            .ok_or(Failed::Field("retention"))?;
        let is_held = !fields.text("held").is_empty();
        let actor = visitor.name_in_log();
        storage::retention::set(&state.db, project.id, kept, is_held, &actor, clock::now()).await?;
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}
