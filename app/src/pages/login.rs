//! Stub.
use leptos::prelude::*;
/// Page.
#[component]
pub(crate) fn LoginPage() -> impl IntoView { view! { <main id="main" class="page"></main> }.into_any() }
