//! The start page, and a new project.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::context::{Viewer, use_viewer};
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::links::page_href;
use crate::ui::not_found::OuterPage;

/// Leads to the first project, to the login, or to the first project's form.
#[component]
pub(crate) fn HomePage() -> impl IntoView {
    match start(&use_viewer()) {
        Some(path) => view! { <Redirect path/> }.into_any(),
        None => view! { <NewProjectPage/> }.into_any(),
    }
}

/// Where `/` leads; `None` when there is no project yet.
fn start(viewer: &Viewer) -> Option<String> {
    match viewer.projects.first() {
        Some((project, _)) => Some(page_href(&project.slug, "")),
        None if viewer.user.is_none() && !viewer.open => Some("/login".to_owned()),
        None => None,
    }
}

/// A plain form; the server makes the project with its first key and leads to it.
#[component]
pub(crate) fn NewProjectPage() -> impl IntoView {
    let viewer = use_viewer();
    if viewer.user.is_none() && !viewer.open {
        return view! { <Redirect path="/login?next=%2Fprojects%2Fnew"/> }.into_any();
    }
    view! {
        <Title text="New project"/>
        <OuterPage>
            <form class="panel-form" method="post" action="/projects">
                <h1>"New project"</h1>
                <p class="dim2">"A project has its own keys, runs, limits and members. Nothing is shared between projects."</p>
                <FormOutcome/>
                <Field
                    name="name"
                    label="Name"
                    hint="Its slug in URLs is made from it: Acme support becomes acme-support"
                />
                <Submit label="Create the project" variant="primary"/>
            </form>
        </OuterPage>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_leads_on() {
        let check = |open: bool, expected: Option<&str>| {
            let viewer = Viewer {
                open,
                ..Viewer::default()
            };
            assert_eq!(start(&viewer).as_deref(), expected);
        };
        check(false, Some("/login"));
        check(true, None);
    }
}
