//! What a step was given and what it said, in both runs.

use leptos::prelude::*;

use super::model::CompareQuery;
use super::steps::name_of;
use crate::api::comparison::ComparedRuns;
use crate::pages::diff_lines::diff_line;

/// The selected step's texts, line by line.
pub(super) fn texts(query: Memo<CompareQuery>, runs: &ComparedRuns) -> impl IntoView + use<> {
    let row = runs.selected.and_then(|index| runs.rows.get(index));
    let name = row.map(name_of);
    let lines = runs.lines.clone();
    let (has_first, has_second) = runs.has_texts;
    let what = move |of_input: bool| {
        let href = move || {
            CompareQuery {
                of_input,
                ..query.get()
            }
            .to_href()
        };
        let current = move || (query.read().of_input == of_input).then_some("true");
        let word = if of_input { "Input" } else { "Output" };
        view! { <a href=href aria-current=current data-noscroll>{word}</a> }
    };
    let body = if name.is_none() {
        view! { <p class="dim">"Select a step above to compare what it was given and what it said."</p> }
            .into_any()
    } else if lines.is_empty() {
        let why = match (has_first, has_second) {
            (true, true) => "Both are equal.",
            (false, false) => "Neither has one.",
            _ => "One of them is empty.",
        };
        view! { <p class="dim">{why}</p> }.into_any()
    } else {
        let one_sided = match (has_first, has_second) {
            (true, false) => Some("Only A has one."),
            (false, true) => Some("Only B has one."),
            _ => None,
        };
        let lines = lines.into_iter().map(diff_line).collect_view();
        view! {
            <div class="diff mono" role="group" aria-label="Lines that changed" tabindex="0">{lines}</div>
            {one_sided.map(|words| view! { <p class="dim">{words}</p> })}
        }
        .into_any()
    };
    view! {
        <section class="cell" aria-label="Texts">
            <div class="head">
                <h2>"Where they part"</h2>
                <span class="sub">{name}</span>
                <div class="head-actions"><div class="seg sm" role="group" aria-label="Which text">{what(false)}{what(true)}</div></div>
            </div>
            {body}
        </section>
    }
}
