//! Scoring as the pipeline uses it: each project's rules and history in memory. They are read from the database when
//! the project is first seen; after that, only what other processes have stored, and rules that somebody changed.
//! `docs/adr/0007-scoring-state-in-each-process.md` says what that guarantees.

mod batch;
mod judge;
mod project;
mod projects;
mod runs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{NewStep, ProjectId};
use engine::Rules;
use serde_json::Value;

use crate::pipeline::Figures;
pub use batch::BatchScoring;
pub use judge::{RunBefore, judge};
pub use project::{Pending, ProjectScoring};
use projects::Projects;
use runs::{Call, RunSoFar};

/// While other processes keep storing steps of a project, what they stored is read no more often than this.
const REREAD_AFTER: Duration = Duration::from_secs(2);

/// All projects' rules and histories. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scoring {
    db: storage::Db,
    projects: Arc<Projects>,
}

/// One project's scoring.
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

    /// The project's scoring, after reading what is due. Nobody judges before the first reading or by rules that were
    /// changed; what others have stored is waited for by one caller alone.
    pub async fn of(&self, id: ProjectId) -> storage::Result<Arc<Project>> {
        let project = self.projects.of(id);
        let due = project.lock().due();
        let reading = if due.is_urgent() {
            project.reading.lock().await
        } else if due.is_anything()
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
        let due = project.lock().due();
        if let Some(asked) = due.rules {
            let rules = self.rules(id).await?;
            project.lock().replace_rules(rules, asked);
        }
        if let Some((seen_to, asked)) = due.news {
            match storage::scoring::steps_since(&self.db, id, seen_to).await? {
                Some((steps, seen_to)) => project.lock().learn_news(&steps, seen_to, asked),
                None => project.lock().ask_for_everything(),
            }
        }
        if let Some(asked) = due.everything {
            let (steps, seen_to) = storage::scoring::latest_steps(&self.db, id).await?;
            project.lock().learn_everything(&steps, seen_to, asked);
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
        figures: &Figures,
    ) -> storage::Result<RunBefore> {
        let done = storage::scoring::run_done(&self.db, id, &step.run_id, Some(&step.step_id)).await?;
        let run = done.as_ref().map(RunSoFar::of_stored).unwrap_or_default();
        Ok(run.before(Call::of(step, figures)))
    }

    /// The project's rules are read again before the next step is judged.
    pub fn forget_rules(&self, id: ProjectId) {
        self.if_known(id, ProjectScoring::ask_for_rules);
    }

    /// Another process has stored steps of the project.
    pub fn ask_for_news(&self, id: ProjectId) {
        self.if_known(id, ProjectScoring::ask_for_news);
    }

    /// News was missed: everything is read again.
    pub fn forget_all(&self) {
        for project in self.projects.all() {
            let mut scoring = project.lock();
            scoring.ask_for_rules();
            scoring.ask_for_everything();
        }
    }

    fn if_known(&self, id: ProjectId, ask: fn(&mut ProjectScoring)) {
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
