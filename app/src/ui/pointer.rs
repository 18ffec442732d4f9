//! Where the pointer is.

use leptos::ev;

/// Where in the element that listens the pointer is, from its left edge (0) to its right (1).
pub(crate) fn share_of(event: &ev::MouseEvent) -> f64 {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let element = event
            .current_target()
            .and_then(|t| t.dyn_into::<web_sys::Element>().ok());
        element.map_or(0.0, |element| {
            let rect = element.get_bounding_client_rect();
            ((f64::from(event.client_x()) - rect.left()) / rect.width().max(1.0)).clamp(0.0, 1.0)
        })
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = event;
        0.0
    }
}
