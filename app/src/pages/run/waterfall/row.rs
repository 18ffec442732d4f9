//! One row of the tree.

use domain::{NanoUsd, StepStatus, text};
use leptos::attr::custom::custom_attribute;
use leptos::prelude::*;

use super::super::model::Run;
use super::super::{Page, score};
use super::browser::is_on_link;
use crate::pages::cells::score_bar;
use crate::timeline::draw::{glyph, kind_class, kind_icon};
use crate::timeline::layout::{Folds, Line};
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// Deeper rows are drawn at this depth, so that their names stay readable.
const MAX_GUIDES: usize = 10;

/// A step in the tree, or the heading over the steps whose parent was not received.
#[component]
pub(super) fn TreeRow(
    page: Page,
    line: Line,
    run: Run,
    selected: Memo<Option<String>>,
    folds: Memo<Folds>,
) -> impl IntoView {
    match line {
        Line::Orphans(count) => orphans(count).into_any(),
        Line::Row(row) | Line::Group(row, _) => step_row(page, line, row, &run, selected, folds),
    }
}

fn orphans(count: usize) -> impl IntoView {
    let steps = text::counted(count as i64, "step");
    view! {
        <li class="wf-row wf-group" role="treeitem" {..custom_attribute("aria-level", "1")} aria-selected="false">
            <span class="wf-name dim">
                <Icon name="warning" class="st-warn"/>
                "Parent not received"
                <small>{steps}</small>
            </span>
        </li>
    }
}

fn step_row(
    page: Page,
    line: Line,
    row: usize,
    run: &Run,
    selected: Memo<Option<String>>,
    folds: Memo<Folds>,
) -> AnyView {
    let Page { query, go, .. } = page;
    let Some(step) = run.step_of(row) else {
        return ().into_any();
    };
    let attached = use_attached();
    let place = run.layout.rows[row];
    let is_parent = run.layout.is_parent(row);
    let can_fold = is_parent || run.layout.group_end(row).is_some();
    let id = run.id_of(row).to_owned();
    let name = run.skeleton.name_of(step).to_owned();
    let rows = match line {
        Line::Group(first, end) => first..end,
        Line::Row(_) | Line::Orphans(_) => row..row + 1,
    };
    let steps = || rows.clone().filter_map(|row| run.step_of(row));
    let calls = (rows.len() > 1).then(|| view! { <span class="badge">{format!("×{}", rows.len())}</span> });
    let is_selected = {
        let id = id.clone();
        Memo::new(move |_| selected.read().as_deref() == Some(&id))
    };
    let is_folded = {
        let run = run.clone();
        Memo::new(move |_| can_fold && folds.read().is_folded(&run.layout, row))
    };
    let select = {
        let id = id.clone();
        move || query.read().with_step(Some(&id))
    };
    let href = {
        let select = select.clone();
        move || select().to_href()
    };
    let open = move |event: leptos::ev::MouseEvent| {
        if !is_on_link(&event) {
            go.run((untrack(&select), false));
        }
    };
    // Of several calls the gravest speaks.
    let gravest = steps()
        .max_by_key(|step| (step.is_grave(), step.severity))
        .unwrap_or(step);
    let wrong = glyph(gravest.status, gravest.severity);
    let is_bad = gravest.status == StepStatus::Error;
    let duration = text::duration(steps().map(|step| step.shown_ms(run.now_us())).sum());
    let known = steps()
        .filter_map(|step| step.cost_nano_usd)
        .reduce(i64::saturating_add)
        .map(NanoUsd);
    let cost = known.map(NanoUsd::to_short);
    let cost_title = known.map(|cost| format!("${}", cost.to_decimal()));
    let gravest_row = rows
        .clone()
        .max_by_key(|row| run.step_of(*row).and_then(|step| step.score));
    let scored = gravest_row.unwrap_or(row);
    let detail = run.detail(run.id_of(scored));
    let score = run
        .step_of(scored)
        .and_then(|step| Some((step.score.filter(|score| *score > 0)?, step.layer.unwrap_or(5))))
        .map(|(points, layer)| {
            let bar = match detail {
                Some(detail) => score_bar(&score::by_layer(detail), detail.threshold, 28),
                None => score_bar(&[(layer, points)], None, 28),
            };
            view! { {bar}<span class="num">{points}</span> }
        });
    let guides = (0..place.depth.min(MAX_GUIDES))
        .map(|_| view! { <i class="guide"></i> })
        .collect_view();
    view! {
        <li
            class="wf-row"
            role="treeitem"
            {..custom_attribute("aria-level", (place.depth + 1).to_string())}
            aria-expanded=move || can_fold.then(|| if is_folded.get() { "false" } else { "true" })
            aria-selected=move || if is_selected.get() { "true" } else { "false" }
            tabindex=move || {
                attached.get().then(|| if is_selected.get() || (row == 0 && selected.read().is_none()) { "0" } else { "-1" })
            }
            data-depth=place.depth.to_string()
            on:click=open
        >
            <span class="wf-name">
                {guides}
                {twist(page, can_fold, is_folded, id, &name)}
                <Icon name=kind_icon(step.kind) class=kind_class(step.kind)/>
                <span class="vh">{step.kind.as_str()}" "</span>
                <a
                    class="nm"
                    class:bad=is_bad
                    href=href
                    title=name.clone()
                    tabindex=move || attached.get().then_some("-1")
                    data-noscroll
                >
                    {name.clone()}
                </a>
                {calls}
            </span>
            <span class="wf-score">{score}</span>
            <span class="wf-cost num" title=cost_title>{cost}</span>
            <span class="wf-dur num">
                {wrong.map(|(icon, class, word)| view! { <Icon name=icon class=class/><span class="vh">{word}" "</span> })}
                {duration}
            </span>
        </li>
    }
    .into_any()
}

/// The link that folds or unfolds; an empty place for a leaf.
fn twist(page: Page, can_fold: bool, is_folded: Memo<bool>, id: String, name: &str) -> AnyView {
    if !can_fold {
        return view! { <i class="twist"></i> }.into_any();
    }
    let query = page.query;
    let attached = use_attached();
    let label = format!("Fold or unfold {name}");
    view! {
        <a
            class="twist"
            href=move || query.read().with_fold_toggled(&id).to_href()
            aria-label=label
            tabindex=move || attached.get().then_some("-1")
            data-noscroll
        >
            <Icon name=Signal::derive(move || if is_folded.get() { "right" } else { "down" }) class="twist"/>
        </a>
    }
    .into_any()
}
