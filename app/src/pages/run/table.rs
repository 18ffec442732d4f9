//! The steps as a plain table: what screen readers get, and what can be copied.

use domain::{NanoUsd, text};
use leptos::prelude::*;

use super::Page;
use super::model::ROWS_PER_PAGE;
use crate::pages::cells::cost_title;
use crate::timeline::draw::glyph;
use crate::timeline::layout::Line;
use crate::ui::icon::Icon;

/// One row per step, in the order of the tree.
#[component]
pub(super) fn StepTable(page: Page) -> impl IntoView {
    let Page { run, query, .. } = page;
    let rows = move || {
        let reading = run.read();
        let first = query.read().first_row;
        let lines = reading.lines(&query.read());
        lines
            .iter()
            .skip(if reading.part.is_some() { 0 } else { first })
            .take(ROWS_PER_PAGE)
            .map(|line| match line {
                Line::Orphans(count) => orphans(*count).into_any(),
                Line::Row(row) => step_row(page, *row, None),
                Line::Group(row, end) => step_row(page, *row, Some(end - row)),
            })
            .collect_view()
    };
    view! {
        <div class="scroll-x" tabindex="0" role="group" aria-label="Steps">
            <table class="table compact rows bleed steps-table">
                <thead>
                    <tr>
                        <th class="n">"Level"</th>
                        <th>"Step"</th>
                        <th>"Kind"</th>
                        <th>"Model"</th>
                        <th class="n">"Begins"</th>
                        <th class="n">"Duration"</th>
                        <th>"Status"</th>
                        <th class="n">"Score"</th>
                        <th class="n">"Tokens"</th>
                        <th class="n">"Cost"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn orphans(count: usize) -> impl IntoView {
    let text = format!("Parent not received: {}", text::counted(count as i64, "step"));
    view! { <tr class="group"><th colspan="10" scope="rowgroup">{text}</th></tr> }
}

/// A step, or so many calls of its name.
fn step_row(page: Page, row: usize, calls: Option<usize>) -> AnyView {
    let Page { run, query, .. } = page;
    let reading = run.read_untracked();
    let Some(step) = reading.step_of(row) else {
        return ().into_any();
    };
    let id = reading.id_of(row).to_owned();
    let is_selected = {
        let id = id.clone();
        move || (query.read().step.as_deref() == Some(&id)).then_some("true")
    };
    let name = reading.skeleton.name_of(step).to_owned();
    let calls = calls.map(|calls| view! { " " <span class="badge">{format!("×{calls}")}</span> });
    let begins = step.started_us.saturating_sub(reading.bounds.0) as f64 / 1_000.0;
    let known = step.cost_nano_usd.map(NanoUsd);
    let unpriced = i64::from(step.cost_nano_usd.is_none() && step.kind.is_billable());
    let cost = match (known, unpriced) {
        (Some(cost), _) => cost.to_short(),
        (None, 0) => "–".to_owned(),
        (None, _) => "unknown".to_owned(),
    };
    let wrong = glyph(step.status, step.severity);
    let word = wrong.map_or(step.status.as_str(), |(_, _, word)| word);
    view! {
        <tr aria-selected=is_selected>
            <td class="n">{reading.layout.rows[row].depth + 1}</td>
            <td class="main">
                <a href=move || query.read().with_step(Some(&id)).to_href() data-noscroll>{name}</a>{calls}
            </td>
            <td>{step.kind.as_str()}</td>
            <td>{reading.skeleton.model_of(step).unwrap_or("–").to_owned()}</td>
            <td class="n">{format!("+{}", text::duration(begins))}</td>
            <td class="n t">{text::duration(step.shown_ms(reading.now_us()))}</td>
            <td>
                <span class="status">
                    {wrong.map(|(icon, class, _)| view! { <Icon name=icon class=class/> })}
                    {word}
                </span>
            </td>
            <td class="n">{step.score.map_or_else(|| "–".to_owned(), |s| s.to_string())}</td>
            <td class="n">{step.tokens.map_or_else(|| "–".to_owned(), text::short_count)}</td>
            <td class="n t" title=cost_title(known, unpriced)>{cost}</td>
        </tr>
    }
    .into_any()
}
