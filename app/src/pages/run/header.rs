//! The top bar of the run page, and the page of a run that does not exist.

use domain::{RunStatus, text};
use leptos::prelude::*;
use leptos_meta::Title;

use super::Page;
use crate::live::LiveBadge;
use crate::pages::ask::beside::AskButton;
use crate::pages::cells::severity_glyph;
use crate::ui::copy::copy_text;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href};
use crate::ui::time::{Time, use_attached};

/// `Runs › resolve-ticket failed`, the id, and the runs beside it.
#[component]
pub(super) fn RunTop(page: Page) -> impl IntoView {
    let Page { slug, run, live, .. } = page;
    let list = move || page_href(&slug.read(), "runs");
    let neighbours = move || {
        let neighbours = run.read().view.neighbours.clone();
        let run_id = run.read().run().run_id.clone();
        let compare = {
            let query = domain::filter::encode_query([("b", run_id.as_str())]);
            move || format!("{}?{query}", page_href(&slug.read(), "compare"))
        };
        let share = move || format!("{}/share", run_href(&slug.read(), &run_id));
        view! {
            <a class="btn wide" href="#analysis" title="Why it went wrong, and what to change"><Icon name="spark"/>"Analyze"</a>
            <a class="btn wide" href=compare title="Compare with the last good run of this name">"Compare"</a>
            <a class="btn" href=share><Icon name="share"/>"Share"</a>
            <span class="row wide">
                <Neighbour slug run_id=neighbours.newer icon="up" what="Newer run" key_hint="{"/>
                <Neighbour slug run_id=neighbours.older icon="down" what="Older run" key_hint="}"/>
            </span>
        }
    };
    view! {
        <TopBar tools=move || view! { <LiveBadge live/> <AskButton/> {neighbours} }>
            <div class="crumbs">
                <a href=list>"Runs"</a>
                <Icon name="right" class="sm"/>
                {move || {
                    let run = run.get();
                    let run = run.run();
                    let (icon, class, word) = severity_glyph(run.status, run.severity);
                    view! {
                        <span class="status"><Icon name=icon class=class/><span class="vh">{word}</span></span>
                        <h1>{run.name.clone()}</h1>
                        <StatusBadge status=run.status/>
                        <span class="dim num wide"><Time at=run.started_at/></span>
                        <CopyId id=run.run_id.clone()/>
                    }
                }}
            </div>
        </TopBar>
    }
}

#[component]
fn StatusBadge(status: RunStatus) -> impl IntoView {
    let (tone, icon, word) = match status {
        RunStatus::Ok => ("ok", "check", "ok"),
        RunStatus::Error => ("bad", "x", "failed"),
        RunStatus::Running => ("accent", "running", "running"),
    };
    view! { <span class="badge" data-tone=tone><Icon name=icon/>{word}</span> }
}

#[component]
fn CopyId(id: String) -> impl IntoView {
    let attached = use_attached();
    let copied = RwSignal::new(false);
    let short = if id.chars().count() > 16 {
        let start: String = id.chars().take(6).collect();
        format!("{start}…{}", text::short_id(&id))
    } else {
        id.clone()
    };
    let title = format!("Copy run id {id}");
    view! {
        <button
            class="btn wide"
            data-variant="quiet"
            type="button"
            title=title
            disabled=move || !attached.get()
            on:click=move |_| copy_text(id.clone(), copied)
        >
            <span class="mono dim">{short}</span>
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "copy" }) class="sm"/>
        </button>
    }
}

#[component]
fn Neighbour(
    slug: Memo<String>,
    run_id: Option<String>,
    icon: &'static str,
    what: &'static str,
    key_hint: &'static str,
) -> impl IntoView {
    match run_id {
        Some(id) => view! {
            <a class="btn icon" href=move || run_href(&slug.read(), &id) aria-label=what title=format!("{what} ({key_hint})")>
                <Icon name=icon/>
            </a>
        }
        .into_any(),
        None => view! {
            <span class="btn icon" aria-disabled="true" role="img" aria-label=format!("No {}", what.to_lowercase()) title=format!("No {}", what.to_lowercase())>
                <Icon name=icon/>
            </span>
        }
        .into_any(),
    }
}

#[component]
pub(super) fn UnknownRun(slug: Memo<String>, run_id: String) -> impl IntoView {
    let list = move || page_href(&slug.read(), "runs");
    let search = {
        let run_id = run_id.clone();
        move || {
            format!(
                "{}?range=all&q={}",
                list(),
                domain::filter::percent_encode(&run_id)
            )
        }
    };
    view! {
        <Title text="No such run"/>
        <TopBar>
            <div class="crumbs">
                <a href=list>"Runs"</a>
                <Icon name="right" class="sm"/>
                <h1>"No such run"</h1>
            </div>
        </TopBar>
        <main id="main" class="page page-run" tabindex="-1">
            <div class="state">
                <Icon name="search"/>
                <b>"There is no run with this id"</b>
                <p class="mono">{run_id}</p>
                <p>"It may belong to another project, be older than the retention, or not have arrived yet."</p>
                <div class="row">
                    <a class="btn" href=search>"Search for it"</a>
                    <a class="btn" href=list>"All runs"</a>
                </div>
            </div>
        </main>
    }
}
