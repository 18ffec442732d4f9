//! Settings: name, facts, deleting the project.

use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::projects::{
    DeletedProject, ServerFacts, has_demo_data, keeps_plain_spans, list_deleted_projects, read_server_facts,
};
use crate::context::{use_page_request, use_project, use_slug};
use crate::ui::form::{Field, Submit};
use crate::ui::load::Load;
use crate::ui::time::use_time_text;

/// The project's name and address, the server's facts, and the way to delete everything.
#[component]
pub(crate) fn GeneralPage() -> impl IntoView {
    let project = use_project();
    let slug = use_slug();
    let locked = use_admin_lock();
    let facts = Resource::new(move || slug.get(), read_server_facts);
    let demo = Resource::new(move || slug.get(), has_demo_data);
    let deleted = Resource::new(move || slug.get(), list_deleted_projects);
    let keeps_plain = Resource::new(move || slug.get(), keeps_plain_spans);
    let name = project
        .get_untracked()
        .map(|(project, _)| project.name)
        .unwrap_or_default();
    view! {
        <SettingsPage name="General">
            <section class="cell" aria-labelledby="general-name">
                <div class="head"><h2 id="general-name">"Project"</h2></div>
                <form class="form" method="post" action=move || format!("/p/{}/settings/general", slug.get())>
                    <Field name="name" label="Name" value=name locked/>
                    <Submit label="Save" locked/>
                </form>
                <p class="hint form-note">
                    "Its slug in URLs is "<code>{move || slug.get()}</code>" and does not change, so that links keep working."
                </p>
            </section>
            <section class="cell" aria-labelledby="general-facts">
                <div class="head"><h2 id="general-facts">"This server"</h2></div>
                <Load resource=facts what="The server’s facts" let:facts>
                    <Facts facts/>
                </Load>
            </section>
            <Load resource=keeps_plain what="Which spans are kept" let:keeps_plain>
                <Spans keeps_plain/>
            </Load>
            <Load resource=demo what="Whether there is demo data" let:has_demo>
                {has_demo.then(|| view! { <DemoData/> })}
            </Load>
            <DangerZone/>
            <Load resource=deleted what="The projects that are being deleted" let:deleted>
                <Deletions deleted/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Facts(facts: ServerFacts) -> impl IntoView {
    let origin = use_page_request().origin;
    let or_unsaid = |text: String| {
        if text.is_empty() {
            "not shown".to_owned()
        } else {
            text
        }
    };
    view! {
        <dl class="kv">
            <dt>"Version"</dt>
            <dd>{or_unsaid(facts.version)}</dd>
            <dt>"Address"</dt>
            <dd class="mono">{origin}</dd>
            <dt>"Database"</dt>
            <dd>{or_unsaid(facts.database)}</dd>
            <dt>"Data folder"</dt>
            <dd class="mono">{or_unsaid(facts.data_folder)}</dd>
        </dl>
    }
}

/// What becomes of spans that have nothing to do with models.
#[component]
fn Spans(keeps_plain: bool) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    view! {
        <section class="cell" aria-labelledby="general-spans">
            <div class="head"><h2 id="general-spans">"OpenTelemetry"</h2></div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/spans", slug.get())>
                <label class="choice">
                    <input
                        class="check"
                        type="checkbox"
                        name="keep_plain"
                        value="on"
                        checked=keeps_plain
                        disabled=move || !locked.read().is_empty()
                    />
                    <span>"Keep spans of traces without a call of a model"</span>
                </label>
                <p class="hint">
                    "Those of web servers and databases. Of a trace that calls a model everything is kept. What is not kept is counted in the ledger as "
                    <code>"plain_span"</code>
                    "."
                </p>
                <Submit label="Save what is kept" locked/>
            </form>
        </section>
    }
}

/// Demo data lies beside what is real: the way to take exactly it away again.
#[component]
fn DemoData() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    view! {
        <section class="cell" aria-labelledby="general-demo">
            <div class="head"><h2 id="general-demo">"Demo data"</h2></div>
            <p class="dim2 form-note">
                "This project holds made-up runs and three made-up deploys. They can be taken away again; what your programs sent stays as it is."
            </p>
            <form class="form" method="post" action=move || format!("/p/{}/demo/remove", slug.get())>
                <Submit label="Take the demo data away" locked/>
            </form>
        </section>
    }
}

/// How far the deletion of other projects is; nothing where none is under way.
#[component]
fn Deletions(deleted: Vec<DeletedProject>) -> impl IntoView {
    let text = use_time_text();
    let progress = |project: &DeletedProject| {
        let rows = domain::text::progress(project.rows, project.total_rows, true);
        if project.is_failing {
            format!("{rows} rows deleted; the last attempt failed and is repeated")
        } else {
            format!("{rows} rows deleted")
        }
    };
    (!deleted.is_empty()).then(|| {
        view! {
            <section class="cell" aria-labelledby="general-deleted">
                <div class="head"><h2 id="general-deleted">"Projects being deleted"</h2></div>
                <dl class="kv">
                    {deleted
                        .into_iter()
                        .map(|project| {
                            view! {
                                <dt>{project.name.clone()}</dt>
                                <dd>{progress(&project)}", since "{text(project.deleted_at)}</dd>
                            }
                        })
                        .collect_view()}
                </dl>
            </section>
        }
    })
}

/// Deleting asks for the project's word in the address, also without WASM: the field's pattern demands it.
#[component]
fn DangerZone() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let word = slug.get_untracked();
    view! {
        <section class="cell" aria-labelledby="general-danger">
            <div class="head">
                <h2 id="general-danger">"Delete the project"</h2>
                <span class="sub">"permanent"</span>
            </div>
            <p class="dim2 form-note">
                "Its API keys stop working and its pages close at once. Its runs, steps, prompts, outputs and ledger are then deleted in the background. This can’t be undone, and no copy is kept."
            </p>
            <form class="form" method="post" action=move || format!("/p/{}/settings/delete", slug.get())>
                <Field
                    name="confirm"
                    label="Type the project’s slug to confirm"
                    pattern=word.clone()
                    hint=format!("Type {word}")
                    locked
                />
                <Submit label="Delete the project" variant="danger" locked/>
            </form>
        </section>
    }
}
