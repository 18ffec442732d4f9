//! The page of a step, a key or a model: how it does over time, what it consists of, what shipped meanwhile. The page of
//! a template shows the same parts below its text.

mod before_after;
mod drawn;
mod head;
mod health;
mod latest;
mod parts;

use domain::series::SeriesBy;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use self::before_after::BeforeAfter;
use self::head::Head;
use self::health::Health;
use self::latest::Latest;
use self::parts::{Makeup, Templates};
use crate::api::scope::{ScopeView, read_scope};
use crate::error::ApiError;
use crate::pages::time_window::{
    Chips, ENVIRONMENT_MENU, FieldMenu, KEY_MENU, Page, Tools, read_again_when_runs_come, use_page,
};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

/// One step, by its name.
#[component]
pub(crate) fn StepPage() -> impl IntoView {
    view! { <ScopePage by=SeriesBy::Step/> }.into_any()
}

/// One key, by its label.
#[component]
pub(crate) fn KeyPage() -> impl IntoView {
    view! { <ScopePage by=SeriesBy::Key/> }.into_any()
}

/// One model, by its name.
#[component]
pub(crate) fn ModelPage() -> impl IntoView {
    view! { <ScopePage by=SeriesBy::Model/> }.into_any()
}

/// What the pages below a kind of page are called, and the menus that narrow them.
const fn kind_of(by: SeriesBy) -> (&'static str, &'static str, &'static [FieldMenu]) {
    match by {
        SeriesBy::Key => ("Key", "The key", &[ENVIRONMENT_MENU]),
        SeriesBy::Model => ("Model", "The model", &[KEY_MENU, ENVIRONMENT_MENU]),
        SeriesBy::Step | SeriesBy::Environment | SeriesBy::Template => {
            ("Step", "The step", &[KEY_MENU, ENVIRONMENT_MENU])
        }
    }
}

#[component]
fn ScopePage(by: SeriesBy) -> impl IntoView {
    let page = use_page();
    let params = use_params_map();
    let name = Memo::new(move |_| params.read().get("name").unwrap_or_default());
    let resource = use_scope(page, by, name.into());
    let (kind, what, menus) = kind_of(by);
    // What all of them are listed on: the overview, told apart by it.
    let above = Signal::derive(move || {
        let overview = page_href(&page.slug.read(), "");
        (format!("{kind}s"), format!("{overview}?by={}", by.as_str()))
    });
    view! {
        <Title text=move || format!("{kind} {}", name.get())/>
        <TopBar tools=move || view! { <Tools page resource facets=|view: ScopeView| view.facets menus/> }>
            <Crumbs above title=name/>
        </TopBar>
        <main id="main" class="page page-scope" tabindex="-1">
            <Chips page/>
            <Load
                resource
                what
                skeleton={|| view! { <SkeletonRows rows=20/> }}
                children={move |view: ScopeView| view! { <Loaded page view/> }}
            />
        </main>
    }
}

/// What is read of a step, key, model or template, and read again while calls come in.
pub(crate) fn use_scope(
    page: Page,
    by: SeriesBy,
    name: Signal<String>,
) -> Resource<Result<ScopeView, ApiError>> {
    let asked = page.asked();
    let resource = Resource::new(
        move || (asked.get(), name.get()),
        move |((slug, query), name)| read_scope(slug, by, name, query),
    );
    read_again_when_runs_come(page.live, resource);
    resource
}

#[component]
fn Loaded(page: Page, view: ScopeView) -> impl IntoView {
    if is_empty(&view) {
        return nothing_found(page, &view).into_any();
    }
    let templates = (view.by != SeriesBy::Template).then(|| view! { <Templates page view=view.clone()/> });
    view! {
        <Head page view=view.clone()/>
        <div class="split" data-cols="2-1">
            <Health page view=view.clone()/>
            <div class="stack-cells">
                {templates}
                <Makeup page view=view.clone()/>
            </div>
        </div>
        <BeforeAfter page view=view.clone()/>
        <Latest page view/>
    }
    .into_any()
}

/// The parts that the page of a template has below its text.
#[component]
pub(crate) fn TemplateHistory(page: Page, view: ScopeView) -> impl IntoView {
    if is_empty(&view) {
        return nothing_found(page, &view).into_any();
    }
    view! {
        <div class="split" data-cols="2-1">
            <Health page view=view.clone()/>
            <div class="stack-cells"><Makeup page view=view.clone()/></div>
        </div>
        <BeforeAfter page view/>
    }
    .into_any()
}

fn is_empty(view: &ScopeView) -> bool {
    view.drawn
        .iter()
        .all(|drawn| drawn.buckets.iter().all(Option::is_none))
}

/// What a page is about, where nothing has a name it is called so.
fn name_of(name: Option<&str>, by: SeriesBy) -> String {
    match name {
        None => "none".to_owned(),
        Some(name) if name.trim().is_empty() => "unnamed".to_owned(),
        Some(name) if by == SeriesBy::Template => domain::prompt::short_fingerprint(name).to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// Which filter or window hides everything, and the way out.
fn nothing_found(page: Page, view: &ScopeView) -> impl IntoView + use<> {
    let query = page.query.get_untracked();
    let chips = query.chips();
    let when = query.range.label();
    let of = format!("{} {}", view.by.as_str(), name_of(Some(&view.name), view.by));
    let (reason, label, href) = if chips.is_empty() {
        let longer = query.with(|query| query.range = crate::models::overview_query::Range::Last(129_600));
        (
            format!("No call of {of} in these {when}"),
            "Show 90 days",
            longer.to_href(),
        )
    } else {
        let names: Vec<String> = chips
            .iter()
            .map(|(by, value)| format!("{} {value}", by.as_str()))
            .collect();
        let all = query.with(|query| query.filter = Default::default());
        (
            format!("No call of {of} in these {when} has {}", names.join(" and ")),
            "Clear the filters",
            all.to_href(),
        )
    };
    let seen = view.first_seen.map(|at| {
        view! { <p class="dim">"First seen "<crate::ui::time::Time at/>"."</p> }
    });
    view! {
        <div class="state">
            <Icon name="overview"/>
            <b>"No calls here"</b>
            <p>{reason}</p>
            {seen}
            <a class="btn" data-variant="primary" href=href data-noscroll>{label}</a>
        </div>
    }
}
