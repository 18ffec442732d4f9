//! What goes along with everything that is sent in a chat.

use leptos::prelude::*;

/// What a question goes along with: the chat that it belongs to (empty for a new one), what it is about, and the page that
/// it is asked beside, which it leads back to (empty for the page of chats).
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub(super) chat: Signal<String>,
    pub(super) page: Signal<String>,
    pub(super) beside: Signal<String>,
}

/// The hidden fields of a form that asks. Without WASM it waits for the answer; with it the page shows it as it comes.
#[component]
pub(super) fn Hidden(along: Along) -> impl IntoView {
    let Along { chat, page, beside } = along;
    let shows_as_it_comes = RwSignal::new(false);
    Effect::new(move |_| shows_as_it_comes.set(true));
    view! {
        <input type="hidden" name="chat" value=move || chat.get()/>
        <input type="hidden" name="page" value=move || page.get()/>
        <input type="hidden" name="beside" value=move || beside.get()/>
        <input type="hidden" name="waits" value=move || if shows_as_it_comes.get() { "no" } else { "yes" }/>
    }
}
