//! The runs list.

use leptos::prelude::*;

/// The runs of a project.
#[component]
pub(crate) fn RunsPage() -> impl IntoView {
    view! { <main id="main" class="page page-runs" tabindex="-1"></main> }.into_any()
}
