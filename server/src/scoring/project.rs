//! One project's cached rules and history, and what has to be refreshed.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::{NewStep, Severity};
use engine::{History, Rules, Score, SeriesKey, Shape, StepFacts, StepRecord};
use storage::scoring::{HistoryStep, RunDone, Watermark};
use storage::sequence::{batch_of, nth_of_batch};

use super::runs::{Call, Counted, RunCache, RunProgress};
use super::score_step::template_word;
use super::{MIN_REFRESH_INTERVAL, score_step};
use crate::derived_step::DerivedStep;

/// Batches of this process that it recognises when it reads what was stored. An older one is taken for another
/// process's: its runs are then read once more.
const OWN_BATCHES: usize = 1_024;

/// A project's rules and what its next step is judged against.
#[derive(Debug, Default)]
pub struct ProjectScoring {
    pub rules: Rules,
    /// What came before.
    pub history: History,
    runs: RunCache,
    own_batches: BTreeSet<i64>,
    /// `None` before the first reading.
    read: Option<(Instant, Watermark)>,
    requested: RefreshRequests,
}

/// What was requested to be refreshed, by number of requests, and up to which of them it was done.
#[derive(Debug, Default)]
struct RefreshRequests {
    rules: RequestCounter,
    delta: RequestCounter,
    everything: RequestCounter,
}

#[derive(Debug, Default)]
struct RequestCounter {
    times: u64,
    answered: u64,
}

impl RequestCounter {
    /// The number to answer with, when there is something to answer.
    fn open(&self) -> Option<u64> {
        (self.times > self.answered).then_some(self.times)
    }
}

/// What has to be refreshed now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refresh {
    pub(super) rules: Option<u64>,
    pub(super) delta: Option<(Watermark, u64)>,
    pub(super) everything: Option<Reload>,
    is_first: bool,
}

/// A reading of everything, and what it answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reload {
    /// Up to where everything was known before.
    pub(super) previous: Option<Watermark>,
    request: u64,
    /// The steps of other processes that are told of before the reading begins are in it.
    delta: u64,
}

impl Refresh {
    /// Whether no step can be judged before.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_first || self.rules.is_some()
    }

    pub(super) fn is_anything(&self) -> bool {
        self.is_urgent() || self.delta.is_some() || self.everything.is_some()
    }
}

/// A step that was scored and counts already, although it is not stored yet. It ends in [`ProjectScoring::confirm`] or
/// [`ProjectScoring::undo`].
#[derive(Clone, Debug)]
pub struct Pending {
    sequence: i64,
    record: StepRecord,
    counted: Counted,
}

impl Pending {
    /// Which row of its batch it is.
    pub fn nth_of_batch(&self) -> usize {
        nth_of_batch(self.sequence)
    }
}

impl ProjectScoring {
    /// Scores the step that has this place in the order of arrival; it counts from now on. A project that has scoring
    /// switched off gets `None`, and learns nothing.
    pub fn score_next(
        &mut self,
        sequence: i64,
        step: &NewStep,
        derived: &DerivedStep,
    ) -> Option<(Score, Pending)> {
        if !self.rules.enabled {
            self.runs.outdate(&step.run_id);
            return None;
        }
        self.is_own(sequence);
        let call = Call::of(step, derived);
        let run = self.runs.before(&step.run_id, call);
        let (score, record) = score_step(step, derived, run, &self.history, &self.rules);
        self.history.insert_pending(sequence, &record);
        let pending = Pending {
            sequence,
            record,
            counted: self.runs.add(&step.run_id, call, derived.cost),
        };
        Some((score, pending))
    }

    fn is_own(&mut self, sequence: i64) {
        let batch = batch_of(sequence);
        if self.own_batches.last() != Some(&batch) {
            self.own_batches.insert(batch);
            while self.own_batches.len() > OWN_BATCHES {
                self.own_batches.pop_first();
            }
        }
    }

    /// Scored steps are stored.
    pub fn confirm<'a>(&mut self, steps: impl IntoIterator<Item = &'a Pending>) {
        for step in steps {
            self.history.confirm(&step.record);
            self.runs.confirm(&step.counted);
        }
        self.runs.trim();
    }

    /// Scored steps are not going to be stored: they never counted.
    pub fn undo<'a>(&mut self, steps: impl IntoIterator<Item = &'a Pending>) {
        for step in steps {
            self.history.undo(step.sequence, &step.record);
            self.runs.undo(&step.counted);
        }
        self.runs.trim();
    }

    /// The part of the history that this step would be judged against. It is small and quickly
    /// copied.
    pub fn history_for(&self, step: &NewStep, derived: &DerivedStep) -> History {
        let model = step.model.as_deref().or(step.request_model.as_deref());
        let template = template_word(derived.template.as_ref().map(<[u8; 32]>::as_slice));
        self.history
            .concerning(SeriesKey::of(&step.name, model.unwrap_or(""), &template))
    }

    /// Whether a run is in the cache.
    pub fn knows_run(&mut self, run_id: &str) -> bool {
        self.runs.knows(run_id)
    }

    /// Adds a run that has no step yet.
    pub fn begin_run(&mut self, run_id: &str) {
        self.runs.replace(run_id, RunProgress::default());
    }

    /// Adds a call that was read from the database to its run.
    pub fn record_run(&mut self, done: &RunDone) {
        self.runs.replace(&done.run_id, RunProgress::of_stored(done));
    }

    pub(super) fn request_rules(&mut self) {
        self.requested.rules.times += 1;
    }

    pub(super) fn request_delta(&mut self) {
        self.requested.delta.times += 1;
    }

    /// What is missing is unknown.
    pub fn request_reload(&mut self) {
        self.requested.everything.times += 1;
        self.runs.outdate_all();
    }

    pub(super) fn refresh(&self) -> Refresh {
        let Some((read_at, watermark)) = self.read else {
            return Refresh {
                rules: Some(self.requested.rules.times),
                delta: None,
                everything: Some(self.reload(self.requested.everything.times, None)),
                is_first: true,
            };
        };
        let is_time = read_at.elapsed() >= MIN_REFRESH_INTERVAL;
        let everything = self
            .requested
            .everything
            .open()
            .filter(|_| is_time)
            .map(|request| self.reload(request, Some(watermark)));
        let delta = self
            .requested
            .delta
            .open()
            .filter(|_| is_time && everything.is_none());
        Refresh {
            rules: self.requested.rules.open(),
            delta: delta.map(|request| (watermark, request)),
            everything,
            is_first: false,
        }
    }

    fn reload(&self, request: u64, previous: Option<Watermark>) -> Reload {
        Reload {
            previous,
            request,
            delta: self.requested.delta.times,
        }
    }

    pub(super) fn replace_rules(&mut self, rules: Rules, request: u64) {
        self.rules = rules;
        self.requested.rules.answered = request;
    }

    /// Learns of steps that were stored since the last look, by this process or another.
    pub(super) fn apply_delta(&mut self, steps: &[HistoryStep], watermark: Watermark, request: u64) {
        self.add_to_history(steps, watermark);
        for step in steps {
            if !self.own_batches.contains(&batch_of(step.sequence)) {
                self.runs.outdate(&step.run_id);
            }
        }
        self.requested.delta.answered = request;
    }

    /// Learns of everything that was stored.
    pub(super) fn apply_reload(&mut self, steps: &[HistoryStep], watermark: Watermark, reload: Reload) {
        self.add_to_history(steps, watermark);
        if self.requested.delta.answered < reload.delta {
            // In which runs others have stored steps is not known: not all of them are among those that were read.
            self.runs.outdate_all();
            self.requested.delta.answered = reload.delta;
        }
        self.requested.everything.answered = reload.request;
    }

    /// What some runs cost has changed.
    pub(super) fn outdate_runs(&mut self, run_ids: &[String]) {
        run_ids.iter().for_each(|run_id| self.runs.outdate(run_id));
    }

    fn add_to_history(&mut self, steps: &[HistoryStep], watermark: Watermark) {
        for step in steps {
            self.history.insert(step.sequence, &record_of(step));
        }
        self.read = Some((Instant::now(), watermark));
    }

    /// About how many bytes all of it takes.
    pub(super) fn size_bytes(&self) -> usize {
        let own_batches = 2 * size_of::<i64>() * self.own_batches.len();
        size_of::<Self>() + self.history.size_bytes() + self.runs.size_bytes() + own_batches
    }
}

/// The record of a stored step, as its history got it when it was scored.
fn record_of(past: &HistoryStep) -> StepRecord {
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

#[cfg(test)]
mod tests {
    use domain::{StepKind, StepStatus, TokenUsage};

    use super::*;

    /// A project that has read everything there was, which is nothing.
    fn project() -> ProjectScoring {
        let mut project = ProjectScoring::default();
        project.apply_reload(&[], Watermark::default(), Reload::default());
        project.begin_run("r");
        project
    }

    fn stored(sequence: i64) -> HistoryStep {
        HistoryStep {
            sequence,
            run_id: "r".to_owned(),
            name: "n".to_owned(),
            kind: StepKind::Llm,
            model: "m".to_owned(),
            template: Vec::new(),
            status: StepStatus::Ok,
            latency_ms: Some(1.0),
            tokens: TokenUsage::default(),
            cost: None,
            score: 0,
            is_critical: false,
            is_refusal: false,
        }
    }

    /// A step is scored: it counts before it is stored.
    fn score(project: &mut ProjectScoring, sequence: i64) -> Pending {
        let record = record_of(&stored(sequence));
        project.is_own(sequence);
        project.history.insert_pending(sequence, &record);
        let call = Call::new("n", None, None);
        Pending {
            sequence,
            record,
            counted: project.runs.add("r", call, None),
        }
    }

    fn steps(project: &ProjectScoring) -> usize {
        project.history.recent.len()
    }

    const BATCH: i64 = 1 << 20;

    #[test]
    fn a_step_counts_once_from_whatever_source() {
        let mut project = project();
        let (before, stored_during_reload) = (score(&mut project, 5 * BATCH), score(&mut project, 6 * BATCH));
        // The first is committed and read, then this process hears of its commit.
        project.apply_reload(&[stored(5 * BATCH)], Watermark::default(), Reload::default());
        project.confirm([&before]);
        project.apply_delta(&[stored(5 * BATCH)], Watermark::default(), 0);
        assert_eq!(steps(&project), 2);
        project.undo([&stored_during_reload]);
        assert_eq!(steps(&project), 1);
        assert!(
            project.knows_run("r"),
            "its own delta takes nothing from what it knows"
        );
        project.apply_delta(&[stored(7 * BATCH)], Watermark::default(), 0);
        assert_eq!(steps(&project), 2);
        assert!(!project.knows_run("r"), "another process has stored a step of it");
    }

    #[test]
    fn a_batch_that_fails_leaves_the_limits_as_they_were() {
        let mut project = project();
        let before: Vec<HistoryStep> = (0..150).map(|n| stored(BATCH + n)).collect();
        project.apply_reload(&before, Watermark::default(), Reload::default());
        let limits = format!("{:?}", project.history.recent);
        let failed: Vec<Pending> = (0..1_000).map(|n| score(&mut project, 2 * BATCH + n)).collect();
        project.undo(&failed);
        let mut expected = History::new();
        before
            .iter()
            .for_each(|step| expected.insert(step.sequence, &record_of(step)));
        assert_eq!(format!("{:?}", project.history.recent), limits);
        assert!(
            !project.refresh().is_anything(),
            "nothing has to be read for that"
        );
    }

    #[test]
    fn a_reload_answers_the_deltas_that_were_asked_for_before_it() {
        let mut project = project();
        let long_ago = Instant::now().checked_sub(MIN_REFRESH_INTERVAL).unwrap();
        let due = |project: &mut ProjectScoring| {
            project.read = Some((long_ago, Watermark::default()));
            project.refresh()
        };
        project.request_delta();
        project.request_reload();
        project.begin_run("r");
        let reload = due(&mut project).everything.unwrap();
        project.apply_reload(&[], Watermark::default(), reload);
        assert!(
            !project.knows_run("r"),
            "another process has stored steps, maybe of it"
        );
        assert!(!due(&mut project).is_anything());
        project.request_reload();
        let reload = due(&mut project).everything.unwrap();
        // What is stored while it reads may not be in it.
        project.request_delta();
        project.apply_reload(&[], Watermark::default(), reload);
        assert!(due(&mut project).delta.is_some());
    }

    #[test]
    fn changed_rules_are_urgent_and_take_nothing_from_the_history() {
        let mut project = project();
        score(&mut project, 100);
        project.replace_rules(Rules::default(), 0);
        assert!(!project.refresh().is_anything());
        project.request_rules();
        let refresh = project.refresh();
        assert!(refresh.is_urgent() && refresh.everything.is_none());
        // Asked again while they were read: they are read once more.
        project.request_rules();
        project.replace_rules(Rules::default(), refresh.rules.unwrap());
        assert!(project.refresh().is_urgent());
        assert_eq!(steps(&project), 1);
    }
}
