//! Each project's redaction in memory. Everything that writes texts asks it first: batches, and the proxy's spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::{NewStep, ProjectId};
use engine::StepFacts;
use engine::redaction::{Hidden, Redactor, Settings};
use moka::sync::Cache;
use tokio_util::task::TaskTracker;

use crate::secrets::Secrets;
use crate::step_builder::cut_words;

/// Projects that are kept; one that has to go is read again when it has its next step.
const MAX_PROJECTS: u64 = 10_000;

/// All projects' redactors. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Redaction {
    db: storage::Db,
    secrets: Secrets,
    redactors: Cache<ProjectId, Arc<Redactor>>,
    invalidations: Arc<AtomicU64>,
    reading: TaskTracker,
}

impl Redaction {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db, secrets: Secrets) -> Self {
        Self {
            db,
            secrets,
            redactors: Cache::new(MAX_PROJECTS),
            invalidations: Arc::default(),
            reading: TaskTracker::new(),
        }
    }

    /// What a project hides.
    pub async fn of(&self, project: ProjectId) -> storage::Result<Arc<Redactor>> {
        if let Some(redactor) = self.known(project) {
            return Ok(redactor);
        }
        let invalidations_before = self.invalidations.load(Ordering::Acquire);
        let mut snapshot = self.db.snapshot(project).await?;
        let stored = storage::redaction::settings(&mut snapshot, project).await?;
        let redactor = Arc::new(self.redactor(project, stored));
        // Invalidated meanwhile: what was read is good for this batch, which began before, and for no other. Asked again
        // once it is in, because an invalidation in between found nothing to take out.
        let is_invalidated = || self.invalidations.load(Ordering::Acquire) != invalidations_before;
        if !is_invalidated() {
            self.redactors.insert(project, Arc::clone(&redactor));
            if is_invalidated() {
                self.redactors.invalidate(&project);
            }
        }
        Ok(redactor)
    }

    /// What a project hides, where that was read before.
    pub fn known(&self, project: ProjectId) -> Option<Arc<Redactor>> {
        self.redactors.get(&project)
    }

    /// Has a project's settings read, without waiting for them, so that they are known when the database is away.
    pub fn learn(&self, project: ProjectId) {
        if self.known(project).is_none() {
            let redaction = self.clone();
            self.reading
                .spawn(async move { redaction.of(project).await.map(drop) });
        }
    }

    /// Settings that can't be read, because a later version wrote them, hide all that is known.
    fn redactor(&self, project: ProjectId, stored: Option<serde_json::Value>) -> Redactor {
        let key = self.secrets.redaction_key(project);
        let read = Settings::stored(stored).and_then(|settings| Redactor::new(&settings, &key).ok());
        read.unwrap_or_else(|| {
            tracing::error!(%project, "the redaction of a project can't be read; every known kind of value is masked");
            Redactor::strictest(&key)
        })
    }

    /// Takes the texts out of a step of a project whose redaction is not known.
    pub fn withhold(&self, project: ProjectId, step: &mut NewStep) {
        withhold(step, &self.secrets.redaction_key(project));
    }

    /// The project's settings are read again before its next step is stored.
    pub fn invalidate(&self, project: ProjectId) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.redactors.invalidate(&project);
    }

    /// Everything is read again.
    pub fn invalidate_all(&self) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.redactors.invalidate_all();
    }
}

/// Hides in a step, and says how much. What stands where values were may be longer than they were.
pub fn hide(redactor: &Redactor, step: &mut NewStep) -> Hidden {
    let hidden = redactor.step(step);
    if !hidden.is_empty() {
        cut_words(step);
    }
    hidden
}

/// Takes the texts out of a step whose project's redaction can't be asked for, says so in its attributes, and masks all that
/// is known in what is left. Ids get the hashes of the project's key, which keep them apart.
fn withhold(step: &mut NewStep, key: &[u8; 32]) {
    let texts = [
        (step.input.take(), StepFacts::INPUT_NOT_KEPT),
        (step.output.take(), StepFacts::OUTPUT_NOT_KEPT),
    ];
    step.attributes.clear();
    for (text, attribute) in texts {
        if text.is_some() {
            step.attributes.insert(attribute.to_owned(), true.into());
        }
    }
    step.error = step.error.as_ref().map(|_| "withheld".to_owned());
    step.prompt_template = None;
    step.events.clear();
    hide(&Redactor::strictest(key), step);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_withheld_has_no_text_and_hashes_of_the_projects_key() {
        let step: NewStep = serde_json::from_value(json!({
            "run_id": "r", "step_id": "s", "parent_step_id": null, "kind": "llm", "name": "mara@acme.dev",
            "step_index": null, "provider": null, "request_model": null, "model": null,
            "started_at": "2026-11-30T10:00:00Z", "ended_at": null, "latency_ms": 1.0, "ttft_ms": null,
            "status": "error", "error": "who knows", "error_class": null, "stop_reason": null, "service_tier": null,
            "max_gap_ms": null, "stream_incomplete": false, "tokens": {}, "web_searches": null,
            "reported_cost": null, "environment": null, "release": null, "session_id": null,
            "user_id": "mara@acme.dev", "tags": [], "tool_name": null, "attributes": { "a": "b" },
            "prompt_template": "t", "input": "asked", "output": null,
            "events": [{ "at": "2026-11-30T10:00:00Z", "name": "e", "attributes": {} }]
        }))
        .unwrap();
        let withheld = |key: [u8; 32]| {
            let mut step = step.clone();
            withhold(&mut step, &key);
            step
        };
        let (ours, others) = (withheld([7; 32]), withheld([8; 32]));
        assert_eq!(
            (&ours.input, &ours.prompt_template, ours.events.len()),
            (&None, &None, 0)
        );
        assert_eq!(ours.error.as_deref(), Some("withheld"));
        assert_eq!(ours.attributes.len(), 1, "{:?}", ours.attributes);
        assert_eq!(ours.name, "[hidden email]");
        assert_ne!(ours.user_id, others.user_id);
    }
}
