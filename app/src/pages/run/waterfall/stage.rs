//! What all parts of the drawing share: which part of the run is seen, and what is worked out for it.

mod address;
mod play;

#[cfg(target_arch = "wasm32")]
use domain::skeleton::SkeletonStep;
use leptos::prelude::*;

use self::address::keep_address;
use self::play::keep_playing;
use super::super::Page;
use super::super::flow::{Flow, flow_lines};
use super::super::query::{Path, RunQuery};
use crate::keyboard::use_keys;
use crate::timeline::axis::{Axis, View};
use crate::timeline::critical_path;
use crate::timeline::layout::{Layout, Line};
use crate::timeline::paint::{FlowLine, Selection, Spans};
use crate::timeline::search;
use crate::timeline::surface::Ink;

/// How fast a run is played, as a multiple of its own time.
pub(super) const SPEEDS: [u32; 3] = [1, 10, 60];

/// The state of the drawing.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "only the browser paints")
)]
pub(super) struct Stage {
    pub(super) page: Page,
    /// The lines that show.
    pub(super) lines: Memo<Vec<Line>>,
    pub(super) selected_line: Memo<Option<usize>>,
    pub(super) axis: Memo<Axis>,
    pub(super) spans: Memo<Spans>,
    /// Rows on the critical path that is chosen.
    pub(super) on_path: Memo<Vec<bool>>,
    /// The colour of each row.
    pub(super) inks: Memo<Vec<Ink>>,
    /// Rows that the search found; empty without one.
    pub(super) hits: Memo<Vec<bool>>,
    /// What is seen; `None`: all of it.
    pub(super) view: RwSignal<Option<View>>,
    pub(super) area: RwSignal<Option<Selection>>,
    /// The moment that is looked at, in microseconds since the beginning.
    pub(super) at_us: RwSignal<Option<f64>>,
    /// How fast the run is played; `None` while it stands.
    pub(super) playing: RwSignal<Option<u32>>,
    /// Whether a canvas has taken over.
    pub(super) drawn: RwSignal<bool>,
    /// Where texts of the selected step come from and go to.
    pub(super) flow: Memo<Vec<FlowLine>>,
}

impl Stage {
    /// The part that is seen, on the axis.
    pub(super) fn seen(&self) -> View {
        let length = self.axis.read().length();
        self.view.get().unwrap_or_else(|| View::whole(length))
    }

    pub(super) fn seen_untracked(&self) -> View {
        untrack(|| self.seen())
    }

    /// Shows another part.
    pub(super) fn look(&self, to: View) {
        let length = self.axis.read_untracked().length();
        let to = to.clamped(length);
        let whole = View::whole(length);
        let is_whole = to.width() >= whole.width() * 0.999_9;
        self.view.set((!is_whole).then_some(to));
    }

    pub(super) fn zoom(&self, factor: f64, share: f64) {
        let length = self.axis.read_untracked().length();
        self.look(self.seen_untracked().zoomed(factor, share, length));
    }

    pub(super) fn pan(&self, shares: f64) {
        let length = self.axis.read_untracked().length();
        self.look(self.seen_untracked().moved(shares, length));
    }

    /// Zooms to the area that is framed, else to the selected step.
    fn zoom_to_selection(&self) {
        let (from, to) = match &*self.area.read_untracked() {
            Some(area) => (area.from, area.to),
            None => {
                let query = self.page.query.read_untracked();
                let row = query
                    .step
                    .as_deref()
                    .and_then(|id| self.page.run.read_untracked().find(id));
                let Some(row) = row else { return };
                self.spans.read_untracked().get(row)
            }
        };
        let room = ((to - from) * 0.15).max(10.0);
        self.look(View {
            from: from - room,
            to: to + room * 2.0,
        });
    }

    /// Goes to the next step that the search found.
    pub(super) fn next_hit(&self, forward: bool) {
        let Page { run, query, go, .. } = self.page;
        let run = run.get_untracked();
        let here = query.read_untracked().step.as_deref().and_then(|id| run.find(id));
        let Some(row) = search::next_hit(&self.hits.read_untracked(), here, forward) else {
            return;
        };
        let mut next = query.read_untracked().with_step(Some(run.id_of(row)));
        let folds = run.folds(&next);
        for above in run
            .layout
            .ancestors(row)
            .filter(|above| folds.is_folded(&run.layout, *above))
        {
            next = next.with_fold_toggled(run.id_of(above));
        }
        self.bring_into_view(row);
        go.run((next, true));
    }

    /// Moves the part that is seen so that a row's bar lies in it.
    pub(super) fn bring_into_view(&self, row: usize) {
        let view = self.seen_untracked();
        let (from, to) = self.spans.read_untracked().get(row);
        if to < view.from || from > view.to {
            let middle = (from + to) / 2.0;
            let half = view.width() / 2.0;
            self.look(View {
                from: middle - half,
                to: middle + half,
            });
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut RunQuery)) {
        let mut query = self.page.query.get_untracked();
        change(&mut query);
        self.page.go.run((query, true));
    }

    pub(super) fn toggle_playing(&self) {
        let playing = self.playing.get_untracked();
        if playing.is_none() {
            let (start, end) = self.page.run.read_untracked().bounds;
            let length = (end - start) as f64;
            // From the beginning again after the end.
            if self.at_us.get_untracked().is_none_or(|at| at >= length) {
                self.at_us.set(Some(0.0));
            }
            // A minute at most.
            let speed = SPEEDS
                .into_iter()
                .find(|speed| length / 1e6 / f64::from(*speed) <= 60.0);
            self.playing.set(Some(speed.unwrap_or(SPEEDS[2])));
        } else {
            self.playing.set(None);
        }
    }
}

/// The state of the drawing of a page, its keys, and its part of the address.
pub(super) fn use_stage(page: Page) -> Stage {
    let Page { run, query, .. } = page;
    let fold_state = Memo::new(move |_| {
        let query = query.read();
        (query.folded.clone(), query.level, query.calls_apart)
    });
    let lines = Memo::new(move |_| {
        // A memo that is only tracked is never worked out, and so never changes.
        fold_state.with(|_| ());
        run.read().lines(&query.read_untracked())
    });
    let selected = Memo::new(move |_| query.read().step.clone());
    let selected_line = Memo::new(move |_| {
        let run = run.read();
        let row = run.find(selected.read().as_deref()?)?;
        Layout::line_of(&lines.read(), &run.layout, row)
    });
    let cut = Memo::new(move |_| query.read().cut);
    let axis = Memo::new(move |_| {
        let run = run.read();
        let (start, end) = run.bounds;
        let length = (end - start) as f64;
        if !cut.get() {
            return Axis::whole(length);
        }
        let now = run.now_us();
        let work = (0..run.layout.rows.len())
            .filter(|row| !run.layout.is_parent(*row))
            .filter_map(|row| run.step_of(row))
            .map(|step| {
                (
                    (step.started_us - start) as f64,
                    (step.end_us(now) - start) as f64,
                )
            });
        Axis::without_gaps(length, work)
    });
    let spans = Memo::new(move |_| {
        let run = run.read();
        Spans::of(
            &run.layout,
            &run.skeleton,
            &axis.read(),
            run.bounds.0,
            run.now_us(),
        )
    });
    let path = Memo::new(move |_| query.read().path);
    let on_path = Memo::new(move |_| {
        let run = run.read();
        match path.get() {
            Path::Time => run.on_path.clone(),
            Path::Cost => critical_path::by_cost(&run.layout, &run.skeleton),
            Path::Off => Vec::new(),
        }
    });
    let colour = Memo::new(move |_| query.read().colour);
    let inks = Memo::new(move |_| run.read().inks(colour.get()));
    let searched = Memo::new(move |_| query.read().search.clone());
    let hits = Memo::new(move |_| {
        let (run, searched) = (run.read(), searched.read());
        if searched.trim().is_empty() {
            return Vec::new();
        }
        search::hits(&run.layout, &run.skeleton, &searched)
    });
    let found = use_context::<Flow>();
    let flow = Memo::new(move |_| match found {
        Some(Flow(found)) => flow_lines(&run.read(), &found.read()),
        None => Vec::new(),
    });
    let stage = Stage {
        page,
        lines,
        selected_line,
        axis,
        spans,
        on_path,
        inks,
        hits,
        view: RwSignal::new(None),
        area: RwSignal::new(None),
        at_us: RwSignal::new(query.read_untracked().at.map(|at| at as f64)),
        playing: RwSignal::new(None),
        drawn: RwSignal::new(false),
        flow,
    };
    keep_address(stage);
    keep_playing(stage);
    use_stage_keys(stage);
    stage
}

fn use_stage_keys(stage: Stage) {
    use_keys(move |key| {
        match key {
            "w" | "+" | "=" => stage.zoom(0.7, 0.5),
            "s" | "-" => stage.zoom(1.0 / 0.7, 0.5),
            "a" => stage.pan(-0.15),
            "d" => stage.pan(0.15),
            "ArrowLeft" if !focus_has_arrows() => stage.pan(-0.15),
            "ArrowRight" if !focus_has_arrows() => stage.pan(0.15),
            "f" | "0" => stage.view.set(None),
            "z" => stage.zoom_to_selection(),
            "c" => stage.change(|query| query.cut = !query.cut),
            "r" => stage.change(|query| query.calls_apart = !query.calls_apart),
            "p" => stage.change(|query| {
                query.path = match query.path {
                    Path::Time => Path::Cost,
                    Path::Cost => Path::Off,
                    Path::Off => Path::Time,
                };
            }),
            " " if !focus_has_arrows() => stage.toggle_playing(),
            "Escape" if stage.area.read_untracked().is_some() => stage.area.set(None),
            _ => return false,
        }
        true
    });
}

/// Whether the arrows and the space bar mean something where the focus is.
fn focus_has_arrows() -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        document().active_element().is_some_and(|active| {
            active
                .closest(".wf-tree, a, button, summary, [tabindex='0'], input")
                .is_ok_and(|found| found.is_some())
        })
    }
    #[cfg(not(target_arch = "wasm32"))]
    false
}

/// How many steps were found, and which of them is selected (from 1).
pub(super) fn hit_count(stage: Stage) -> (usize, Option<usize>) {
    let hits = stage.hits.read();
    let count = hits.iter().filter(|hit| **hit).count();
    let run = stage.page.run.read();
    let row = stage
        .page
        .query
        .read()
        .step
        .as_deref()
        .and_then(|id| run.find(id));
    let nth = row
        .filter(|row| hits.get(*row) == Some(&true))
        .map(|row| hits[..=row].iter().filter(|hit| **hit).count());
    (count, nth)
}

/// The row whose bar on a line lies nearest to a place; of a step that is folded, its own.
#[cfg(target_arch = "wasm32")]
pub(super) fn row_near(stage: Stage, line: usize, place: f64) -> Option<usize> {
    match *stage.lines.read_untracked().get(line)? {
        Line::Orphans(_) => None,
        Line::Row(row) => Some(row),
        Line::Group(first, end) => {
            let spans = stage.spans.read_untracked();
            let run = stage.page.run.read_untracked();
            let distance = |row: usize| {
                let (from, to) = spans.get(row);
                (from - place).max(place - to).max(0.0)
            };
            // Of those that are as near, one that failed.
            let grave = |row: usize| run.step_of(row).is_some_and(SkeletonStep::is_grave);
            (first..end).min_by(|a, b| {
                let by_distance = distance(*a).total_cmp(&distance(*b));
                by_distance.then_with(|| grave(*b).cmp(&grave(*a)))
            })
        }
    }
}
