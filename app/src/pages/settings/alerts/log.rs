//! The delivery log: what was told, where, what was answered, and sending again.

use domain::alert::{Alert, AlertAttempt, AlertState};
use domain::filter::percent_encode;
use leptos::prelude::*;

use super::Asked;
use crate::api::alerts::{AlertsView, LOG_DAYS};
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// The rows, narrowed by state, with links to earlier ones.
#[component]
pub(super) fn Log(view: AlertsView, asked: Asked) -> impl IntoView {
    let slug = use_slug();
    let base = page_href(&slug.get_untracked(), "settings/alerts");
    let href = |state: Option<AlertState>, cursor: &str| {
        let state = state.map_or_else(String::new, |state| format!("&state={}", state.as_str()));
        let cursor = if cursor.is_empty() {
            String::new()
        } else {
            format!("&cursor={}", percent_encode(cursor))
        };
        let query = format!("{state}{cursor}");
        format!("{base}?{}#log", query.trim_start_matches('&'))
    };
    let filters = [
        (None, "All".to_owned()),
        (Some(AlertState::Waiting), format!("Waiting {}", view.waiting)),
        (Some(AlertState::Failed), format!("Failed {}", view.failed)),
        (Some(AlertState::Dropped), format!("Dropped {}", view.dropped)),
    ]
    .map(|(state, label)| {
        let is_chosen = asked.state == state;
        view! { <a href=href(state, "") aria-current=is_chosen.then_some("true")>{label}</a> }
    });
    let counts = format!(
        "{} in {LOG_DAYS} days: {} delivered, {} waiting, {} failed, {} dropped",
        view.waiting + view.delivered + view.failed + view.dropped,
        view.delivered,
        view.waiting,
        view.failed,
        view.dropped
    );
    let first =
        (!asked.cursor.is_empty()).then(|| view! { <a class="btn" href=href(asked.state, "")>"Newest"</a> });
    let next = view
        .next
        .clone()
        .map(|cursor| view! { <a class="btn" href=href(asked.state, &cursor)>"Earlier"</a> });
    let attempts = view.attempts;
    let rows = view
        .alerts
        .into_iter()
        .map(|alert| {
            let tried = attempts.get(&alert.id.to_string()).cloned().unwrap_or_default();
            view! { <Row alert tried/> }
        })
        .collect_view();
    let table = if rows.is_empty() {
        view! {
            <div class="state">
                <Icon name="bell"/>
                <b>"Nothing was told"</b>
                <p>"What goes to a channel is listed here, with what was answered."</p>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="log">
                <table class="table rows bleed deliv">
                    <caption class="vh">"Alerts, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col" class="dl-t">"When"</th>
                            <th scope="col" class="dl-w">"Where"</th>
                            <th scope="col">"What"</th>
                            <th scope="col" class="dl-s">"State"</th>
                            <th scope="col" class="dl-a">"Answer"</th>
                            <th scope="col" class="n dl-n">"Attempts"</th>
                            <th scope="col" class="dl-b"><span class="vh">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="log">"Delivery log"</h2>
                <span class="sub num">{counts}</span>
                <nav class="head-actions" aria-label="Which alerts"><div class="seg sm">{filters}</div></nav>
            </div>
            {table}
            <div class="row audit-pages">{first}{next}</div>
        </section>
    }
}

#[component]
fn Row(alert: Alert, tried: Vec<AlertAttempt>) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let (icon, tone) = match alert.state {
        AlertState::Delivered => ("ok", "st-ok"),
        AlertState::Waiting => ("clock", "st-warn"),
        AlertState::Failed => ("x", "st-bad"),
        AlertState::Dropped => ("trash", "dim"),
    };
    let times = (alert.occurrences > 1).then(|| format!(" ×{}", alert.occurrences));
    let id = alert.id;
    let word = |name: &str| {
        alert
            .subject
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let what = match (word("run_id"), word("step_id")) {
        (Some(run), Some(step)) => {
            let path = format!("runs/{}?step={}", percent_encode(&run), percent_encode(&step));
            let summary = alert.summary.clone();
            view! { <a class="link" href=move || page_href(&slug.read(), &path)>{summary}</a> }.into_any()
        }
        _ => match word("incident_id") {
            Some(incident) => {
                let path = format!("incidents/{}", percent_encode(&incident));
                let summary = alert.summary.clone();
                view! { <a class="link" href=move || page_href(&slug.read(), &path)>{summary}</a> }.into_any()
            }
            None => view! { {alert.summary.clone()} }.into_any(),
        },
    };
    let again = (alert.state != AlertState::Waiting).then(|| {
        view! {
            <form method="post" action=move || format!("/p/{}/settings/alerts/{id}/resend", slug.get())>
                <Submit label="Send again" locked/>
            </form>
        }
    });
    let due = alert.due_at.map(|at| view! { ", due "<Time at/> });
    let answer = alert.answer.clone().unwrap_or_else(|| "none yet".to_owned());
    let lines = (!tried.is_empty()).then(|| {
        let lines = tried
            .into_iter()
            .map(|attempt| {
                let words = format!(
                    "{} in {}",
                    attempt.answer,
                    domain::text::duration(f64::from(attempt.latency_ms))
                );
                view! { <li class="num"><Time at=attempt.at/>" "{words}</li> }
            })
            .collect_view();
        view! { <tr class="att-row"><td colspan="7"><ul class="atts">{lines}</ul></td></tr> }
    });
    view! {
        <tr>
            <td class="num"><Time at=alert.created_at/></td>
            <td class="main">{alert.channel.label()}</td>
            <td class="t clip">{what}{times}</td>
            <td><span class="status"><span class=tone><Icon name=icon/></span>{alert.state.as_str()}</span></td>
            <td class="clip">{answer}{due}</td>
            <td class="n">{alert.attempts.to_string()}</td>
            <td>{again}</td>
        </tr>
        {lines}
    }
}
