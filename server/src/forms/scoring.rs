//! Changing how steps are scored.

use app::ScoringDraft;
use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{Fields, lead};
use crate::api::scoring::{replace_rules, rules_in_force};
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/scoring`: all of the rules. What can't be used goes back to the page as it was typed.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/scoring", project.slug);
    let draft = ScoringDraft::from_pairs(
        fields
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let in_force = rules_in_force(&state, project.id).await?;
    match draft.rules(&in_force) {
        Ok(rules) => {
            replace_rules(&state, project.id, visitor.name_in_log(), &rules).await?;
            lead(&page, Ok(format!("{page}?done=saved")))
        }
        Err(_problems) => lead(&page, Ok(format!("{page}?error=scoring&{}", draft.to_query()))),
    }
}
