//! Stub.
use leptos::prelude::*;
/// Page.
#[component]
pub(crate) fn SetupPage() -> impl IntoView { view! { <main id="main" class="page"></main> }.into_any() }
