//! Reading how long a project keeps what. A plain form changes it, which works without WASM.

use domain::Timestamp;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// How long a project keeps what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetentionView {
    pub(crate) runs_days: i32,
    pub(crate) payloads_days: i32,
    /// Since when nothing may be deleted.
    pub(crate) held_at: Option<Timestamp>,
}

/// What is set.
#[server(prefix = "/ui", endpoint = "retention/view", input = GetUrl)]
pub(crate) async fn read_retention(slug: String) -> Result<RetentionView, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let found = storage::retention::get(&mut snapshot, project).await?;
    Ok(RetentionView {
        runs_days: found.kept.runs,
        payloads_days: found.kept.payloads,
        held_at: found.held_at,
    })
}
