//! What the lists of sessions and of users share: the state in the URL, the filter, what they say of one row.

mod filter_bar;
mod query;
mod sessions_table;

use domain::run::{GroupRuns, RunGroup};
use domain::{NanoUsd, RunStatus, Window, text};
use leptos::prelude::*;

pub(crate) use self::filter_bar::{FilterBar, WindowMenu};
pub(crate) use self::query::{GroupsQuery, ListOf, use_groups_query};
pub(crate) use self::sessions_table::SessionsTable;
use crate::api::groups::{GROUPS_PER_PAGE, GroupsView};
use crate::pages::cells::severity_glyph;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// The state of a group: like that of its gravest run.
pub(crate) const fn status_of(group: &RunGroup) -> RunStatus {
    if group.running_runs > 0 {
        RunStatus::Running
    } else if group.failed_runs > 0 {
        RunStatus::Error
    } else {
        RunStatus::Ok
    }
}

/// The symbol of a group, with its word for those who don't see it.
pub(crate) fn glyph(group: &RunGroup) -> impl IntoView + use<> {
    let (icon, class, word) = severity_glyph(status_of(group), group.severity);
    view! { <Icon name=icon class=class/><span class="vh">{word}</span> }
}

/// What went most wrong in the runs of a group, in one line.
pub(crate) fn worst_cell(beside: &GroupRuns) -> AnyView {
    let Some(problem) = beside.worst.as_ref().and_then(|run| run.problem.as_ref()) else {
        return view! { <td class="why clip"><span class="vh">"no condition"</span></td> }.into_any();
    };
    let reason = text::first_line(&problem.text, 200);
    let sentence = match problem.code {
        Some(_) => reason,
        None => format!("{}: {reason}", problem.step_name),
    };
    let code = problem
        .code
        .map(|code| view! { <span class="code-n">{code}</span>" " });
    let title = format!("{}: {}", problem.step_name, problem.text);
    view! { <td class="why clip" title=title>{code}{sentence}</td> }.into_any()
}

/// `in 24 hours`, `over all time`, `in this window`.
pub(crate) fn within(window: Window) -> String {
    match window {
        Window::LastMinutes(_) => format!("in {}", window.label()),
        Window::All => "over all time".to_owned(),
        Window::Fixed { .. } => "in this window".to_owned(),
    }
}

/// A cost in a sentence.
pub(crate) fn cost_words(cost: Option<NanoUsd>) -> String {
    cost.map_or_else(|| "an unknown amount".to_owned(), NanoUsd::to_short)
}

/// Says since when, where the window has more runs than are grouped.
pub(crate) fn grouped_since(view: &GroupsView) -> Option<impl IntoView + use<>> {
    view.totals.grouped_since.map(|since| {
        view! {
            <div class="notice" data-tone="info">
                <Icon name="info"/>
                <div>"There are more runs here than are grouped at once. Everything below is about those since "<Time at=since/>"; a shorter window or a filter shows others."</div>
            </div>
        }
    })
}

/// Where there is no row: what is missing, and what to do.
pub(crate) fn nothing(slug: &str, query: &GroupsQuery, what: ListOf) -> AnyView {
    let (icon, noun, field) = match what {
        ListOf::Sessions => ("sessions", "session", "session_id"),
        ListOf::Users => ("users", "user", "user_id"),
    };
    if query.is_narrowed() {
        let href = query.without_chips().to_href();
        return view! {
            <div class="state">
                <Icon name="filter"/>
                <b>{format!("No {noun} matches")}</b>
                <p>{format!("A filter hides every {noun} {}", within(query.filter.window))}</p>
                <a class="btn" data-variant="primary" href=href>"Clear the filters"</a>
            </div>
        }
        .into_any();
    }
    let all = (query.filter.window != Window::All).then(|| {
        let href = query.with_window(Window::All).to_href();
        view! { <a class="btn" href=href>"Show all time"</a> }
    });
    view! {
        <div class="state">
            <Icon name=icon/>
            <b>{format!("No {noun} {}", within(query.filter.window))}</b>
            <p>
                "Runs are grouped by the id that the application sends with its steps: the field "
                <code>{field}</code>
                " of a step, a header of the proxy, or an attribute of OpenTelemetry such as "
                <code>{match what { ListOf::Sessions => "session.id", ListOf::Users => "user.id" }}</code>
                "."
            </p>
            <div class="row">
                {all}
                <a class="btn" href=page_href(slug, "connect")>"Connect an app"</a>
            </div>
        </div>
    }
    .into_any()
}

/// How much is shown, and the way on.
pub(crate) fn foot(
    shown: usize,
    next: Option<String>,
    back: Option<String>,
    order: &'static str,
) -> impl IntoView {
    let more = if next.is_some() { ", more below" } else { "" };
    view! {
        <div class="list-foot">
            <span class="dim num">{format!("{} shown{more}", text::grouped(shown as u64))}</span>
            {back.map(|href| view! { <a class="link" href=href>"Back to the first"</a> })}
            {next.map(|href| view! { <a class="link" href=href>{format!("Show {GROUPS_PER_PAGE} {order}")}</a> })}
        </div>
    }
}
