//! An agent's state before and after the step.

use domain::{StepEvent, text};
use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::payload::state_diff::{Change, MAX_CHANGES, diff, states};

/// A value is shown up to so many characters.
const VALUE_CHARS: usize = 160;

pub(super) fn state_section(
    attributes: &Map<String, Value>,
    events: &[StepEvent],
) -> Option<impl IntoView + use<>> {
    let (before, after) = states(attributes, events)?;
    let found = diff(&before, &after);
    let count = found.changes.len();
    let rows = found
        .changes
        .into_iter()
        .take(MAX_CHANGES)
        .map(row)
        .collect_view();
    let said = if count == 0 {
        "nothing changed".to_owned()
    } else {
        format!("{count} changed, {} unchanged", found.unchanged)
    };
    let more = count.saturating_sub(MAX_CHANGES);
    Some(view! {
        <section class="ps" aria-label="State">
            <div class="head"><h3>"State"</h3><span class="sub num">{said}</span></div>
            {(count > 0).then(|| view! {
                <div class="scroll-x" tabindex="0" role="group" aria-label="What changed in the state">
                    <table class="table compact">
                        <thead><tr><th>"Key"</th><th>"Before"</th><th>"After"</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            })}
            {(more > 0).then(|| view! { <p class="dim">{format!("and {more} more")}</p> })}
        </section>
    })
}

fn row(change: Change) -> impl IntoView {
    let words = |value: &Option<Value>| {
        value
            .as_ref()
            .map(|value| text::first_line(&value.to_string(), VALUE_CHARS))
    };
    let (before, after) = (words(&change.before), words(&change.after));
    let path = if change.path.is_empty() {
        "all of it".to_owned()
    } else {
        change.path
    };
    let none = || view! { <span class="none">"–"</span> }.into_any();
    view! {
        <tr>
            <th scope="row" class="mono">{path}</th>
            <td class="mono">{before.map_or_else(none, |text| view! { <del class="state-was">{text}</del> }.into_any())}</td>
            <td class="mono">{after.map_or_else(none, |text| view! { <ins class="state-is">{text}</ins> }.into_any())}</td>
        </tr>
    }
}
