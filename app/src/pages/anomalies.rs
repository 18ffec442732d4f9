//! The anomalies page: what keeps going wrong.

mod layers;
mod matrix;
mod over_time;
mod steps;
mod sums;
mod tools;
mod verdict;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use self::layers::Layers;
use self::matrix::Matrix;
use self::over_time::OverTime;
pub(crate) use self::steps::steps_table;
use self::steps::{Latest, StepList};
use self::sums::Sums;
use self::tools::{Chips, Tools};
use self::verdict::VerdictSentence;
use crate::api::anomalies::{AnomaliesView, read_anomalies, read_precision};
use crate::context::use_slug;
use crate::live::{LiveState, use_live};
use crate::models::anomalies_query::{AnomaliesQuery, Period};
use crate::pages::conditions::MuteOutcome;
use crate::pages::first_step::{FirstStep, provide_key_to_show};
use crate::query_string;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};

/// What all parts of the page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    pub(crate) slug: Memo<String>,
    /// The state in the URL.
    pub(crate) query: Memo<AnomaliesQuery>,
    /// The connection: the first step flips the empty page.
    pub(crate) live: LiveState,
}

/// What the rules found in a project, over time.
#[component]
pub(crate) fn AnomaliesPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        AnomaliesQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let page = Page {
        slug,
        query,
        live: use_live(slug.into(), Signal::stored(None)),
    };
    // Chart or table is in the URL too, but changes nothing about what is read.
    let asked = Memo::new(move |_| {
        let query = AnomaliesQuery {
            as_table: false,
            ..query.get()
        };
        (slug.get(), query)
    });
    let resource = Resource::new(
        move || asked.get(),
        |(slug, query): (String, AnomaliesQuery)| read_anomalies(slug, query),
    );
    provide_key_to_show();
    view! {
        <Title text="Anomalies"/>
        <TopBar tools=move || view! { <Tools page resource/> }>
            <h1>"Anomalies"</h1>
        </TopBar>
        <main id="main" class="page page-anomalies" tabindex="-1">
            <MuteOutcome slug/>
            <Chips page/>
            <Load
                resource
                what="The anomalies"
                skeleton={|| view! { <SkeletonRows rows=20/> }}
                children={move |view: AnomaliesView| view! { <Loaded page view/> }}
            />
        </main>
    }
    .into_any()
}

#[component]
fn Loaded(page: Page, view: AnomaliesView) -> impl IntoView {
    if !view.any_run {
        return view! { <FirstStep live=page.live/> }.into_any();
    }
    if view.counts.by_code.is_empty() && view.steps.items.is_empty() {
        return nothing_found(page, &view).into_any();
    }
    if page.query.read_untracked().as_list {
        return view! { <StepList page steps=view.steps/> }.into_any();
    }
    let sums = Sums::of(&view);
    let precision = RwSignal::new(view.precision.clone());
    // Only this is read again: new steps would move the rows under the reader's hand.
    let on_said = Callback::new(move |()| {
        let slug = page.slug.get_untracked();
        leptos::task::spawn_local(async move {
            if let Ok(found) = read_precision(slug).await {
                precision.try_set(found);
            }
        });
    });
    view! {
        <VerdictSentence page view=view.clone() sums=sums.clone() precision/>
        <div class="split" data-cols="2-1">
            <OverTime page view=view.clone() sums=sums.clone()/>
            <Layers page sums=sums.clone()/>
        </div>
        <Matrix page view=view.clone() sums precision/>
        <Latest page steps=view.steps on_said/>
    }
    .into_any()
}

/// Which filter or window hides everything, and the way out; or that there is nothing to hide.
fn nothing_found(page: Page, view: &AnomaliesView) -> impl IntoView + use<> {
    let query = page.query.get_untracked();
    let window = query.period.label();
    let when = if query.until.is_none() {
        format!("the last {window}")
    } else {
        format!("these {window}")
    };
    let chips = query.chips();
    let (head, reason, action) = if !view.ever {
        let reason = "No rule has fired so far. Conditions appear here as soon as one does.";
        ("Nothing found yet", reason.to_owned(), None)
    } else if chips.is_empty() {
        let reason = format!("No step of {when} has a condition");
        let longer = query.with(|query| {
            query.period = Period::Month;
            query.until = None;
        });
        let action = (longer != query).then(|| ("Show the last 30 days", longer.to_href()));
        ("Nothing found", reason, action)
    } else {
        let names: Vec<String> = chips
            .iter()
            .map(|(_, name, value)| format!("{name} is {value}"))
            .collect();
        let reason = format!("No condition of {when} matches {}", names.join(" and "));
        let action = if names.len() == 1 {
            "Clear this filter"
        } else {
            "Clear these filters"
        };
        (
            "No condition matches",
            reason,
            Some((action, query.without_filters().to_href())),
        )
    };
    view! {
        <div class="state">
            <Icon name="anomalies"/>
            <b>{head}</b>
            <p>{reason}</p>
            {action.map(|(label, href)| view! { <a class="btn" data-variant="primary" href=href data-noscroll>{label}</a> })}
        </div>
    }
}
