//! The waterfall: overview strip, tools, tree at the left, bars at the right.

mod area;
mod browser;
#[cfg(target_arch = "wasm32")]
mod canvas;
mod pointer;
mod row;
mod stage;
mod strip;
mod tools;

use std::ops::Range;

use domain::{StepKind, text};
use leptos::html;
use leptos::prelude::*;

use self::area::AreaTable;
use self::browser::{follow_scroll, reveal, reveal_on_opening};
use self::pointer::{PointerPart, use_pointer};
use self::row::TreeRow;
use self::stage::{Stage, use_stage};
use self::strip::Strip;
use self::tools::Tools;
use super::Page;
use super::model::ROWS_PER_PAGE;
use super::query::{Colour, RunQuery};
use super::score;
use super::table::StepTable;
use crate::timeline::draw::{ROW_PX, kind_class, kind_icon, ruler};
use crate::timeline::layout::Line;
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// A run with more rows than this shows only those near the visible part, once a script can follow the scrolling.
const ALL_ROWS: usize = 500;

/// Strip, tools and waterfall, or the table.
#[component]
pub(super) fn Waterfall(page: Page) -> impl IntoView {
    let as_table = Memo::new(move |_| page.query.read().as_table);
    let stage = use_stage(page);
    view! {
        <section aria-label="Timeline">
            <Strip stage/>
            <Tools stage/>
            {move || if as_table.get() {
                view! { <StepTable page/><Pages page lines=Signal::derive(move || stage.lines.read().len())/> }.into_any()
            } else {
                view! { <Drawing stage/> }.into_any()
            }}
            <AreaTable stage/>
        </section>
    }
}

/// The kinds that occur, or the models, as the colours mean them.
#[component]
fn Kinds(page: Page) -> impl IntoView {
    let Page { run, query, .. } = page;
    let colour = Memo::new(move |_| query.read().colour);
    let items = move || {
        let run = run.get();
        match colour.get() {
            Colour::Kind => {
                let occurs = |kind: &StepKind| run.skeleton.steps.iter().any(|s| s.kind == *kind);
                StepKind::ALL
                    .iter()
                    .filter(|kind| occurs(kind))
                    .map(|kind| {
                        view! { <li><Icon name=kind_icon(*kind) class=kind_class(*kind)/>{kind.as_str()}</li> }
                    })
                    .collect_view()
                    .into_any()
            }
            Colour::Model => run
                .run()
                .models
                .iter()
                .enumerate()
                .map(|(index, model)| {
                    let class = format!("swatch c{}", index.min(7) + 1);
                    view! { <li><span class=class></span>{model.clone()}</li> }
                })
                .collect_view()
                .into_any(),
            Colour::Score => score::LAYERS
                .into_iter()
                .enumerate()
                .map(|(index, name)| {
                    let class = format!("swatch layer-{}", index + 1);
                    view! { <li><span class=class></span>{format!("layer {}, {name}", index + 1)}</li> }
                })
                .collect_view()
                .into_any(),
        }
    };
    view! { <ul class="legend kinds" aria-label="Colours">{items}</ul> }
}

/// Tree and bars: SVG as the server renders it, a canvas once the browser has one.
#[component]
fn Drawing(stage: Stage) -> impl IntoView {
    let Stage { page, lines, .. } = stage;
    let Page { run, query, .. } = page;
    let attached = use_attached();
    let folds = Memo::new(move |_| run.read().folds(&query.read()));
    let selected = Memo::new(move |_| query.read().step.clone());
    let selected_line = stage.selected_line;
    let first_row = query.read_untracked().first_row;
    // The first render is the server's: one page of rows. Then the rows follow the scrolling.
    let near = RwSignal::new(first_row..first_row.saturating_add(ROWS_PER_PAGE));
    let shown = Memo::new(move |_| {
        let count = lines.read().len();
        // The server sends the lines that are asked for, and no others.
        if run.read().part.is_some() {
            return 0..count;
        }
        shown_lines(count, &near.read(), attached.get())
    });
    let tree = NodeRef::<html::Ol>::new();
    follow_scroll(tree, near);
    Effect::new(move |before: Option<Option<usize>>| {
        let now = selected_line.get();
        match (before, now) {
            (None, Some(line)) => reveal_on_opening(tree, line),
            (Some(before), Some(line)) if before != Some(line) => reveal(tree, line),
            _ => {}
        }
        now
    });
    let colour = Memo::new(move |_| query.read().colour);
    let drawn = stage.drawn;
    // The canvas has taken over: what it shows is not written as SVG again.
    let bars = move || {
        if drawn.get() {
            return String::new();
        }
        let run = run.read();
        run.bars()
            .draw(&lines.read(), shown.get(), selected_line.get(), |step| {
                run.class_of(step, colour.get())
            })
    };
    let height = move || {
        if drawn.get() {
            "0".to_owned()
        } else {
            (lines.read().len() * ROW_PX).to_string()
        }
    };
    let label = move || {
        let run = run.read();
        let steps = text::counted(run.run().step_count, "step");
        format!(
            "Waterfall of {steps} over {}",
            text::duration(run.scale.length_ms())
        )
    };
    let rows = move || {
        let lines = lines.read();
        let run = run.read();
        shown
            .get()
            .filter_map(|at| Some((at, *lines.get(at)?)))
            .map(|(at, line)| (at, line, run.clone()))
            .collect::<Vec<_>>()
    };
    let ruler_text = move || {
        if drawn.get() {
            String::new()
        } else {
            ruler(run.read().scale)
        }
    };
    let place = NodeRef::<html::Div>::new();
    let (canvas, ruler_canvas) = (NodeRef::<html::Canvas>::new(), NodeRef::<html::Canvas>::new());
    let probe = NodeRef::<html::I>::new();
    #[cfg(target_arch = "wasm32")]
    canvas::keep_painted(
        stage,
        canvas::Places {
            place,
            canvas,
            ruler: ruler_canvas,
            probe,
        },
    );
    let pointer = use_pointer(stage, PointerPart::Bars);
    let ruler_pointer = use_pointer(stage, PointerPart::Ruler);
    view! {
        <div class="wf" data-drawn=move || drawn.get().then_some("true")>
            <div class="wf-th" aria-hidden="true">
                <span>"Step"</span>
                <span class="wf-score">"Score"</span>
                <span class="wf-cost">"Cost"</span>
                <span class="wf-dur">"Time"</span>
            </div>
            <div class="wf-ruler">
                <svg class="plot" height="24" aria-hidden="true" inner_html=ruler_text></svg>
                <canvas
                    class="wf-ruler-canvas"
                    node_ref=ruler_canvas
                    aria-hidden="true"
                    on:pointerdown=move |event| ruler_pointer.down(&event)
                    on:pointermove=move |event| ruler_pointer.moved(&event)
                    on:pointerup=move |event| ruler_pointer.up(&event)
                    on:pointercancel=move |event| ruler_pointer.up(&event)
                    on:wheel=move |event| ruler_pointer.wheel(&event)
                ></canvas>
            </div>
            <ol class="wf-tree" role="tree" aria-label="Steps" node_ref=tree>
                <Spacer rows=Signal::derive(move || shown.read().start)/>
                <For
                    each=rows
                    key=|(_, line, run)| row_key(*line, run)
                    children=move |(_, line, run)| view! { <TreeRow page line run selected folds/> }
                />
                <Spacer rows=Signal::derive(move || lines.read().len().saturating_sub(shown.read().end))/>
            </ol>
            <div class="wf-draw" node_ref=place role="img" aria-label=label>
                <i class="wf-probe" node_ref=probe aria-hidden="true"></i>
                <svg class="plot wf-canvas" height=height aria-hidden="true" inner_html=bars></svg>
                <canvas
                    class="wf-live"
                    node_ref=canvas
                    aria-hidden="true"
                    on:pointerdown=move |event| pointer.down(&event)
                    on:pointermove=move |event| pointer.moved(&event)
                    on:pointerup=move |event| pointer.up(&event)
                    on:pointercancel=move |event| pointer.up(&event)
                    on:wheel=move |event| pointer.wheel(&event)
                    on:dblclick=move |event| pointer.double(&event)
                ></canvas>
            </div>
        </div>
        <p class="wf-foot dim num" hidden=move || run.read().layout.rows.len() <= ALL_ROWS || run.read().part.is_some()>
            {move || {
                let count = lines.read().len();
                let steps = run.read().layout.rows.len();
                format!(
                    "{} of {}, the others are folded",
                    text::counted(count as i64, "row"),
                    text::counted(steps as i64, "step"),
                )
            }}
        </p>
        <Pages page lines=Signal::derive(move || lines.read().len())/>
    }
}

/// Which lines are in the page: all of a short run, those near the visible part of a long one.
fn shown_lines(count: usize, near: &Range<usize>, attached: bool) -> Range<usize> {
    if attached && count <= ALL_ROWS {
        return 0..count;
    }
    near.start.min(count)..near.end.min(count)
}

/// Identifies a row together with everything about its step that can change while the run is running.
fn row_key(line: Line, run: &super::Run) -> String {
    match line {
        Line::Orphans(count) => format!("orphans {count}"),
        Line::Row(row) | Line::Group(row, _) => run.step_of(row).map_or_else(String::new, |step| {
            let depth = run.layout.rows[row].depth;
            let is_parent = run.layout.is_parent(row);
            let (group_end, count) = match line {
                Line::Group(first, end) => (run.layout.group_end(row), end - first),
                Line::Row(_) | Line::Orphans(_) => (run.layout.group_end(row), 1),
            };
            format!(
                "{row} {depth} {is_parent} {group_end:?} {count} {:?} {:?} {:?} {:?} {} {}",
                step.length_us,
                step.status,
                step.score,
                step.cost_nano_usd,
                run.id_of(row),
                run.detail(run.id_of(row)).is_some(),
            )
        }),
    }
}

/// Keeps the place of rows that are not in the page.
#[component]
fn Spacer(rows: Signal<usize>) -> impl IntoView {
    view! {
        <li role="none" class="wf-space" hidden=move || rows.get() == 0>
            <svg width="1" height=move || (rows.get() * ROW_PX).to_string() aria-hidden="true"></svg>
        </li>
    }
}

/// Lines of a long run that the server sends at a time.
const PART_LINES: usize = 300;

/// Links to the rows before and after, for pages without script.
#[component]
fn Pages(page: Page, lines: Signal<usize>) -> impl IntoView {
    let Page { query, run, .. } = page;
    let attached = use_attached();
    // Of a long run the server sends a part: which, and of how many lines.
    let per_page = move || {
        if run.read().part.is_some() {
            run.read().layout.rows.len().min(PART_LINES)
        } else {
            ROWS_PER_PAGE
        }
    };
    let lines = Signal::derive(move || run.read().part.map_or_else(|| lines.get(), |(_, count)| count));
    let hidden = move || {
        let is_part = run.read().part.is_some();
        attached.get() && (!query.read().as_table || is_part) || lines.get() <= per_page()
    };
    let from = move || {
        run.read()
            .part
            .map_or_else(|| query.read().first_row, |(first, _)| first)
    };
    let link = move |first_row: usize, label: &'static str| {
        view! { <a class="link" href=move || RunQuery { first_row, ..query.get() }.to_href()>{label}</a> }
    };
    view! {
        <div class="list-foot" hidden=hidden>
            {move || {
                let (from, count, per_page) = (from(), lines.get(), per_page());
                let to = from.saturating_add(per_page).min(count);
                view! {
                    <span class="dim num">
                        {format!(
                            "Rows {} to {} of {}",
                            text::grouped(from.min(count) as u64 + 1),
                            text::grouped(to as u64),
                            text::grouped(count as u64),
                        )}
                    </span>
                    {(from > 0).then(|| link(from.saturating_sub(per_page), "Previous rows"))}
                    {(to < count).then(|| link(to, "Next rows"))}
                }
            }}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_show_a_part() {
        let check = |count: usize, near: Range<usize>, attached: bool, expected: Range<usize>| {
            assert_eq!(shown_lines(count, &near, attached), expected);
        };
        check(41, 0..1_000, false, 0..41);
        check(41, 900..1_900, false, 41..41);
        check(41, 900..1_900, true, 0..41);
        check(5_000, 0..1_000, false, 0..1_000);
        check(5_000, 1_000..2_000, false, 1_000..2_000);
        check(5_000, 150..400, true, 150..400);
    }
}
