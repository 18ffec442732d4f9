//! Users: the end users of the application, what they cost, and what they met.

use domain::run::GroupOrder;
use domain::text;
use leptos::prelude::*;
use leptos_meta::Title;

use super::groups::{
    FilterBar, GroupsQuery, ListOf, WindowMenu, cost_words, foot, glyph, grouped_since, nothing,
    use_groups_query, within, worst_cell,
};
use crate::api::groups::{GroupView, GroupsView, GroupsWish, read_groups};
use crate::context::use_slug;
use crate::models::prompts::share;
use crate::pages::cells::cost_view;
use crate::ui::frame::TopBar;
use crate::ui::links::user_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The users of a window.
#[component]
pub(crate) fn UsersPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_groups_query(ListOf::Users);
    let resource = Resource::new(
        move || (slug.get(), query.get().wish()),
        |(slug, wish): (String, GroupsWish)| read_groups(slug, wish),
    );
    view! {
        <Title text="Users"/>
        <TopBar tools=move || view! { <WindowMenu query/> }>
            <h1>"Users"</h1>
        </TopBar>
        <main id="main" class="page page-users" tabindex="-1">
            <FilterBar query placeholder="Add a filter: key, environment, severity, model, cost > 0.10, any text"/>
            <Load
                resource
                what="The users"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: GroupsView| loaded(&slug.read_untracked(), &query.get_untracked(), &view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, query: &GroupsQuery, view: &GroupsView) -> AnyView {
    if view.rows.is_empty() {
        return nothing(slug, query, ListOf::Users);
    }
    let next = view
        .next_cursor
        .clone()
        .map(|cursor| query.at_cursor(cursor).to_href());
    let back = query.cursor.is_some().then(|| query.first_page().to_href());
    let by_cost = query.order == GroupOrder::Costliest;
    let order = if by_cost { "cheaper" } else { "seen earlier" };
    let highest = view.totals.costliest.as_ref().map_or(0, |group| group.cost.0);
    let whole = view.totals.cost_nano_usd.map_or(0, |cost| cost.0);
    let rows = view
        .rows
        .iter()
        .map(|row| user_row(slug, row, highest, whole))
        .collect_view();
    let sorted = |is: bool| is.then_some("descending");
    let ordered = |order: GroupOrder, label: &'static str| {
        let current = (query.order == order).then_some("true");
        view! { <a href=query.ordered(order).to_href() aria-current=current data-noscroll>{label}</a> }
    };
    let title = if by_cost { "Users by cost" } else { "Users by time" };
    let sub = format!(
        "{} {}, {}",
        text::grouped(view.totals.groups.unsigned_abs()),
        within(query.filter.window),
        cost_words(view.totals.cost_nano_usd)
    );
    view! {
        {verdict(slug, query, view)}
        <section class="cell flush">
            <div class="head">
                <h2 id="users-title">{title}</h2>
                <span class="sub num">{sub}</span>
                <div class="head-actions">
                    <div class="seg sm" role="group" aria-label="Order">
                        {ordered(GroupOrder::Costliest, "Costliest")}
                        {ordered(GroupOrder::Latest, "Latest")}
                    </div>
                </div>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="users-title">
                <table class="table rows bleed usr">
                    <thead>
                        <tr>
                            <th scope="col" class="us-i">"User"</th>
                            <th scope="col" class="us-d">"First seen"</th>
                            <th scope="col" class="us-d" aria-sort=sorted(!by_cost)>"Last seen"</th>
                            <th scope="col">"Worst that went wrong"</th>
                            <th scope="col" class="n us-n">"Sessions"</th>
                            <th scope="col" class="n us-n">"Runs"</th>
                            <th scope="col" class="n us-c" aria-sort=sorted(by_cost)>"Cost"</th>
                            <th scope="col" class="us-b"><span class="vh">"Cost as a bar"</span></th>
                            <th scope="col" class="n us-n">"Of all"</th>
                            <th scope="col" class="n us-c">"Per run"</th>
                            <th scope="col" class="n us-e">"Failed"</th>
                            <th scope="col" class="us-e">"Worst"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {foot(view.rows.len(), next, back, order)}
        </section>
    }
    .into_any()
}

fn user_row(slug: &str, row: &GroupView, highest: i64, whole: i64) -> impl IntoView + use<> {
    let group = &row.group;
    let name = text::first_line(&group.id, 40);
    let user = match user_href(slug, &group.id) {
        Some(href) => view! { <a class="mono" href=href title=group.id.clone()>{name}</a> }.into_any(),
        None => view! { <span class="mono">{name}</span> }.into_any(),
    };
    let cost = group.cost_nano_usd.map(|cost| cost.0);
    let width = match cost {
        Some(cost) if highest > 0 => format!("{:.2}%", cost.max(0) as f64 / highest as f64 * 100.0),
        _ => "0%".to_owned(),
    };
    let of_all = cost.map_or_else(|| "–".to_owned(), |cost| share(cost, whole));
    let per_run = group
        .cost_nano_usd
        .map(|cost| domain::NanoUsd(cost.0 / group.runs.max(1)).to_short())
        .unwrap_or_else(|| "–".to_owned());
    let first = row.beside.first_ever_at.unwrap_or(group.first_seen_at);
    let failed = if group.failed_runs == 0 {
        view! { <span class="none">"0"</span> }.into_any()
    } else {
        share(group.failed_runs, group.runs).into_any()
    };
    view! {
        <tr>
            <td class="main us-i clip">{user}</td>
            <td class="num us-d"><Time at=first/></td>
            <td class="num us-d"><Time at=group.last_seen_at/></td>
            {worst_cell(&row.beside)}
            <td class="n us-n">{text::grouped(group.sessions.unsigned_abs())}</td>
            <td class="n us-n">{text::grouped(group.runs.unsigned_abs())}</td>
            <td class="n t us-c">{cost_view(group.cost_nano_usd, group.unpriced_steps)}</td>
            <td class="us-b">
                <svg class="bar" height="6" aria-hidden="true">
                    <rect class="track" width="100%" height="6"></rect>
                    <rect class="c1" width=width height="6"></rect>
                </svg>
            </td>
            <td class="n us-n">{of_all}</td>
            <td class="n us-c">{per_run}</td>
            <td class="n us-e">{failed}</td>
            <td class="us-e">{glyph(group)}</td>
        </tr>
    }
}

/// Who carries most of the cost, and who of the page met most failures.
fn verdict(slug: &str, query: &GroupsQuery, view: &GroupsView) -> impl IntoView + use<> {
    let totals = &view.totals;
    let when = within(query.filter.window);
    let users = text::counted(totals.groups, "user");
    let named = |id: &str| {
        let name = text::first_line(id, 40);
        match user_href(slug, id) {
            Some(href) => view! { <a class="link mono" href=href>{name}</a> }.into_any(),
            None => view! { <span class="mono">{name}</span> }.into_any(),
        }
    };
    let carried = totals.costliest.as_ref().and_then(|group| {
        let (cost, all) = (group.cost.0, totals.cost_nano_usd?.0);
        (cost > 0 && totals.groups > 1).then(|| (group.id.clone(), share(cost, all)))
    });
    let headline = match carried {
        Some((id, of_all)) => {
            let words = format!(" carries {of_all} of what {users} cost {when}");
            view! { {named(&id)}{words} }.into_any()
        }
        None => format!("{users} cost {} {when}", cost_words(totals.cost_nano_usd)).into_any(),
    };
    let worst = view
        .rows
        .iter()
        .map(|row| &row.group)
        .filter(|group| group.failed_runs > 0)
        .max_by_key(|group| group.failed_runs)
        .map(|group| {
            let words = format!(
                " met most failures: {} of {} failed.",
                text::grouped(group.failed_runs.unsigned_abs()),
                text::counted(group.runs, "run")
            );
            view! { <p>{named(&group.id)}{words}</p> }
        });
    let critical = (totals.critical > 0).then(|| {
        let count = text::counted(totals.critical, "user");
        view! { <p>{format!("{count} met a critical step.")}</p> }
    });
    view! {
        <section class="cell">
            <div class="verdict" data-tone="plain">
                <h2>{headline}</h2>
                {worst}
                {critical}
            </div>
            {grouped_since(view)}
        </section>
    }
}
