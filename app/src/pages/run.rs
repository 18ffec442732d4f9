//! The page of one run: what went wrong, when, and what each step said.

mod analysis;
mod bill;
mod earlier;
mod facts;
mod flow;
mod found;
mod groups;
mod header;
mod keys;
mod model;
mod panel;
mod problems;
mod query;
mod receipt;
mod score;
mod share_page;
mod table;
mod texts;
mod verdict;
mod waterfall;
mod whole;

use domain::ShareContent;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map};

use self::analysis::{Analysis, analysis_of};
use self::bill::RunBill;
use self::facts::RunHead;
use self::found::{Found, RunFindings};
use self::groups::Groups;
use self::header::{RunTop, UnknownRun};
use self::keys::use_run_keys;
use self::model::Run;
#[cfg(test)]
pub(crate) use self::model::tests::sample_run;
use self::panel::StepPanel;
use self::query::RunQuery;
pub(crate) use self::share_page::SharedRunPage;
use self::waterfall::Waterfall;
use self::whole::{Whole, read_whole};
use crate::api::analyses::AnalysisView;
use crate::api::detectors::findings_of_run;
use crate::api::earlier::{EarlierCalls, read_earlier_calls};
use crate::api::receipts::RunReceipt;
use crate::api::runs::{RunView, read_run};
use crate::api::steps::{StepTexts, read_step_texts};
use crate::api::text_search::{FoundPlaces, search_step_texts};
use crate::context::use_slug;
use crate::error::ApiError;
use crate::live::{LiveState, use_live, waits_to_read_again};
use crate::pages::ask::beside::{About, AskDrawer, Beside, use_beside};
use crate::query_string;
use crate::ui::frame::TopBar;
use crate::ui::links::run_href;
use crate::ui::load::{ErrorState, SkeletonRows};

/// The texts of the selected step; `None` while no step is selected.
type SelectedTexts = Resource<Result<Option<StepTexts>, ApiError>>;
/// What the selected step did before; `None` while no step is selected.
type SelectedCalls = Resource<Result<Option<EarlierCalls>, ApiError>>;
/// Where what is looked for stands in the selected step's texts; `None` while nothing is.
type SelectedPlaces = Resource<Result<Option<FoundPlaces>, ApiError>>;

/// What is read of the selected step for members of the project alone.
#[derive(Clone, Copy)]
struct OfMembers {
    calls: SelectedCalls,
    places: SelectedPlaces,
}

#[component]
pub(crate) fn RunPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let run_id = Memo::new(move |_| params.read().get("run").unwrap_or_default());
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        RunQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let opened = query.get_untracked();
    let resource = Resource::new(
        move || (slug.get(), run_id.get()),
        move |(slug, run_id)| read_run(slug, run_id, opened.first_row as u32, opened.step.clone(), false),
    );
    let analysis = analysis_of(slug, run_id);
    let receipt = bill::receipt_of(slug, run_id);
    let asked = move || {
        let query = query.read();
        (slug.get(), run_id.get(), query.step.clone(), query.full)
    };
    let texts: SelectedTexts = Resource::new(asked, |(slug, run_id, step, full)| async move {
        match step {
            Some(step) => read_step_texts(slug, run_id, step, full).await.map(Some),
            None => Ok(None),
        }
    });
    let asked = move || {
        let query = query.read();
        (slug.get(), run_id.get(), query.step.clone(), query.compared)
    };
    let calls: SelectedCalls = Resource::new(asked, |(slug, run_id, step, compared)| async move {
        match step {
            Some(step) => match read_earlier_calls(slug, run_id, step, compared).await {
                // The panel says so already.
                Err(ApiError::NotFound) => Ok(None),
                found => found.map(Some),
            },
            None => Ok(None),
        }
    });
    let asked = move || {
        let query = query.read();
        (slug.get(), run_id.get(), query.step.clone(), query.find.clone())
    };
    let places: SelectedPlaces = Resource::new(asked, |(slug, run_id, step, find)| async move {
        match step {
            Some(step) if !find.is_empty() => search_step_texts(slug, run_id, step, find).await.map(Some),
            _ => Ok(None),
        }
    });
    let of_members = OfMembers { calls, places };
    let findings: RunFindings = Resource::new(
        move || (slug.get(), run_id.get()),
        |(slug, run_id)| findings_of_run(slug, run_id),
    );
    let beside = use_beside(slug, None);
    view! {
        <Transition fallback=|| view! { <Waiting/> }>
            {move || Suspend::new(async move {
                match resource.await {
                    Ok(view) => view! { <Loaded view slug query texts of_members analysis receipt findings beside/> }.into_any(),
                    Err(ApiError::NotFound) => view! { <UnknownRun slug run_id=run_id.get_untracked()/> }.into_any(),
                    Err(error) => {
                        view! {
                            <Title text="Run"/>
                            <TopBar><h1>"Run"</h1></TopBar>
                            <main id="main" class="page page-run" tabindex="-1">
                                <ErrorState what="The run" error retry=Callback::new(move |()| resource.refetch())/>
                            </main>
                        }
                            .into_any()
                    }
                }
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Waiting() -> impl IntoView {
    view! {
        <TopBar><h1>"Run"</h1></TopBar>
        <main id="main" class="page page-run" tabindex="-1">
            <div class="loading" aria-busy="true" aria-label="The run: loading"><SkeletonRows rows=20/></div>
        </main>
    }
}

/// What all parts of a loaded page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    pub(crate) slug: Memo<String>,
    /// The run, read again whenever it changes.
    pub(crate) run: Memo<Run>,
    /// The state in the URL.
    pub(crate) query: Memo<RunQuery>,
    /// Goes to another state of the page; true replaces this one in the history.
    pub(crate) go: Callback<(RunQuery, bool)>,
    pub(crate) live: LiveState,
    /// What is shown of its texts to whoever holds a link; `None` for members.
    pub(crate) shared: Option<ShareContent>,
}

#[component]
fn Loaded(
    view: RunView,
    slug: Memo<String>,
    query: Memo<RunQuery>,
    texts: SelectedTexts,
    of_members: OfMembers,
    analysis: Resource<Result<AnalysisView, ApiError>>,
    receipt: Resource<Result<RunReceipt, ApiError>>,
    findings: RunFindings,
    beside: Beside,
) -> impl IntoView {
    let run_id = view.run.run_id.clone();
    let name = view.run.name.clone();
    let view = RwSignal::new(view);
    let whole = RwSignal::new(Whole::Awaited);
    let live = read_again_when_it_changes(slug, run_id.clone(), view, texts, whole);
    read_whole(slug, run_id.clone(), view, whole);
    let navigate = use_navigate();
    let page = Page {
        slug,
        run: Memo::new(move |_| match &*whole.read() {
            Whole::Here(skeleton) => Run::whole(view.get(), skeleton.clone()),
            Whole::Awaited => Run::new(view.get()),
        }),
        query,
        go: Callback::new(move |(query, replace): (RunQuery, bool)| {
            let path = run_href(&slug.read_untracked(), &run_id);
            let options = NavigateOptions {
                replace,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&format!("{path}{}", query.to_href()), options);
        }),
        live,
        shared: None,
    };
    flow::provide_flow(page);
    let about = Signal::derive(move || {
        let run = page.run.read();
        let run = run.run();
        About::run(&run.run_id, run.status == domain::RunStatus::Error)
    });
    let content = view! {
        <Title text=name/>
        <RunTop page/>
        <main id="main" class="page page-run" tabindex="-1">
            <RunHead page/>
            <Found page findings/>
            <div class="run-grid">
                <div class="run-main">
                    <Waterfall page/>
                    <Groups page/>
                    <RunBill page reading=receipt/>
                    <Analysis page reading=analysis/>
                </div>
                <StepPanel page texts of_members=Some(of_members)/>
            </div>
        </main>
        <AskDrawer beside about/>
    };
    // After those of the drawing, which closes its area before the page is left.
    use_run_keys(page);
    content
}

/// Keeps `view` as the server has it: after every event of this run and after every gap. One reading at a
/// time; what changes meanwhile is read after it.
fn read_again_when_it_changes(
    slug: Memo<String>,
    run_id: String,
    view: RwSignal<RunView>,
    texts: SelectedTexts,
    whole: RwSignal<Whole>,
) -> LiveState {
    let live = use_live(slug.into(), Signal::stored(Some(run_id.clone())));
    let reading = StoredValue::new(false);
    let changed_meanwhile = StoredValue::new(false);
    Effect::new(move |before: Option<()>| {
        live.last.track();
        live.gaps.track();
        if before.is_none() {
            return;
        }
        if reading.get_value() {
            changed_meanwhile.set_value(true);
            return;
        }
        reading.set_value(true);
        let (slug, run_id) = (slug.get_untracked(), run_id.clone());
        leptos::task::spawn_local(async move {
            loop {
                changed_meanwhile.try_set_value(false);
                let has_whole = whole.try_get_untracked().is_some_and(|whole| whole.is_here());
                let read = read_run(slug.clone(), run_id.clone(), 0, None, has_whole).await;
                let newer = whole::newer_steps(&slug, &run_id, whole).await;
                match read.and_then(|read| newer.map(|newer| (read, newer))) {
                    Ok((mut fresh, newer)) => {
                        let was_running = view
                            .try_get_untracked()
                            .is_some_and(|v| v.run.status == domain::RunStatus::Running);
                        if has_whole {
                            // Of a long run only the figures were read again.
                            if let Some(before) = view.try_get_untracked() {
                                (fresh.part, fresh.steps) = (before.part, before.steps);
                            }
                        }
                        if let Some(newer) = newer {
                            whole.try_set(newer);
                        }
                        view.try_set(fresh);
                        if was_running {
                            texts.refetch();
                        }
                    }
                    // What is shown stays, and what was missed is still to be read.
                    Err(error) => {
                        if waits_to_read_again(&error).await && !view.is_disposed() {
                            continue;
                        }
                    }
                }
                if changed_meanwhile.try_get_value() != Some(true) {
                    break;
                }
            }
            reading.try_set_value(false);
        });
    });
    live
}
