//! Reading how long a project keeps what. A plain form changes it, which works without WASM.

use domain::Timestamp;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// How long a project keeps what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetentionView {
    pub(crate) runs_days: i32,
    pub(crate) payloads_days: i32,
    pub(crate) sums_days: i32,
    /// Since when nothing may be deleted.
    pub(crate) held_at: Option<Timestamp>,
    /// Whether the texts of new steps are stored encrypted.
    pub(crate) encryption: EncryptionView,
    /// Receipts of deletions of one user's data, the latest first.
    pub(crate) user_deletions: Vec<UserDeletionView>,
}

/// Whether texts are encrypted, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EncryptionView {
    pub(crate) is_on: bool,
    /// When and by whom that was changed last; `None` where it never was.
    pub(crate) changed: Option<(Timestamp, String)>,
    /// How many of the latest steps with texts have them encrypted, and of how many; `None` where it never was on.
    pub(crate) sealed: Option<(i64, i64)>,
}

/// The receipt of a deletion of one user's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserDeletionView {
    /// SHA-256 of the user's id.
    pub(crate) user_sha256: String,
    pub(crate) requested_by: String,
    pub(crate) requested_at: Timestamp,
    /// `None` until all is gone.
    pub(crate) finished_at: Option<Timestamp>,
    /// How many rows went, by table.
    pub(crate) rows: Vec<(String, i64)>,
}

/// The latest steps that are looked at for whether their texts are encrypted.
#[cfg(feature = "ssr")]
const COUNTED_STEPS: u32 = 1_000;
/// Receipts that the page shows.
#[cfg(feature = "ssr")]
const MAX_RECEIPTS: u32 = 50;

/// What is set.
#[server(prefix = "/ui", endpoint = "retention/view", input = GetUrl)]
pub(crate) async fn read_retention(slug: String) -> Result<RetentionView, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let found = storage::retention::get(&mut snapshot, project).await?;
    let receipts = storage::user_data::receipts(&mut snapshot, project, MAX_RECEIPTS).await?;
    let encryption = match storage::payloads::sealing(&mut snapshot, project).await? {
        None => EncryptionView::default(),
        Some(sealing) => EncryptionView {
            is_on: sealing.is_on,
            changed: Some((sealing.changed_at, sealing.changed_by)),
            sealed: Some(storage::payloads::sealed_lately(&mut snapshot, project, COUNTED_STEPS).await?),
        },
    };
    Ok(RetentionView {
        encryption,
        runs_days: found.kept.runs,
        payloads_days: found.kept.payloads,
        sums_days: found.kept.sums,
        held_at: found.held_at,
        user_deletions: receipts
            .into_iter()
            .map(|receipt| UserDeletionView {
                user_sha256: receipt.user_sha256,
                requested_by: receipt.requested_by,
                requested_at: receipt.requested_at,
                finished_at: receipt.finished_at,
                rows: receipt.rows.into_iter().collect(),
            })
            .collect(),
    })
}
