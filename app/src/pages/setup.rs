//! First-run setup: the first account and the first project.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::context::use_viewer;
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::not_found::OuterPage;

/// A plain form; the server makes the account, signs in and leads to the project.
#[component]
pub(crate) fn SetupPage() -> impl IntoView {
    let viewer = use_viewer();
    if viewer.user.is_some() {
        return view! { <Redirect path="/"/> }.into_any();
    }
    let project = viewer
        .projects
        .first()
        .map_or_else(|| "Default".to_owned(), |(project, _)| project.name.clone());
    view! {
        <Title text="Set up accounts"/>
        <OuterPage>
            <form class="panel-form" method="post" action="/setup">
                <h1>"Set up accounts"</h1>
                <p class="dim2">
                    "Until the first account exists, anyone who reaches this address has full access. After that people sign in, and the server may listen on other addresses than this machine’s own."
                </p>
                <FormOutcome/>
                <Field name="name" label="Your name" autocomplete="name"/>
                <Field name="email" label="E-mail" kind="email" autocomplete="username"/>
                <Field
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="new-password"
                    min_chars=domain::account::MIN_PASSWORD_CHARS as u32
                    hint="10 characters or more"
                />
                <Field name="project" label="Project" value=project hint="Each project keeps its data apart"/>
                <Submit label="Create the account" variant="primary"/>
            </form>
        </OuterPage>
    }
    .into_any()
}
