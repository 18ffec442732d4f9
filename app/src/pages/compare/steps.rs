//! The steps of both runs as one tree.

use domain::text;
use leptos::prelude::*;

use super::model::{CompareQuery, bars, change_words, has_failed, length_ms, more_cost};
use crate::api::comparison::{ComparedRuns, ComparedStep, StepOfOne};
use crate::timeline::draw::{kind_class, kind_icon};
use crate::ui::icon::Icon;

/// Rows shown of a comparison.
const SHOWN_ROWS: usize = 1_000;
/// Levels by which names are set in at most.
const MAX_INDENT: usize = 12;

pub(super) fn name_of(row: &ComparedStep) -> String {
    if row.name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        row.name.clone()
    }
}

/// The address that compares a row's texts.
pub(super) fn step_href(
    query: Memo<CompareQuery>,
    row: &ComparedStep,
) -> impl Fn() -> String + Clone + Send + Sync + 'static {
    let of_either = row.second.as_ref().or(row.first.as_ref());
    let step = of_either.map(|step| step.step_id.clone());
    move || {
        CompareQuery {
            step: step.clone(),
            ..query.get()
        }
        .to_href()
    }
}

/// The rows, all of them or those with a change.
pub(super) fn steps(query: Memo<CompareQuery>, runs: &ComparedRuns) -> AnyView {
    let only_changed = query.read().only_changed;
    let length_ms = length_ms(runs);
    let shown: Vec<(usize, &ComparedStep)> = runs
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| !only_changed || !row.changes.is_empty())
        .collect();
    let more = shown.len().saturating_sub(SHOWN_ROWS);
    let rows = shown
        .into_iter()
        .take(SHOWN_ROWS)
        .map(|(index, row)| step_row(query, row, runs.selected == Some(index), length_ms))
        .collect_view();
    let rest = (more > 0).then(|| {
        view! { <p class="dim cmp-more">{format!("and {} more steps", text::grouped(more as u64))}</p> }
    });
    view! {
        <section class="cell flush" aria-label="Steps">
            <div class="scroll-x" tabindex="0" role="group" aria-label="Steps of both runs">
                <table class="table compact bleed cmp">
                    <thead>
                        <tr>
                            <th scope="col">"Step"</th>
                            <th scope="col" class="n">"A"</th>
                            <th scope="col" class="n">"B"</th>
                            <th scope="col" class="n">"Cost"</th>
                            <th scope="col">"What changed"</th>
                            <th scope="col" class="cmp-time">{format!("0 to {}", text::duration(length_ms))}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {rest}
        </section>
    }
    .into_any()
}

fn step_row(
    query: Memo<CompareQuery>,
    row: &ComparedStep,
    is_selected: bool,
    length_ms: f64,
) -> impl IntoView + use<> {
    let time = |step: &Option<StepOfOne>| match step {
        Some(step) => view! { <span>{text::duration(step.length_ms)}</span> }.into_any(),
        None => view! { <span class="none">"–"</span> }.into_any(),
    };
    let cost = |step: &Option<StepOfOne>| step.as_ref().and_then(|step| step.cost);
    let chips = row
        .changes
        .iter()
        .map(|change| {
            let (words, tone) = change_words(*change, row);
            view! { <span class="badge" data-tone=(!tone.is_empty()).then_some(tone)>{words}</span> }
        })
        .collect_view();
    let drawing = bars(row, kind_class(row.kind), length_ms);
    let failed = has_failed(&row.second)
        .then(|| view! { <Icon name="x" class="st-bad"/><span class="vh">"failed in B"</span> });
    let indent = format!("cmp-name in-{}", row.depth.min(MAX_INDENT));
    view! {
        <tr aria-current=is_selected.then_some("true") class:is-selected=is_selected>
            <td class="main">
                <span class=indent>
                    <Icon name=kind_icon(row.kind) class=kind_class(row.kind)/>
                    <span class="vh">{row.kind.as_str()}" "</span>
                    <a href=step_href(query, row) data-noscroll>{name_of(row)}</a>
                    {failed}
                </span>
            </td>
            <td class="n t">{time(&row.first)}</td>
            <td class="n t">{time(&row.second)}</td>
            <td class="n t">{more_cost(cost(&row.first), cost(&row.second))}</td>
            <td class="cmp-chips">{chips}</td>
            <td class="cmp-time"><svg class="plot" height="23" aria-hidden="true" inner_html=drawing></svg></td>
        </tr>
    }
}
