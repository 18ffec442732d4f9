//! One end user of the application: what they cost, what they met, their sessions.

use domain::{Role, text};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::groups::{SessionsTable, foot, glyph, grouped_since};
use crate::api::groups::{UserView, read_user};
use crate::context::{use_may, use_slug};
use crate::models::prompts::share;
use crate::pages::cells::cost_view;
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// A user and their sessions.
#[component]
pub(crate) fn UserPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.read().get("user").unwrap_or_default());
    let cursor = Memo::new(move |_| query.read().get("cursor").filter(|cursor| !cursor.is_empty()));
    let resource = Resource::new(
        move || (slug.get(), id.get(), cursor.get()),
        |(slug, id, cursor)| read_user(slug, id, cursor),
    );
    let above = Signal::derive(move || ("Users".to_owned(), page_href(&slug.read(), "users")));
    let title = Signal::derive(move || text::first_line(&id.read(), 60));
    let runs = move || {
        let query = domain::filter::encode_query([("user", id.read().as_str()), ("range", "all")]);
        format!("{}?{query}", page_href(&slug.read(), "runs"))
    };
    view! {
        <Title text=move || format!("User {}", title.get())/>
        <TopBar tools=move || view! { <a class="btn" href=runs>"All their runs"</a> }>
            <Crumbs above title/>
        </TopBar>
        <main id="main" class="page page-user" tabindex="-1">
            <FormOutcome/>
            <Load
                resource
                what="The user"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: UserView| {
                    loaded(&slug.read_untracked(), cursor.get_untracked().is_some(), view)
                }}
            />
            {move || view! { <TheirData user=id.get()/> }}
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, is_later_page: bool, view: UserView) -> AnyView {
    let UserView { group, sessions } = view;
    let runs = text::counted(group.runs, "run");
    let headline = match group.failed_runs {
        0 => format!("None of {runs} failed"),
        failed => format!(
            "{} of {runs} failed: {}",
            text::grouped(failed.unsigned_abs()),
            share(failed, group.runs)
        ),
    };
    let tone = if group.failed_runs > 0 { "critical" } else { "ok" };
    let tokens = group
        .tokens
        .total()
        .map_or_else(|| "none reported".to_owned(), text::short_count);
    let next = sessions
        .next_cursor
        .clone()
        .map(|cursor| format!("?{}", domain::filter::encode_query([("cursor", cursor.as_str())])));
    let back = is_later_page.then(|| "?".to_owned());
    let shown = sessions.rows.len();
    let note = grouped_since(&sessions);
    let table = if sessions.rows.is_empty() {
        view! { <p class="pad dim">"Their runs belong to no session."</p> }.into_any()
    } else {
        view! {
            <SessionsTable slug=slug.to_owned() rows=sessions.rows by_cost=false of_one_user=true/>
            {foot(shown, next, back, "older")}
        }
        .into_any()
    };
    view! {
        <section class="run-head" data-tone=tone aria-label="Result">
            <div class="verdict" data-tone=tone>
                <div class="say">{glyph(&group)}" "{headline}</div>
            </div>
            <dl class="facts run-facts">
                <div><dt>"Sessions"</dt><dd>{text::grouped(group.sessions.unsigned_abs())}</dd></div>
                <div><dt>"Runs"</dt><dd>{text::grouped(group.runs.unsigned_abs())}</dd></div>
                <div><dt>"Calls"</dt><dd>{text::grouped(group.calls.unsigned_abs())}</dd></div>
                <div><dt>"Failed steps"</dt><dd>{text::grouped(group.errors.unsigned_abs())}</dd></div>
                <div><dt>"Tokens"</dt><dd>{tokens}</dd></div>
                <div><dt>"Cost"</dt><dd>{cost_view(group.cost_nano_usd, group.unpriced_steps)}</dd></div>
                <div><dt>"First seen"</dt><dd><Time at=group.first_seen_at/></dd></div>
                <div><dt>"Last seen"</dt><dd><Time at=group.last_seen_at/></dd></div>
                <div><dt>"Key"</dt><dd>{group.key_label.clone()}</dd></div>
            </dl>
        </section>
        <section class="cell flush">
            <div class="head"><h2>"Sessions"</h2><span class="sub">"the last seen first"</span></div>
            {note}
            {table}
        </section>
    }
    .into_any()
}

/// The ways to take out and to delete everything of the user. Deleting asks for the id, also without WASM.
#[component]
fn TheirData(user: String) -> impl IntoView {
    let slug = use_slug();
    let may = use_may(Role::Admin);
    let locked = Signal::derive(move || {
        if may.get() {
            String::new()
        } else {
            "Only an admin of the project can delete it".to_owned()
        }
    });
    let encoded = domain::filter::percent_encode(&user);
    let export = {
        let encoded = encoded.clone();
        move || {
            let query = domain::filter::encode_query([("project", slug.read().as_str())]);
            format!("/api/users/{encoded}/export?{query}")
        }
    };
    let action = move || format!("{}/{encoded}/delete", page_href(&slug.read(), "users"));
    view! {
        <section class="cell" aria-labelledby="user-data">
            <div class="head">
                <h2 id="user-data">"Their data"</h2>
                <a class="btn" href=export rel="external" download="user.jsonl">"Export as JSON lines"</a>
            </div>
            <p class="dim2 form-note">
                "Deleting takes away their steps with texts, and findings, analyses, chats, alerts, feedback and links about them. Sums are counted again without them. A receipt with a hash of the id stays. It can’t be undone, and no copy is kept. What comes in of them later is stored: stop sending first."
            </p>
            <form class="form" method="post" action=action>
                <Field
                    name="confirm"
                    label="Type the user’s id to confirm"
                    hint=format!("Type {}", text::first_line(&user, 200))
                    locked
                />
                <Submit label="Delete their data" variant="danger" locked/>
            </form>
        </section>
    }
}
