//! Sessions: who met it, and what it cost them.

use domain::run::GroupOrder;
use domain::{Severity, text};
use leptos::prelude::*;
use leptos_meta::Title;

use super::groups::{
    FilterBar, GroupsQuery, ListOf, SessionsTable, WindowMenu, cost_words, foot, grouped_since, nothing,
    use_groups_query, within,
};
use crate::api::groups::{GroupsView, GroupsWish, read_groups};
use crate::context::use_slug;
use crate::models::prompts::share;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::session_href;
use crate::ui::load::{Load, SkeletonRows};

/// The sessions of a window.
#[component]
pub(crate) fn SessionsPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_groups_query(ListOf::Sessions);
    let resource = Resource::new(
        move || (slug.get(), query.get().wish()),
        |(slug, wish): (String, GroupsWish)| read_groups(slug, wish),
    );
    view! {
        <Title text="Sessions"/>
        <TopBar tools=move || view! { <WindowMenu query/> }>
            <h1>"Sessions"</h1>
        </TopBar>
        <main id="main" class="page page-sessions" tabindex="-1">
            <FilterBar query placeholder="Add a filter: user, key, environment, severity, cost > 0.10, any text"/>
            <Load
                resource
                what="The sessions"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: GroupsView| loaded(&slug.read_untracked(), &query.get_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, query: &GroupsQuery, view: GroupsView) -> AnyView {
    if view.rows.is_empty() && query.cursor.is_none() && view.totals.groups == 0 {
        return nothing(slug, query, ListOf::Sessions);
    }
    let next = view
        .next_cursor
        .clone()
        .map(|cursor| query.at_cursor(cursor).to_href());
    let back = query.cursor.is_some().then(|| query.first_page().to_href());
    let by_cost = query.order == GroupOrder::Costliest;
    let order = if by_cost { "cheaper" } else { "older" };
    let table = if view.rows.is_empty() {
        nothing(slug, query, ListOf::Sessions)
    } else {
        let shown = view.rows.len();
        view! {
            <SessionsTable slug=slug.to_owned() rows=view.rows.clone() by_cost/>
            {foot(shown, next, back, order)}
        }
        .into_any()
    };
    view! {
        {verdict(slug, query, &view)}
        {tabs(query, &view)}
        <section class="cell flush">{table}</section>
    }
    .into_any()
}

/// How many met something critical, and what is usual.
fn verdict(slug: &str, query: &GroupsQuery, view: &GroupsView) -> impl IntoView + use<> {
    let totals = &view.totals;
    let when = within(query.filter.window);
    let sessions = text::counted(totals.groups, "session");
    let headline = if totals.critical > 0 {
        format!(
            "{} of {sessions} {when} met a critical step",
            text::grouped(totals.critical.unsigned_abs())
        )
    } else {
        format!("None of {sessions} {when} met a critical step")
    };
    let usual = format!(
        "The median session holds {} and costs {}.",
        text::counted(totals.median_runs, "run"),
        cost_words(totals.median_cost_nano_usd)
    );
    // A session that is one of very few is no news.
    let costliest = totals
        .costliest
        .as_ref()
        .filter(|_| totals.groups > 3)
        .and_then(|group| {
            let (cost, all) = (group.cost.0, totals.cost_nano_usd?.0);
            (cost > 0 && cost.saturating_mul(10) >= all).then(|| {
                let words = format!(" carries {} of their cost.", share(cost, all));
                let name = text::first_line(&group.id, 40);
                match session_href(slug, &group.id) {
                    Some(href) => view! { " "<a class="link mono" href=href>{name}</a>{words} }.into_any(),
                    None => view! { " "<span class="mono">{name}</span>{words} }.into_any(),
                }
            })
        });
    let tone = if totals.critical > 0 { "critical" } else { "ok" };
    view! {
        <section class="cell">
            <div class="verdict" data-tone=tone>
                <h2>{headline}</h2>
                <p>{usual}{costliest}</p>
            </div>
            {grouped_since(view)}
        </section>
    }
}

/// All, critical, warning, each with its number; the order; the sums at the right.
fn tabs(query: &GroupsQuery, view: &GroupsView) -> impl IntoView + use<> {
    let totals = &view.totals;
    let tab = |severity: Option<Severity>,
               icon: Option<(&'static str, &'static str)>,
               label: &'static str,
               count: i64| {
        let current = (query.filter.severity == severity).then_some("true");
        view! {
            <a href=query.showing(severity).to_href() aria-current=current data-noscroll>
                {icon.map(|(name, class)| view! { <Icon name=name class=class/> })}
                {label}
                " "
                <span class="num dim">{text::grouped(count.unsigned_abs())}</span>
            </a>
        }
    };
    let ordered = |order: GroupOrder, label: &'static str| {
        let current = (query.order == order).then_some("true");
        view! { <a href=query.ordered(order).to_href() aria-current=current data-noscroll>{label}</a> }
    };
    let sums = format!(
        "{}, {} of {}, {} of {} {}",
        text::counted(totals.groups, "session"),
        text::grouped(totals.runs.unsigned_abs()),
        text::counted(view.window_runs, "run"),
        cost_words(totals.cost_nano_usd),
        cost_words(view.window_cost),
        within(query.filter.window)
    );
    view! {
        <div class="quick quick-row">
            <span class="label">"Show"</span>
            <div class="seg" role="group" aria-label="Severity">
                {tab(None, None, "All", totals.groups)}
                {tab(Some(Severity::Critical), Some(("critical", "st-critical")), "Critical", totals.critical)}
                {tab(Some(Severity::Warning), Some(("warning", "st-warn")), "Warning", totals.warning)}
            </div>
            <div class="seg" role="group" aria-label="Order">
                {ordered(GroupOrder::Latest, "Latest")}
                {ordered(GroupOrder::Costliest, "Costliest")}
            </div>
            <span class="push dim num">{sums}</span>
        </div>
    }
}
