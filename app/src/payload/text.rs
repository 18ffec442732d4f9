//! A text as numbered lines, a stretch, or a conversation.

use leptos::prelude::*;

use super::chat::{Message, Part, Speaker};
use super::marks::{Mark, Segment, TextLine, is_end_mark, json_lines, plain_segments, raw_lines};

/// Texts longer than this are shown without colours and line numbers, in bytes: each token is an element.
const COLOURED_BYTES: usize = 24 * 1024;

/// Text with its marks, as JSON when `as_json` (and it is JSON), else as it stands.
#[component]
pub(crate) fn MarkedText(
    text: String,
    marks: Vec<Mark>,
    /// Indent it as JSON.
    as_json: bool,
    /// What the block is, for screen readers: `Output of plan`.
    label: String,
) -> impl IntoView {
    let lines = if text.len() > COLOURED_BYTES {
        None
    } else if as_json {
        json_lines(&text, &marks).or_else(|| Some(raw_lines(&text, &marks)))
    } else {
        Some(raw_lines(&text, &marks))
    };
    view! {
        <pre class="code" tabindex="0" role="group" aria-label=label>
            {match lines {
                Some(lines) => numbered(lines).into_any(),
                None => segments(plain_segments(&text, &marks)).into_any(),
            }}
        </pre>
    }
}

fn numbered(lines: Vec<TextLine>) -> impl IntoView {
    let count = lines.len();
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| {
            let end = (index + 1 < count).then_some("\n");
            let number = if is_end_mark(&line) {
                String::new()
            } else {
                (index + 1).to_string()
            };
            view! {
                <span class="ln" aria-hidden="true">{number}</span>
                {segments(line)}
                {end}
            }
        })
        .collect_view()
}

fn segments(line: TextLine) -> impl IntoView {
    line.into_iter().map(segment).collect_view()
}

fn segment(segment: Segment) -> AnyView {
    let Segment { text, class, mark } = segment;
    match mark {
        // A point has no text of its own to mark, so the mark says where it is.
        Some(title) if text.is_empty() => {
            let place = title
                .split_once(':')
                .map_or(title.clone(), |(place, _)| place.to_owned());
            view! { <mark class="eof" title=title>{place}</mark> }.into_any()
        }
        Some(title) => view! { <mark class=class title=title>{text}</mark> }.into_any(),
        None if class.is_empty() => text.into_any(),
        None => view! { <span class=class>{text}</span> }.into_any(),
    }
}

/// A conversation, one block per turn.
#[component]
pub(crate) fn Chat(
    messages: Vec<Message>,
    /// Texts are cut after so many bytes each; `usize::MAX` shows all.
    cut_bytes: usize,
) -> impl IntoView {
    let turn = move |message: Message| {
        let role = message.role;
        let parts = message.parts;
        view! {
            <div class="msg" data-speaker=speaker_word(message.speaker)>
                <span class="role">{role}</span>
                <div class="said">
                    {if parts.is_empty() {
                        view! { <p class="dim">"nothing"</p> }.into_any()
                    } else {
                        parts.into_iter().map(|part| said(part, cut_bytes)).collect_view().into_any()
                    }}
                </div>
            </div>
        }
    };
    view! { <div class="chat">{messages.into_iter().map(turn).collect_view()}</div> }
}

const fn speaker_word(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
        Speaker::Other => "other",
    }
}

fn said(part: Part, cut_bytes: usize) -> AnyView {
    match part {
        Part::Text(text) => view! { <p>{cut(text, cut_bytes)}</p> }.into_any(),
        Part::Thinking(text) => {
            view! { <p class="thinking"><span class="vh">"Reasoning: "</span>{cut(text, cut_bytes)}</p> }.into_any()
        }
        Part::Call { name, arguments } => view! {
            <p class="call"><span class="dim">"calls "</span><b>{name}</b></p>
            <pre class="code" tabindex="0" role="group" aria-label="Arguments">{json_stretch(arguments, cut_bytes)}</pre>
        }
        .into_any(),
        Part::Result(text) => view! {
            <pre class="code" tabindex="0" role="group" aria-label="Result">{json_stretch(text, cut_bytes)}</pre>
        }
        .into_any(),
        Part::Media(kind) => view! { <p class="dim">{format!("{kind}, not shown")}</p> }.into_any(),
        Part::Unknown(json) => view! {
            <pre class="code" tabindex="0" role="group" aria-label="Part of unknown shape">{json_stretch(json, cut_bytes)}</pre>
        }
        .into_any(),
    }
}

/// Short JSON coloured and indented, anything else as it stands.
fn json_stretch(text: String, cut_bytes: usize) -> AnyView {
    if text.trim().is_empty() {
        return view! { <span class="dim">"nothing"</span> }.into_any();
    }
    let lines = (text.len() <= COLOURED_BYTES && text.starts_with(['{', '[']))
        .then(|| json_lines(&text, &[]))
        .flatten();
    match lines {
        Some(lines) => {
            let count = lines.len();
            lines
                .into_iter()
                .enumerate()
                .map(|(index, line)| (segments(line), (index + 1 < count).then_some("\n")))
                .collect_view()
                .into_any()
        }
        None => cut(text, cut_bytes).into_any(),
    }
}

fn cut(mut text: String, cut_bytes: usize) -> String {
    if text.len() > cut_bytes {
        text.truncate(text.floor_char_boundary(cut_bytes));
        text.push('…');
    }
    text
}
