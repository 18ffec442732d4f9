//! Scoring as the pipeline uses it: each project's rules and history in memory, read from the database when the
//! project is first seen, and again when another process has stored steps or somebody changed the rules.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{NanoUsd, NewStep, Place, ProjectId, Severity, StepKind};
use engine::answer::Answer;
use engine::{History, Rules, Score, Shape, StepFacts, StepRecord};
use storage::scoring::PastStep;

use crate::pipeline::Figures;

/// Runs whose steps a history is rebuilt from.
const REBUILD_RUNS: i64 = 1_000;
/// Steps a history is rebuilt from, at most: enough for the last 100 and for the commonest steps' bands.
const REBUILD_STEPS: i64 = 5_000;
/// While other processes keep storing steps of a project, its history is read again no more often than this.
const REREAD_AFTER: Duration = Duration::from_secs(2);
/// Runs whose calls so far are remembered, per project.
const REMEMBERED_RUNS: usize = 2_000;

/// All projects' rules and histories. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scoring {
    db: storage::Db,
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Mutex<ProjectScoring>>>>>,
    reading: Arc<tokio::sync::Mutex<()>>,
    forgotten: Arc<AtomicU64>,
}

/// One project's rules and what its next step is judged against.
#[derive(Debug)]
pub struct ProjectScoring {
    /// The project's rules.
    pub rules: Rules,
    /// What came before.
    pub history: History,
    runs: RunsSoFar,
    read_at: Instant,
    /// Another process has stored steps since, or a batch was pushed that was never committed.
    is_stale: bool,
}

impl Scoring {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db) -> Self {
        Self {
            db,
            projects: Arc::default(),
            reading: Arc::default(),
            forgotten: Arc::default(),
        }
    }

    /// The project's scoring, read from the database when that is due. Held only while nothing is awaited.
    pub async fn of(&self, project: ProjectId) -> storage::Result<Arc<Mutex<ProjectScoring>>> {
        loop {
            if let Some(scoring) = self.known(project) {
                return Ok(scoring);
            }
            // One reader at a time: two would each begin a history, and one of them would be lost.
            let _reading = self.reading.lock().await;
            if let Some(scoring) = self.known(project) {
                return Ok(scoring);
            }
            let forgotten_before = self.forgotten.load(Ordering::Acquire);
            let read = Arc::new(Mutex::new(self.read(project).await?));
            let mut projects = lock(&self.projects);
            // Forgotten meanwhile: what was read may be what was to be forgotten.
            if self.forgotten.load(Ordering::Acquire) == forgotten_before {
                projects.insert(project, Arc::clone(&read));
                return Ok(read);
            }
        }
    }

    fn known(&self, project: ProjectId) -> Option<Arc<Mutex<ProjectScoring>>> {
        let known = lock(&self.projects).get(&project).cloned()?;
        let is_due = {
            let scoring = lock(&known);
            scoring.is_stale && scoring.read_at.elapsed() >= REREAD_AFTER
        };
        (!is_due).then_some(known)
    }

    async fn read(&self, project: ProjectId) -> storage::Result<ProjectScoring> {
        let settings = storage::scoring::settings(&self.db, project).await?;
        let rules = serde_json::from_value(settings).unwrap_or_else(|cause| {
            tracing::error!(project.id = %project, %cause, "scoring settings can't be read; the defaults are used");
            Rules::default()
        });
        let past = storage::scoring::recent_steps(&self.db, project, REBUILD_RUNS, REBUILD_STEPS).await?;
        let mut history = History::new();
        past.iter().for_each(|step| history.push(&record_of(step)));
        Ok(ProjectScoring {
            rules,
            history,
            runs: RunsSoFar::default(),
            read_at: Instant::now(),
            is_stale: false,
        })
    }

    /// Forgets a project's rules and history: the next step reads them again.
    pub fn forget(&self, project: ProjectId) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        lock(&self.projects).remove(&project);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        lock(&self.projects).clear();
    }

    /// Says that a project's history holds less or more than what is stored.
    pub fn mark_stale(&self, project: ProjectId) {
        if let Some(scoring) = lock(&self.projects).get(&project) {
            lock(scoring).is_stale = true;
        }
    }
}

impl ProjectScoring {
    /// Scores the next step of the project and remembers it. A project that has scoring switched off gets `None`, and
    /// its history learns nothing.
    pub fn score_next(&mut self, step: &NewStep, figures: &Figures) -> Option<Score> {
        if !self.rules.enabled {
            return None;
        }
        let so_far = self.runs.of(&step.run_id);
        let same_calls = so_far.calls.entry(call_hash(step, figures)).or_insert(0);
        *same_calls += 1;
        let run = RunBefore {
            same_calls: *same_calls,
            cost: so_far.cost,
        };
        let (score, record) = judge(step, figures, run, &self.history, &self.rules);
        self.history.push(&record);
        if let Some(cost) = figures.cost {
            so_far.cost = Some(so_far.cost.unwrap_or_default().saturating_add(cost));
        }
        Some(score)
    }
}

/// What a run had done before a step.
#[derive(Clone, Copy, Debug)]
pub struct RunBefore {
    /// How often the very same call came, the step included.
    pub same_calls: u32,
    /// What it had cost.
    pub cost: Option<NanoUsd>,
}

impl Default for RunBefore {
    fn default() -> Self {
        Self {
            same_calls: 1,
            cost: None,
        }
    }
}

/// Scores a step; the record is what a history remembers of it.
pub fn judge(
    step: &NewStep,
    figures: &Figures,
    run: RunBefore,
    history: &History,
    rules: &Rules,
) -> (Score, StepRecord) {
    let output = step.output.as_deref();
    let answer = if step.kind == StepKind::Llm {
        engine::answer::read(output, step.input.as_deref().unwrap_or(""))
    } else {
        Answer::verbatim(output)
    };
    let template = template_word(figures.template.as_ref().map(<[u8; 32]>::as_slice));
    let facts = StepFacts {
        output: answer.text.as_deref(),
        tool_calls: &answer.tool_calls(),
        output_schema: answer.output_schema.as_ref(),
        template: &template,
        context_window: figures.context_window,
        same_calls_in_run: run.same_calls,
        run_cost_before: run.cost,
        ..StepFacts::of(step, figures.tokens, figures.cost)
    };
    let mut score = engine::score(&facts, history, rules);
    let record = StepRecord::of(&facts, &score);
    // Bytes of a text that was taken out of a message are not bytes of the output that is shown.
    if answer.is_message {
        for condition in &mut score.conditions {
            condition.place = condition
                .place
                .take()
                .filter(|place| !matches!(place, Place::Bytes { .. }));
        }
    }
    (score, record)
}

/// The word by which a history knows a template; blank where there is none.
fn template_word(fingerprint: Option<&[u8]>) -> String {
    fingerprint.map(engine::fingerprint::hex).unwrap_or_default()
}

/// The very same call: its step and its whole prompt.
fn call_hash(step: &NewStep, figures: &Figures) -> u64 {
    let mut hash = DefaultHasher::new();
    (&step.name, &figures.prompt, &step.tool_name).hash(&mut hash);
    hash.finish()
}

/// What runs have done so far. The ones that were touched longest ago are forgotten first.
#[derive(Debug, Default)]
struct RunsSoFar {
    runs: HashMap<String, RunSoFar>,
    by_touch: BTreeMap<u64, String>,
    touches: u64,
}

#[derive(Debug, Default)]
struct RunSoFar {
    touched: u64,
    calls: HashMap<u64, u32>,
    cost: Option<NanoUsd>,
}

impl RunsSoFar {
    fn of(&mut self, run_id: &str) -> &mut RunSoFar {
        self.touches += 1;
        if let Some(run) = self.runs.get(run_id) {
            self.by_touch.remove(&run.touched);
        } else if self.runs.len() >= REMEMBERED_RUNS
            && let Some((_, oldest)) = self.by_touch.pop_first()
        {
            self.runs.remove(&oldest);
        }
        self.by_touch.insert(self.touches, run_id.to_owned());
        let run = self.runs.entry(run_id.to_owned()).or_default();
        run.touched = self.touches;
        run
    }
}

fn record_of(past: &PastStep) -> StepRecord {
    let template = template_word(Some(&past.template));
    let facts = StepFacts {
        template: &template,
        kind: past.kind,
        status: past.status,
        latency_ms: past.latency_ms,
        usage: past.tokens,
        cost: past.cost,
        ..StepFacts::new("", &past.name, &past.model, "")
    };
    let severity = if past.is_critical {
        Severity::Critical
    } else {
        Severity::Ok
    };
    let score = Score {
        total: past.score,
        severity,
        threshold: 0,
        stopped_at_layer: None,
        prompt_shape: None,
        output_shape: Shape::Empty,
        conditions: Vec::new(),
    };
    StepRecord {
        is_refusal: past.is_refusal,
        ..StepRecord::of(&facts, &score)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_untouched_run_is_forgotten() {
        let mut runs = RunsSoFar::default();
        runs.of("first").cost = Some(NanoUsd(1));
        for i in 0..REMEMBERED_RUNS - 1 {
            runs.of(&format!("run-{i}"));
        }
        runs.of("first");
        runs.of("one more");
        assert_eq!(runs.of("first").cost, Some(NanoUsd(1)));
        assert_eq!(runs.runs.len(), REMEMBERED_RUNS);
        assert_eq!(runs.by_touch.len(), REMEMBERED_RUNS);
    }
}
