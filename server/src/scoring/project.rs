//! One project's rules and history, and what has to be read again.

use std::time::Instant;

use domain::{NanoUsd, NewStep, Severity};
use engine::{History, Rules, Score, SeriesKey, Shape, StepFacts, StepRecord};
use storage::scoring::{PastStep, RunCall, SeenTo};

use super::judge::template_word;
use super::runs::{self, Call, RunsSoFar};
use super::{REREAD_AFTER, judge};
use crate::pipeline::Figures;

/// A project's rules and what its next step is judged against.
#[derive(Debug, Default)]
pub struct ProjectScoring {
    /// The project's rules.
    pub rules: Rules,
    /// What came before.
    pub history: History,
    /// How often that was replaced by another reading.
    readings: u64,
    runs: RunsSoFar,
    /// The place of the latest step, of this process or read from the database.
    last_arrival: i64,
    /// `None` before the first reading.
    read: Option<(Instant, SeenTo)>,
    /// What was stored while everything is being read anew.
    meanwhile: Vec<Scored>,
    is_read_anew: bool,
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

/// A step that was scored, as histories and runs remember it.
#[derive(Clone, Debug)]
pub struct Scored {
    arrival: i64,
    run_id: String,
    call: Call,
    cost: Option<NanoUsd>,
    record: StepRecord,
    /// The reading whose history has it already, as `ProjectScoring::readings` counts them.
    is_in: Option<u64>,
}

impl Scored {
    /// A step from the database.
    pub(super) fn of_stored(step: &PastStep) -> Self {
        Self {
            arrival: step.call.arrival,
            run_id: step.call.run_id.clone(),
            call: runs::stored_call(&step.call),
            cost: step.call.cost,
            record: record_of(step),
            is_in: None,
        }
    }

    pub(super) fn add_to(&self, history: &mut History) {
        history.insert(self.arrival, &self.record);
    }
}

impl ProjectScoring {
    /// The place of the next step of a batch, after all that are known here. Another worker's batch may have a higher
    /// number and be scored already.
    pub fn next_arrival(&mut self, first_of_batch: i64) -> i64 {
        self.last_arrival = self.last_arrival.saturating_add(1).max(first_of_batch);
        self.last_arrival
    }

    /// Scores the step that has come at this place and remembers it. A project that has scoring switched off gets
    /// `None`, and its history learns nothing.
    pub fn score_next(&mut self, arrival: i64, step: &NewStep, figures: &Figures) -> Option<(Score, Scored)> {
        if !self.rules.enabled {
            return None;
        }
        let call = runs::call(step, figures);
        let run = self.runs.of(&step.run_id);
        let (score, record) = judge(step, figures, run.before(call), &self.history, &self.rules);
        run.add(arrival, call, figures.cost);
        let scored = Scored {
            arrival,
            run_id: step.run_id.clone(),
            call,
            cost: figures.cost,
            record,
            is_in: Some(self.readings),
        };
        scored.add_to(&mut self.history);
        Some((score, scored))
    }

    /// The part of the history that this step would be judged against. It is little: nobody has to wait while it is
    /// copied.
    pub fn history_for(&self, step: &NewStep, figures: &Figures) -> History {
        let model = step.model.as_deref().or(step.request_model.as_deref());
        let template = template_word(figures.template.as_ref().map(<[u8; 32]>::as_slice));
        self.history
            .concerning(SeriesKey::of(&step.name, model.unwrap_or(""), &template))
    }

    /// Steps of this process are stored. They are known already, unless everything was read meanwhile: then what was
    /// read lacks them.
    pub fn stored<'a>(&mut self, steps: impl IntoIterator<Item = &'a Scored>) {
        for step in steps {
            self.remember(step);
            if self.is_read_anew {
                self.meanwhile.push(step.clone());
            }
        }
    }

    fn remember(&mut self, step: &Scored) {
        self.last_arrival = self.last_arrival.max(step.arrival);
        if step.is_in != Some(self.readings) {
            step.add_to(&mut self.history);
        }
        // A run that is not known is read when it has its next step.
        if let Some(run) = self.runs.get_mut(&step.run_id) {
            run.add(step.arrival, step.call, step.cost);
        }
    }

    /// Whether what a run did is remembered.
    pub fn knows_run(&mut self, run_id: &str) -> bool {
        self.runs.knows(run_id)
    }

    /// Remembers what a run did by what the database has of it.
    pub fn remember_call(&mut self, call: &RunCall) {
        self.runs
            .of(&call.run_id)
            .add(call.arrival, runs::stored_call(call), call.cost);
    }

    pub(super) fn ask_for_rules(&mut self) {
        self.wanted.rules.times += 1;
    }

    pub(super) fn ask_for_news(&mut self) {
        self.wanted.news.times += 1;
    }

    /// What is remembered is wrong, or nobody knows what is missing.
    pub fn ask_for_everything(&mut self) {
        self.wanted.everything.times += 1;
        self.runs = RunsSoFar::default();
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

    pub(super) fn learn(&mut self, news: &[Scored], seen_to: SeenTo, asked: u64) {
        news.iter().for_each(|step| self.remember(step));
        self.read = Some((Instant::now(), seen_to));
        self.wanted.news.answered = asked;
    }

    /// From now on, what is stored is kept for the history that is going to be read.
    pub(super) fn begin_anew(&mut self) {
        self.meanwhile.clear();
        self.is_read_anew = true;
    }

    /// The history is what was read, and what was stored since the reading began.
    pub(super) fn replace_history(&mut self, history: History, seen_to: SeenTo, asked: u64) {
        self.history = history;
        self.readings += 1;
        self.is_read_anew = false;
        for step in std::mem::take(&mut self.meanwhile) {
            self.remember(&step);
        }
        self.last_arrival = self.last_arrival.max(self.history.last_arrival());
        self.read = Some((Instant::now(), seen_to));
        self.wanted.everything.answered = asked;
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
        cost: past.call.cost,
        ..StepFacts::new("", &past.call.name, &past.model, "")
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
        project.begin_anew();
        project.replace_history(History::new(), SeenTo::default(), 0);
        project
    }

    /// A step is scored: its history remembers it before it is stored.
    fn score(project: &mut ProjectScoring, first_of_batch: i64) -> Scored {
        let step = PastStep {
            call: RunCall {
                arrival: project.next_arrival(first_of_batch),
                run_id: "r".to_owned(),
                step_id: "s".to_owned(),
                name: "n".to_owned(),
                tool_name: None,
                prompt: None,
                cost: None,
            },
            kind: StepKind::Llm,
            model: "m".to_owned(),
            template: Vec::new(),
            status: StepStatus::Ok,
            latency_ms: Some(1.0),
            tokens: TokenUsage::default(),
            score: 0,
            is_critical: false,
            is_refusal: false,
        };
        let scored = Scored {
            is_in: Some(project.readings),
            ..Scored::of_stored(&step)
        };
        scored.add_to(&mut project.history);
        scored
    }

    fn steps(project: &ProjectScoring) -> usize {
        project.history.recent.len()
    }

    #[test]
    fn a_batch_that_commits_while_everything_is_read_anew_is_not_lost() {
        let mut project = project();
        let scored_before = score(&mut project, 100);
        project.begin_anew();
        let scored_meanwhile = score(&mut project, 200);
        project.stored([&scored_before]);
        // What was read has neither of them: both were on their way.
        project.replace_history(History::new(), SeenTo::default(), 0);
        assert_eq!(steps(&project), 1);
        project.stored([&scored_meanwhile]);
        assert_eq!(steps(&project), 2);
        // Read as news once more, they are still the same steps.
        project.learn(&[scored_before, scored_meanwhile], SeenTo::default(), 0);
        assert_eq!(steps(&project), 2);
        assert_eq!(score(&mut project, 300).arrival, 300);
    }

    #[test]
    fn what_is_scored_later_arrives_later_whatever_its_batch() {
        let mut project = project();
        let arrivals = [200, 100, 300].map(|first_of_batch| score(&mut project, first_of_batch).arrival);
        assert_eq!(arrivals, [200, 201, 300]);
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
