//! The runs list: which run.

mod columns;
pub(crate) mod filter_bar;
mod histogram;
mod list;
pub(crate) mod query;
mod table;
mod tail;
mod tools;

use domain::RunFilter;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use self::filter_bar::FilterBar;
use self::list::List;
use self::query::RunsQuery;
use self::tools::Tools;
use crate::api::runs::{RunsView, read_runs};
use crate::context::use_slug;
use crate::live::{LiveState, use_live};
use crate::pages::first_step::provide_key_to_show;
use crate::query_string;
use crate::ui::frame::TopBar;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

/// What all parts of the page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    pub(crate) slug: Memo<String>,
    /// The state in the URL.
    pub(crate) query: Memo<RunsQuery>,
    /// Goes to another state of the page.
    pub(crate) go: Callback<RunsQuery>,
    pub(crate) live: LiveState,
}

#[component]
pub(crate) fn RunsPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        RunsQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let navigate = use_navigate();
    let page = Page {
        slug,
        query,
        go: Callback::new(move |query: RunsQuery| {
            let options = NavigateOptions {
                scroll: false,
                ..NavigateOptions::default()
            };
            let path = page_href(&slug.read_untracked(), "runs");
            navigate(&format!("{path}{}", query.to_href()), options);
        }),
        live: use_live(slug.into(), Signal::stored(None)),
    };
    // Columns and live tail are in the URL too, but change nothing about what is read.
    let asked = Memo::new(move |_| {
        let query = query.read();
        (slug.get(), query.filter.clone(), query.cursor.clone())
    });
    let resource = Resource::new(
        move || asked.get(),
        |(slug, filter, cursor): (String, RunFilter, Option<String>)| read_runs(slug, filter, cursor),
    );
    let _key_to_show = provide_key_to_show();
    view! {
        <Title text="Runs"/>
        <TopBar tools=move || view! { <Tools page/> }>
            <h1>"Runs"</h1>
        </TopBar>
        <main id="main" class="page page-runs" tabindex="-1">
            <FilterBar page/>
            <Load
                resource
                what="The runs"
                skeleton={|| view! { <SkeletonRows rows=24/> }}
                children={move |view: RunsView| view! { <List page view/> }}
            />
        </main>
    }
    .into_any()
}
