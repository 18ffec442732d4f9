//! What people do with an incident: acknowledge, note, close, accept as normal, say what caused it.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::incident::MAX_NOTE_CHARS;
use domain::{IncidentChange, IncidentStatus, Role};
use uuid::Uuid;

use super::Fields;
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// `POST /p/{slug}/incidents/{id}/state` {acknowledge?, status?, confirm?, refuse?, note?}.
pub(super) async fn change(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    let changes = changes(&fields)?;
    let db = &state.db;
    storage::incidents::change(db, project.id, id, &changes, &visitor.name_in_log(), clock::now()).await?;
    storage::live::notify_incidents(db, project.id).await?;
    Ok(Redirect::to(&format!("/p/{}/incidents/{id}", project.slug)))
}

fn changes(fields: &Fields) -> HttpResult<Vec<IncidentChange>> {
    let mut changes = Vec::new();
    if fields.text("acknowledge") == "1" {
        changes.push(IncidentChange::Acknowledge);
    }
    match fields.text("status") {
        "" => {}
        word => {
            let status = IncidentStatus::parse(word)
                .ok_or_else(|| HttpError::invalid("status", "status is open, closed or accepted"))?;
            changes.push(IncidentChange::Settle(status));
        }
    }
    match fields.text("confirm") {
        "" => {}
        deploy => changes.push(IncidentChange::Confirm(deploy.to_owned())),
    }
    if fields.text("refuse") == "1" {
        changes.push(IncidentChange::Refuse);
    }
    let note = fields.text("note");
    if note.chars().count() > MAX_NOTE_CHARS || note.contains('\0') {
        let message = format!("A note has at most {MAX_NOTE_CHARS} characters");
        return Err(HttpError::invalid("note", message));
    }
    if !note.is_empty() {
        changes.push(IncidentChange::Note(note.to_owned()));
    }
    if changes.is_empty() {
        return Err(HttpError::invalid("status", "The form says nothing to do"));
    }
    Ok(changes)
}
