//! A table of sessions: one beat per run.

use domain::run::{GroupRuns, RunMark};
use domain::{RunStatus, Severity, text};
use leptos::prelude::*;

use super::{glyph, worst_cell};
use crate::api::groups::GroupView;
use crate::pages::cells::cost_view;
use crate::ui::links::{session_href, user_href};
use crate::ui::time::Time;

/// The sessions of a list.
#[component]
pub(crate) fn SessionsTable(
    slug: String,
    rows: Vec<GroupView>,
    /// What orders them: the heading with the arrow.
    by_cost: bool,
    /// Leaves the column of users out: they are all of one.
    #[prop(optional)]
    of_one_user: bool,
) -> impl IntoView {
    let sorted = |is: bool| is.then_some("descending");
    let rows = rows
        .into_iter()
        .map(|row| session_row(&slug, &row, of_one_user))
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Sessions">
            <table class="table rows bleed ses">
                <thead>
                    <tr>
                        <th scope="col" class="ss-s"><span class="vh">"Worst"</span></th>
                        <th scope="col" class="ss-t" aria-sort=sorted(!by_cost)>"Last seen"</th>
                        <th scope="col" class="ss-i">"Session"</th>
                        {(!of_one_user).then(|| view! { <th scope="col" class="ss-u">"User"</th> })}
                        <th scope="col">"Worst that went wrong"</th>
                        <th scope="col" class="ss-r">"Runs in time"</th>
                        <th scope="col" class="n ss-n">"Runs"</th>
                        <th scope="col" class="ss-l">"Lasted"</th>
                        <th scope="col" class="n ss-k">"Calls"</th>
                        <th scope="col" class="n ss-k">"Tokens"</th>
                        <th scope="col" class="n ss-c" aria-sort=sorted(by_cost)>"Cost"</th>
                        <th scope="col" class="ss-y">"Key"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn session_row(slug: &str, row: &GroupView, of_one_user: bool) -> impl IntoView + use<> {
    let group = &row.group;
    let id = group.id.clone();
    let session = match session_href(slug, &id) {
        Some(href) => view! { <a class="mono" href=href title=id.clone()>{short(&id)}</a> }.into_any(),
        None => view! { <span class="mono">{short(&id)}</span> }.into_any(),
    };
    let user = (!of_one_user).then(|| {
        let user = group.user_id.clone().map(|user| match user_href(slug, &user) {
            Some(href) => {
                view! { <a class="mono" href=href title=user.clone()>{short(&user)}</a> }.into_any()
            }
            None => view! { <span class="mono">{short(&user)}</span> }.into_any(),
        });
        view! { <td class="ss-u clip">{user}</td> }
    });
    let tokens = group
        .tokens
        .total()
        .map_or_else(|| "–".to_owned(), text::short_count);
    let lasted = text::duration(group.last_seen_at.ms_since(group.first_seen_at));
    view! {
        <tr>
            <td class="ss-s">{glyph(group)}</td>
            <td class="num ss-t"><Time at=group.last_seen_at/></td>
            <td class="main ss-i clip">{session}</td>
            {user}
            {worst_cell(&row.beside)}
            <td class="ss-r">{beats(&row.beside)}</td>
            <td class="n ss-n">{text::grouped(group.runs.unsigned_abs())}</td>
            <td class="num ss-l">{lasted}</td>
            <td class="n ss-k">{text::grouped(group.calls.unsigned_abs())}</td>
            <td class="n ss-k">{tokens}</td>
            <td class="n t ss-c">{cost_view(group.cost_nano_usd, group.unpriced_steps)}</td>
            <td class="ss-y clip" title=group.key_label.clone()>{group.key_label.clone()}</td>
        </tr>
    }
}

/// As much of an id as fits a column.
fn short(id: &str) -> String {
    text::first_line(id, 24)
}

/// A mark for each run at its time; of many the newest.
fn beats(beside: &GroupRuns) -> impl IntoView + use<> {
    let runs = &beside.newest;
    let at = |run: &RunMark| run.started_at.micros();
    let first = runs.iter().map(at).min().unwrap_or(0);
    let span = runs.iter().map(at).max().unwrap_or(0).saturating_sub(first);
    let marks: String = runs
        .iter()
        .map(|run| {
            let share = if span > 0 {
                (at(run) - first) as f64 / span as f64
            } else {
                0.0
            };
            let (class, y) = match (run.severity, run.status) {
                (Severity::Critical, _) | (_, RunStatus::Error) => ("b-critical", 3),
                (_, RunStatus::Running) => ("b-running", 9),
                (Severity::Warning, _) => ("b-warning", 6),
                (Severity::Ok, RunStatus::Ok) => ("b-ok", 9),
            };
            format!(
                r#"<rect class="{class}" x="{:.2}%" y="{y}" width="3" height="{}" rx="1"/>"#,
                1.5 + share * 95.5,
                17 - y
            )
        })
        .collect();
    let label = text::counted(i64::try_from(runs.len()).unwrap_or(i64::MAX), "run");
    let drawing = format!(r#"<rect class="track" y="13" width="100%" height="1"/>{marks}"#);
    view! { <svg class="plot beat" height="20" role="img" aria-label=label inner_html=drawing></svg> }
}
