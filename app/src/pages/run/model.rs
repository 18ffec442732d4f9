//! A run as the page works with it: read once, laid out once, shared by every part of the page.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use domain::skeleton::{Skeleton, SkeletonStep};
use domain::{RunSummary, StepSummary};

use super::query::{Colour, RunQuery};
use crate::api::runs::RunView;
use crate::timeline::critical_path;
use crate::timeline::draw::{Bars, kind_class};
use crate::timeline::groups::{Group, by_name_and_model};
use crate::timeline::layout::{Folds, Layout, Line};
use crate::timeline::overview::strip;
use crate::timeline::playback::Playback;
use crate::timeline::scale::Scale;
use crate::timeline::surface::Ink;

/// Rows in the page while there is no script to scroll with.
pub(super) const ROWS_PER_PAGE: usize = 1_000;
/// Groups that are shown.
const GROUPS_SHOWN: usize = 20;
/// Classes of the models, in their order; further models share the last.
const MODEL_CLASSES: [&str; 8] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];

/// The run, its tree and its scale. Cheap to clone; two are equal when they are the same reading.
#[derive(Clone)]
pub(crate) struct Run(Arc<Parts>);

pub(crate) struct Parts {
    /// What the server answered.
    pub(crate) view: RunView,
    /// Where each of its steps stands.
    details: HashMap<String, usize>,
    /// All steps, or those of the first screen.
    pub(crate) skeleton: Arc<Skeleton>,
    pub(crate) layout: Layout,
    /// Time to percent.
    pub(crate) scale: Scale,
    /// From the first to the last instant, in microseconds since 1970.
    pub(crate) bounds: (i64, i64),
    /// Rows on the critical path by time.
    pub(crate) on_path: Vec<bool>,
    /// The overview strip as SVG.
    pub(crate) strip: String,
    /// The longest groups by name and model.
    pub(crate) groups: Vec<Group>,
    /// How many groups there are.
    pub(crate) group_count: usize,
    /// How many lines there are before the first, and in all, where only a part is here.
    pub(crate) part: Option<(usize, usize)>,
    pub(crate) playback: Playback,
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
        let Some(part) = view.part.clone() else {
            let skeleton = Arc::new(Skeleton::of(&view.steps, &view.same_calls));
            return Self::whole(view, skeleton);
        };
        let layout = Layout::of_long_part(&part.skeleton);
        let mut on_path = vec![false; layout.rows.len()];
        for (row, place) in layout.rows.iter().enumerate() {
            on_path[row] = part.on_path.get(place.step) == Some(&true);
        }
        Self(Arc::new(Parts {
            details: places(&view),
            view,
            layout,
            scale: Scale::with_labels(part.bounds),
            bounds: part.bounds,
            on_path,
            strip: part.strip,
            groups: part.groups,
            group_count: part.group_count as usize,
            part: Some((part.first_line as usize, part.line_count as usize)),
            playback: Playback::default(),
            skeleton: Arc::new(part.skeleton),
        }))
    }

    /// Lays out all steps of a run.
    pub(crate) fn whole(view: RunView, skeleton: Arc<Skeleton>) -> Self {
        let now_us = view.now.micros();
        let layout = Layout::of(&skeleton);
        let bounds = skeleton.bounds(now_us);
        let mut groups = by_name_and_model(&layout, &skeleton, now_us);
        let group_count = groups.len();
        groups.truncate(GROUPS_SHOWN);
        Self(Arc::new(Parts {
            scale: Scale::with_labels(bounds),
            bounds,
            on_path: critical_path::by_time(&layout, &skeleton, now_us),
            strip: strip(&layout, &skeleton, now_us),
            groups,
            group_count,
            part: None,
            playback: Playback::of(&skeleton),
            details: places(&view),
            view,
            layout,
            skeleton,
        }))
    }
}

fn places(view: &RunView) -> HashMap<String, usize> {
    let ids = view.steps.iter().map(|step| step.step_id.clone());
    ids.zip(0..).collect()
}

impl Parts {
    pub(crate) fn run(&self) -> &RunSummary {
        &self.view.run
    }

    /// The steps that were read with their conditions: all of a short run, those with problems of a long one.
    pub(crate) fn details(&self) -> &[StepSummary] {
        &self.view.steps
    }

    /// A step with its conditions, if they were read.
    pub(crate) fn detail(&self, step_id: &str) -> Option<&StepSummary> {
        self.view.steps.get(*self.details.get(step_id)?)
    }

    /// Where running steps end, in microseconds since 1970.
    pub(crate) fn now_us(&self) -> i64 {
        self.view.now.micros()
    }

    pub(crate) fn step_of(&self, row: usize) -> Option<&SkeletonStep> {
        self.skeleton.steps.get(self.layout.rows.get(row)?.step)
    }

    /// The id of a row's step; empty for none.
    pub(crate) fn id_of(&self, row: usize) -> &str {
        let place = self.layout.rows.get(row).map_or(usize::MAX, |row| row.step);
        self.skeleton.id_of(place)
    }

    /// The row of a step.
    pub(crate) fn find(&self, step_id: &str) -> Option<usize> {
        self.layout.row_of(&self.skeleton, step_id)
    }

    /// The row of the innermost step that was running at a share (0 to 1) of the run.
    #[cfg(any(target_arch = "wasm32", test))]
    pub(crate) fn row_at(&self, share: f64) -> Option<usize> {
        let (start, end) = self.bounds;
        let at = start + (share.clamp(0.0, 1.0) * (end - start) as f64).round() as i64;
        (0..self.layout.rows.len())
            .filter(|row| {
                self.step_of(*row)
                    .is_some_and(|step| step.started_us <= at && at <= step.end_us(self.now_us()))
            })
            .max_by_key(|row| self.layout.rows[*row].depth)
    }

    pub(crate) fn folds(&self, query: &RunQuery) -> Folds {
        Folds::of(
            &self.layout,
            &self.skeleton,
            &query.folded,
            query.level,
            !query.calls_apart,
        )
    }

    /// The lines that show.
    pub(crate) fn lines(&self, query: &RunQuery) -> Vec<Line> {
        self.layout.lines(&self.folds(query))
    }

    /// What the drawing of the bars needs.
    pub(crate) fn bars(&self) -> Bars<'_> {
        Bars {
            layout: &self.layout,
            skeleton: &self.skeleton,
            scale: self.scale,
            now_us: self.now_us(),
            on_path: &self.on_path,
        }
    }

    fn model_place(&self, step: &SkeletonStep) -> Option<usize> {
        let model = self.skeleton.model_of(step)?;
        let place = self.run().models.iter().position(|m| m == model);
        Some(place.unwrap_or(usize::MAX).min(MODEL_CLASSES.len() - 1))
    }

    /// The class that colours a step.
    pub(crate) fn class_of(&self, step: &SkeletonStep, colour: Colour) -> &'static str {
        match colour {
            Colour::Kind => kind_class(step.kind),
            Colour::Model => self
                .model_place(step)
                .map_or("h-ok", |place| MODEL_CLASSES[place]),
            Colour::Score => match step.layer {
                Some(1) => "layer-1",
                Some(2) => "layer-2",
                Some(3) => "layer-3",
                Some(4) => "layer-4",
                Some(_) => "layer-5",
                None => "h-ok",
            },
        }
    }

    /// The ink of each row, which is the colour of its class.
    pub(crate) fn inks(&self, colour: Colour) -> Vec<Ink> {
        let ink = |step: &SkeletonStep| match colour {
            Colour::Kind => Ink::kind(step.kind),
            Colour::Model => self.model_place(step).map_or(Ink::NEUTRAL, Ink::category),
            Colour::Score => step.layer.map_or(Ink::NEUTRAL, Ink::layer),
        };
        let rows = 0..self.layout.rows.len();
        rows.map(|row| self.step_of(row).map_or(Ink::NEUTRAL, ink))
            .collect()
    }

    /// The row of the next problem after (or before) a row, going round at the end; `None` without any.
    pub(crate) fn next_problem(&self, from: Option<usize>, forward: bool) -> Option<usize> {
        let is_problem = |row: &usize| self.step_of(*row).is_some_and(SkeletonStep::is_problem);
        let rows = 0..self.layout.rows.len();
        let found = match (from, forward) {
            (Some(from), true) => rows.clone().skip(from + 1).find(is_problem),
            (Some(from), false) => rows.clone().take(from).rev().find(is_problem),
            (None, _) => None,
        };
        found.or_else(|| {
            if forward {
                rows.clone().find(is_problem)
            } else {
                rows.rev().find(is_problem)
            }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use domain::run::Neighbours;
    use domain::{Severity, StepStatus};

    use super::*;
    use crate::timeline::sample::{BEGIN, run_summary, step};

    pub(crate) fn run(steps: Vec<StepSummary>) -> Run {
        Run::new(RunView {
            now: BEGIN,
            run: RunSummary {
                models: (0..9).map(|n| format!("m{n}")).collect(),
                ..sample_run("r", 0)
            },
            steps,
            same_calls: BTreeMap::new(),
            part: None,
            neighbours: Neighbours::default(),
            deploy: None,
            feedback: Vec::new(),
        })
    }

    /// A finished run without steps, `start_s` seconds after the beginning.
    pub(crate) fn sample_run(id: &str, start_s: i64) -> RunSummary {
        run_summary(id, start_s)
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
                reading.row_at(share).map(|row| reading.id_of(row)),
                Some(expected),
                "{share}"
            );
        };
        check(0.0, "a");
        check(0.25, "b");
        check(0.32, "c");
        check(0.9, "a");
        check(1.0, "a");
        assert_eq!(run(Vec::new()).row_at(0.5), None);
    }

    #[test]
    fn colours() {
        let check = |model: Option<&str>, class: &str, ink: Ink| {
            let mut call = step("a", None, 0, 1);
            call.model = model.map(str::to_owned);
            let run = run(vec![call]);
            assert_eq!(run.class_of(run.step_of(0).unwrap(), Colour::Model), class);
            assert_eq!(run.inks(Colour::Model), [ink]);
        };
        check(None, "h-ok", Ink::NEUTRAL);
        check(Some("m0"), "c1", Ink::category(0));
        check(Some("m8"), "c8", Ink::category(7));
        check(Some("unlisted"), "c8", Ink::category(7));
        let run = run(vec![step("a", None, 0, 1)]);
        assert_eq!(run.class_of(run.step_of(0).unwrap(), Colour::Kind), "kind-tool");
        assert_eq!(run.class_of(run.step_of(0).unwrap(), Colour::Score), "h-ok");
    }
}
