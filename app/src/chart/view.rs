//! The component: a chart or its table. The server's SVG is replaced by a canvas once the browser has drawn one.

mod cursor;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use self::cursor::{Brush, Cursor};
use super::table::ChartTable;
use super::{Chart, Marks, overlay, svg};
use crate::keyboard::use_keys;
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// Whether the table is shown, and the address where it is the other way round. It is part of the page's URL.
#[derive(Clone, Copy)]
pub(crate) struct TableToggle {
    pub(crate) shown: Signal<bool>,
    /// The same page with the other of the two.
    pub(crate) href: Signal<String>,
}

/// The button that shows a chart's numbers as a table, and its key `t`.
#[component]
pub(crate) fn TableLink(toggle: TableToggle) -> impl IntoView {
    let navigate = use_navigate();
    use_keys(move |key| {
        let pressed = key == "t";
        if pressed {
            let options = NavigateOptions {
                scroll: false,
                ..Default::default()
            };
            navigate(&toggle.href.try_get_untracked().unwrap_or_default(), options);
        }
        pressed
    });
    // The address changes as its page is left: what shows it may find the signals gone.
    let is_shown = move || toggle.shown.try_get().unwrap_or_default();
    let word = move || {
        if is_shown() {
            "Show the chart (t)"
        } else {
            "Show the numbers (t)"
        }
    };
    view! {
        <a
            class="btn icon"
            data-variant="quiet"
            href=move || toggle.href.try_get().unwrap_or_default()
            data-pressed=move || is_shown().then_some("true")
            aria-label=word
            title=word
            data-noscroll
        >
            <Icon name="columns"/>
        </a>
    }
}

/// A chart, or its table.
#[component]
pub(crate) fn ChartBox(
    #[prop(into)] chart: Signal<Chart>,
    /// What the chart shows, in a few words: `Conditions per day by layer`.
    #[prop(into)]
    label: Signal<String>,
    /// Whether the table is shown instead.
    #[prop(into)]
    as_table: Signal<bool>,
    /// More SVG above the marks, below the zones: events on the same axis.
    #[prop(optional, into)]
    above: Signal<String>,
    /// Called with the places, from 0 to 1, between which the reader drew a range over lines.
    #[prop(optional, into)]
    on_range: Option<Callback<(f64, f64)>>,
) -> impl IntoView {
    move || {
        if as_table.get() {
            view! { <ChartTable chart label/> }.into_any()
        } else {
            view! { <Drawing chart label above on_range/> }.into_any()
        }
    }
}

#[component]
fn Drawing(
    chart: Signal<Chart>,
    label: Signal<String>,
    above: Signal<String>,
    on_range: Option<Callback<(f64, f64)>>,
) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    let probe = NodeRef::<html::I>::new();
    let drawn = RwSignal::new(false);
    let pointed = RwSignal::new(None::<usize>);
    // The last events of a plot come while its page is being left: what they change, and what shows it, may find the
    // signals gone.
    let point = move |index| _ = pointed.try_set(index);
    let attached = use_attached();
    #[cfg(target_arch = "wasm32")]
    browser::keep_drawn(chart, canvas, probe, drawn);
    let navigate = use_navigate();
    let brush = Brush::new(on_range);
    let is_lines = Memo::new(move |_| matches!(chart.read().marks, Marks::Lines(_)));
    let click = move |event: ev::MouseEvent| {
        let index = pointed.try_get_untracked().flatten();
        let of_index =
            index.and_then(|index| overlay::href(&chart.read_untracked(), index).map(str::to_owned));
        follow(
            &event,
            of_index.or_else(|| href_of(&event, "a.ch-marker")),
            &navigate,
        );
    };
    let has_pages = Memo::new(move |_| match &chart.read().marks {
        Marks::Lines(lines) => lines.series.iter().any(|series| series.href.is_some()),
        Marks::Bars(_) | Marks::Dots(_) => false,
    });
    let by_name = use_navigate();
    let height = move || chart.read().height_px.to_string();
    // The canvas has taken over: what it shows is not written as SVG again.
    let marks = move || {
        if drawn.get() {
            String::new()
        } else {
            svg::marks(&chart.read())
        }
    };
    let labels = Memo::new(move |_| overlay::line_labels(&chart.read()));
    let tooltip = move || {
        let index = pointed.try_get().flatten();
        index
            .zip(chart.try_read())
            .map(|(index, chart)| overlay::tooltip(&chart, index))
            .unwrap_or_default()
    };
    let ends = move || {
        let by_name = by_name.clone();
        (!labels.read().is_empty()).then(|| {
            view! {
                <svg
                    class="plot ch-ends"
                    class:ch-names=move || is_lines.get()
                    height=height
                    role=move || has_pages.get().then_some("group")
                    aria-label=move || has_pages.get().then_some("Pages of the series")
                    aria-hidden=move || (!has_pages.get()).then_some("true")
                    inner_html=labels.get()
                    on:click=move |event| follow(&event, href_of(&event, "a.ch-name"), &by_name)
                ></svg>
            }
        })
    };
    view! {
        <div class="ch">
            <svg class="plot ch-y" height=height aria-hidden="true" inner_html=move || svg::y_texts(&chart.read())></svg>
            <div class="ch-plot">
                <svg class="plot ch-marks" height=height aria-hidden="true" inner_html=marks></svg>
                <canvas class="ch-canvas" node_ref=canvas aria-hidden="true"></canvas>
                <svg
                    class="plot ch-over"
                    height=height
                    role="group"
                    aria-label=move || label.get()
                    on:pointerdown=move |event| {
                        if is_lines.try_get_untracked() == Some(true) {
                            brush.begin(&event);
                        }
                    }
                    on:pointermove=move |event| {
                        if let Some(chart) = chart.try_read_untracked() {
                            point(place(&event, &chart));
                        }
                        brush.move_to(&event);
                    }
                    on:pointerup=move |event| brush.end(&event)
                    on:pointercancel=move |_| brush.forget()
                    on:pointerleave=move |_| point(None)
                    on:focusin=move |event| {
                        if is_lines.try_get_untracked() == Some(false) {
                            point(focused(&event));
                        }
                    }
                    on:focusout=move |_| point(None)
                    on:click=click
                >
                    <g aria-hidden="true" inner_html=move || svg::x_texts(&chart.read())></g>
                    <g inner_html=move || above.get()></g>
                    <g inner_html=move || overlay::zones(&chart.read(), !attached.get())></g>
                    // Nothing would answer the keyboard before.
                    {move || (is_lines.get() && attached.get()).then(|| view! { <Cursor chart pointed brush/> })}
                    <g inner_html=move || overlay::markers(&chart.read())></g>
                    <g aria-hidden="true" inner_html=tooltip></g>
                </svg>
                <i class="ch-probe" hidden node_ref=probe></i>
            </div>
            {ends}
        </div>
    }
}

/// The bar or dot under the pointer.
fn place(event: &ev::PointerEvent, chart: &Chart) -> Option<usize> {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let element: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let rect = element.get_bounding_client_rect();
        let across = (f64::from(event.client_x()) - rect.left()) / rect.width().max(1.0);
        let down = f64::from(event.client_y()) - rect.top();
        overlay::at(chart, across.clamp(0.0, 1.0), down, rect.width())
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = (event, chart);
        None
    }
}

/// Goes there without a new document. With a modifier the browser opens a tab of its own.
fn follow(event: &ev::MouseEvent, href: Option<String>, navigate: &impl Fn(&str, NavigateOptions)) {
    if let Some(href) = href
        && !(event.ctrl_key() || event.meta_key() || event.shift_key())
    {
        event.prevent_default();
        navigate(&href, NavigateOptions::default());
    }
}

/// Where the link leads that was clicked, if it is one of these.
fn href_of(event: &ev::MouseEvent, selector: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let element: web_sys::Element = event.target()?.dyn_into().ok()?;
        element.closest(selector).ok()??.get_attribute("href")
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = (event, selector);
        None
    }
}

/// The bar whose zone has the focus.
fn focused(event: &ev::FocusEvent) -> Option<usize> {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let element: web_sys::Element = event.target()?.dyn_into().ok()?;
        element.get_attribute("data-index")?.parse().ok()
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = event;
        None
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use leptos::html;
    use leptos::prelude::*;
    use wasm_bindgen::JsCast as _;
    use web_sys::HtmlElement;

    use super::Chart;
    use crate::chart::canvas::{Palette, draw_marks};
    use crate::theme::use_theme;
    use crate::ui::redraw::{watch_scheme, watch_size};

    /// Draws the chart, and again whenever it, the size of its place or the theme changes.
    pub(super) fn keep_drawn(
        chart: Signal<Chart>,
        canvas: NodeRef<html::Canvas>,
        probe: NodeRef<html::I>,
        drawn: RwSignal<bool>,
    ) {
        let theme = use_theme();
        let palette = StoredValue::new_local(None::<Palette>);
        let (size, scheme) = (RwSignal::new(0_u32), RwSignal::new(0_u32));
        // The canvas has the size that it was drawn with; its place has not.
        watch_size(
            move || canvas.get().and_then(|canvas| canvas.parent_element()),
            size,
        );
        watch_scheme(scheme);
        let draw = move || {
            let (Some(Some(canvas)), Some(Some(probe))) =
                (canvas.try_get_untracked(), probe.try_get_untracked())
            else {
                return;
            };
            let done = palette.try_update_value(|palette| {
                if palette.is_none() {
                    *palette = Palette::read(probe.unchecked_ref::<HtmlElement>());
                }
                let chart = chart.try_read_untracked()?;
                Some(draw_marks(&canvas, &chart, palette.as_ref()?))
            });
            if done.flatten() == Some(true) && drawn.try_get_untracked() == Some(false) {
                drawn.set(true);
            }
        };
        Effect::new(move |before: Option<_>| {
            chart.track();
            size.track();
            canvas.track();
            let look = (theme.get(), scheme.get());
            if before != Some(look) {
                palette.set_value(None);
            }
            // One frame later the theme is on the document and the canvas has its width.
            request_animation_frame(draw);
            look
        });
    }
}
