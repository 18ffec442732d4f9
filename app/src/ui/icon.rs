//! The symbols. One sprite per page; every use refers to it by name.

use leptos::prelude::*;

/// The symbols' drawings, each with the id `i-{name}`.
const SYMBOLS: &str = include_str!("icons.svg");

/// All symbols, written once at the beginning of the page.
#[component]
pub(crate) fn Sprite() -> impl IntoView {
    view! { <svg class="sprite" width="0" height="0" aria-hidden="true" inner_html=SYMBOLS></svg> }
}

/// One symbol. Decoration only: the word beside it says the same.
#[component]
pub(crate) fn Icon(
    /// Its name in `icons.svg`, without `i-`.
    #[prop(into)]
    name: Signal<&'static str>,
    /// Further classes: `sm`, `dim`, `st-ok`, `kind-llm`.
    #[prop(optional, into)]
    class: Signal<&'static str>,
) -> impl IntoView {
    view! {
        <svg class=move || format!("i {}", class.get()) aria-hidden="true">
            <use href=move || format!("#i-{}", name.get())></use>
        </svg>
    }
}
