//! Output, input, events and attributes of the selected step.

mod details;
mod long;
mod state;
mod switch;

use domain::filter::percent_encode;
use domain::{ShareContent, StepSummary, text};
use engine::shape::{Shape, shape_of};
use leptos::prelude::*;

use self::details::{attributes_section, events_section, template_section};
use self::long::{FindInTexts, is_long, tail_view};
use self::state::state_section;
use self::switch::Switch;
use super::query::{RunQuery, TextView};
use super::{Page, SelectedPlaces, SelectedTexts};
use crate::api::steps::{FULL_BYTES, SHOWN_BYTES, SentText, StepTexts};
use crate::payload::budget::{Budget, COLOURED_BYTES};
use crate::payload::marks::{Mark, notes, of_conditions};
use crate::payload::text::{self as payload_text, MarkedText};
use crate::payload::{chat, tree};
use crate::ui::copy::copy_text;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::use_attached;

/// Said under a conversation of which not all is shown.
const CUT_CHAT: &str = "Long texts and conversations are cut";

/// Everything the client said about the step.
#[component]
pub(super) fn Texts(
    page: Page,
    step: StepSummary,
    texts: SelectedTexts,
    /// Where what is looked for stands; `None` on a link's page.
    places: Option<SelectedPlaces>,
) -> impl IntoView {
    if page.shared == Some(ShareContent::Removed) {
        return view! {
            <section class="ps"><p class="dim">"Prompts, answers, attributes and events are left out of this link"</p></section>
        }
        .into_any();
    }
    view! {
        <Load
            resource=texts
            what="The step's texts"
            skeleton={|| view! { <section class="ps"><SkeletonRows rows=6/></section> }}
            children={move |texts: Option<StepTexts>| {
                let step = step.clone();
                let masked = (page.shared == Some(ShareContent::Masked)).then(|| {
                    view! {
                        <p class="ps masked-note"><Icon name="lock"/>"Masked on the server: letters are x, digits 0 or 1"</p>
                    }
                });
                texts.map(|texts| view! { {masked} <Loaded page step texts places/> })
            }}
        />
    }
    .into_any()
}

#[component]
fn Loaded(page: Page, step: StepSummary, texts: StepTexts, places: Option<SelectedPlaces>) -> impl IntoView {
    let step = StoredValue::new(step);
    let places = places.filter(|_| is_long(&texts));
    let StepTexts {
        input,
        output,
        prompt_template,
        attributes,
        attribute_count,
        events,
        event_count,
        price: _,
    } = texts;
    let (output, input) = (StoredValue::new(output), StoredValue::new(input));
    // Only the parts that the switches change are drawn again.
    let output_view = Memo::new(move |_| (page.query.read().output, page.query.read().full));
    let input_view = Memo::new(move |_| (page.query.read().input, page.query.read().full));
    view! {
        {move || output.with_value(|text| output_section(page, &step.get_value(), text.as_ref(), output_view.get()))}
        {move || input.with_value(|text| input_section(page, &step.get_value(), text.as_ref(), input_view.get()))}
        {places.map(|places| view! { <FindInTexts page places/> })}
        {prompt_template.map(|template| template_section(page, &step.get_value(), template))}
        {state_section(&attributes, &events)}
        {events_section(page, &step.get_value(), events, event_count)}
        {attributes_section(page, &step.get_value(), &attributes, attribute_count)}
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
    let messages = output
        .is_whole()
        .then(|| chat::parse_answer(&output.text))
        .flatten();
    let shown = shown(output, full);
    let is_markdown = matches!(shape_of(&shown), Shape::Markdown | Shape::List);
    let json = tree::parse(&shown);
    let view = match view {
        Some(TextView::Chat) if messages.is_none() => TextView::Raw,
        Some(TextView::Tree) if json.is_none() => TextView::Json,
        Some(view) => view,
        None => TextView::Raw,
    };
    let sub = sub_line([
        step.tokens.output.map(|n| text::counted(n, "token")),
        Some(bytes(output.total_bytes)),
        step.stop_reason.clone(),
    ]);
    let switch = Switch {
        page,
        label: "Show output as",
        choices: [
            Some((TextView::Raw, "Raw")),
            Some((TextView::Json, "JSON")),
            json.is_some().then_some((TextView::Tree, "Tree")),
            messages.is_some().then_some((TextView::Chat, "Chat")),
            (is_markdown || view == TextView::Markdown).then_some((TextView::Markdown, "Markdown")),
        ]
        .into_iter()
        .flatten()
        .collect(),
        current: view,
        set: |query, view| query.output = Some(view),
    };
    let marks = of_conditions(&shown, &step.conditions);
    let said = match view {
        TextView::Json if serde_json::from_str::<serde::de::IgnoredAny>(&shown).is_err() => {
            Some("This is not JSON, so it is shown as plain text.")
        }
        TextView::Markdown if shown.len() > COLOURED_BYTES => {
            Some("This is too long for Markdown, so it is shown as plain text.")
        }
        _ => None,
    };
    let label = format!("Output of {}", step.name);
    let mut cut = how_much(&shown, output);
    let mut tail = tail_view(output, shown.len(), "End of the output");
    let body = match (view, messages, &json) {
        _ if output.total_bytes == 0 => view! { <p class="dim">"Empty"</p> }.into_any(),
        (TextView::Chat, Some(messages), _) => {
            let mut budget = if full { Budget::full() } else { Budget::opened() };
            let chat = payload_text::chat(messages, &mut budget);
            cut = budget.has_cut().then(|| CUT_CHAT.to_owned());
            tail = None;
            chat
        }
        (TextView::Tree, _, Some(json)) => tree::tree(json, label),
        (TextView::Markdown, ..) if shown.len() <= COLOURED_BYTES => payload_text::as_markdown(&shown, label),
        (view, ..) => {
            let as_json = view == TextView::Json;
            view! { <MarkedText text=shown.clone() marks=marks.clone() as_json label/> }.into_any()
        }
    };
    let marked = mark_notes(&marks);
    let cut = cut_note(page, step, cut, full, Some("output"));
    section(
        "Output",
        sub,
        switch,
        output,
        view! { {said.map(note)} {body} {tail} {marked} {cut} }.into_any(),
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
    // What was sent of a longer text ends somewhere in it.
    let messages = input.is_whole().then(|| chat::parse(&input.text)).flatten();
    let shown = shown(input, full);
    let json = tree::parse(&shown);
    let view = match (view, &messages) {
        (Some(TextView::Tree), _) if json.is_none() => TextView::Json,
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
    let switch = Switch {
        page,
        label: "Show input as",
        choices: [
            messages.is_some().then_some((TextView::Chat, "Chat")),
            json.is_some().then_some((TextView::Tree, "Tree")),
            Some((TextView::Json, "JSON")),
            Some((TextView::Raw, "Raw")),
        ]
        .into_iter()
        .flatten()
        .collect(),
        current: view,
        set: |query, view| query.input = Some(view),
    };
    let mut cut = how_much(&shown, input);
    let mut tail = tail_view(input, shown.len(), "End of the input");
    let label = format!("Input of {}", step.name);
    let body = match (view, messages, &json) {
        (TextView::Chat, Some(messages), _) => {
            let mut budget = if full { Budget::full() } else { Budget::opened() };
            let chat = payload_text::chat(messages, &mut budget);
            tail = None;
            cut = if budget.has_cut() {
                Some(CUT_CHAT)
            } else {
                input.is_without_media.then_some("Media are left out")
            }
            .map(str::to_owned);
            chat
        }
        _ if input.total_bytes == 0 => view! { <p class="dim">"Empty"</p> }.into_any(),
        (TextView::Tree, _, Some(json)) => tree::tree(json, label),
        (view, ..) => {
            let as_json = view == TextView::Json;
            view! { <MarkedText text=shown.clone() marks=Vec::new() as_json label/> }.into_any()
        }
    };
    let cut = cut_note(page, step, cut, full, Some("input"));
    section(
        "Input",
        sub,
        switch,
        input,
        view! { {body} {tail} {cut} }.into_any(),
    )
}

/// How much of a text is shown, when it is not all.
fn how_much(shown: &str, sent: &SentText) -> Option<String> {
    let is_all_that_was_sent = shown.len() == sent.text.len();
    let (shown, total) = (shown.len() as u64, bytes(sent.total_bytes));
    if sent.is_without_media && sent.is_whole() && is_all_that_was_sent {
        return Some(format!("Without the media of {total}"));
    }
    (shown < sent.total_bytes).then(|| format!("The first {} of {total}", bytes(shown)))
}

/// What of the step is not shown, and the ways to it: more on the page, everything as a file, which is one `text` byte
/// for byte or all that was sent.
fn cut_note(
    page: Page,
    step: &StepSummary,
    said: Option<String>,
    full: bool,
    text: Option<&'static str>,
) -> Option<impl IntoView + use<>> {
    let said = said?;
    let step_id = step.step_id.clone();
    let file = move || {
        let which = text.map_or_else(String::new, |text| format!("&text={text}"));
        format!(
            "/api/runs/{}/steps/{}/payload?project={}{which}",
            percent_encode(&page.run.read().run().run_id),
            percent_encode(&step_id),
            percent_encode(&page.slug.read())
        )
    };
    let name = text.map_or_else(|| "step.json".to_owned(), |text| format!("{text}.txt"));
    let more = (!full).then(|| {
        let href = move || {
            RunQuery {
                full: true,
                ..page.query.get()
            }
            .to_href()
        };
        let comma = page.shared.is_none().then_some(", ");
        view! { <a class="link" href=href data-noscroll>"Show more"</a>{comma} }
    });
    Some(view! {
        <p class="cut-note">
            <span class="dim num">{said}</span>" "{more}
            {page.shared.is_none().then(|| view! {
                <a class="link" href=file download=name rel="external">"Download all of it"</a>
            })}
        </p>
    })
}

/// The part of a text that is shown.
fn shown(sent: &SentText, full: bool) -> String {
    let end = if full { FULL_BYTES } else { SHOWN_BYTES };
    sent.text[..sent.text.floor_char_boundary(end)].to_owned()
}

fn section(title: &'static str, sub: String, switch: Switch, sent: &SentText, body: AnyView) -> AnyView {
    let copied_text = sent.text.clone();
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
        assert_eq!(
            shown(&SentText::of("é".repeat(FULL_BYTES), true), true).len(),
            FULL_BYTES
        );
        assert_eq!(shown(&SentText::of(String::new(), false), false), "");
    }
}
