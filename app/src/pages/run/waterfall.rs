//! The waterfall: overview strip, tools, tree at the left, bars at the right.

mod browser;
mod row;

use std::ops::Range;

use domain::{StepKind, text};
use leptos::html;
use leptos::prelude::*;

use self::browser::{follow_scroll, reveal, reveal_on_opening};
use self::row::TreeRow;
use super::Page;
use super::model::ROWS_PER_PAGE;
use super::query::{Colour, RunQuery};
use super::score;
use super::table::StepTable;
use crate::timeline::draw::{ROW_PX, STRIP_PX, kind_class, kind_icon, ruler, strip};
use crate::timeline::layout::Line;
use crate::ui::icon::Icon;
use crate::ui::pointer::share_of;
use crate::ui::time::use_attached;

/// A run with more rows than this shows only those near the visible part, once a script can follow the scrolling.
const ALL_ROWS: usize = 500;

/// Strip, tools and waterfall, or the table.
#[component]
pub(super) fn Waterfall(page: Page) -> impl IntoView {
    let Page { run, query, go, .. } = page;
    let as_table = Memo::new(move |_| query.read().as_table);
    let overview = move || {
        let run = run.read();
        strip(&run.layout, run.steps(), run.view.now)
    };
    let select = move |event| {
        if let Some(step) = run.read_untracked().step_at(share_of(&event)) {
            go.run((query.read_untracked().with_step(Some(&step.step_id)), false));
        }
    };
    let label = move || {
        let run = run.read();
        let steps = text::counted(run.run().step_count, "step");
        format!(
            "Whole run: {steps} over {}, conditions and cumulative cost",
            text::duration(run.scale.length_ms())
        )
    };
    view! {
        <section aria-label="Timeline">
            <div class="strip-wrap">
                <svg class="plot strip" height=STRIP_PX.to_string() role="img" aria-label=label inner_html=overview on:click=select></svg>
                <div class="play"><Kinds page/></div>
            </div>
            <Tools page/>
            {move || if as_table.get() {
                view! { <StepTable page/> }.into_any()
            } else {
                view! { <Drawing page/> }.into_any()
            }}
        </section>
    }
}

/// The kinds that occur, or the models, as the colours mean them.
#[component]
fn Kinds(page: Page) -> impl IntoView {
    let Page { run, query, .. } = page;
    let items = move || {
        let run = run.get();
        match query.read().colour {
            Colour::Kind => StepKind::ALL
                .iter()
                .filter(|kind| run.steps().iter().any(|s| s.kind == **kind))
                .map(|kind| {
                    view! { <li><Icon name=kind_icon(*kind) class=kind_class(*kind)/>{kind.as_str()}</li> }
                })
                .collect_view()
                .into_any(),
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

/// Colour, folding, and the switch between drawing and table.
#[component]
fn Tools(page: Page) -> impl IntoView {
    let Page { run, query, .. } = page;
    let colours = Colour::ALL.map(|(colour, _, label)| {
        let href = move || {
            RunQuery {
                colour,
                ..query.get()
            }
            .to_href()
        };
        let current = move || (query.read().colour == colour).then_some("true");
        view! { <a href=href aria-current=current data-noscroll>{label}</a> }
    });
    let has_folds = move || !query.read().folded.is_empty();
    let unfold_all = move || {
        RunQuery {
            folded: Vec::new(),
            ..query.get()
        }
        .to_href()
    };
    let fold_tops = move || {
        let run = run.read();
        let tops = (0..run.layout.rows.len())
            .filter(|row| run.layout.is_parent(*row) && run.layout.rows[*row].depth == 1);
        let folded = tops
            .filter_map(|row| Some(run.step_of(row)?.step_id.clone()))
            .collect();
        RunQuery {
            folded,
            ..query.get()
        }
        .to_href()
    };
    let other_view = move || {
        let query = query.get();
        RunQuery {
            as_table: !query.as_table,
            ..query
        }
        .to_href()
    };
    let other_label = move || {
        if query.read().as_table {
            "Show as timeline (t)"
        } else {
            "Show as table (t)"
        }
    };
    view! {
        <div class="wf-tools">
            <div class="seg sm" role="group" aria-label="Colour by">
                <span class="seg-label">"Colour"</span>
                {colours.collect_view()}
            </div>
            <span class="dim row"><i class="cp-key"></i>"critical path by time"</span>
            <a class="tog" href=move || if has_folds() { unfold_all() } else { fold_tops() } data-noscroll>
                {move || if has_folds() { "Unfold all" } else { "Fold to the second level" }}
            </a>
            <span class="push row">
                <a
                    class="btn icon sm"
                    data-variant="quiet"
                    href=other_view
                    title=other_label
                    aria-label=other_label
                    aria-current=move || query.read().as_table.then_some("true")
                    data-noscroll
                >
                    <Icon name="table"/>
                </a>
            </span>
        </div>
    }
}

/// Tree and bars.
#[component]
fn Drawing(page: Page) -> impl IntoView {
    let Page { run, query, go, .. } = page;
    let attached = use_attached();
    let folded = Memo::new(move |_| query.read().folded.clone());
    let lines = Memo::new(move |_| run.read().lines(&folded.read()));
    let selected = Memo::new(move |_| query.read().step.clone());
    let selected_line = Memo::new(move |_| {
        let row = run.read().find(selected.read().as_deref()?)?.0;
        lines.read().iter().position(|line| *line == Line::Row(row))
    });
    let first_row = query.read_untracked().first_row;
    // The first render is the server's: one page of rows. Then the rows follow the scrolling.
    let near = RwSignal::new(first_row..first_row.saturating_add(ROWS_PER_PAGE));
    let shown = Memo::new(move |_| shown_lines(lines.read().len(), &near.read(), attached.get()));
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

    let bars = move || {
        let run = run.read();
        let colour = query.read().colour;
        run.bars()
            .draw(&lines.read(), shown.get(), selected_line.get(), |step| {
                run.class_of(step, colour)
            })
    };
    let select_at = move |line: usize| {
        if let Some(Line::Row(row)) = lines.read_untracked().get(line)
            && let Some(step) = run.read_untracked().step_of(*row)
        {
            go.run((query.read_untracked().with_step(Some(&step.step_id)), false));
        }
    };
    let height = move || (lines.read().len() * ROW_PX).to_string();
    let label = move || {
        let run = run.read();
        let steps = text::counted(run.layout.rows.len() as i64, "step");
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
    view! {
        <div class="wf">
            <div class="wf-th" aria-hidden="true">
                <span>"Step"</span>
                <span class="wf-score">"Score"</span>
                <span class="wf-cost">"Cost"</span>
                <span class="wf-dur">"Time"</span>
            </div>
            <div class="wf-ruler">
                <svg class="plot" height="24" aria-hidden="true" inner_html=move || ruler(run.read().scale)></svg>
            </div>
            <ol class="wf-tree" role="tree" aria-label="Steps" node_ref=tree>
                <Spacer rows=Signal::derive(move || shown.read().start)/>
                <For
                    each=rows
                    key=|(_, line, run)| row_key(*line, run)
                    children=move |(_, line, run)| view! { <TreeRow page line run selected folded/> }
                />
                <Spacer rows=Signal::derive(move || lines.read().len().saturating_sub(shown.read().end))/>
            </ol>
            <div class="wf-draw">
                <svg
                    class="plot wf-canvas"
                    height=height
                    role="img"
                    aria-label=label
                    inner_html=bars
                    on:click=move |event| select_at(browser::line_at(&event))
                ></svg>
            </div>
        </div>
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
        Line::Row(row) => run.step_of(row).map_or_else(String::new, |step| {
            let depth = run.layout.rows[row].depth;
            let is_parent = run.layout.is_parent(row);
            format!(
                "{row} {depth} {is_parent} {:?} {:?} {:?} {:?} {}",
                step.ended_at, step.status, step.score, step.cost_nano_usd, step.step_id
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

/// Links to the rows before and after, for pages without script.
#[component]
fn Pages(page: Page, lines: Signal<usize>) -> impl IntoView {
    let query = page.query;
    let attached = use_attached();
    let hidden = move || attached.get() && !query.read().as_table || lines.get() <= ROWS_PER_PAGE;
    let from = move || query.read().first_row;
    let link = move |first_row: usize, label: &'static str| {
        view! { <a class="link" href=move || RunQuery { first_row, ..query.get() }.to_href()>{label}</a> }
    };
    view! {
        <div class="list-foot" hidden=hidden>
            {move || {
                let (from, count) = (from(), lines.get());
                let to = from.saturating_add(ROWS_PER_PAGE).min(count);
                view! {
                    <span class="dim num">
                        {format!(
                            "Rows {} to {} of {}",
                            text::grouped(from.min(count) as u64 + 1),
                            text::grouped(to as u64),
                            text::grouped(count as u64),
                        )}
                    </span>
                    {(from > 0).then(|| link(from.saturating_sub(ROWS_PER_PAGE), "Previous rows"))}
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
