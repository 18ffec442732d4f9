//! Scoring as the pipeline uses it: each project's rules and history in memory. They are read from the database when
//! the project is first seen; after that, only what other processes have stored, and rules that were changed.
//! `docs/adr/0007-scoring-state-in-each-process.md` says what that guarantees.

mod batch;
mod project;
mod projects;
mod runs;
mod score_step;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{NewStep, ProjectId};
use engine::Rules;
use serde_json::Value;

use crate::derived_step::DerivedStep;
pub use batch::BatchScoring;
pub use project::{Pending, ProjectScoring};
use projects::Projects;
use runs::{Call, RunProgress};
pub use score_step::{RunBefore, score_step};

/// While other processes keep storing steps of a project, what they stored is read no more often than this.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// All projects' rules and histories. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scoring {
    db: storage::Db,
    projects: Arc<Projects>,
}

#[derive(Debug, Default)]
pub struct Project {
    scoring: Mutex<ProjectScoring>,
    /// Held by who reads: two would do the same.
    reading: tokio::sync::Mutex<()>,
}

impl Project {
    /// Rules and history, to be held only while nothing is awaited.
    pub fn lock(&self) -> MutexGuard<'_, ProjectScoring> {
        lock(&self.scoring)
    }
}

impl Scoring {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db) -> Self {
        Self {
            db,
            projects: Arc::default(),
        }
    }

    /// The project's scoring, after reading what is due. Nothing is scored before the first reading or by rules that were
    /// changed; what others have stored is waited for by one caller alone.
    pub async fn of(&self, id: ProjectId) -> storage::Result<Arc<Project>> {
        let project = self.projects.of(id);
        let refresh = project.lock().refresh();
        let reading = if refresh.is_urgent() {
            project.reading.lock().await
        } else if refresh.is_anything()
            && let Ok(reading) = project.reading.try_lock()
        {
            reading
        } else {
            return Ok(project);
        };
        self.read(id, &project).await?;
        drop(reading);
        self.weigh(id, &project);
        Ok(project)
    }

    /// Takes note of how much a project has grown to; others may have to go for it.
    pub fn weigh(&self, id: ProjectId, project: &Arc<Project>) {
        self.projects.weigh(id, project);
    }

    async fn read(&self, id: ProjectId, project: &Project) -> storage::Result<()> {
        // Another caller may have read it meanwhile.
        let refresh = project.lock().refresh();
        if let Some(request) = refresh.rules {
            let rules = self.rules(id).await?;
            project.lock().replace_rules(rules, request);
        }
        if let Some((watermark, request)) = refresh.delta {
            match storage::scoring::steps_since(&self.db, id, watermark).await? {
                Some((steps, watermark)) => project.lock().apply_delta(&steps, watermark, request),
                None => project.lock().request_reload(),
            }
        }
        if let Some(reload) = refresh.everything {
            let (steps, watermark) = storage::scoring::latest_steps(&self.db, id, reload.previous).await?;
            project.lock().apply_reload(&steps, watermark, reload);
        }
        Ok(())
    }

    async fn rules(&self, id: ProjectId) -> storage::Result<Rules> {
        Ok(rules_of(
            id,
            storage::scoring::settings(&mut self.db.snapshot(id).await?, id).await?,
        ))
    }

    /// What a run had done before a step that is not to be stored.
    pub async fn run_before(
        &self,
        id: ProjectId,
        step: &NewStep,
        derived: &DerivedStep,
    ) -> storage::Result<RunBefore> {
        let done = storage::scoring::run_done(&self.db, id, &step.run_id, Some(&step.step_id)).await?;
        let run = done.as_ref().map(RunProgress::of_stored).unwrap_or_default();
        Ok(run.before(Call::of(step, derived)))
    }

    /// The project's rules are read again before the next step is judged.
    pub fn invalidate_rules(&self, id: ProjectId) {
        self.if_known(id, ProjectScoring::request_rules);
    }

    /// Another process has stored steps of the project.
    pub fn request_delta(&self, id: ProjectId) {
        self.if_known(id, ProjectScoring::request_delta);
    }

    /// What runs of the project cost was changed; their steps are the same.
    pub fn outdate_runs(&self, id: ProjectId, run_ids: &[String]) {
        self.if_known(id, |project| project.outdate_runs(run_ids));
    }

    /// Notifications were missed: everything is read again.
    pub fn invalidate_all(&self) {
        for project in self.projects.all() {
            let mut scoring = project.lock();
            scoring.request_rules();
            scoring.request_reload();
        }
    }

    fn if_known(&self, id: ProjectId, ask: impl FnOnce(&mut ProjectScoring)) {
        if let Some(project) = self.projects.if_known(id) {
            ask(&mut project.lock());
        }
    }
}

/// Rules as they are stored.
pub fn rules_of(id: ProjectId, settings: Value) -> Rules {
    serde_json::from_value(settings).unwrap_or_else(|cause| {
        tracing::error!(project.id = %id, %cause, "scoring settings can't be read; the defaults are used");
        Rules::default()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
