//! A text as numbered lines, a stretch, or a conversation.

use leptos::prelude::*;

use super::budget::{Budget, COLOURED_BYTES};
use super::chat::{Message, Part, Speaker};
use super::markdown::{Block, Span, blocks};
use super::marks::{Mark, Segment, TextLine, is_end_mark, json_lines, plain_segments, raw_lines};

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
        Some(title) => {
            let title = (!title.is_empty()).then_some(title);
            view! { <mark class=class title=title>{text}</mark> }.into_any()
        }
        None if class.is_empty() => text.into_any(),
        None => view! { <span class=class>{text}</span> }.into_any(),
    }
}

/// A text read as Markdown. Only for texts up to [`COLOURED_BYTES`]: each span is an element.
pub(crate) fn as_markdown(text: &str, label: String) -> AnyView {
    let blocks = blocks(text).into_iter().map(block).collect_view();
    view! { <div class="md" tabindex="0" role="group" aria-label=label>{blocks}</div> }.into_any()
}

fn block(block: Block) -> AnyView {
    match block {
        Block::Heading(said) => view! { <p class="md-head">{line(said)}</p> }.into_any(),
        Block::Paragraph(said) => view! { <p>{line(said)}</p> }.into_any(),
        Block::Item { depth, marker, said } => {
            let class = format!("md-item in-{depth}");
            view! { <p class=class><span class="dim">{marker}</span><span>{line(said)}</span></p> }.into_any()
        }
        Block::Quote(said) => view! { <blockquote class="md-quote">{line(said)}</blockquote> }.into_any(),
        Block::Verbatim(text) => {
            view! { <pre class="code" tabindex="0" role="group" aria-label="Code"><span>{text}</span></pre> }
                .into_any()
        }
        Block::Rule => view! { <hr/> }.into_any(),
    }
}

fn line(said: Vec<Span>) -> impl IntoView {
    said.into_iter().map(span).collect_view()
}

fn span(span: Span) -> AnyView {
    match span {
        Span::Text(text) => text.into_any(),
        Span::Strong(text) => view! { <strong>{text}</strong> }.into_any(),
        Span::Emphasis(text) => view! { <em>{text}</em> }.into_any(),
        Span::Code(text) => view! { <code>{text}</code> }.into_any(),
        // Whoever wrote it chose where it leads: it is read, not followed.
        Span::Link { words, address } => {
            view! { {words}" "<span class="mono dim">{format!("({address})")}</span> }.into_any()
        }
    }
}

/// A conversation, one block per turn, as much of it as the budget of all its parts allows. What is left out is said at
/// its end.
pub(crate) fn chat(messages: Vec<Message>, budget: &mut Budget) -> AnyView {
    let mut left = messages.len();
    let mut turns = Vec::new();
    for message in messages {
        if budget.is_spent() {
            break;
        }
        left -= 1;
        turns.push(turn(message, budget));
    }
    let left_out = left_out(left, "further message", budget);
    view! { <div class="chat">{turns}{left_out}</div> }.into_any()
}

/// Says how many are not shown, if any.
pub(crate) fn left_out(count: usize, what: &str, budget: &mut Budget) -> Option<impl IntoView + use<>> {
    if count == 0 {
        return None;
    }
    budget.leave_out();
    let count = domain::text::counted(i64::try_from(count).unwrap_or(i64::MAX), what);
    Some(view! { <p class="dim num">{format!("{count} not shown")}</p> })
}

fn turn(message: Message, budget: &mut Budget) -> AnyView {
    let Message { speaker, role, parts } = message;
    budget.take_part();
    let role = budget.take_word(role);
    let mut shown = Vec::new();
    let mut left = parts.len();
    for part in parts {
        if budget.is_spent() {
            break;
        }
        left -= 1;
        shown.push(said(part, budget));
    }
    let left_out = left_out(left, "further part", budget);
    let nothing = (shown.is_empty() && left == 0).then(|| view! { <p class="dim">"nothing"</p> });
    view! {
        <div class="msg" data-speaker=speaker_word(speaker)>
            <span class="role">{role}</span>
            <div class="said">{nothing}{shown}{left_out}</div>
        </div>
    }
    .into_any()
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

fn said(part: Part, budget: &mut Budget) -> AnyView {
    budget.take_part();
    match part {
        Part::Text(text) => view! { <p>{budget.take_text(text)}</p> }.into_any(),
        Part::Thinking(text) => {
            let text = budget.take_text(text);
            view! { <p class="thinking"><span class="vh">"Reasoning: "</span>{text}</p> }.into_any()
        }
        Part::Call { name, arguments } => {
            let name = budget.take_word(name);
            let arguments = json_stretch(arguments, budget);
            view! {
                <p class="call"><span class="dim">"calls "</span><b>{name}</b></p>
                <pre class="code" tabindex="0" role="group" aria-label="Arguments">{arguments}</pre>
            }
            .into_any()
        }
        Part::Result(text) => {
            let text = json_stretch(text, budget);
            view! { <pre class="code" tabindex="0" role="group" aria-label="Result"><span>{text}</span></pre> }.into_any()
        }
        Part::Media(kind) => {
            let kind = budget.take_word(kind);
            view! { <p><span class="badge" data-tone="line">{kind}</span>" "<span class="dim">"not shown"</span></p> }.into_any()
        }
        Part::Unknown(json) => {
            let json = json_stretch(json, budget);
            view! { <pre class="code" tabindex="0" role="group" aria-label="Part of unknown shape">{json}</pre> }
                .into_any()
        }
    }
}

/// Short JSON coloured and indented, anything else as it stands.
fn json_stretch(text: String, budget: &mut Budget) -> AnyView {
    if text.trim().is_empty() {
        return view! { <span class="dim">"nothing"</span> }.into_any();
    }
    let lines = (text.starts_with(['{', '[']) && budget.take_coloured(text.len()))
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
        None => budget.take_text(text).into_any(),
    }
}
