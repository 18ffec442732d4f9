//! Stub.
use leptos::prelude::*;
/// Page.
#[component]
pub(crate) fn HomePage() -> impl IntoView { view! { <main id="main" class="page"></main> }.into_any() }
/// Page.
#[component]
pub(crate) fn NewProjectPage() -> impl IntoView { view! { <main id="main" class="page"></main> }.into_any() }
