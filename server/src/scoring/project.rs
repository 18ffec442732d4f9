//! One project's rules and history, and what has to be read again.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::{NewStep, Severity};
use engine::{History, Rules, Score, SeriesKey, Shape, StepFacts, StepRecord};
use storage::ingest::{batch_of, nth_of_batch};
use storage::scoring::{PastStep, RunDone, SeenTo};

use super::judge::template_word;
use super::runs::{Call, Counted, RunSoFar, RunsSoFar};
use super::{REREAD_AFTER, judge};
use crate::pipeline::Figures;

/// Batches of this process that it recognises when it reads what was stored. An older one is taken for another
/// process's: its runs are then read once more.
const OWN_BATCHES: usize = 1_024;

/// A project's rules and what its next step is judged against.
#[derive(Debug, Default)]
pub struct ProjectScoring {
    /// The project's rules.
    pub rules: Rules,
    /// What came before.
    pub history: History,
    runs: RunsSoFar,
    own_batches: BTreeSet<i64>,
    /// `None` before the first reading.
    read: Option<(Instant, SeenTo)>,
    wanted: Wanted,
}

/// What somebody asked for, by the number of times, and up to which of them it was done.
#[derive(Debug, Default)]
struct Wanted {
    rules: Asked,
    news: Asked,
    everything: Asked,
}

#[derive(Debug, Default)]
struct Asked {
    times: u64,
    answered: u64,
}

impl Asked {
    /// The number to answer with, when there is something to answer.
    fn open(&self) -> Option<u64> {
        (self.times > self.answered).then_some(self.times)
    }
}

/// What is to be read now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) rules: Option<u64>,
    pub(super) news: Option<(SeenTo, u64)>,
    pub(super) everything: Option<u64>,
    is_first: bool,
}

impl Due {
    /// Whether no step can be judged before.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_first || self.rules.is_some()
    }

    pub(super) fn is_anything(&self) -> bool {
        self.is_urgent() || self.news.is_some() || self.everything.is_some()
    }
}

/// A step that was scored and counts already, although it is not stored yet. It ends in [`ProjectScoring::confirm`] or
/// [`ProjectScoring::undo`].
#[derive(Clone, Debug)]
pub struct Pending {
    arrival: i64,
    record: StepRecord,
    counted: Counted,
}

impl Pending {
    /// Which row of its batch it is.
    pub fn nth_of_batch(&self) -> usize {
        nth_of_batch(self.arrival)
    }
}

impl ProjectScoring {
    /// Scores the step that has this place in the order of arrival; it counts from now on. A project that has scoring
    /// switched off gets `None`, and learns nothing.
    pub fn score_next(
        &mut self,
        arrival: i64,
        step: &NewStep,
        figures: &Figures,
    ) -> Option<(Score, Pending)> {
        if !self.rules.enabled {
            self.runs.outdate(&step.run_id);
            return None;
        }
        self.is_own(arrival);
        let call = Call::of(step, figures);
        let run = self.runs.before(&step.run_id, call);
        let (score, record) = judge(step, figures, run, &self.history, &self.rules);
        self.history.insert_pending(arrival, &record);
        let pending = Pending {
            arrival,
            record,
            counted: self.runs.add(&step.run_id, call, figures.cost),
        };
        Some((score, pending))
    }

    fn is_own(&mut self, arrival: i64) {
        let batch = batch_of(arrival);
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
            self.history.undo(step.arrival, &step.record);
            self.runs.undo(&step.counted);
        }
        self.runs.trim();
    }

    /// The part of the history that this step would be judged against. It is little: nobody has to wait while it is
    /// copied.
    pub fn history_for(&self, step: &NewStep, figures: &Figures) -> History {
        let model = step.model.as_deref().or(step.request_model.as_deref());
        let template = template_word(figures.template.as_ref().map(<[u8; 32]>::as_slice));
        self.history
            .concerning(SeriesKey::of(&step.name, model.unwrap_or(""), &template))
    }

    /// Whether what a run did is remembered.
    pub fn knows_run(&mut self, run_id: &str) -> bool {
        self.runs.knows(run_id)
    }

    /// Remembers a run that has no step yet.
    pub fn begin_run(&mut self, run_id: &str) {
        self.runs.replace(run_id, RunSoFar::default());
    }

    /// Remembers what a run did by what the database has of it.
    pub fn remember_run(&mut self, done: &RunDone) {
        self.runs.replace(&done.run_id, RunSoFar::of_stored(done));
    }

    pub(super) fn ask_for_rules(&mut self) {
        self.wanted.rules.times += 1;
    }

    pub(super) fn ask_for_news(&mut self) {
        self.wanted.news.times += 1;
    }

    /// Nobody knows what is missing.
    pub fn ask_for_everything(&mut self) {
        self.wanted.everything.times += 1;
        self.runs.outdate_all();
    }

    pub(super) fn due(&self) -> Due {
        let Some((read_at, seen_to)) = self.read else {
            return Due {
                rules: Some(self.wanted.rules.times),
                news: None,
                everything: Some(self.wanted.everything.times),
                is_first: true,
            };
        };
        let is_time = read_at.elapsed() >= REREAD_AFTER;
        let everything = self.wanted.everything.open().filter(|_| is_time);
        let news = self
            .wanted
            .news
            .open()
            .filter(|_| is_time && everything.is_none());
        Due {
            rules: self.wanted.rules.open(),
            news: news.map(|asked| (seen_to, asked)),
            everything,
            is_first: false,
        }
    }

    pub(super) fn replace_rules(&mut self, rules: Rules, asked: u64) {
        self.rules = rules;
        self.wanted.rules.answered = asked;
    }

    /// Learns of steps that were stored since the last look, by this process or another.
    pub(super) fn learn_news(&mut self, steps: &[PastStep], seen_to: SeenTo, asked: u64) {
        self.learn(steps, seen_to);
        for step in steps {
            if !self.own_batches.contains(&batch_of(step.arrival)) {
                self.runs.outdate(&step.run_id);
            }
        }
        self.wanted.news.answered = asked;
    }

    /// Learns of everything that was stored.
    pub(super) fn learn_everything(&mut self, steps: &[PastStep], seen_to: SeenTo, asked: u64) {
        self.learn(steps, seen_to);
        self.wanted.everything.answered = asked;
    }

    fn learn(&mut self, steps: &[PastStep], seen_to: SeenTo) {
        for step in steps {
            self.history.insert(step.arrival, &record_of(step));
        }
        self.read = Some((Instant::now(), seen_to));
    }

    /// About how many bytes all of it takes.
    pub(super) fn size_bytes(&self) -> usize {
        let own_batches = 2 * size_of::<i64>() * self.own_batches.len();
        size_of::<Self>() + self.history.size_bytes() + self.runs.size_bytes() + own_batches
    }
}

/// The record of a stored step: what its history was told when it was scored.
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

#[cfg(test)]
mod tests {
    use domain::{StepKind, StepStatus, TokenUsage};

    use super::*;

    /// A project that has read everything there was, which is nothing.
    fn project() -> ProjectScoring {
        let mut project = ProjectScoring::default();
        project.learn_everything(&[], SeenTo::default(), 0);
        project.begin_run("r");
        project
    }

    fn stored(arrival: i64) -> PastStep {
        PastStep {
            arrival,
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
    fn score(project: &mut ProjectScoring, arrival: i64) -> Pending {
        let record = record_of(&stored(arrival));
        project.is_own(arrival);
        project.history.insert_pending(arrival, &record);
        let call = Call::new("n", None, None);
        Pending {
            arrival,
            record,
            counted: project.runs.add("r", call, None),
        }
    }

    fn steps(project: &ProjectScoring) -> usize {
        project.history.recent.len()
    }

    const BATCH: i64 = 1 << 20;

    #[test]
    fn a_step_counts_once_whoever_tells_of_it() {
        let mut project = project();
        let (before, meanwhile) = (score(&mut project, 5 * BATCH), score(&mut project, 6 * BATCH));
        // The first is committed and read, then this process hears of its commit.
        project.learn_everything(&[stored(5 * BATCH)], SeenTo::default(), 0);
        project.confirm([&before]);
        project.learn_news(&[stored(5 * BATCH)], SeenTo::default(), 0);
        assert_eq!(steps(&project), 2);
        project.undo([&meanwhile]);
        assert_eq!(steps(&project), 1);
        assert!(
            project.knows_run("r"),
            "its own news takes nothing from what it knows"
        );
        project.learn_news(&[stored(7 * BATCH)], SeenTo::default(), 0);
        assert_eq!(steps(&project), 2);
        assert!(!project.knows_run("r"), "another process has stored a step of it");
    }

    #[test]
    fn a_batch_that_fails_leaves_the_limits_as_they_were() {
        let mut project = project();
        let before: Vec<PastStep> = (0..150).map(|n| stored(BATCH + n)).collect();
        project.learn_everything(&before, SeenTo::default(), 0);
        let limits = format!("{:?}", project.history.recent);
        let failed: Vec<Pending> = (0..1_000).map(|n| score(&mut project, 2 * BATCH + n)).collect();
        project.undo(&failed);
        let mut expected = History::new();
        before
            .iter()
            .for_each(|step| expected.insert(step.arrival, &record_of(step)));
        assert_eq!(format!("{:?}", project.history.recent), limits);
        assert!(!project.due().is_anything(), "nothing has to be read for that");
    }

    #[test]
    fn changed_rules_are_urgent_and_take_nothing_from_the_history() {
        let mut project = project();
        score(&mut project, 100);
        project.replace_rules(Rules::default(), 0);
        assert!(!project.due().is_anything());
        project.ask_for_rules();
        let due = project.due();
        assert!(due.is_urgent() && due.everything.is_none());
        // Asked again while they were read: they are read once more.
        project.ask_for_rules();
        project.replace_rules(Rules::default(), due.rules.unwrap());
        assert!(project.due().is_urgent());
        assert_eq!(steps(&project), 1);
    }
}
