//! Where a question is typed.

use domain::Role;
use domain::inquiry::MAX_QUESTION_CHARS;
use leptos::prelude::*;

use super::along::{Along, Hidden};
use super::bill::BillUpload;
use crate::context::use_may;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

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
            <BillUpload slug=slug.clone() along/>
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
