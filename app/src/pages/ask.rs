//! Questions about the project that a model answers by looking things up. Chats are kept until somebody deletes them, at most as
//! long as runs are.

use domain::Role;
use domain::inquiry::MAX_QUESTION_CHARS;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::api::inquiries::{ChatsView, HappenedView, InquiryView, ListedChat, OpenChat, read_chats};
use crate::context::{use_may, use_slug};
use crate::live::use_live;
use crate::pages::look_ups::{LookUps, state_badge};
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The page of chats: `?chat=` is the one that is open, `?page=` the page that a new one is about.
#[component]
pub(crate) fn AskPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let chat = Memo::new(move |_| query.read().get("chat").unwrap_or_default());
    let page = Memo::new(move |_| query.read().get("page").unwrap_or_default());
    let live = use_live(slug.into(), Signal::stored(None));
    let resource = Resource::new(
        move || (slug.get(), chat.get(), live.incidents.get(), live.gaps.get()),
        |(slug, chat, ..)| read_chats(slug, chat),
    );
    view! {
        <Title text="Ask"/>
        <TopBar>
            <h1>"Ask"</h1>
        </TopBar>
        <main id="main" class="page page-ask" tabindex="-1">
            <Load
                resource
                what="The chats"
                skeleton={|| view! { <SkeletonRows rows=8/> }}
                children={move |view: ChatsView| {
                    view! { <Chats slug=slug.get_untracked() page=page.get_untracked() view/> }.into_any()
                }}
            />
        </main>
    }
    .into_any()
}

#[component]
fn Chats(slug: String, page: String, view: ChatsView) -> impl IntoView {
    let about = view.open.as_ref().map_or(page, |open| open.page.clone());
    let open_id = view.open.as_ref().map(|open| open.id.clone());
    let conversation = match view.open {
        Some(open) => view! { <Conversation slug=slug.clone() open/> }.into_any(),
        None => view! {
            <p class="dim">"Ask what calls cost, which model serves them, what a deploy changed, how the month ends. The answer names the look-ups that its figures come from."</p>
        }
        .into_any(),
    };
    let no_model = (!view.has_model).then(|| {
        let href = page_href(&slug, "settings/providers");
        view! {
            <p class="notice">
                <span>
                    "No model is chosen for Ask: " <a class="link" href=href>"Settings, Model providers"</a>
                </span>
            </p>
        }
    });
    view! {
        <div class="inv">
            <section class="cell ask" aria-label="Conversation">
                {no_model}
                {conversation}
                <Composer slug=slug.clone() chat=open_id.clone() about/>
            </section>
            <PastChats slug chats=view.chats open=open_id/>
        </div>
    }
}

/// What was asked and answered, the earliest first.
#[component]
fn Conversation(slug: String, open: OpenChat) -> impl IntoView {
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
        .map(|(question, inquiry)| {
            view! {
                <p class="ask-q">{question}</p>
                <Answer slug=slug.clone() inquiry/>
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
    let cost = match (&inquiry.model, inquiry.cost) {
        (Some(model), Some(cost)) => Some(format!("{model}, {}", cost.to_short())),
        (Some(model), None) => Some(model.clone()),
        (None, _) => None,
    };
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

/// Where a question is typed. Without WASM the form waits for the answer; with it the page shows it as it comes.
#[component]
fn Composer(slug: String, chat: Option<String>, about: String) -> impl IntoView {
    let may = use_may(Role::Member);
    let shows_as_it_comes = RwSignal::new(false);
    Effect::new(move |_| shows_as_it_comes.set(true));
    let action = page_href(&slug, "ask");
    let page = about.clone();
    may.get_untracked().then(|| {
        view! {
            <form class="composer" method="post" action=action>
                <input type="hidden" name="chat" value=chat.unwrap_or_default()/>
                <input type="hidden" name="page" value=page/>
                <input type="hidden" name="waits" value=move || if shows_as_it_comes.get() { "no" } else { "yes" }/>
                <textarea
                    rows="3"
                    name="text"
                    required=true
                    maxlength=MAX_QUESTION_CHARS.to_string()
                    aria-label="Ask about this project"
                    placeholder="Ask about this project"
                ></textarea>
                <div class="row">
                    <span class="dim">{(!about.is_empty()).then(|| format!("about {about}"))}</span>
                    <button class="btn push" type="submit"><Icon name="spark"/>"Ask"</button>
                </div>
            </form>
            <p class="dim">"Reads this project only. It never changes anything."</p>
        }
    })
}

/// The chats there are, to be opened or deleted.
#[component]
fn PastChats(slug: String, chats: Vec<ListedChat>, open: Option<String>) -> impl IntoView {
    let may = use_may(Role::Member);
    let page = page_href(&slug, "ask");
    let new = page.clone();
    let is_none = chats.is_empty();
    let rows = chats
        .into_iter()
        .map(|chat| {
            let is_open = open.as_ref() == Some(&chat.id);
            let href = format!("{page}?chat={}", chat.id);
            let action = format!("{page}/{}/delete", chat.id);
            let title = if chat.title.is_empty() { "Empty".to_owned() } else { chat.title };
            let label = format!("Delete “{title}”");
            let delete = may.get_untracked().then(|| {
                view! {
                    <form method="post" action=action>
                        <button class="btn icon sm" data-variant="quiet" type="submit" aria-label=label><Icon name="trash"/></button>
                    </form>
                }
            });
            view! {
                <li>
                    <a class="link" href=href aria-current=is_open.then_some("page")>{title}</a>
                    <Time at=chat.updated_at/>
                    {delete}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="chats-title">
            <div class="head">
                <h2 id="chats-title">"Past chats"</h2>
                <div class="head-actions"><a class="btn" href=new><Icon name="plus"/>"New chat"</a></div>
            </div>
            {if is_none {
                view! { <p class="dim">"None yet."</p> }.into_any()
            } else {
                view! { <ul class="chats">{rows}</ul> }.into_any()
            }}
        </section>
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
