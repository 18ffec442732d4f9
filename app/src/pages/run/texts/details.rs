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
    let length_ms = step
        .latency_ms
        .or_else(|| Some(step.ended_at?.ms_since(start)))
        .unwrap_or_default();
    let axis = axis(events.iter().map(|event| event.at.ms_since(start)), length_ms).map(|(drawing, end_ms)| {
        let label = format!("Events over {}", text::duration(end_ms));
        view! {
            <svg class="plot ev-axis" height="12" role="img" aria-label=label inner_html=drawing></svg>
            <p class="dim num ev-ends" aria-hidden="true"><span>"0"</span><span>{text::duration(end_ms)}</span></p>
        }
    });
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
                {axis}
                <ol class="events">{rows}</ol>
                {cut}
            </section>
        }
    })
}

/// Moments on a line from the step's beginning to its end, or to the last moment where that lies behind it: what stands
/// inside an SVG of 12 pixels, and how long the line is in milliseconds. `None` where it has no length.
fn axis(moments_ms: impl Iterator<Item = f64> + Clone, length_ms: f64) -> Option<(String, f64)> {
    let end_ms = moments_ms.clone().fold(length_ms, f64::max);
    if end_ms <= 0.0 {
        return None;
    }
    let mut drawing = r#"<line class="axis-line" x1="0" x2="100%" y1="6" y2="6"/>"#.to_owned();
    for moment in moments_ms {
        let percent = (moment / end_ms).clamp(0.0, 1.0) * 100.0;
        drawing.push_str(&format!(
            r#"<circle class="pt" cx="{percent:.2}%" cy="6" r="3"/>"#
        ));
    }
    Some((drawing, end_ms))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_lie_between_the_ends_of_their_step() {
        let (drawing, end_ms) = axis([-5.0, 250.0].into_iter(), 1_000.0).unwrap();
        assert!(
            drawing.contains(r#"cx="0.00%""#) && drawing.contains(r#"cx="25.00%""#),
            "{drawing}"
        );
        assert_eq!(end_ms, 1_000.0);
        // One that came after the end makes the line longer.
        assert_eq!(axis([2_000.0].into_iter(), 1_000.0).unwrap().1, 2_000.0);
        assert_eq!(axis([0.0].into_iter(), 0.0), None);
    }
}
