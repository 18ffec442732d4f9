//! The tools in the top bar of the runs list: live tail, columns, window.

use domain::Window;
use leptos::prelude::*;

use super::Page;
use super::columns::{Column, Columns};
use super::query::RunsQuery;
use crate::live::LiveBadge;
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// Live tail, columns, window.
#[component]
pub(super) fn Tools(page: Page) -> impl IntoView {
    let Page { query, live, .. } = page;
    let is_live = move || query.read().live;
    let toggle_live = move || {
        let query = query.get();
        RunsQuery {
            live: !query.live,
            cursor: None,
            ..query
        }
        .to_href()
    };
    view! {
        <LiveBadge live/>
        <a
            class="btn"
            href=toggle_live
            aria-current=move || is_live().then_some("true")
            data-pressed=move || is_live().then_some("true")
            title="Live tail (l): new runs as they arrive"
            data-noscroll
        >
            {move || is_live().then(|| view! { <span class="live-dot" aria-hidden="true"></span> })}
            "Live tail"
        </a>
        <Menu class="menu-wrap wide" summary=move || {
            view! {
                <Icon name="columns"/>
                "Columns "
                <span class="val num">
                    {move || format!("{} of {}", query.read().columns.count(), Column::ALL.len() + Column::FIXED)}
                </span>
            }
        }>
            <ColumnMenu page/>
        </Menu>
        <Menu summary=move || {
            view! {
                {move || window_label(query.read().filter.window)}
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {Window::CHOICES
                    .iter()
                    .map(|(_, label, minutes)| window_link(page, Window::LastMinutes(*minutes), label))
                    .collect_view()}
                {window_link(page, Window::All, "All time")}
            </ul>
        </Menu>
    }
}

/// The name of the window on its button.
fn window_label(window: Window) -> String {
    match window {
        Window::Fixed { from, to } => {
            let short = |at: domain::Timestamp| {
                at.to_string()
                    .chars()
                    .take(16)
                    .collect::<String>()
                    .replace('T', " ")
            };
            match (from, to) {
                (Some(from), Some(to)) => format!("{} to {}", short(from), short(to)),
                (Some(from), None) => format!("from {}", short(from)),
                (None, Some(to)) => format!("until {}", short(to)),
                (None, None) => "all time".to_owned(),
            }
        }
        window => window.label(),
    }
}

fn window_link(page: Page, window: Window, label: &'static str) -> impl IntoView {
    let query = page.query;
    let current = move || (query.read().filter.window == window).then_some("true");
    view! {
        <li><a href=move || query.read().with_window(window).to_href() aria-current=current data-noscroll>{label}</a></li>
    }
}

/// Each column is a link that shows or hides it.
#[component]
fn ColumnMenu(page: Page) -> impl IntoView {
    let query = page.query;
    let href = move |columns: Columns| {
        RunsQuery {
            columns,
            ..query.get()
        }
        .to_href()
    };
    let links = Column::ALL
        .iter()
        .map(|(column, _, heading, _)| {
            let column = *column;
            let shown = move || query.read().columns.shows(column);
            view! {
                <li>
                    <a
                        href=move || href(query.read().columns.toggled(column))
                        aria-current=move || shown().then_some("true")
                        data-noscroll
                    >
                        <Icon name="check" class=Signal::derive(move || if shown() { "sm" } else { "sm off" })/>
                        <span class="vh">{move || if shown() { "Hide " } else { "Show " }}</span>
                        {*heading}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="menu-list">
            {links}
            <li><a href=move || href(Columns::default()) data-noscroll>"Reset the columns"</a></li>
        </ul>
    }
}
