//! What was asked in a chat, and how it was answered.

use leptos::prelude::*;

use super::along::Along;
use super::bill::ReadBill;
use crate::api::inquiries::{ChatMessage, HappenedView, InquiryView, OpenChat};
use crate::pages::look_ups::{LookUps, state_badge};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// What was asked and answered, the earliest first.
#[component]
pub(super) fn Conversation(slug: String, open: OpenChat, along: Along) -> impl IntoView {
    let whole = format!("/api/chats/{}?project={slug}", open.id);
    let is_cut = open.is_cut.then(|| {
        view! {
            <p class="hint form-note">
                "Only the latest of this chat is shown, and the beginning of long answers. "
                <a class="link" rel="external" href=whole>"All of it, as JSON"</a>
            </p>
        }
    });
    let messages = open
        .messages
        .into_iter()
        .map(|message| {
            let ChatMessage {
                question,
                inquiry,
                bill,
            } = message;
            let answer = match bill {
                Some(bill) => view! { <ReadBill slug=slug.clone() inquiry bill along/> }.into_any(),
                None => view! { <Answer slug=slug.clone() inquiry/> }.into_any(),
            };
            view! {
                <p class="ask-q">{question}</p>
                {answer}
            }
        })
        .collect_view();
    view! { {is_cut} {messages} }
}

/// A piece of an answer: text, or the number of a look-up.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Cite(u32),
}

/// An answer with `[2]` told apart where there is such a look-up.
fn pieces(text: &str, look_ups: u32) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut said = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        said.push_str(before);
        let cite = after
            .split_once(']')
            .and_then(|(number, after)| Some((number.trim().parse::<u32>().ok()?, after)))
            .filter(|(number, _)| (1..=look_ups).contains(number));
        match cite {
            Some((number, after)) => {
                if !said.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut said)));
                }
                pieces.push(Piece::Cite(number));
                rest = after;
            }
            None => {
                said.push('[');
                rest = after;
            }
        }
    }
    said.push_str(rest);
    if !said.is_empty() {
        pieces.push(Piece::Text(said));
    }
    pieces
}

/// An answer, its sources linked.
#[component]
fn Answer(slug: String, inquiry: InquiryView) -> impl IntoView {
    let look_ups: Vec<(u32, String, String)> = inquiry
        .happened
        .iter()
        .filter_map(|one| match one {
            HappenedView::LookedUp {
                number, name, page, ..
            } => Some((*number, name.clone(), page.clone())),
            HappenedView::Said { .. } => None,
        })
        .collect();
    let answer = inquiry.happened.iter().rev().find_map(|one| match one {
        HappenedView::Said {
            text,
            is_remark: false,
            ..
        } => Some(text.clone()),
        _ => None,
    });
    let href_of = |number: u32| {
        let found = look_ups.iter().find(|(known, ..)| *known == number);
        found.map_or_else(String::new, |(_, _, page)| page_href(&slug, page))
    };
    let count = u32::try_from(look_ups.len()).unwrap_or(0);
    let paragraphs = answer
        .filter(|_| inquiry.state.is_over())
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let parts = pieces(line, count)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.into_any(),
                    Piece::Cite(number) => {
                        let label = format!("Look-up {number}");
                        view! { <a class="cite num" href=href_of(number) aria-label=label>{number}</a> }
                            .into_any()
                    }
                })
                .collect_view();
            view! { <p>{parts}</p> }
        })
        .collect_view();
    let error = inquiry
        .error
        .clone()
        .map(|error| view! { <p class="notice" role="status">{error}</p> });
    let sources = (count > 0).then(|| {
        let chips = look_ups
            .iter()
            .map(|(number, name, page)| {
                view! { <a class="src-chip" href=page_href(&slug, page)><Icon name="search"/>{format!("{number} {name}")}</a> }
            })
            .collect_view();
        view! { <div class="srcs">{chips}</div> }
    });
    let cost = inquiry.asked_at_cost();
    let summary = domain::text::counted(i64::from(count), "look-up");
    let is_working = !inquiry.state.is_over();
    let badge = is_working.then(|| state_badge(&inquiry));
    view! {
        <div class="ask-a" aria-live="polite" aria-busy=is_working.to_string()>
            <details class="numbers" open=is_working>
                <summary>{summary}</summary>
                <LookUps slug=slug.clone() inquiry=inquiry.clone()/>
            </details>
            {badge}
            {paragraphs}
            {error}
            {sources}
            {cost.map(|cost| view! { <p class="fine num">{cost}</p> })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_look_ups_are_told_apart() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("It cost $4 [2], more than [9] and [x", 3),
            [
                text("It cost $4 "),
                Piece::Cite(2),
                text(", more than [9] and [x")
            ]
        );
        assert_eq!(pieces("[1][2]", 2), [Piece::Cite(1), Piece::Cite(2)]);
        assert!(pieces("", 1).is_empty());
        assert_eq!(pieces("[0]", 1), [text("[0]")]);
    }
}
