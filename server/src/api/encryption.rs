//! `GET/PUT /api/settings/encryption`: whether the texts of a project's new steps are stored encrypted.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{ProjectId, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 1024;

/// Whether texts are encrypted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EncryptionSettings {
    /// Prompts, answers, templates and what events carry, of new steps.
    payloads: bool,
    /// When that was changed last; null where it never was.
    changed_at: Option<Timestamp>,
    /// By whom.
    changed_by: Option<String>,
    /// Whether this server can use the project's key; null where the project has none.
    key_is_usable: Option<bool>,
}

/// All of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionChange {
    payloads: bool,
}

/// Whether the texts of new steps are stored encrypted
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/encryption", operation_id = "encryption_settings", params(ProjectParam),
    responses((status = 200, description = "The settings", body = EncryptionSettings), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<EncryptionSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    Ok(Json(read(&state, caller.project_id).await?))
}

/// Store the texts of new steps encrypted, or no longer
///
/// What is stored already stays as it is, and is read as it is. Needs a key with the scope `admin`, or a signed-in admin of
/// the project.
#[utoipa::path(put, path = "/api/settings/encryption", operation_id = "save_encryption_settings", params(ProjectParam),
    request_body = EncryptionChange,
    responses((status = 200, description = "The settings now", body = EncryptionSettings), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<EncryptionSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let sent: EncryptionChange = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The settings can't be read: {cause}")))?;
    switch(&state, caller.project_id, sent.payloads, &caller.key_label).await?;
    Ok(Json(read(&state, caller.project_id).await?))
}

/// Has the texts of new steps sealed, or no longer. Not switched on where the project has a key that can't be used here:
/// nothing could be stored then.
pub(crate) async fn switch(state: &AppState, project: ProjectId, is_on: bool, actor: &str) -> HttpResult<()> {
    let mut snapshot = state.db.snapshot(project).await?;
    let sealing = storage::payloads::sealing(&mut snapshot, project).await?;
    drop(snapshot);
    if let Some(sealing) = sealing.filter(|_| is_on) {
        let checked = state.payload_keys.check(project, &sealing.sealed_key);
        checked.map_err(storage::Error::from)?;
    }
    let new_key = state.payload_keys.new_key(project);
    let new_key =
        new_key.ok_or_else(|| HttpError::internal(anyhow::anyhow!("the system has no randomness")))?;
    let saved =
        storage::payloads::set_sealing(&state.db, project, is_on, &new_key, actor, clock::now()).await;
    // Also after an error: it may be committed all the same.
    state.payload_keys.invalidate(project);
    Ok(saved?)
}

async fn read(state: &AppState, project: ProjectId) -> HttpResult<EncryptionSettings> {
    let mut snapshot = state.db.snapshot(project).await?;
    let sealing = storage::payloads::sealing(&mut snapshot, project).await?;
    let key_is_usable = sealing
        .as_ref()
        .map(|sealing| state.payload_keys.check(project, &sealing.sealed_key).is_ok());
    Ok(EncryptionSettings {
        payloads: sealing.as_ref().is_some_and(|sealing| sealing.is_on),
        changed_at: sealing.as_ref().map(|sealing| sealing.changed_at),
        changed_by: sealing.map(|sealing| sealing.changed_by),
        key_is_usable,
    })
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
