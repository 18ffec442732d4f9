//! What a drawing has to hear of besides its data: the size of its place, and the scheme of the system.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};

/// Counts up whenever the size of `place` changes. `place` reads the reference of a node, and is asked again once that is
/// in the page.
pub(crate) fn watch_size(place: impl Fn() -> Option<Element> + 'static, size: RwSignal<u32>) {
    Effect::new(move |_| {
        let Some(place) = place() else { return };
        let changed = Closure::<dyn FnMut()>::new(move || {
            size.try_update(|n| *n = n.wrapping_add(1));
        });
        let Ok(observer) = ResizeObserver::new(changed.as_ref().unchecked_ref()) else {
            return;
        };
        observer.observe(&place);
        let kept = StoredValue::new_local((observer, changed));
        on_cleanup(move || {
            kept.try_with_value(|(observer, _)| observer.disconnect());
        });
    });
}

/// Counts up whenever the system turns dark or light.
pub(crate) fn watch_scheme(scheme: RwSignal<u32>) {
    let Ok(Some(dark)) = window().match_media("(prefers-color-scheme: dark)") else {
        return;
    };
    let changed = Closure::<dyn FnMut()>::new(move || {
        scheme.try_update(|n| *n = n.wrapping_add(1));
    });
    if dark
        .add_event_listener_with_callback("change", changed.as_ref().unchecked_ref())
        .is_err()
    {
        return;
    }
    let kept = StoredValue::new_local((dark, changed));
    on_cleanup(move || {
        kept.try_with_value(|(dark, changed)| {
            _ = dark.remove_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
        });
    });
}
