//! Changing from when on a change is an incident.

use app::IncidentsDraft;
use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{Failed, Fields, lead};
use crate::api::incident_settings::replace;
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/incidents`: all of the settings.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/incidents", project.slug);
    let pairs = fields
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let done = async {
        let settings = IncidentsDraft::from_pairs(pairs).settings();
        let settings = settings.ok_or(Failed::Field("incident_settings"))?;
        replace(&state, project.id, &visitor.name_in_log(), &settings).await?;
        Ok(format!("{page}?done=incident_settings"))
    };
    let done = done.await;
    lead(&page, done)
}
