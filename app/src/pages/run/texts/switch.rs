//! The ways to show a text, as links.

use leptos::prelude::*;

use super::super::Page;
use super::super::query::{RunQuery, TextView};

/// The switch between the ways to show a text.
pub(super) struct Switch {
    pub(super) page: Page,
    pub(super) label: &'static str,
    pub(super) choices: Vec<(TextView, &'static str)>,
    pub(super) current: TextView,
    /// What a choice changes.
    pub(super) set: fn(&mut RunQuery, TextView),
}

impl Switch {
    pub(super) fn into_links(self) -> impl IntoView {
        let Self {
            page,
            label,
            choices,
            current,
            set,
        } = self;
        let links = choices
            .into_iter()
            .map(|(choice, word)| {
                let href = move || {
                    let mut query = page.query.get();
                    set(&mut query, choice);
                    query.to_href()
                };
                view! { <a href=href aria-current=(choice == current).then_some("true") data-noscroll>{word}</a> }
            })
            .collect_view();
        view! { <div class="seg sm" role="group" aria-label=label>{links}</div> }
    }
}
