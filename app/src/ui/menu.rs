//! A menu under a button. It is a `details` element, so it opens without WASM; once attached it also closes by itself.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A button that unfolds what is inside.
#[component]
pub(crate) fn Menu(
    /// What the button shows.
    #[prop(into)]
    summary: ViewFnOnce,
    /// The button's classes.
    #[prop(default = "btn")]
    summary_class: &'static str,
    /// The name of the button, where it shows no words.
    #[prop(optional, into)]
    label: Option<String>,
    /// The classes of the outer element: its place.
    #[prop(default = "menu-wrap")]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let details = NodeRef::<html::Details>::new();
    let close = move || {
        if let Some(element) = details.get_untracked() {
            element.set_open(false);
        }
    };
    // Going somewhere closes the menu: the frame outlives the page.
    let location = use_location();
    Effect::new(move |before: Option<()>| {
        location.pathname.track();
        location.search.track();
        if before.is_some() {
            close();
        }
    });
    let escape = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && details.get_untracked().is_some_and(|element| element.open()) {
            event.prevent_default();
            close();
        }
    };
    view! {
        <details class=class node_ref=details on:keydown=escape on:focusout=move |event| close_when_left(&event, details)>
            <summary class=summary_class aria-label=label>{summary.run()}</summary>
            <div class="menu" tabindex="-1">{children()}</div>
        </details>
    }
}

/// Closes the menu when the focus went to something outside.
fn close_when_left(event: &ev::FocusEvent, details: NodeRef<html::Details>) {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let went_to = event
            .related_target()
            .and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        if let Some(element) = details.get_untracked()
            && !element.contains(went_to.as_ref())
        {
            element.set_open(false);
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (event, details);
}
