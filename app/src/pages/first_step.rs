//! Stub.
use leptos::prelude::*;
/// Empty-never.
#[component]
pub(crate) fn FirstStep() -> impl IntoView { view! { <div class="first"></div> }.into_any() }
