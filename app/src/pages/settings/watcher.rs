//! Settings: what happens to incidents by itself, and what did.

use domain::{WatchAction, WatchSeverity, WorkState};
use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::watcher::{WatcherAct, WatcherView, read_watcher};
use crate::context::use_slug;
use crate::ui::form::{Field, Submit};
use crate::ui::icon::Icon;
use crate::ui::links::{incident_href, page_href, web_address};
use crate::ui::load::Load;
use crate::ui::time::Time;

/// The watcher: on or off, how often, what it does; and what it did.
#[component]
pub(crate) fn WatcherPage() -> impl IntoView {
    let slug = use_slug();
    let view = Resource::new(move || slug.get(), read_watcher);
    view! {
        <SettingsPage name="Watcher">
            <Load resource=view what="The watcher" let:view>
                <WatcherForm view=view.clone()/>
                <Acts acts=view.acts/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

/// A severity in words, with where it begins.
fn severity_words(severity: WatchSeverity) -> (&'static str, &'static str) {
    match severity {
        WatchSeverity::Critical => ("Critical", "Critical: its worst day is 10 σ off or more"),
        WatchSeverity::High => ("High", "High: 5 σ or more"),
        WatchSeverity::Low => ("Low", "Low: less, or it can’t be said"),
    }
}

fn action_words(action: WatchAction) -> &'static str {
    match action {
        WatchAction::Log => "write it down",
        WatchAction::Issue => "open an issue on GitHub",
    }
}

#[component]
fn WatcherForm(view: WatcherView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let wants_issue = view
        .actions
        .iter()
        .any(|(_, action)| *action == WatchAction::Issue);
    let state = match view.due_at {
        Some(at) => view! { <span class="sub">"on, looks next " <Time at/></span> }.into_any(),
        None => view! { <span class="sub">"off"</span> }.into_any(),
    };
    let changed = view.changed.clone().map(|(at, by)| {
        view! { <p class="dim small">"Set " <Time at/> {format!(" by {by}")}</p> }
    });
    let no_model = (!view.has_model).then(|| {
        view! {
            <p class="form-note dim">
                "No model is chosen for investigations, so each ends with what the ledger concludes by itself: "
                <a class="link" href=move || page_href(&slug.read(), "settings/providers")>"Model providers"</a>
            </p>
        }
    });
    let no_repository = (!view.has_repository && wants_issue).then(|| {
        view! {
            <div class="notice" data-tone="warn" role="note">
                <Icon name="warning"/>
                <div>
                    "No issue can be opened: no repository is connected under "
                    <a class="link" href=move || page_href(&slug.read(), "settings/integrations")>"Integrations"</a> "."
                </div>
            </div>
        }
    });
    let selects = view
        .actions
        .iter()
        .map(|(severity, chosen)| {
            let id = format!("field-{}", severity.as_str());
            let options = WatchAction::ALL
                .iter()
                .map(|action| {
                    view! { <option value=action.as_str() selected=action == chosen>{action_words(*action)}</option> }
                })
                .collect_view();
            view! {
                <div class="field">
                    <label for=id.clone()>{severity_words(*severity).1}</label>
                    <select class="input" id=id name=severity.as_str() disabled=is_locked>{options}</select>
                </div>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="watcher-set">
            <div class="head"><h2 id="watcher-set">"The watcher"</h2>{state}</div>
            <p class="form-note">
                "It looks at open incidents, the oldest first, and acts on each once: it has it investigated, which counts against the month’s model budget, and does what is set here. At most 20 incidents at a look and 10 issues a day; the rest waits. Each act stands in the "
                <a class="link" href=move || page_href(&slug.read(), "settings/audit?what=watcher")>"audit log"</a> "."
            </p>
            {no_model}
            {no_repository}
            <form class="form" method="post" action=move || page_href(&slug.read(), "settings/watcher")>
                <label class="choice">
                    <input class="check" type="checkbox" name="on" value="on" checked=view.is_on disabled=is_locked/>
                    <span>"Watch incidents"</span>
                </label>
                <Field
                    name="interval_min"
                    label="Minutes between two looks"
                    value=view.interval_min.to_string()
                    hint="5 to 1,440"
                    locked
                />
                {selects}
                <Submit label="Save" variant="primary" locked/>
            </form>
            {changed}
        </section>
    }
}

/// What it did last.
#[component]
fn Acts(acts: Vec<WatcherAct>) -> impl IntoView {
    let slug = use_slug();
    let content = if acts.is_empty() {
        view! { <p class="dim">"It has acted on no incident yet."</p> }.into_any()
    } else {
        let rows = acts
            .into_iter()
            .map(|act| row(&slug.read_untracked(), act))
            .collect_view();
        view! {
            <div class="scroll-x" tabindex="0" role="region" aria-label="What the watcher did">
                <table class="table bleed">
                    <caption class="vh">"Incidents that the watcher acted on, the latest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"Incident"</th>
                            <th scope="col">"Severity"</th>
                            <th scope="col">"Investigation"</th>
                            <th scope="col">"What it did"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="cell" aria-labelledby="watcher-acts">
            <div class="head"><h2 id="watcher-acts">"What it did last"</h2></div>
            {content}
        </section>
    }
}

fn row(slug: &str, act: WatcherAct) -> impl IntoView + use<> {
    let investigation = match act.investigation {
        None => "–",
        Some(WorkState::Queued) => "waits",
        Some(WorkState::Running) => "at work",
        Some(WorkState::Done) => "done",
        Some(WorkState::Failed) => "no answer",
        Some(WorkState::Refused) => "over budget",
    };
    let incident = match act.incident {
        Some(words) => {
            view! { <a class="link" href=incident_href(slug, &act.incident_id)>{words}</a> }.into_any()
        }
        None => view! { <span class="dim">"taken back since"</span> }.into_any(),
    };
    let did = match (act.issue_url.as_deref().and_then(web_address), act.failure) {
        (Some(url), _) => view! {
            <a class="link" href=url.to_owned() rel="external noreferrer">"issue on GitHub"</a>
        }
        .into_any(),
        (None, Some(failure)) => view! {
            <span class="status"><Icon name="x" class="st-bad"/>{format!("no issue: {failure}")}</span>
        }
        .into_any(),
        (None, None) if act.action == WatchAction::Issue => {
            view! { <span>"issue asked for"</span> }.into_any()
        }
        (None, None) => view! { <span>"written down"</span> }.into_any(),
    };
    view! {
        <tr>
            <td class="num"><Time at=act.at/></td>
            <td class="main">{incident}</td>
            <td>{severity_words(act.severity).0}</td>
            <td>{investigation}</td>
            <td>{did}</td>
        </tr>
    }
}
