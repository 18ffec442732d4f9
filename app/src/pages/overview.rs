//! The overview, a project's home: is something wrong, what does it cost, what shipped.

mod cells;
mod compare;
mod critical;
mod movers;
mod trend;
mod verdict;

use domain::Role;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::cells::Cells;
use self::compare::CompareMenu;
use self::critical::CriticalRuns;
use self::movers::Movers;
use self::trend::Trend;
use self::verdict::VerdictSentence;
use crate::api::forecast::{ForecastView, read_forecast};
use crate::api::overview::{OverviewView, read_overview};
use crate::context::{use_may, use_page_request};
use crate::models::overview_query::OverviewQuery;
use crate::pages::ask::beside::{About, AskButton, AskDrawer, use_beside};
use crate::pages::first_step::{FirstStep, provide_key_to_show};
use crate::pages::time_window::{
    Chips, ENVIRONMENT_MENU, KEY_MENU, Page, Tools, read_again_when_runs_come, use_page,
};
use crate::ui::form::Submit;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

/// What calls cost and how that moves, what shipped, what went wrong.
#[component]
pub(crate) fn OverviewPage() -> impl IntoView {
    let page = use_page();
    let asked = page.asked();
    let resource = Resource::new(
        move || (asked.get(), page.live.incidents.get()),
        |((slug, query), _): ((String, OverviewQuery), u64)| read_overview(slug, query),
    );
    read_again_when_runs_come(page.live, resource);
    provide_key_to_show();
    let beside = use_beside(page.slug, Some(page.live));
    let now = use_page_request().now;
    let about = Signal::derive(move || About::overview(&page.query.read(), now));
    view! {
        <Title text="Overview"/>
        <TopBar tools=move || {
            view! {
                <AskButton/>
                <CompareMenu page resource/>
                <Tools page resource facets=|view: OverviewView| view.facets menus=&[KEY_MENU, ENVIRONMENT_MENU]/>
            }
        }>
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
        <AskDrawer beside about/>
    }
    .into_any()
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
        <Expected page/>
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

/// How the month ends and when a budget is used up, in words; of the key that the page is narrowed to.
#[component]
fn Expected(page: Page) -> impl IntoView {
    let forecast = Resource::new(move || page.slug.get(), read_forecast);
    let href = move || page_href(&page.slug.read(), "settings/budgets");
    view! {
        <Load
            resource=forecast
            what="The forecast"
            children={move |view: ForecastView| {
                let key = page.query.read_untracked().filter.key.clone();
                let found = view.forecasts.into_iter().find(|forecast| forecast.key == key);
                found.map(|found| {
                    let link = if found.budget.is_some() { "Budgets" } else { "Set a budget" };
                    view! {
                        <section class="cell" aria-label="This month">
                            <p class="expected">{found.sentences().join(" ")}" "<a class="link" href=href>{link}</a></p>
                        </section>
                    }
                })
            }}
        />
    }
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
                    "Or look around first: thirty days of a made-up support desk in this project, with the deploy that raised its bill. The settings take them away again."
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
