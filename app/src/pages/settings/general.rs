//! Settings: name, facts, deleting the project.

use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::projects::{DeletedProject, ServerFacts, list_deleted_projects, read_server_facts};
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
    let deleted = Resource::new(move || slug.get(), list_deleted_projects);
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
