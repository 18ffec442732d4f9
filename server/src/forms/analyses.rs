//! Asking a model why a run went wrong.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use domain::Role;
use domain::filter::percent_encode;

use super::{Failed, lead};
use crate::api::analyses::ask;
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/runs/{run}/analysis`: by the model that is chosen for it. The run's page says how far it is.
pub(super) async fn start(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, run_id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let page = format!("/p/{}/runs/{}", project.slug, percent_encode(&run_id));
    let done = match ask(&state, project.id, &run_id, &visitor.name_in_log()).await {
        Ok(()) => Ok(format!("{page}#analysis")),
        Err(error) if error.status == StatusCode::CONFLICT => Ok(format!("{page}#analysis")),
        Err(error) => Err(Failed::Refused(error)),
    };
    lead(&page, done)
}
