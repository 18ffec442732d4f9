//! One run for whoever holds a link to it: the run page's own parts, read-only, and no way to anything else.

use domain::{RunStatus, ShareContent};
use leptos::prelude::*;
use leptos_meta::{Meta, Title};
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map};

use super::facts::RunHead;
use super::groups::Groups;
use super::model::Run;
use super::panel::StepPanel;
use super::query::RunQuery;
use super::waterfall::Waterfall;
use super::{Page, SelectedTexts};
use crate::api::shares::{SharedRun, read_shared_run, read_shared_step};
use crate::live::use_live;
use crate::pages::cells::severity_glyph;
use crate::query_string;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::nav::Logo;
use crate::ui::time::Time;

/// What a preview of the link says: nothing of the run.
const PREVIEW_TITLE: &str = "A shared run";
const PREVIEW: &str = "One run of a program that calls language models, read only.";

#[component]
pub(crate) fn SharedRunPage() -> impl IntoView {
    let params = use_params_map();
    let token = Memo::new(move |_| params.read().get("token").unwrap_or_default());
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        RunQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let resource = Resource::new(move || token.get(), read_shared_run);
    let asked = move || {
        let query = query.read();
        (token.get(), query.step.clone(), query.full)
    };
    let texts: SelectedTexts = Resource::new(asked, |(token, step, full)| async move {
        match step {
            Some(step) => read_shared_step(token, step, full).await.map(Some),
            None => Ok(None),
        }
    });
    view! {
        <Title text=PREVIEW_TITLE/>
        <Meta name="robots" content="noindex, nofollow, noarchive"/>
        <Meta property="og:type" content="website"/>
        <Meta property="og:site_name" content="Plumbline"/>
        <Meta property="og:title" content=PREVIEW_TITLE/>
        <Meta property="og:description" content=PREVIEW/>
        <Meta name="description" content=PREVIEW/>
        <Meta name="twitter:card" content="summary"/>
        <a class="skip" href="#main">"Skip to content"</a>
        <Load resource what="The run" skeleton=|| view! { <SkeletonRows rows=20/> } let:shared>
            <Loaded shared token query texts/>
        </Load>
    }
    .into_any()
}

#[component]
fn Loaded(
    shared: SharedRun,
    token: Memo<String>,
    query: Memo<RunQuery>,
    texts: SelectedTexts,
) -> impl IntoView {
    let SharedRun {
        view,
        content,
        leaves_out_people,
        leaves_out_key,
        expires_at,
    } = shared;
    let run = view.run.clone();
    let reading = Run::new(view);
    let navigate = use_navigate();
    let page = Page {
        slug: Memo::new(|_| String::new()),
        run: Memo::new(move |_| reading.clone()),
        query,
        go: Callback::new(move |(query, replace): (RunQuery, bool)| {
            let options = NavigateOptions {
                replace,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(
                &format!("/s/{}{}", token.read_untracked(), query.to_href()),
                options,
            );
        }),
        // Whoever holds a link sees the run as it was when the page was opened.
        live: use_live(Signal::stored(String::new()), Signal::stored(None)),
        shared: Some(content),
    };
    let (icon, class, word) = severity_glyph(run.status, run.severity);
    let badge = match run.status {
        RunStatus::Ok => ("ok", "check", "ok"),
        RunStatus::Error => ("bad", "x", "failed"),
        RunStatus::Running => ("accent", "running", "running"),
    };
    let left_out = left_out(leaves_out_people, leaves_out_key);
    view! {
        <div class="shared">
            <header class="share-top">
                <span class="brand"><Logo/><b>"Plumbline"</b></span>
                <span class="dim2 wide">"shared run, read only"</span>
                <span class="push row">
                    <span class="badge" data-tone="line"><Icon name=content_icon(content)/>{content_words(content)}</span>
                    <span class="dim num">"link expires "<Time at=expires_at/></span>
                </span>
            </header>
            <main id="main" class="page page-run share-main" tabindex="-1">
                <div class="share-name">
                    <span class="status"><Icon name=icon class=class/><span class="vh">{word}</span></span>
                    <h1>{run.name.clone()}</h1>
                    <span class="badge" data-tone=badge.0><Icon name=badge.1/>{badge.2}</span>
                    <span class="dim num"><Time at=run.started_at/></span>
                </div>
                <RunHead page/>
                <div class="run-grid">
                    <div class="run-main">
                        <Waterfall page/>
                        <Groups page/>
                    </div>
                    <StepPanel page texts of_members=None/>
                </div>
                <footer class="share-foot">
                    <p class="dim">{note(content)}{left_out}</p>
                    <p class="dim push">"Made with Plumbline"</p>
                </footer>
            </main>
        </div>
    }
}

const fn content_icon(content: ShareContent) -> &'static str {
    match content {
        ShareContent::Shown => "eye",
        ShareContent::Masked | ShareContent::Removed => "lock",
    }
}

/// What the link shows, in the words of its badge.
const fn content_words(content: ShareContent) -> &'static str {
    match content {
        ShareContent::Shown => "prompts and outputs shown",
        ShareContent::Masked => "prompts and outputs masked",
        ShareContent::Removed => "prompts and outputs removed",
    }
}

const fn note(content: ShareContent) -> &'static str {
    match content {
        ShareContent::Shown => "The sharer chose what is shown.",
        ShareContent::Masked => {
            "The sharer chose what is shown. Names, times, sizes, costs and scores are real; each letter and digit of what was said is replaced on the server."
        }
        ShareContent::Removed => {
            "The sharer chose what is shown. Names, times, costs and scores are real; what was said is removed on the server."
        }
    }
}

fn left_out(people: bool, key: bool) -> Option<&'static str> {
    match (people, key) {
        (true, true) => Some(" User, session, tags and key are left out."),
        (true, false) => Some(" User, session and tags are left out."),
        (false, true) => Some(" The key is left out."),
        (false, false) => None,
    }
}
