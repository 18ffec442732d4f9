//! A button that puts text on the clipboard.

use leptos::prelude::*;

use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// Copies `text`. Hidden without WASM: the text beside it can be selected.
#[component]
pub(crate) fn CopyButton(
    #[prop(into)] text: Signal<String>,
    /// The word on the button.
    #[prop(default = "Copy")]
    label: &'static str,
) -> impl IntoView {
    let attached = use_attached();
    let copied = RwSignal::new(false);
    view! {
        <button
            class="btn"
            type="button"
            hidden=move || !attached.get()
            on:click=move |_| copy_text(text.get_untracked(), copied)
        >
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "copy" })/>
            <span aria-live="polite">{move || if copied.get() { "Copied" } else { label }}</span>
        </button>
    }
}

/// Puts `text` on the clipboard and sets `copied` for two seconds when that worked.
pub(crate) fn copy_text(text: String, copied: RwSignal<bool>) {
    #[cfg(target_arch = "wasm32")]
    leptos::task::spawn_local(async move {
        let promise = window().navigator().clipboard().write_text(&text);
        if wasm_bindgen_futures::JsFuture::from(promise).await.is_ok() {
            copied.try_set(true);
            gloo_timers::future::TimeoutFuture::new(2_000).await;
            copied.try_set(false);
        }
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (text, copied);
}
