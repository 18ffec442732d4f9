//! What can be done on GitHub about an incident: an issue for whoever wants one; a fix that a model proposes, shown first, and
//! a draft of a pull request only for whoever then wants it.

use domain::Role;
use leptos::prelude::*;

use crate::api::fixes::FixView;
use crate::api::incidents::{IncidentView, IssueView};
use crate::context::use_may;
use crate::pages::diff_lines::diff_line;
use crate::ui::icon::Icon;
use crate::ui::links::{incident_href, web_address};
use crate::ui::time::Time;

/// The section of an incident's page; nothing where no repository is connected.
#[component]
pub(super) fn Fix(slug: String, view: IncidentView) -> impl IntoView {
    let may = use_may(Role::Member);
    if view.fix.is_none() && view.issue.is_none() && !view.has_repository {
        return ().into_any();
    }
    let page = incident_href(&slug, &view.id);
    let label = if view.fix.is_some() {
        "Draft another"
    } else {
        "Draft a fix"
    };
    let draft = (may.get_untracked() && view.has_repository).then(|| {
        view! {
            <form method="post" action=format!("{page}/fix")>
                <button class="btn" type="submit"><Icon name="spark"/>{label}</button>
            </form>
        }
    });
    let issue = issue(&page, view.issue, may.get_untracked() && view.has_repository);
    let content = match view.fix {
        Some(fix) => proposed(&page, fix, may.get_untracked()),
        None => view! {
            <p class="dim">
                "A model looks at the files of the pull request that is the cause and proposes a change to them, within a minute or two. You see it here first; nothing is pushed until you say so."
            </p>
        }
        .into_any(),
    };
    view! {
        <section class="cell" id="fix" aria-labelledby="fix-title">
            <div class="head">
                <h2 id="fix-title">"Fix"</h2>
                <span class="sub">"proposed by a model, pushed only on your word"</span>
                <div class="head-actions">{draft}</div>
            </div>
            {content}
            {issue}
        </section>
    }
    .into_any()
}

/// The issue that was opened, or the button that opens one.
fn issue(page: &str, issue: Option<IssueView>, may: bool) -> Option<AnyView> {
    let shown = match issue {
        Some(issue) => {
            let link = web_address(&issue.url).map(|url| {
                view! { <a class="link" href=url.to_owned() rel="external noreferrer">"the issue on GitHub"</a> }
            });
            view! {
                <p class="notice" role="status">
                    <Icon name="check"/>
                    <span>{format!("Opened for {}, ", issue.opened_by)} <Time at=issue.opened_at/> ": " {link}</span>
                </p>
            }
            .into_any()
        }
        None if may => view! {
            <form class="row" method="post" action=format!("{page}/issue")>
                <button class="btn" type="submit">"Open an issue"</button>
                <span class="dim">
                    "on GitHub, with what left its baseline, the verdict and a link to this page; the token needs to write issues"
                </span>
            </form>
        }
        .into_any(),
        None => return None,
    };
    Some(shown)
}

fn proposed(page: &str, fix: FixView, may: bool) -> AnyView {
    let FixView {
        id,
        asked_at,
        asked_by,
        model,
        cost,
        base_branch,
        title,
        explanation,
        files,
        opened,
        branch,
        pull_url,
        failure,
    } = fix;
    let cost = cost.map_or_else(String::new, |cost| format!(", {}", cost.to_short()));
    let files = files
        .into_iter()
        .map(|(path, lines)| {
            let label = format!("Changes of {path}");
            view! {
                <h3 class="mono">{path}</h3>
                <div class="diff" tabindex="0" role="group" aria-label=label>
                    {lines.into_iter().map(diff_line).collect_view()}
                </div>
            }
        })
        .collect_view();
    let failed = failure.map(|failure| {
        view! {
            <p class="notice" data-tone="bad" role="alert">
                <Icon name="x"/>
                <span>{format!("No pull request was opened: {failure}")}</span>
            </p>
        }
    });
    let next = match opened {
        Some((at, by)) => {
            let link = pull_url.as_deref().and_then(web_address).map(|url| {
                view! { <a class="link" href=url.to_owned() rel="external noreferrer">"the draft on GitHub"</a> }
            });
            view! {
                <p class="notice" role="status">
                    <Icon name="check"/>
                    <span>
                        {format!("Pushed to {} for {by}, ", branch.unwrap_or_default())} <Time at/> ": " {link}
                    </span>
                </p>
            }
            .into_any()
        }
        None if may => view! {
            <form class="row" method="post" action=format!("{page}/pull")>
                <input type="hidden" name="fix" value=id/>
                <button class="btn" data-variant="primary" type="submit">"Open a draft pull request"</button>
                <span class="dim">
                    {format!("pushes this to a new branch plumbline/…, never to {base_branch}; the token needs to write contents and pull requests")}
                </span>
            </form>
        }
        .into_any(),
        None => ().into_any(),
    };
    view! {
        <div class="fix">
            <p><b>{title}</b></p>
            <p class="fix-why">{explanation}</p>
            {files}
            <p class="dim small">{format!("by {model}{cost}, asked for by {asked_by}, ")}<Time at=asked_at/></p>
            {failed}
            {next}
        </div>
    }
    .into_any()
}
