//! Output, input, events and attributes of the selected step.

use domain::{StepSummary, text};
use leptos::prelude::*;
use serde_json::{Map, Value};

use super::query::{RunQuery, TextView};
use super::{Page, SelectedTexts};
use crate::api::steps::{SHOWN_BYTES, SentText, StepTexts};
use crate::payload::chat;
use crate::payload::marks::{Mark, notes, of_conditions};
use crate::payload::text::{Chat, MarkedText};
use crate::ui::copy::copy_text;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::use_attached;

/// Everything the client said about the step.
#[component]
pub(super) fn Texts(page: Page, step: StepSummary, texts: SelectedTexts) -> impl IntoView {
    view! {
        <Load
            resource=texts
            what="The step's texts"
            skeleton={|| view! { <section class="ps"><SkeletonRows rows=6/></section> }}
            children={move |texts: Option<StepTexts>| {
                let step = step.clone();
                texts.map(|texts| view! { <Loaded page step texts/> })
            }}
        />
    }
}

#[component]
fn Loaded(page: Page, step: StepSummary, texts: StepTexts) -> impl IntoView {
    let step = StoredValue::new(step);
    let StepTexts {
        input,
        output,
        prompt_template,
        attributes,
        events,
        price: _,
    } = texts;
    let (output, input) = (StoredValue::new(output), StoredValue::new(input));
    // Only the parts that the switches change are drawn again.
    let output_view = Memo::new(move |_| (page.query.read().output, page.query.read().full));
    let input_view = Memo::new(move |_| (page.query.read().input, page.query.read().full));
    view! {
        {move || output.with_value(|text| output_section(page, &step.get_value(), text.as_ref(), output_view.get()))}
        {move || input.with_value(|text| input_section(page, &step.get_value(), text.as_ref(), input_view.get()))}
        {prompt_template.map(template_section)}
        {events_section(&step.get_value(), events)}
        {attributes_section(&attributes)}
    }
}

fn output_section(
    page: Page,
    step: &StepSummary,
    output: Option<&SentText>,
    (view, full): (Option<TextView>, bool),
) -> AnyView {
    let Some(output) = output else {
        return absent(
            "Output",
            if step.ended_at.is_none() {
                "None yet"
            } else {
                "None was sent"
            },
        );
    };
    let as_json = view == Some(TextView::Json);
    let sub = sub_line([
        step.tokens.output.map(|n| text::counted(n, "token")),
        Some(bytes(output.total_bytes)),
        step.stop_reason.clone(),
    ]);
    let switch = Switch {
        page,
        label: "Show output as",
        choices: &[(TextView::Raw, "Raw"), (TextView::Json, "JSON")],
        current: if as_json { TextView::Json } else { TextView::Raw },
        set: |query, view| query.output = Some(view),
    };
    let shown = shown(output, full);
    let marks = of_conditions(&shown, &step.conditions);
    let not_json = (as_json && serde_json::from_str::<serde::de::IgnoredAny>(&shown).is_err())
        .then_some("This is not JSON, so it is shown as plain text.");
    let body = if output.total_bytes == 0 {
        view! { <p class="dim">"Empty"</p> }.into_any()
    } else {
        let label = format!("Output of {}", step.name);
        view! { <MarkedText text=shown.clone() marks=marks.clone() as_json label/> }.into_any()
    };
    let marked = mark_notes(&marks);
    section(
        page,
        "Output",
        sub,
        switch,
        output,
        &shown,
        view! { {not_json.map(note)} {body} {marked} }.into_any(),
    )
}

fn input_section(
    page: Page,
    step: &StepSummary,
    input: Option<&SentText>,
    (view, full): (Option<TextView>, bool),
) -> AnyView {
    let Some(input) = input else {
        return absent("Input", "None was sent");
    };
    let messages = chat::parse(&input.text);
    let view = match (view, &messages) {
        (None | Some(TextView::Chat), Some(_)) => TextView::Chat,
        (None | Some(TextView::Chat), None) => TextView::Raw,
        (Some(view), _) => view,
    };
    let sub = sub_line([
        step.tokens.input().map(|n| text::counted(n, "token")),
        Some(bytes(input.total_bytes)),
        messages
            .as_ref()
            .map(|m| text::counted(m.len() as i64, "message")),
    ]);
    let choices: &[(TextView, &str)] = if messages.is_some() {
        &[
            (TextView::Chat, "Chat"),
            (TextView::Json, "JSON"),
            (TextView::Raw, "Raw"),
        ]
    } else {
        &[(TextView::Raw, "Raw"), (TextView::Json, "JSON")]
    };
    let switch = Switch {
        page,
        label: "Show input as",
        choices,
        current: view,
        set: |query, view| query.input = Some(view),
    };
    let shown = shown(input, full);
    let body = match (view, messages) {
        (TextView::Chat, Some(messages)) => {
            let cut_bytes = if full { usize::MAX } else { SHOWN_BYTES };
            view! { <Chat messages cut_bytes/> }.into_any()
        }
        _ if input.total_bytes == 0 => view! { <p class="dim">"Empty"</p> }.into_any(),
        (view, _) => {
            let label = format!("Input of {}", step.name);
            let as_json = view == TextView::Json;
            view! { <MarkedText text=shown.clone() marks=Vec::new() as_json label/> }.into_any()
        }
    };
    // A conversation is cut message by message, so nothing is missing from it as a whole.
    let shown = if view == TextView::Chat {
        input.text.clone()
    } else {
        shown
    };
    section(page, "Input", sub, switch, input, &shown, body)
}

/// The part of a text that is shown.
fn shown(sent: &SentText, full: bool) -> String {
    let end = if full {
        sent.text.len()
    } else {
        sent.text.floor_char_boundary(SHOWN_BYTES)
    };
    sent.text[..end.min(sent.text.len())].to_owned()
}

/// The switch between the ways to show a text.
struct Switch {
    page: Page,
    label: &'static str,
    choices: &'static [(TextView, &'static str)],
    current: TextView,
    set: fn(&mut RunQuery, TextView),
}

impl Switch {
    fn into_links(self) -> impl IntoView {
        let Self {
            page,
            label,
            choices,
            current,
            set,
        } = self;
        let links = choices
            .iter()
            .map(|(choice, word)| {
                let choice = *choice;
                let href = move || {
                    let mut query = page.query.get();
                    set(&mut query, choice);
                    query.to_href()
                };
                view! { <a href=href aria-current=(choice == current).then_some("true") data-noscroll>{*word}</a> }
            })
            .collect_view();
        view! { <div class="seg sm" role="group" aria-label=label>{links}</div> }
    }
}

fn section(
    page: Page,
    title: &'static str,
    sub: String,
    switch: Switch,
    sent: &SentText,
    shown: &str,
    body: AnyView,
) -> AnyView {
    let copied_text = sent.text.clone();
    let cut = ((shown.len() as u64) < sent.total_bytes).then(|| {
        let said = format!("The first {} of {}", bytes(shown.len() as u64), bytes(sent.total_bytes));
        let all = move || {
            RunQuery {
                full: true,
                ..page.query.get()
            }
            .to_href()
        };
        view! {
            <p class="cut-note"><span class="dim num">{said}</span>" "<a class="link" href=all data-noscroll>"Show all"</a></p>
        }
    });
    view! {
        <section class="ps" aria-label=title>
            <div class="head">
                <h3>{title}</h3>
                <span class="sub num">{sub}</span>
                <div class="head-actions">
                    {switch.into_links()}
                    <CopyText text=copied_text what=title/>
                </div>
            </div>
            {body}
            {cut}
        </section>
    }
    .into_any()
}

#[component]
fn CopyText(text: String, what: &'static str) -> impl IntoView {
    let attached = use_attached();
    let copied = RwSignal::new(false);
    let label = format!("Copy {}", what.to_lowercase());
    view! {
        <button
            class="btn icon sm"
            data-variant="quiet"
            type="button"
            title=label.clone()
            aria-label=label
            hidden=move || !attached.get()
            on:click=move |_| copy_text(text.clone(), copied)
        >
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "copy" })/>
        </button>
    }
}

fn absent(title: &'static str, why: &'static str) -> AnyView {
    view! {
        <section class="ps" aria-label=title>
            <div class="head"><h3>{title}</h3><span class="sub">{why}</span></div>
        </section>
    }
    .into_any()
}

fn note(text: &'static str) -> impl IntoView {
    view! { <p class="dim">{text}</p> }
}

/// What the marks in the output say, as text beside them.
fn mark_notes(marks: &[Mark]) -> impl IntoView + use<> {
    notes(marks)
        .into_iter()
        .map(|note| view! { <p class="flow-note"><Icon name="info"/><span>{note}</span></p> })
        .collect_view()
}

fn template_section(template: SentText) -> impl IntoView {
    view! {
        <section class="ps" aria-label="Prompt template">
            <details>
                <summary class="head"><h3>"Prompt template"</h3><span class="sub num">{bytes(template.total_bytes)}</span></summary>
                <pre class="code wrap" tabindex="0" role="group" aria-label="Prompt template">{template.text}</pre>
            </details>
        </section>
    }
}

fn events_section(step: &StepSummary, events: Vec<domain::StepEvent>) -> Option<impl IntoView + use<>> {
    let start = step.started_at;
    let count = events.len();
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
    (count > 0).then(|| {
        view! {
            <section class="ps" aria-label="Events">
                <div class="head"><h3>"Events"</h3><span class="sub num">{count}</span></div>
                <ol class="events">{rows}</ol>
            </section>
        }
    })
}

fn attributes_section(attributes: &Map<String, Value>) -> Option<impl IntoView + use<>> {
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
    (!attributes.is_empty()).then(|| {
        view! {
            <section class="ps" aria-label="Attributes">
                <div class="head"><h3>"Attributes"</h3><span class="sub num">{attributes.len()}</span></div>
                <dl class="kv">{rows}</dl>
            </section>
        }
    })
}

fn sub_line<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `129 bytes`, `64.0 KB`, `1.2 MB`.
fn bytes(count: u64) -> String {
    match count {
        0..1_024 => text::counted(count as i64, "byte"),
        1_024..1_048_576 => format!("{:.1} KB", count as f64 / 1_024.0),
        _ => format!("{:.1} MB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(1, "1 byte");
        check(129, "129 bytes");
        check(64 * 1_024, "64.0 KB");
        check(1_258_291, "1.2 MB");
    }

    #[test]
    fn long_texts_show_their_beginning() {
        let sent = SentText::of("é".repeat(SHOWN_BYTES), true);
        assert_eq!(shown(&sent, false).len(), SHOWN_BYTES);
        assert_eq!(shown(&sent, true).len(), 2 * SHOWN_BYTES);
        assert_eq!(shown(&SentText::of(String::new(), false), false), "");
    }
}
