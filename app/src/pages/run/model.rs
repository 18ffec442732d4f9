//! A run as the page works with it: read once, laid out once, shared by every part of the page.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use domain::{RunSummary, Severity, StepStatus, StepSummary};

use super::query::Colour;
use crate::api::runs::RunView;
use crate::timeline::critical_path;
use crate::timeline::draw::{Bars, kind_class};
use crate::timeline::layout::{Layout, Line};
use crate::timeline::scale::{Scale, drawn_end};

/// Rows in the page while there is no script to scroll with.
pub(super) const ROWS_PER_PAGE: usize = 1_000;
/// Classes of the models, in their order; further models share the last.
const MODEL_CLASSES: [&str; 8] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];

/// The run, its tree and its scale. Cheap to clone; two are equal when they are the same reading.
#[derive(Clone)]
pub(crate) struct Run(Arc<Parts>);

pub(crate) struct Parts {
    /// What the server answered.
    pub(crate) view: RunView,
    pub(crate) layout: Layout,
    /// Time to percent.
    pub(crate) scale: Scale,
    /// Rows on the critical path by time.
    pub(crate) on_path: Vec<bool>,
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Run {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Run {
    /// Lays out what the server answered.
    pub(crate) fn new(view: RunView) -> Self {
        let layout = Layout::of(&view.steps);
        let scale = Scale::with_labels(&view.steps, view.now);
        let on_path = critical_path::by_time(&layout, &view.steps, view.now);
        Self(Arc::new(Parts {
            view,
            layout,
            scale,
            on_path,
        }))
    }
}

impl Parts {
    pub(crate) fn run(&self) -> &RunSummary {
        &self.view.run
    }

    /// The steps as received.
    pub(crate) fn steps(&self) -> &[StepSummary] {
        &self.view.steps
    }

    pub(crate) fn step_of(&self, row: usize) -> Option<&StepSummary> {
        self.steps().get(self.layout.rows.get(row)?.step)
    }

    pub(crate) fn find(&self, step_id: &str) -> Option<(usize, &StepSummary)> {
        let row = self.layout.row_of(self.steps(), step_id)?;
        Some((row, self.step_of(row)?))
    }

    /// The innermost step that was running at a share (0 to 1) of the run.
    pub(crate) fn step_at(&self, share: f64) -> Option<&StepSummary> {
        let at = Scale::full_width(self.steps(), self.view.now).time_from_percent(share * 100.0);
        let rows = self.layout.rows.iter().filter(|row| {
            let step = &self.steps()[row.step];
            step.started_at <= at && at <= drawn_end(step, self.view.now)
        });
        rows.max_by_key(|row| row.depth)
            .map(|row| &self.steps()[row.step])
    }

    /// The lines that show with these steps folded.
    pub(crate) fn lines(&self, folded: &[String]) -> Vec<Line> {
        self.layout
            .lines(self.steps(), &folded.iter().cloned().collect::<HashSet<_>>())
    }

    /// What the drawing of the bars needs.
    pub(crate) fn bars(&self) -> Bars<'_> {
        Bars {
            layout: &self.layout,
            steps: self.steps(),
            scale: self.scale,
            now: self.view.now,
            on_path: &self.on_path,
        }
    }

    /// The class that colours a step.
    pub(crate) fn class_of(&self, step: &StepSummary, colour: Colour) -> &'static str {
        match colour {
            Colour::Kind => kind_class(step.kind),
            Colour::Model => match &step.model {
                None => "h-ok",
                Some(model) => {
                    let at = self
                        .run()
                        .models
                        .iter()
                        .position(|m| m == model)
                        .unwrap_or(usize::MAX);
                    MODEL_CLASSES[at.min(MODEL_CLASSES.len() - 1)]
                }
            },
            Colour::Score => match step.conditions.iter().map(|c| c.layer).min() {
                Some(1) => "layer-1",
                Some(2) => "layer-2",
                Some(3) => "layer-3",
                Some(4) => "layer-4",
                Some(_) => "layer-5",
                None => "h-ok",
            },
        }
    }

    /// The row of the next problem after (or before) a row, going round at the end; `None` without any.
    pub(crate) fn next_problem(&self, from: Option<usize>, forward: bool) -> Option<usize> {
        let rows: Vec<usize> = (0..self.layout.rows.len())
            .filter(|row| self.step_of(*row).is_some_and(is_problem))
            .collect();
        let found = match (from, forward) {
            (Some(from), true) => rows.iter().find(|row| **row > from),
            (Some(from), false) => rows.iter().rev().find(|row| **row < from),
            (None, _) => None,
        };
        found
            .or_else(|| if forward { rows.first() } else { rows.last() })
            .copied()
    }
}

/// Whether a step needs to be looked at.
pub(crate) fn is_problem(step: &StepSummary) -> bool {
    step.severity != Severity::Ok || step.status == StepStatus::Error
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::run::Neighbours;
    use domain::{RunStatus, TokenUsage};

    use super::*;
    use crate::timeline::sample::{BEGIN, step};

    pub(crate) fn run(steps: Vec<StepSummary>) -> Run {
        Run::new(RunView {
            now: BEGIN,
            run: RunSummary {
                models: (0..9).map(|n| format!("m{n}")).collect(),
                ..sample_run("r", 0)
            },
            steps,
            neighbours: Neighbours::default(),
            feedback: Vec::new(),
        })
    }

    /// A finished run without steps, `start_s` seconds after the beginning.
    pub(crate) fn sample_run(id: &str, start_s: i64) -> RunSummary {
        let at = BEGIN.plus_micros(start_s * 1_000_000);
        RunSummary {
            run_id: id.to_owned(),
            name: "resolve-ticket".to_owned(),
            partition_at: at,
            started_at: at,
            ended_at: at.plus_micros(5_310_000),
            latency_ms: 5_310.0,
            status: RunStatus::Ok,
            key_label: "prod".to_owned(),
            environment: None,
            release: None,
            session_id: None,
            user_id: None,
            tags: Vec::new(),
            models: Vec::new(),
            step_count: 0,
            error_count: 0,
            tokens: TokenUsage::default(),
            cost_nano_usd: None,
            unpriced_steps: 0,
            score_max: None,
            severity: Severity::Ok,
            problem: None,
        }
    }

    #[test]
    fn problems_are_visited_round_and_round() {
        let mut steps: Vec<_> = (0..5).map(|n| step(&n.to_string(), None, n, 1)).collect();
        steps[1].severity = Severity::Warning;
        steps[3].status = StepStatus::Error;
        let run = run(steps);
        let check = |from: Option<usize>, forward: bool, expected: Option<usize>| {
            assert_eq!(run.next_problem(from, forward), expected, "{from:?} {forward}");
        };
        check(None, true, Some(1));
        check(Some(1), true, Some(3));
        check(Some(3), true, Some(1));
        check(Some(1), false, Some(3));
        check(Some(2), false, Some(1));
        check(None, false, Some(3));
        assert_eq!(super::tests::run(Vec::new()).next_problem(None, true), None);
    }

    #[test]
    fn the_innermost_step_is_found_by_time() {
        let reading = run(vec![
            step("a", None, 0, 100),
            step("b", Some("a"), 20, 30),
            step("c", Some("b"), 30, 5),
        ]);
        let check = |share: f64, expected: &str| {
            assert_eq!(
                reading.step_at(share).map(|s| s.step_id.as_str()),
                Some(expected),
                "{share}"
            );
        };
        check(0.0, "a");
        check(0.25, "b");
        check(0.32, "c");
        check(0.9, "a");
        check(1.0, "a");
        assert_eq!(run(Vec::new()).step_at(0.5), None);
    }

    #[test]
    fn colours() {
        let mut call = step("a", None, 0, 1);
        let run = run(vec![call.clone()]);
        let mut check = |model: Option<&str>, expected: &str| {
            call.model = model.map(str::to_owned);
            assert_eq!(run.class_of(&call, Colour::Model), expected);
        };
        check(None, "h-ok");
        check(Some("m0"), "c1");
        check(Some("m8"), "c8");
        check(Some("unlisted"), "c8");
        assert_eq!(run.class_of(&call, Colour::Kind), "kind-tool");
        assert_eq!(run.class_of(&call, Colour::Score), "h-ok");
    }
}
