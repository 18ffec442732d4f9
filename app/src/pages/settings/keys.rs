//! Stub.
use leptos::prelude::*;
/// Page.
#[component]
pub(crate) fn KeysPage() -> impl IntoView { view! { <main id="main" class="page"></main> }.into_any() }
