//! What else a step says: its template, its events, its attributes.

use domain::{StepSummary, text};
use leptos::prelude::*;
use serde_json::{Map, Value};

use super::super::Page;
use super::{bytes, cut_note, how_much, shown};
use crate::api::steps::SentText;

pub(super) fn template_section(page: Page, step: &StepSummary, template: SentText) -> impl IntoView + use<> {
    let full = page.query.read_untracked().full;
    let shown = shown(&template, full);
    let cut = cut_note(
        page,
        step,
        how_much(&shown, &template),
        full,
        Some("prompt_template"),
    );
    view! {
        <section class="ps" aria-label="Prompt template">
            <details>
                <summary class="head"><h3>"Prompt template"</h3><span class="sub num">{bytes(template.total_bytes)}</span></summary>
                <pre class="code wrap" tabindex="0" role="group" aria-label="Prompt template">{shown}</pre>
                {cut}
            </details>
        </section>
    }
}

pub(super) fn events_section(
    page: Page,
    step: &StepSummary,
    events: Vec<domain::StepEvent>,
    count: usize,
) -> Option<impl IntoView + use<>> {
    let start = step.started_at;
    let shown = events.len();
    let rows = events
        .into_iter()
        .map(|event| {
            let details = (!event.attributes.is_empty()).then(|| {
                let json = Value::Object(event.attributes).to_string();
                view! { <code class="ev-more">{json}</code> }
            });
            view! {
                <li>
                    <time class="num" datetime=event.at.to_string() title=event.at.to_string()>
                        {format!("+{}", text::duration(event.at.ms_since(start)))}
                    </time>
                    <span>{event.name}" "{details}</span>
                </li>
            }
        })
        .collect_view();
    let cut = details_note(page, step, shown, count);
    (count > 0).then(|| {
        view! {
            <section class="ps" aria-label="Events">
                <div class="head"><h3>"Events"</h3><span class="sub num">{count}</span></div>
                <ol class="events">{rows}</ol>
                {cut}
            </section>
        }
    })
}

pub(super) fn attributes_section(
    page: Page,
    step: &StepSummary,
    attributes: &Map<String, Value>,
    count: usize,
) -> Option<impl IntoView + use<>> {
    let rows = attributes
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            view! { <dt>{name.clone()}</dt><dd>{value}</dd> }
        })
        .collect_view();
    let is_last_cut = attributes
        .values()
        .next_back()
        .and_then(Value::as_str)
        .is_some_and(|last| last.ends_with('…'));
    let shown = if is_last_cut {
        attributes.len() - 1
    } else {
        attributes.len()
    };
    let cut = details_note(page, step, shown, count);
    (count > 0).then(|| {
        view! {
            <section class="ps" aria-label="Attributes">
                <div class="head"><h3>"Attributes"</h3><span class="sub num">{count}</span></div>
                <dl class="kv">{rows}</dl>
                {cut}
            </section>
        }
    })
}

/// Says that not all attributes or events are shown.
fn details_note(page: Page, step: &StepSummary, shown: usize, count: usize) -> Option<impl IntoView + use<>> {
    let said = (shown < count).then(|| format!("The first {shown} of {count}"));
    cut_note(page, step, said, page.query.read_untracked().full, None)
}
