//! Sealing the texts of a batch, before its transaction begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ProjectId;
use storage::ingest::StepRow;
use storage::payloads::Unopened;
use tokio::task::yield_now;

use crate::blocking::{run_blocking_if_large, text_bytes};
use crate::payload_keys::PayloadKeys;
use crate::secrets::TextKey;

/// Steps between two pauses, as for what is worked out of them.
const CHUNK_STEPS: usize = 16;

/// The keys of the projects that have their steps sealed.
pub(super) type Keys = BTreeMap<ProjectId, Arc<TextKey>>;

/// The keys of a batch; none where all that is written is made up.
pub(super) async fn keys(known: Option<&PayloadKeys>, projects: &[ProjectId]) -> storage::Result<Keys> {
    let mut keys = Keys::new();
    let Some(known) = known else {
        return Ok(keys);
    };
    for project in projects {
        if let Some(key) = known.of(*project).await? {
            keys.insert(*project, key);
        }
    }
    Ok(keys)
}

/// Seals the texts of these projects' steps. A text that can't be sealed is not stored in clear: the batch fails.
pub(super) async fn seal(keys: &Keys, rows: &mut [StepRow<'_>]) -> storage::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut done = 0_usize;
    for row in rows {
        let Some(key) = keys.get(&row.project_id) else {
            continue;
        };
        if done > 0 && done.is_multiple_of(CHUNK_STEPS) {
            yield_now().await;
        }
        done += 1;
        let sealed = run_blocking_if_large(text_bytes(row.step), || key.seal_step(row.step));
        row.sealed = Some(sealed.map_err(|_no_randomness| Unopened::NoRandomness)?);
    }
    Ok(())
}
