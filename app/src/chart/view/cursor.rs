//! Reading a chart of lines moment by moment, and drawing a range on it: with the pointer, and with the keyboard.

use leptos::ev;
use leptos::prelude::*;

use crate::chart::{Chart, Marks};

/// Drawn over less than this share of the plot, a range is a click.
const LEAST_SHARE: f64 = 0.01;

/// The range that is being drawn, and what happens when it is.
#[derive(Clone, Copy)]
pub(super) struct Brush {
    /// Where it began and where it is, from 0 to 1.
    range: RwSignal<Option<(f64, f64)>>,
    /// A pointer draws it.
    is_held: RwSignal<bool>,
    on_range: Option<Callback<(f64, f64)>>,
}

impl Brush {
    pub(super) fn new(on_range: Option<Callback<(f64, f64)>>) -> Self {
        Self {
            range: RwSignal::new(None),
            is_held: RwSignal::new(false),
            on_range,
        }
    }

    /// The pointer is pressed.
    pub(super) fn begin(self, event: &ev::PointerEvent) {
        if self.on_range.is_none() || event.button() != 0 || is_on_marker(event) {
            return;
        }
        if let Some(at) = share(event) {
            self.range.set(Some((at, at)));
            self.is_held.set(true);
            hold(event);
        }
    }

    /// The pointer is moved.
    pub(super) fn move_to(self, event: &ev::PointerEvent) {
        if self.is_held.try_get_untracked() == Some(true)
            && let (Some((from, _)), Some(at)) = (self.range.try_get_untracked().flatten(), share(event))
        {
            self.range.set(Some((from, at)));
        }
    }

    /// The pointer is let go.
    pub(super) fn end(self, event: &ev::PointerEvent) {
        if self.is_held.try_get_untracked() == Some(true) {
            self.move_to(event);
            self.finish();
        }
    }

    /// Nothing is drawn any more.
    pub(super) fn forget(self) {
        // The page may have been left.
        _ = self.range.try_set(None);
        _ = self.is_held.try_set(false);
    }

    fn finish(self) {
        let drawn = self.range.try_get_untracked().flatten();
        self.forget();
        if let (Some((a, b)), Some(on_range)) = (drawn, self.on_range)
            && (a - b).abs() >= LEAST_SHARE
        {
            on_range.run((a.min(b), a.max(b)));
        }
    }
}

/// Takes the focus: arrows move from moment to moment, with Shift they draw a range, Enter goes to it, Escape forgets
/// it. What is pointed at is said aloud.
#[component]
pub(super) fn Cursor(chart: Signal<Chart>, pointed: RwSignal<Option<usize>>, brush: Brush) -> impl IntoView {
    // These may run once more while the page is being left and the signals are gone.
    let count = move || match chart.try_read().as_deref().map(|chart| &chart.marks) {
        Some(Marks::Lines(lines)) => lines.moments.len(),
        _ => 0,
    };
    let shown = move || {
        let last = count().saturating_sub(1);
        pointed.try_get().flatten().unwrap_or(last)
    };
    let place_of = move |index: usize| match &chart.read_untracked().marks {
        Marks::Lines(lines) => lines.moments.get(index).map(|moment| moment.at),
        _ => None,
    };
    let in_words = move || {
        let index = shown();
        match chart.try_read().as_deref().map(|chart| &chart.marks) {
            Some(Marks::Lines(lines)) => lines.in_words(index),
            _ => String::new(),
        }
    };
    let pressed = move |event: ev::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let last = count().saturating_sub(1);
        let here = pointed.get_untracked();
        let from = here.unwrap_or(last);
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => from.saturating_sub(1),
            "ArrowRight" | "ArrowUp" => (from + usize::from(here.is_some())).min(last),
            "Home" => 0,
            "End" => last,
            "Enter" => {
                brush.finish();
                event.prevent_default();
                return;
            }
            "Escape" => return brush.forget(),
            _ => return,
        };
        event.prevent_default();
        if event.shift_key() {
            let began = brush
                .range
                .get_untracked()
                .map(|range| range.0)
                .or_else(|| place_of(from));
            brush.range.set(began.zip(place_of(to)));
        } else {
            brush.forget();
        }
        pointed.set(Some(to));
    };
    let drawn = move || {
        brush.range.try_get().flatten().map(|(a, b)| {
            let (x, width) = (a.min(b) * 100.0, (a - b).abs() * 100.0);
            let height = chart.read().base_px().to_string();
            view! {
                <rect
                    class="ch-brush"
                    x=format!("{x:.3}%")
                    y="0"
                    width=format!("{width:.3}%")
                    height=height
                    aria-hidden="true"
                ></rect>
            }
        })
    };
    view! {
        <rect
            class="ch-cursor"
            class:ch-can-brush=brush.on_range.is_some()
            x="0"
            y="0"
            width="100%"
            height=move || chart.read().base_px().to_string()
            tabindex="0"
            role="slider"
            aria-label="Moment"
            aria-valuemin="0"
            aria-valuemax=move || count().saturating_sub(1).to_string()
            aria-valuenow=move || shown().to_string()
            aria-valuetext=in_words
            on:keydown=pressed
        ></rect>
        {drawn}
    }
}

/// Where in the plot the pointer is, from 0 to 1.
fn share(event: &ev::PointerEvent) -> Option<f64> {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let plot: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let rect = plot.get_bounding_client_rect();
        let across = (f64::from(event.client_x()) - rect.left()) / rect.width().max(1.0);
        Some(across.clamp(0.0, 1.0))
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = event;
        None
    }
}

/// The pointer is on a link of its own.
fn is_on_marker(event: &ev::PointerEvent) -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .and_then(|element| element.closest("a").ok().flatten())
            .is_some()
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = event;
        false
    }
}

/// From now on the plot hears of the pointer wherever it goes.
fn hold(event: &ev::PointerEvent) {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        if let Some(plot) = event
            .current_target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        {
            // A pointer that is gone already needs no capture.
            _ = plot.set_pointer_capture(event.pointer_id());
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = event;
}
