//! Ask beside a page: a drawer with one chat about what the page shows. It is open while the URL says so: `?ask=1` is a new
//! chat, `?ask=` with an id one that there is.

use domain::filter::{encode_query, percent_encode};
use domain::{Role, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::along::{Along, Hidden};
use super::composer::Composer;
use super::conversation::Conversation;
use crate::api::inquiries::{ChatsView, read_chats};
use crate::context::use_may;
use crate::error::ApiError;
use crate::live::{LiveState, use_live};
use crate::models::overview_query::{OverviewQuery, Range};
use crate::query_string;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::Load;

/// The parameter, and its value for a new chat.
const PARAMETER: &str = "ask";
const NEW: &str = "1";
/// The longest text that says what a chat is about, in characters; the server takes no more.
const MAX_PAGE_CHARS: usize = 300;

/// What the drawer of a page asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// The page below the project, without its query: `runs/r1`; empty for the overview.
    path: String,
    /// The same as the model is told, with what of it is looked at.
    page: String,
    /// In words, for people.
    words: String,
    /// Questions that the look-ups can answer.
    questions: &'static [&'static str],
}

impl About {
    /// The overview, in its window and with its filters.
    pub(crate) fn overview(query: &OverviewQuery, now: Timestamp) -> Self {
        let span = query.span(now);
        let window = OverviewQuery {
            range: Range::Between(span.from, span.to.min(now)),
            ..OverviewQuery::default()
        };
        let page = window
            .with(|window| window.filter = query.filter.clone())
            .to_href();
        let mut words = query.range.label();
        for (by, value) in query.chips() {
            words.push_str(&format!(", {} {value}", by.as_str()));
        }
        Self {
            path: String::new(),
            page: fitting(page, || window.to_href()),
            words,
            questions: &[
                "Did the cost go up in this time, and why?",
                "Which deploy changed what calls cost?",
                "How does the month end?",
            ],
        }
    }

    /// A run.
    pub(crate) fn run(run_id: &str, has_failed: bool) -> Self {
        let path = format!("runs/{}", percent_encode(run_id));
        Self {
            page: fitting(path.clone(), || "runs".to_owned()),
            path,
            words: "this run".to_owned(),
            questions: if has_failed {
                &[
                    "Why did this run fail?",
                    "Which step of this run cost most?",
                    "Did earlier runs of this name fail like this?",
                ]
            } else {
                &[
                    "What did this run do?",
                    "Which step of this run cost most?",
                    "Which step of this run took longest?",
                ]
            },
        }
    }

    /// An incident.
    pub(crate) fn incident(id: &str) -> Self {
        let path = format!("incidents/{}", percent_encode(id));
        Self {
            page: path.clone(),
            path,
            words: "this incident".to_owned(),
            questions: &[
                "What caused this incident?",
                "What did the deploys before it change?",
                "Was there an incident like this before, and what ended it?",
            ],
        }
    }
}

/// `text`, or what stands for it where the server would not take it.
fn fitting(text: String, instead: impl FnOnce() -> String) -> String {
    if text.chars().count() > MAX_PAGE_CHARS {
        instead()
    } else {
        text
    }
}

/// The chat that a URL's query has open: `None` where there is no drawer, empty for a new chat.
fn chat_of(search: &str) -> Option<String> {
    let pairs = query_string::pairs(search);
    let (_, value) = pairs.into_iter().find(|(name, _)| name == PARAMETER)?;
    match value.as_str() {
        "" => None,
        NEW => Some(String::new()),
        _ => Some(value),
    }
}

/// A query with another chat open, or none. Never empty, so that it leads out of the current state.
fn with_chat(search: &str, chat: Option<&str>) -> String {
    let pairs = query_string::pairs(search);
    let kept = pairs
        .iter()
        .filter(|(name, _)| name != PARAMETER)
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(chat.map(|chat| (PARAMETER, chat)));
    format!("?{}", encode_query(kept))
}

/// The drawer's state and what it shows. Made in the body of a page, see [`Load`].
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    slug: Memo<String>,
    chat: Memo<Option<String>>,
    chats: Resource<Result<Option<ChatsView>, ApiError>>,
}

/// The drawer of a page. `live` is the page's connection, where it tells of the whole project.
pub(crate) fn use_beside(slug: Memo<String>, live: Option<LiveState>) -> Beside {
    let search = use_location().search;
    let chat = Memo::new(move |_| chat_of(&search.read()));
    let live = live.unwrap_or_else(|| {
        let connected = Signal::derive(move || {
            if chat.read().is_some() {
                slug.get()
            } else {
                String::new()
            }
        });
        use_live(connected, Signal::stored(None))
    });
    let chats = Resource::new(
        move || (slug.get(), chat.get(), live.incidents.get(), live.gaps.get()),
        |(slug, chat, ..)| async move {
            match chat {
                Some(chat) => read_chats(slug, chat).await.map(Some),
                None => Ok(None),
            }
        },
    );
    Beside { slug, chat, chats }
}

/// Opens the drawer, or closes it.
#[component]
pub(crate) fn AskButton() -> impl IntoView {
    let search = use_location().search;
    let is_open = Memo::new(move |_| chat_of(&search.read()).is_some());
    let href = move || {
        let chat = (!is_open.get()).then_some(NEW);
        with_chat(&search.read(), chat)
    };
    view! {
        <a
            class="btn wide"
            href=href
            aria-expanded=move || is_open.get().to_string()
            title="Ask a model about this page"
            data-noscroll
        >
            <Icon name="spark"/>
            "Ask"
        </a>
    }
}

/// The drawer, while it is open.
#[component]
pub(crate) fn AskDrawer(beside: Beside, #[prop(into)] about: Signal<About>) -> impl IntoView {
    let chat = beside.chat;
    let is_open = Memo::new(move |_| chat.read().is_some());
    move || {
        // Its forms lead to one project.
        beside.slug.track();
        is_open.get().then(|| view! { <OpenDrawer beside about/> })
    }
}

#[component]
fn OpenDrawer(beside: Beside, about: Signal<About>) -> impl IntoView {
    let Beside { slug, chat, chats } = beside;
    let search = use_location().search;
    let along = Along {
        chat: Signal::derive(move || chat.get().unwrap_or_default()),
        page: Signal::derive(move || about.read().page.clone()),
        beside: Signal::derive(move || {
            let query = with_chat(&search.read(), None);
            format!("{}{query}", about.read().path)
        }),
    };
    view! {
        <aside class="drawer" aria-label="Ask">
            <div class="drawer-head">
                <h2><Icon name="spark"/>"Ask"</h2>
                <span class="badge">{move || about.read().words.clone()}</span>
                <Tools slug along/>
            </div>
            <div class="drawer-body" role="log" aria-label="Conversation" tabindex="0">
                <Load
                    resource=chats
                    what="The chat"
                    children={move |view: Option<ChatsView>| {
                        view.map(|view| view! { <Content slug=slug.get_untracked() view about along/> })
                    }}
                />
            </div>
            <div class="drawer-foot">
                <Composer slug=slug.get_untracked() along label="Ask about this page"/>
            </div>
        </aside>
    }
}

/// What is done with the chat as a whole.
#[component]
fn Tools(slug: Memo<String>, along: Along) -> impl IntoView {
    let search = use_location().search;
    let may = use_may(Role::Member);
    let delete = move || {
        let id = along.chat.get();
        (may.get() && !id.is_empty()).then(|| {
            let action = format!("{}/{}/delete", page_href(&slug.read(), "ask"), percent_encode(&id));
            view! {
                <form method="post" action=action>
                    <input type="hidden" name="beside" value=move || along.beside.get()/>
                    <button class="btn icon sm" data-variant="quiet" type="submit" aria-label="Delete this chat" title="Delete this chat">
                        <Icon name="trash"/>
                    </button>
                </form>
            }
        })
    };
    let new = move || with_chat(&search.read(), Some(NEW));
    let closed = move || with_chat(&search.read(), None);
    let past = move || page_href(&slug.read(), "ask");
    view! {
        <div class="row push">
            <a class="btn icon sm" data-variant="quiet" href=new aria-label="New chat" title="New chat" data-noscroll><Icon name="plus"/></a>
            <a class="btn icon sm" data-variant="quiet" href=past aria-label="Past chats" title="Past chats"><Icon name="clock"/></a>
            {delete}
            <a class="btn icon sm" data-variant="quiet" href=closed aria-label="Close" title="Close" data-noscroll><Icon name="x"/></a>
        </div>
    }
}

/// What was said, or what can be asked.
#[component]
fn Content(slug: String, view: ChatsView, about: Signal<About>, along: Along) -> impl IntoView {
    let needs = (!view.has_model).then(|| {
        let href = page_href(&slug, "settings/providers");
        view! {
            <p class="notice">
                <span>
                    "Ask needs a model: a provider with a key, and the model that answers, chosen under "
                    <a class="link" href=href>"Settings, Model providers"</a> ". Everything else works without."
                </span>
            </p>
        }
    });
    let said = match view.open {
        Some(open) => view! { <Conversation slug open along/> }.into_any(),
        None if view.has_model => view! { <Suggestions slug about along/> }.into_any(),
        None => ().into_any(),
    };
    view! {
        {needs}
        {said}
    }
}

/// Questions that are asked with one press.
#[component]
fn Suggestions(slug: String, about: Signal<About>, along: Along) -> impl IntoView {
    let may = use_may(Role::Member);
    may.get_untracked().then(|| {
        let action = page_href(&slug, "ask");
        let questions = move || {
            about
                .read()
                .questions
                .iter()
                .map(|question| {
                    view! { <button class="btn" type="submit" name="text" value=*question>{*question}</button> }
                })
                .collect_view()
        };
        view! {
            <form class="ask-first" method="post" action=action aria-label="Questions to begin with">
                <Hidden along/>
                {questions}
            </form>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_which_chat_is_open() {
        let check = |search: &str, expected: Option<&str>| {
            assert_eq!(chat_of(search).as_deref(), expected, "{search}");
        };
        check("", None);
        check("?step=s1&ask=", None);
        check("?ask=1", Some(""));
        check("?ask=0193&step=s1", Some("0193"));
        assert_eq!(with_chat("?step=a%26b&ask=0193", Some(NEW)), "?step=a%26b&ask=1");
        assert_eq!(with_chat("?ask=0193&step=s1", None), "?step=s1");
        assert_eq!(with_chat("?ask=1", None), "?");
    }

    #[test]
    fn what_is_asked_about_is_what_the_page_shows() {
        let now = Timestamp::parse_rfc3339("2026-11-20T09:00:00Z").unwrap();
        let query = |pairs: &[(&str, &str)]| OverviewQuery::from_pairs(pairs.iter().copied());
        let about = About::overview(
            &query(&[("range", "24h"), ("key", "prod"), ("metric", "calls")]),
            now,
        );
        assert_eq!(
            (about.path.as_str(), about.words.as_str()),
            ("", "24 hours, key prod")
        );
        assert!(
            about.page.starts_with("?from=2026-11-19T") && about.page.ends_with("&key=prod"),
            "{}",
            about.page
        );
        // Filters that are too long for the server are left out, the window is not.
        let long = "k".repeat(200);
        let about = About::overview(&query(&[("key", &long), ("model", &long)]), now);
        assert!(
            about.page.starts_with("?from=") && about.page.len() < MAX_PAGE_CHARS,
            "{}",
            about.page
        );
        let run = About::run("a b", true);
        assert_eq!(
            (run.path.as_str(), run.page.as_str()),
            ("runs/a%20b", "runs/a%20b")
        );
        assert_ne!(run.questions, About::run("a b", false).questions);
    }
}
