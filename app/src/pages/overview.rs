//! The overview, a project's home: is something wrong, what does it cost, what shipped.

mod cells;
mod critical;
mod movers;
mod tools;
mod trend;
mod verdict;

use domain::Role;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};

use self::cells::Cells;
use self::critical::CriticalRuns;
use self::movers::Movers;
use self::tools::{Chips, Tools};
use self::trend::Trend;
use self::verdict::VerdictSentence;
use crate::api::overview::{OverviewView, read_overview};
use crate::context::{use_may, use_slug};
use crate::live::{LiveState, use_live};
use crate::models::overview_query::OverviewQuery;
use crate::pages::first_step::{FirstStep, provide_key_to_show};
use crate::query_string;
use crate::ui::form::Submit;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

/// What all parts of the page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    pub(crate) slug: Memo<String>,
    /// The state in the URL.
    pub(crate) query: Memo<OverviewQuery>,
    /// Goes to another state of the page.
    pub(crate) go: Callback<OverviewQuery>,
    pub(crate) live: LiveState,
}

/// What calls cost and how that moves, what shipped, what went wrong.
#[component]
pub(crate) fn OverviewPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        OverviewQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let navigate = use_navigate();
    let page = Page {
        slug,
        query,
        go: Callback::new(move |query: OverviewQuery| {
            let options = NavigateOptions {
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&query.to_href(), options);
        }),
        live: use_live(slug.into(), Signal::stored(None)),
    };
    // How it is drawn is in the URL too, but changes nothing about what is read.
    let asked = Memo::new(move |_| {
        let query = query.read().with(|query| {
            query.as_table = false;
            query.is_stacked = false;
        });
        (slug.get(), query)
    });
    let resource = Resource::new(
        move || asked.get(),
        |(slug, query): (String, OverviewQuery)| read_overview(slug, query),
    );
    read_again_when_runs_come(page.live, resource);
    provide_key_to_show();
    view! {
        <Title text="Overview"/>
        <TopBar tools=move || view! { <Tools page resource/> }>
            <h1>"Overview"</h1>
        </TopBar>
        <main id="main" class="page page-overview" tabindex="-1">
            <Chips page/>
            <Load
                resource
                what="The overview"
                skeleton={|| view! { <SkeletonRows rows=20/> }}
                children={move |view: OverviewView| view! { <Loaded page view/> }}
            />
        </main>
    }
    .into_any()
}

/// Sums change with every step. They are read again some seconds after the first change.
fn read_again_when_runs_come(
    live: LiveState,
    resource: Resource<Result<OverviewView, crate::error::ApiError>>,
) {
    #[cfg(target_arch = "wasm32")]
    {
        const WAIT_MS: u32 = 5_000;
        let is_waiting = StoredValue::new(false);
        Effect::new(move |before: Option<()>| {
            live.last.track();
            live.gaps.track();
            if before.is_none() || is_waiting.get_value() {
                return;
            }
            is_waiting.set_value(true);
            leptos::task::spawn_local(async move {
                // Not under the hand of somebody who reads the chart.
                loop {
                    gloo_timers::future::TimeoutFuture::new(WAIT_MS).await;
                    if !is_chart_in_use() {
                        break;
                    }
                }
                if is_waiting.try_set_value(false).is_none() {
                    resource.refetch();
                }
            });
        });
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (live, resource);
}

/// Whether the chart has the focus, or a range is being drawn on it.
#[cfg(target_arch = "wasm32")]
fn is_chart_in_use() -> bool {
    let has = |selector: &str| {
        document()
            .query_selector(selector)
            .is_ok_and(|found| found.is_some())
    };
    has(".ch-over :focus") || has(".ch-brush")
}

#[component]
fn Loaded(page: Page, view: OverviewView) -> impl IntoView {
    if !view.any_run {
        return view! { <Empty page/> }.into_any();
    }
    let is_empty = view.parts.is_empty() && view.cells.iter().all(|cell| cell.now.is_none());
    view! {
        <VerdictSentence page view=view.clone()/>
        <Cells page view=view.clone()/>
        {if is_empty {
            nothing_found(page).into_any()
        } else {
            view! { <Trend page view=view.clone()/> }.into_any()
        }}
        <div class="split" data-cols="2-3">
            <Movers page view=view.clone()/>
            <CriticalRuns page view/>
        </div>
    }
    .into_any()
}

/// Nothing was ever received: how to send the first step, or what else there is to see. While demo data is on its way the
/// page shows it as soon as there is some.
#[component]
fn Empty(page: Page) -> impl IntoView {
    let may = use_may(Role::Admin);
    let params = use_query_map();
    let is_filling = params.with_untracked(|params| params.get("demo").is_some());
    if is_filling {
        let here = page_href(&page.slug.read_untracked(), "");
        return view! {
            <div class="state" role="status">
                <Icon name="running"/>
                <b>"Demo data is on its way"</b>
                <p>"Thirty days of a support desk, three deploys, and one run that fails. It takes some seconds."</p>
                <a class="btn" href=format!("{here}?demo=filling") rel="external">"Look again"</a>
            </div>
        }
        .into_any();
    }
    let offer = may.get_untracked().then(|| {
        view! {
            <form class="notice demo-offer" method="post" action=format!("{}/demo", page_href(&page.slug.read_untracked(), ""))>
                <Icon name="overview"/>
                <div>
                    "Or look around first: thirty days of a made-up support desk in this project, with the deploy that raised its bill. Deleting the project takes them away again."
                </div>
                <span class="push"><Submit label="Fill it with demo data"/></span>
            </form>
        }
    });
    view! {
        {offer}
        <FirstStep live=page.live/>
    }
    .into_any()
}

/// Which filter or window hides everything, and the way out.
fn nothing_found(page: Page) -> impl IntoView + use<> {
    let query = page.query.get_untracked();
    let chips = query.chips();
    let when = query.range.label();
    let (reason, label, href) = if chips.is_empty() {
        let longer = query.with(|query| query.range = Default::default());
        (
            format!("No call in these {when}"),
            "Show the last 30 days",
            longer.to_href(),
        )
    } else {
        let names: Vec<String> = chips
            .iter()
            .map(|(by, value)| format!("{} {value}", by.as_str()))
            .collect();
        let all = query.with(|query| query.filter = Default::default());
        (
            format!("No call in these {when} has {}", names.join(" and ")),
            "Clear the filters",
            all.to_href(),
        )
    };
    view! {
        <div class="state" id="trend">
            <Icon name="overview"/>
            <b>"No calls here"</b>
            <p>{reason}</p>
            <a class="btn" data-variant="primary" href=href data-noscroll>{label}</a>
        </div>
    }
}
