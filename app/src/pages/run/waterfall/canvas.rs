//! The canvas: where it lies, when it is painted, and with which colours.

use std::cell::Cell;
use std::ops::Range;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement};

use super::stage::Stage;
use crate::theme::use_theme;
use crate::timeline::draw::ROW_PX;
use crate::timeline::paint::Scene;
use crate::timeline::surface::{Area, Glyph, INKS, Ink, Surface};
use crate::ui::redraw::{watch_scheme, watch_size};

/// Lines painted above and below the window, so that a little scrolling shows no gap.
const MARGIN_LINES: usize = 8;
/// Narrower drawings carry no labels, in pixels.
const LABELS_FROM_PX: f64 = 300.0;
const RULER_PX: f64 = 24.0;

thread_local! {
    /// The first line on the canvas. A page has one.
    static FIRST_LINE: Cell<usize> = const { Cell::new(0) };
}

/// The first line on the canvas.
pub(super) fn first_line() -> usize {
    FIRST_LINE.get()
}

/// Where things lie in the page.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// What the canvas lies in: as tall as all lines.
    pub(super) place: NodeRef<html::Div>,
    pub(super) canvas: NodeRef<html::Canvas>,
    pub(super) ruler: NodeRef<html::Canvas>,
    /// Shows colours, to be read.
    pub(super) probe: NodeRef<html::I>,
}

/// The colours of all inks, and the font, as the page has them now.
struct Look {
    inks: Vec<String>,
    font: String,
    strong: String,
}

impl Look {
    fn read(probe: &HtmlElement) -> Option<Self> {
        let computed = window().get_computed_style(probe).ok()??;
        let style = probe.style();
        let mut inks = Vec::with_capacity(INKS.len());
        for ink in INKS {
            // Set by script, which no policy forbids.
            style.set_property("color", ink).ok()?;
            inks.push(computed.get_property_value("color").unwrap_or_default());
        }
        let family = computed.get_property_value("font-family").unwrap_or_default();
        Some(Self {
            inks,
            font: format!("11px {family}"),
            strong: format!("500 11px {family}"),
        })
    }
}

/// Paints what is seen: once the page is there, and again whenever anything that shows has changed.
pub(super) fn keep_painted(stage: Stage, places: Places) {
    let theme = use_theme();
    let look = StoredValue::new_local(None::<Look>);
    let (size, scheme) = (RwSignal::new(0_u32), RwSignal::new(0_u32));
    watch_size(
        move || places.place.get().map(|place| place.unchecked_into()),
        size,
    );
    watch_scheme(scheme);
    let asked = StoredValue::new(false);
    let paint = move || {
        asked.try_set_value(false);
        let painted = look.try_update_value(|look| {
            if look.is_none() {
                *look = places
                    .probe
                    .try_get_untracked()
                    .flatten()
                    .and_then(|probe| Look::read(&probe));
            }
            paint(stage, places, look.as_ref()?)
        });
        if painted.flatten().is_some() && stage.drawn.try_get_untracked() == Some(false) {
            stage.drawn.set(true);
        }
    };
    // However much changes before the next frame, it is painted once.
    let ask = move || {
        if asked.try_get_value() == Some(false) {
            asked.set_value(true);
            request_animation_frame(paint);
        }
    };
    Effect::new(move |before: Option<_>| {
        stage.page.run.track();
        stage.lines.track();
        stage.selected_line.track();
        stage.spans.track();
        stage.on_path.track();
        stage.inks.track();
        stage.hits.track();
        stage.view.track();
        stage.area.track();
        stage.flow.track();
        stage.at_us.track();
        size.track();
        places.canvas.track();
        let now = (theme.get(), scheme.get());
        if before != Some(now) {
            look.set_value(None);
        }
        ask();
        now
    });
    let scrolled = window_event_listener(ev::scroll, move |_| ask());
    let resized = window_event_listener(ev::resize, move |_| ask());
    on_cleanup(move || {
        scrolled.remove();
        resized.remove();
    });
}

/// Which lines lie in the window, with some around them.
fn lines_in_window(place: &web_sys::Element, count: usize) -> Range<usize> {
    let height = window()
        .inner_height()
        .ok()
        .and_then(|h| h.as_f64())
        .unwrap_or(1_000.0);
    let top = place.get_bounding_client_rect().top();
    let row = ROW_PX as f64;
    let first = ((-top).max(0.0) / row) as usize;
    let last = ((height - top).max(0.0) / row).ceil() as usize;
    first.saturating_sub(MARGIN_LINES).min(count)..(last + MARGIN_LINES).min(count)
}

fn paint(stage: Stage, places: Places, look: &Look) -> Option<()> {
    let (place, canvas, ruler) = (
        places.place.try_get_untracked()??,
        places.canvas.try_get_untracked()??,
        places.ruler.try_get_untracked()??,
    );
    let width = f64::from(place.client_width());
    if width <= 0.0 {
        return None;
    }
    let run = stage.page.run.try_get_untracked()?;
    let (lines, spans, axis) = (
        stage.lines.read_untracked(),
        stage.spans.read_untracked(),
        stage.axis.read_untracked(),
    );
    let (inks, on_path, hits) = (
        stage.inks.read_untracked(),
        stage.on_path.read_untracked(),
        stage.hits.read_untracked(),
    );
    let area = stage.area.read_untracked();
    let flow = stage.flow.read_untracked();
    let playhead = stage.at_us.get_untracked().map(|at| axis.place_of(at));
    let scene = Scene {
        skeleton: &run.skeleton,
        layout: &run.layout,
        lines: &lines,
        spans: &spans,
        axis: &axis,
        view: stage.seen_untracked(),
        inks: &inks,
        on_path: &on_path,
        hits: &hits,
        flow: &flow,
        selected: stage.selected_line.get_untracked(),
        playhead,
        area: (*area).as_ref(),
        now_us: run.now_us(),
        has_labels: width >= LABELS_FROM_PX,
    };
    let shown = lines_in_window(&place, lines.len());
    FIRST_LINE.set(shown.start);
    let height = (shown.len() * ROW_PX) as f64;
    let offset = format!("{}px", shown.start * ROW_PX);
    HtmlElement::style(&canvas).set_property("top", &offset).ok()?;
    scene.paint(&mut Brush::begin(&canvas, width, height, look)?, shown, width);
    scene.paint_ruler(&mut Brush::begin(&ruler, width, RULER_PX, look)?, width);
    if run.part.is_none() && !canvas.has_attribute("data-whole-at") {
        // When all steps were on the screen, for whoever measures it.
        let now = window()
            .performance()
            .map_or(0.0, |performance| performance.now());
        canvas.set_attribute("data-whole-at", &now.to_string()).ok()?;
    }
    Some(())
}

/// A canvas that is painted on.
struct Brush<'a> {
    context: CanvasRenderingContext2d,
    look: &'a Look,
    ink: Option<Ink>,
    strong: Option<bool>,
}

impl<'a> Brush<'a> {
    /// Empties a canvas of so many CSS pixels, sharp on any screen.
    fn begin(canvas: &HtmlCanvasElement, width: f64, height: f64, look: &'a Look) -> Option<Self> {
        let ratio = window().device_pixel_ratio().clamp(1.0, 3.0);
        let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
        let (across, down) = ((width * ratio).round() as u32, (height * ratio).round() as u32);
        if canvas.width() != across || canvas.height() != down {
            canvas.set_width(across);
            canvas.set_height(down);
            let style = HtmlElement::style(canvas);
            style.set_property("width", &format!("{width}px")).ok()?;
            style.set_property("height", &format!("{height}px")).ok()?;
        }
        context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
        context.clear_rect(0.0, 0.0, width, height);
        Some(Self {
            context,
            look,
            ink: None,
            strong: None,
        })
    }

    fn colour(&self, ink: Ink) -> &str {
        self.look.inks.get(usize::from(ink.0)).map_or("", String::as_str)
    }

    fn fill_with(&mut self, ink: Ink) {
        if self.ink != Some(ink) {
            self.ink = Some(ink);
            self.context.set_fill_style_str(self.colour(ink));
        }
    }

    fn outline(&self, points: &[(f64, f64)]) {
        self.context.begin_path();
        for (at, (x, y)) in points.iter().enumerate() {
            if at == 0 {
                self.context.move_to(*x, *y);
            } else {
                self.context.line_to(*x, *y);
            }
        }
    }

    fn dash(&self, lengths: &[f64]) {
        let pattern: js_sys::Array = lengths.iter().map(|length| JsValue::from_f64(*length)).collect();
        // Only a pattern that is no list of numbers is refused.
        _ = self.context.set_line_dash(&pattern);
    }
}

impl Surface for Brush<'_> {
    fn rect(&mut self, ink: Ink, alpha: f64, at: Area) {
        self.fill_with(ink);
        if alpha < 1.0 {
            self.context.set_global_alpha(alpha);
        }
        self.context.fill_rect(at.x, at.y, at.width, at.height);
        if alpha < 1.0 {
            self.context.set_global_alpha(1.0);
        }
    }

    fn path(&mut self, ink: Ink, width_px: f64, dashed: bool, points: &[(f64, f64)]) {
        self.context.set_stroke_style_str(self.colour(ink));
        self.context.set_line_width(width_px);
        self.dash(if dashed { &[4.0, 3.0] } else { &[] });
        self.outline(points);
        self.context.stroke();
    }

    fn text(&mut self, ink: Ink, strong: bool, x: f64, y: f64, text: &str) -> f64 {
        if self.strong != Some(strong) {
            self.strong = Some(strong);
            self.context.set_font(if strong {
                &self.look.strong
            } else {
                &self.look.font
            });
        }
        self.fill_with(ink);
        // A text of any kind can be drawn.
        _ = self.context.fill_text(text, x, y);
        text.chars().count() as f64 * 6.2
    }

    fn glyph(&mut self, glyph: Glyph, ink: Ink, x: f64, y: f64) {
        let at = |dx: f64, dy: f64| (x + dx, y + dy);
        match glyph {
            Glyph::Critical => {
                self.fill_with(ink);
                self.outline(&[
                    at(4.3, 0.8),
                    at(9.7, 0.8),
                    at(13.2, 4.3),
                    at(13.2, 9.7),
                    at(9.7, 13.2),
                    at(4.3, 13.2),
                    at(0.8, 9.7),
                    at(0.8, 4.3),
                ]);
                self.context.close_path();
                self.context.fill();
                self.path(Ink::PANEL, 1.4, false, &[at(4.8, 4.8), at(9.2, 9.2)]);
                self.path(Ink::PANEL, 1.4, false, &[at(9.2, 4.8), at(4.8, 9.2)]);
            }
            Glyph::Failed => {
                self.path(ink, 1.5, false, &[at(3.0, 3.0), at(11.0, 11.0)]);
                self.path(ink, 1.5, false, &[at(11.0, 3.0), at(3.0, 11.0)]);
            }
            Glyph::Warning => {
                self.path(
                    ink,
                    1.3,
                    false,
                    &[
                        at(7.0, 1.6),
                        at(13.0, 12.2),
                        at(1.0, 12.2),
                        at(7.0, 1.6),
                        at(7.4, 2.2),
                    ],
                );
                self.path(ink, 1.3, false, &[at(7.0, 5.6), at(7.0, 8.6)]);
                self.rect(ink, 1.0, Area::new(x + 6.3, y + 9.6, 1.4, 1.4));
            }
            Glyph::Running => {
                self.context.set_stroke_style_str(self.colour(ink));
                self.context.set_line_width(1.5);
                self.dash(&[2.5, 2.0]);
                self.context.begin_path();
                // A radius above 0 is never refused.
                _ = self
                    .context
                    .arc(x + 7.0, y + 7.0, 5.2, 0.0, std::f64::consts::TAU);
                self.context.stroke();
            }
        }
    }
}
