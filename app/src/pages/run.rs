//! The page of one run.

use leptos::prelude::*;

/// One run.
#[component]
pub(crate) fn RunPage() -> impl IntoView {
    view! { <main id="main" class="page page-run" tabindex="-1"></main> }.into_any()
}
