//! Each project's settings of alerts in memory, and how its last steps went: what it takes to decide without reading.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::alert::LastSteps;
use domain::{ProjectId, Timestamp};
use moka::sync::Cache;
use storage::alerts::NewAlert;
use storage::ingest::StepRow;
use tokio::sync::Notify;

use super::plan::Plan;
use super::traces::SETTLE_MICROS;
use super::triggers::{MAX_AGE_MICROS, Told, ToldStep, alerts_of};

/// Projects whose plans are kept; one that has to go is read again when it has its next step.
const MAX_PROJECTS: u64 = 10_000;

/// All projects' plans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Alerts {
    db: storage::Db,
    plans: Cache<ProjectId, Arc<Plan>>,
    invalidations: Arc<AtomicU64>,
    /// Of projects that look at their error rate.
    last_steps: Arc<Mutex<HashMap<ProjectId, LastSteps>>>,
    /// Notified when there may be something to deliver.
    pub wake: Arc<Notify>,
    /// Notified when there may be a run to send.
    pub traces_wake: Arc<Notify>,
}

impl Alerts {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db) -> Self {
        Self {
            db,
            plans: Cache::new(MAX_PROJECTS),
            invalidations: Arc::default(),
            last_steps: Arc::default(),
            wake: Arc::default(),
            traces_wake: Arc::default(),
        }
    }

    /// What the projects of a batch are to be told of.
    pub async fn batch(&self, projects: &[ProjectId]) -> storage::Result<BatchAlerts<'_>> {
        let mut plans = BTreeMap::new();
        for project in projects {
            let plan = self.of(*project).await?;
            if !plan.channels.is_empty() {
                plans.insert(*project, plan);
            }
        }
        Ok(BatchAlerts {
            alerts: self,
            plans,
            went: BTreeMap::new(),
            has_told: false,
            has_traces: false,
        })
    }

    async fn of(&self, project: ProjectId) -> storage::Result<Arc<Plan>> {
        if let Some(plan) = self.plans.get(&project) {
            return Ok(plan);
        }
        let invalidations_before = self.invalidations.load(Ordering::Acquire);
        let plan = Arc::new(Plan::read(&self.db, project).await?);
        // Invalidated meanwhile: what was read is good for this batch, which began before, and for no other.
        if self.invalidations.load(Ordering::Acquire) == invalidations_before {
            self.plans.insert(project, Arc::clone(&plan));
        }
        Ok(plan)
    }

    /// The project's settings are read again before its next step is judged.
    pub fn invalidate(&self, project: ProjectId) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.plans.invalidate(&project);
    }

    /// Everything is read again.
    pub fn invalidate_all(&self) {
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.plans.invalidate_all();
    }

    fn last_steps(&self) -> MutexGuard<'_, HashMap<ProjectId, LastSteps>> {
        self.last_steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a batch's projects are told. How its steps went counts from [`BatchAlerts::settle`] on.
#[derive(Debug)]
pub struct BatchAlerts<'a> {
    alerts: &'a Alerts,
    plans: BTreeMap<ProjectId, Arc<Plan>>,
    went: BTreeMap<ProjectId, Vec<bool>>,
    has_told: bool,
    has_traces: bool,
}

impl BatchAlerts<'_> {
    /// Whether a project of the batch has a channel at all.
    pub fn has_any(&self) -> bool {
        !self.plans.is_empty()
    }

    /// The runs of new steps that are to be sent as tracing data, each once, and when they are due. History that is sent
    /// late is none of them.
    pub fn traced<'a>(
        &mut self,
        steps: impl IntoIterator<Item = &'a StepRow<'a>>,
        now: Timestamp,
    ) -> (Vec<(ProjectId, &'a str)>, Timestamp) {
        let wants = |project: &ProjectId| self.plans.get(project).is_some_and(|plan| plan.traces);
        let runs: BTreeSet<(ProjectId, &str)> = steps
            .into_iter()
            .filter(|row| wants(&row.project_id))
            .filter(|row| now.micros() - row.step.started_at.micros() <= MAX_AGE_MICROS)
            .map(|row| (row.project_id, row.step.run_id.as_str()))
            .collect();
        self.has_traces = !runs.is_empty();
        (runs.into_iter().collect(), now.plus_micros(SETTLE_MICROS))
    }

    /// The alerts of new steps, in the order in which they were scored.
    pub fn of<'a>(&mut self, steps: impl IntoIterator<Item = ToldStep<'a>>, now: Timestamp) -> Vec<NewAlert> {
        let mut told = Told::new(now);
        let mut by_project: BTreeMap<ProjectId, Vec<ToldStep<'a>>> = BTreeMap::new();
        for step in steps {
            if self.plans.contains_key(&step.row.project_id) {
                by_project.entry(step.row.project_id).or_default().push(step);
            }
        }
        for (project, steps) in by_project {
            let Some(plan) = self.plans.get(&project) else {
                continue;
            };
            let mut last = if plan.settings.error_rate.on {
                self.alerts
                    .last_steps()
                    .get(&project)
                    .cloned()
                    .unwrap_or_default()
            } else {
                LastSteps::default()
            };
            let went = alerts_of(plan, &steps, &mut last, &mut told);
            self.went.insert(project, went);
        }
        let told = told.alerts();
        self.has_told = !told.is_empty();
        told
    }

    /// The batch is committed: its alerts can be delivered, and its steps are among the last ones from now on.
    pub fn settle(self) {
        if self.has_told {
            self.alerts.wake.notify_one();
        }
        if self.has_traces {
            self.alerts.traces_wake.notify_one();
        }
        let mut all = self.alerts.last_steps();
        for (project, went) in self.went {
            let on = self
                .plans
                .get(&project)
                .is_some_and(|plan| plan.settings.error_rate.on);
            if on {
                let last = all.entry(project).or_default();
                went.into_iter().for_each(|has_failed| last.push(has_failed));
            } else {
                all.remove(&project);
            }
        }
    }
}
