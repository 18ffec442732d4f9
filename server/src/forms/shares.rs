//! Links that show one run to people without an account.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::filter::percent_encode;
use domain::share::MAX_SHARE_DAYS;
use domain::{Project, Role, ShareContent};
use uuid::Uuid;

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::auth::token::{random_token, token_sha256};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// `POST /p/{slug}/runs/{run}/share` {content, days, other_days?, without*}: leads to the page that shows the link once.
pub(super) async fn make(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, run_id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let page = page_of(project, &run_id);
    let done = make_link(&state, &visitor, project, &run_id, &fields).await;
    lead(&page, done.map(|made| format!("{page}?made={made}")))
}

/// Makes a link; returns the token under which it is shown.
async fn make_link(
    state: &AppState,
    visitor: &Visitor,
    project: &Project,
    run_id: &str,
    fields: &Fields,
) -> Result<String, Failed> {
    let content = ShareContent::parse(fields.text("content")).ok_or(Failed::Field("share_content"))?;
    let days = match fields.text("days") {
        "other" => fields.text("other_days"),
        days => days,
    };
    let days: u32 = days
        .parse()
        .ok()
        .filter(|days| (1..=MAX_SHARE_DAYS).contains(days))
        .ok_or(Failed::Field("share_days"))?;
    let leaves_out = |what: &str| fields.all("without").any(|found| found == what);
    let no_randomness = || Failed::Refused(HttpError::internal(anyhow::anyhow!("no randomness for a token")));
    let token = random_token().ok_or_else(no_randomness)?;
    let now = clock::now();
    let new = storage::shares::NewShare {
        token_sha256: &token_sha256(&token),
        run_id,
        content,
        leaves_out_people: leaves_out("people"),
        leaves_out_key: leaves_out("key"),
        expires_at: now.plus_micros(i64::from(days) * DAY_MICROS),
    };
    let made = storage::shares::make(&state.db, project.id, new, &visitor.name_in_log(), now).await;
    on_conflict(made, "share_links_working", "share_many")?;
    state.auth.reveal.put(project.id, token).ok_or_else(no_randomness)
}

/// `POST /p/{slug}/shares/{id}/revoke` {back?}: leads to the list that it was sent from.
pub(super) async fn revoke(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_malformed| HttpError::not_found("link"))?;
    let actor = visitor.name_in_log();
    let run_id = storage::shares::revoke(&state.db, project.id, id, &actor, clock::now()).await?;
    let page = match fields.text("back") {
        "run" => page_of(project, &run_id),
        _ => format!("/p/{}/settings/shares", project.slug),
    };
    Ok(Redirect::to(&format!("{page}?done=share_revoked")))
}

fn page_of(project: &Project, run_id: &str) -> String {
    format!("/p/{}/runs/{}/share", project.slug, percent_encode(run_id))
}
