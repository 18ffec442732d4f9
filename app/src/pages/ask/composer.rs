//! Where a question is typed.

use domain::Role;
use domain::inquiry::MAX_QUESTION_CHARS;
use leptos::prelude::*;

use crate::context::use_may;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// What a question goes along with: the chat that it belongs to (empty for a new one), what it is about, and the page that
/// it is asked beside, which it leads back to (empty for the page of chats).
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub(super) chat: Signal<String>,
    pub(super) page: Signal<String>,
    pub(super) beside: Signal<String>,
}

/// The hidden fields of a form that asks. Without WASM it waits for the answer; with it the page shows it as it comes.
#[component]
pub(super) fn Hidden(along: Along) -> impl IntoView {
    let Along { chat, page, beside } = along;
    let shows_as_it_comes = RwSignal::new(false);
    Effect::new(move |_| shows_as_it_comes.set(true));
    view! {
        <input type="hidden" name="chat" value=move || chat.get()/>
        <input type="hidden" name="page" value=move || page.get()/>
        <input type="hidden" name="beside" value=move || beside.get()/>
        <input type="hidden" name="waits" value=move || if shows_as_it_comes.get() { "no" } else { "yes" }/>
    }
}

/// A field for a question.
#[component]
pub(super) fn Composer(
    slug: String,
    along: Along,
    /// What is asked about: `Ask about this project`.
    label: &'static str,
) -> impl IntoView {
    let may = use_may(Role::Member);
    let action = page_href(&slug, "ask");
    may.get_untracked().then(|| {
        view! {
            <form class="composer" method="post" action=action>
                <Hidden along/>
                <textarea
                    rows="3"
                    name="text"
                    required=true
                    maxlength=MAX_QUESTION_CHARS.to_string()
                    aria-label=label
                    placeholder=label
                ></textarea>
                <div class="row">
                    <span class="dim">{move || about(&along.page.read())}</span>
                    <button class="btn push" type="submit"><Icon name="spark"/>"Ask"</button>
                </div>
            </form>
            <p class="dim">"Reads this project only. It never changes anything."</p>
        }
    })
}

/// What a chat is about, in words.
fn about(page: &str) -> Option<String> {
    match page {
        "" => None,
        page if page.starts_with('?') => Some("about the overview".to_owned()),
        page => Some(format!("about {page}")),
    }
}
