//! Which projects have a detector that is on, in memory: what it takes to know which runs are queued.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{ProjectId, Timestamp};
use moka::sync::Cache;
use storage::ingest::StepRow;
use tokio::sync::Notify;

/// Projects that are remembered; one that has to go is asked about again.
const MAX_PROJECTS: u64 = 10_000;
/// How long after its last step a run is looked at.
const SETTLE_MICROS: i64 = 5 * 1_000_000;

/// All projects with detectors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Detectors {
    db: storage::Db,
    enabled: Cache<ProjectId, bool>,
    invalidations: Arc<AtomicU64>,
    /// Notified when there may be a run to judge.
    pub wake: Arc<Notify>,
}

impl Detectors {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db) -> Self {
        Self {
            db,
            enabled: Cache::new(MAX_PROJECTS),
            invalidations: Arc::default(),
            wake: Arc::default(),
        }
    }

    /// The projects of a batch whose runs are judged.
    pub async fn judging(&self, projects: &[ProjectId]) -> storage::Result<BTreeSet<ProjectId>> {
        let mut judging = BTreeSet::new();
        for project in projects {
            if self.is_enabled(*project).await? {
                judging.insert(*project);
            }
        }
        Ok(judging)
    }

    async fn is_enabled(&self, project: ProjectId) -> storage::Result<bool> {
        if let Some(is_enabled) = self.enabled.get(&project) {
            return Ok(is_enabled);
        }
        let invalidations_before = self.invalidations.load(Ordering::Acquire);
        let is_enabled = storage::detectors::any_enabled(&self.db, project).await?;
        // Invalidated meanwhile: what was read is good for this batch, which began before, and for no other.
        if self.invalidations.load(Ordering::Acquire) == invalidations_before {
            self.enabled.insert(project, is_enabled);
        }
        Ok(is_enabled)
    }

    /// The project is asked about again before its next batch.
    pub fn invalidate(&self, project: ProjectId) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.enabled.invalidate(&project);
    }

    /// Every project is asked about again.
    pub fn invalidate_all(&self) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.enabled.invalidate_all();
    }
}

/// The runs of new steps that are to be judged, each once, and when they are due. Plumbline's own are none of them.
pub(crate) fn queued<'a>(
    judging: &BTreeSet<ProjectId>,
    steps: impl IntoIterator<Item = &'a StepRow<'a>>,
    now: Timestamp,
) -> (Vec<(ProjectId, &'a str)>, Timestamp) {
    let is_own = |row: &StepRow<'_>| {
        row.step
            .attributes
            .get("source")
            .and_then(|source| source.as_str())
            == Some("plumbline")
    };
    let runs: BTreeSet<(ProjectId, &str)> = steps
        .into_iter()
        .filter(|row| judging.contains(&row.project_id) && !is_own(row))
        .map(|row| (row.project_id, row.step.run_id.as_str()))
        .collect();
    (runs.into_iter().collect(), now.plus_micros(SETTLE_MICROS))
}
