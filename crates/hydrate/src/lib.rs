//! The browser's entry: attaches the application to the page the server rendered.
#![cfg(target_arch = "wasm32")]

use leptos::prelude::document;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called once by the page's module script.
#[wasm_bindgen]
pub async fn hydrate() {
    console_error_panic_hook::set_once();
    if !app::code_is_here().await {
        return;
    }
    leptos::mount::hydrate_body(app::App);
    // Lets browser tests and style sheets distinguish a live page from a served one.
    if let Some(document) = document().document_element() {
        document.set_attribute("data-hydrated", "").unwrap_or_default();
    }
}
