//! Which projects have their new steps sealed, and the keys, in memory. Every batch asks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ProjectId;
use moka::sync::Cache;
use storage::payloads::Unopened;

use crate::secrets::{Secrets, TextKey};

/// Projects that are kept; one that has to go is read again when it has its next step.
const MAX_PROJECTS: u64 = 10_000;
/// How long what is known holds where nobody says that it was changed: news can be lost, and the price of that is plain text.
const HOLDS: std::time::Duration = std::time::Duration::from_secs(60);

/// All projects' keys of texts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PayloadKeys {
    db: storage::Db,
    secrets: Secrets,
    keys: Cache<ProjectId, Option<Arc<TextKey>>>,
    invalidations: Arc<AtomicU64>,
}

impl PayloadKeys {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db, secrets: Secrets) -> Self {
        Self {
            db,
            secrets,
            keys: Cache::builder()
                .max_capacity(MAX_PROJECTS)
                .time_to_live(HOLDS)
                .build(),
            invalidations: Arc::default(),
        }
    }

    /// What a project's new steps are sealed with; `None` where they are not. `Sealed` where the key can't be opened: then
    /// nothing may be stored, in clear least of all.
    pub async fn of(&self, project: ProjectId) -> storage::Result<Option<Arc<TextKey>>> {
        if let Some(known) = self.keys.get(&project) {
            return Ok(known);
        }
        let invalidations_before = self.invalidations.load(Ordering::Acquire);
        let mut snapshot = self.db.snapshot(project).await?;
        let sealing = storage::payloads::sealing(&mut snapshot, project).await?;
        let key = sealing
            .filter(|sealing| sealing.is_on)
            .map(|sealing| self.secrets.text_key(project, &sealing.sealed_key))
            .transpose()?
            .map(Arc::new);
        // As in `Redaction::of`.
        let is_invalidated = || self.invalidations.load(Ordering::Acquire) != invalidations_before;
        if !is_invalidated() {
            self.keys.insert(project, key.clone());
            if is_invalidated() {
                self.keys.invalidate(&project);
            }
        }
        Ok(key)
    }

    /// A new key for a project that has none, sealed; nothing of it is stored yet. `None` where the system has no randomness.
    pub fn new_key(&self, project: ProjectId) -> Option<Vec<u8>> {
        self.secrets.new_text_key(project).ok()
    }

    /// Whether a stored key can be used here.
    pub fn check(&self, project: ProjectId, sealed_key: &[u8]) -> Result<(), Unopened> {
        self.secrets.text_key(project, sealed_key).map(drop)
    }

    /// The project's setting is read again before its next step is stored.
    pub fn invalidate(&self, project: ProjectId) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.keys.invalidate(&project);
    }

    /// Everything is read again.
    pub fn invalidate_all(&self) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.keys.invalidate_all();
    }
}
