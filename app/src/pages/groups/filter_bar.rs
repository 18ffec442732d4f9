//! The filter of a list, as a plain form, and the menu of windows.

use domain::Window;
use leptos::prelude::*;

use super::query::GroupsQuery;
use crate::pages::runs::filter_bar::{name_and_operator, sentence, shown_value};
use crate::ui::frame::FILTER_ID;
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// Chips, and a field for the next term.
#[component]
pub(crate) fn FilterBar(query: Memo<GroupsQuery>, placeholder: &'static str) -> impl IntoView {
    let error = move || query.read().error.as_ref().map(sentence);
    view! {
        <section class="filterbar" aria-label="Filter">
            <form class="filter" role="search" method="get">
                <Icon name="filter" class="dim"/>
                {move || chips(&query.read())}
                {move || hidden_fields(&query.read())}
                <input
                    id=FILTER_ID
                    class="filter-in"
                    type="search"
                    name="add"
                    autocomplete="off"
                    maxlength="200"
                    aria-label="Add a filter"
                    aria-invalid=move || error().map(|_| "true")
                    aria-describedby=move || error().map(|_| "filter-error")
                    placeholder=placeholder
                />
                <button class="vh" type="submit">"Add the filter"</button>
                <span class="keys" aria-hidden="true"><kbd>"/"</kbd></span>
            </form>
            {move || error().map(|error| view! {
                <p class="field-err" id="filter-error" role="alert"><Icon name="x" class="sm"/>{error}</p>
            })}
        </section>
    }
}

fn chips(query: &GroupsQuery) -> impl IntoView + use<> {
    query
        .filter
        .chips()
        .into_iter()
        .map(|(name, value)| {
            let (label, operator) = name_and_operator(name);
            let value = shown_value(name, value);
            let without = query.without(name).to_href();
            view! {
                <span class="chip">
                    <span class="k">{label}</span>
                    <span class="op">{operator}</span>
                    <span class="v">{value}</span>
                    <a href=without aria-label=format!("Remove {label} filter") data-noscroll><Icon name="x"/></a>
                </span>
            }
        })
        .collect_view()
}

/// The state of the page besides the term, for the form.
fn hidden_fields(query: &GroupsQuery) -> impl IntoView + use<> {
    let mut pairs = query.to_pairs();
    pairs.retain(|(name, _)| *name != "cursor");
    pairs
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view()
}

/// Which time is looked at.
#[component]
pub(crate) fn WindowMenu(query: Memo<GroupsQuery>) -> impl IntoView {
    let link = move |window: Window, label: &'static str| {
        let current = move || (query.read().filter.window == window).then_some("true");
        view! {
            <li><a href=move || query.read().with_window(window).to_href() aria-current=current data-noscroll>{label}</a></li>
        }
    };
    view! {
        <Menu summary=move || {
            view! {
                {move || query.read().filter.window.label()}
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {Window::CHOICES
                    .iter()
                    .map(|(_, label, minutes)| link(Window::LastMinutes(*minutes), label))
                    .collect_view()}
                {link(Window::All, "All time")}
            </ul>
        </Menu>
    }
}
