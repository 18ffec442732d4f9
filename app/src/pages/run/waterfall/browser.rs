//! What the waterfall asks of the browser: where it is scrolled to, and what was clicked.

use std::ops::Range;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

#[cfg(target_arch = "wasm32")]
use crate::timeline::draw::ROW_PX;

/// Rows kept ready above and below the visible ones.
#[cfg(target_arch = "wasm32")]
const MARGIN_ROWS: usize = 100;
/// The range moves in steps of so many rows, so that most scrolling changes nothing.
#[cfg(target_arch = "wasm32")]
const STEP_ROWS: usize = 50;

/// Keeps `near` at the rows around the visible part of the window.
pub(super) fn follow_scroll(tree: NodeRef<html::Ol>, near: RwSignal<Range<usize>>) {
    #[cfg(target_arch = "wasm32")]
    {
        let look = move || {
            let Some(tree) = tree.get_untracked() else { return };
            let height = window()
                .inner_height()
                .ok()
                .and_then(|h| h.as_f64())
                .unwrap_or(1_000.0);
            let hidden_px = (-tree.get_bounding_client_rect().top()).max(0.0);
            let range = rows_near(hidden_px, height);
            if near.try_with_untracked(|before| *before != range) == Some(true) {
                near.set(range);
            }
        };
        Effect::new(move |_| {
            tree.track();
            request_animation_frame(look);
        });
        let scrolled = window_event_listener(ev::scroll, move |_| look());
        let resized = window_event_listener(ev::resize, move |_| look());
        on_cleanup(move || {
            scrolled.remove();
            resized.remove();
        });
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (tree, near);
}

#[cfg(target_arch = "wasm32")]
fn rows_near(hidden_px: f64, window_px: f64) -> Range<usize> {
    let first = (hidden_px / ROW_PX as f64) as usize;
    let last = first + (window_px / ROW_PX as f64) as usize;
    let start = first.saturating_sub(MARGIN_ROWS) / STEP_ROWS * STEP_ROWS;
    start..(last + MARGIN_ROWS) / STEP_ROWS * STEP_ROWS + STEP_ROWS
}

/// Reveals the line that the address names, once the rows have their places.
pub(super) fn reveal_on_opening(tree: NodeRef<html::Ol>, line: usize) {
    #[cfg(target_arch = "wasm32")]
    request_animation_frame(move || reveal(tree, line));
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (tree, line);
}

/// Scrolls a line into the window when it is outside, and moves the focus along when it was in the tree.
pub(super) fn reveal(tree: NodeRef<html::Ol>, line: usize) {
    #[cfg(target_arch = "wasm32")]
    {
        /// Kept free at the top for the bars that stay there, in pixels.
        const TOP_PX: f64 = 96.0;
        let Some(tree) = tree.get_untracked() else { return };
        let top = tree.get_bounding_client_rect().top() + (line * ROW_PX) as f64;
        let height = window()
            .inner_height()
            .ok()
            .and_then(|h| h.as_f64())
            .unwrap_or(1_000.0);
        if top < TOP_PX {
            window().scroll_by_with_x_and_y(0.0, top - TOP_PX);
        } else if top + ROW_PX as f64 > height {
            window().scroll_by_with_x_and_y(0.0, top + 3.0 * ROW_PX as f64 - height);
        }
        let had_focus = document()
            .active_element()
            .is_some_and(|active| active.closest(".wf-tree").is_ok_and(|found| found.is_some()));
        if had_focus {
            // The row may only come into the page with the scrolling.
            set_timeout(
                move || {
                    use wasm_bindgen::JsCast;
                    if let Ok(Some(row)) = tree.query_selector("[role=treeitem][aria-selected=true]")
                        && let Ok(row) = row.dyn_into::<web_sys::HtmlElement>()
                    {
                        _ = row.focus();
                    }
                },
                std::time::Duration::from_millis(60),
            );
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (tree, line);
}

/// Whether the click went to a link, which does its own work.
pub(super) fn is_on_link(event: &ev::MouseEvent) -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        event
            .target()
            .and_then(|t| t.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|element| element.closest("a").is_ok_and(|found| found.is_some()))
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = event;
        false
    }
}
