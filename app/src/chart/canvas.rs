//! The backend of the browser: plotters-canvas, with roles turned into the colours that the page shows now.

use js_sys::Array;
use leptos::prelude::document;
use plotters::drawing::IntoDrawingArea as _;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement};

use super::draw::RoleBackend;
use super::{Chart, Role, draw};

/// How opaque areas are that still grow: as much as the style sheet's.
const UNFINISHED_ALPHA: f64 = 0.45;

/// The colour of each role, in their order.
#[derive(Clone)]
pub(super) struct Palette(Vec<BackendColor>);

impl Palette {
    /// What the roles look like now. `probe` is an element whose colour is `--c`; its class is changed and put back.
    ///
    /// A computed colour may be in any notation, so each is painted on a canvas of its own and read as bytes.
    pub(super) fn read(probe: &HtmlElement) -> Option<Self> {
        let style = leptos::prelude::window().get_computed_style(probe).ok()??;
        let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
        let count = Role::ALL.len() as u32;
        canvas.set_width(count);
        canvas.set_height(1);
        let context = context_of(&canvas)?;
        let own = probe.class_name();
        for (index, role) in Role::ALL.iter().enumerate() {
            probe.set_class_name(&format!("{own} {}", role.class()));
            let colour = style.get_property_value("color").unwrap_or_default();
            context.set_fill_style_str(&colour);
            context.fill_rect(index as f64, 0.0, 1.0, 1.0);
        }
        probe.set_class_name(&own);
        let bytes = context
            .get_image_data(0.0, 0.0, f64::from(count), 1.0)
            .ok()?
            .data();
        let colours = bytes
            .chunks_exact(4)
            .map(|rgba| BackendColor {
                rgb: (rgba[0], rgba[1], rgba[2]),
                alpha: f64::from(rgba[3]) / 255.0,
            })
            .collect();
        Some(Self(colours))
    }

    fn colour(&self, role: Role) -> BackendColor {
        let missing = BackendColor {
            rgb: (0, 0, 0),
            alpha: 0.0,
        };
        self.0.get(role as usize).copied().unwrap_or(missing)
    }
}

fn context_of(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// Draws grid and marks, sharp on any screen. False when the browser can't, or the canvas has no width yet.
pub(super) fn draw_marks(canvas: &HtmlCanvasElement, chart: &Chart, palette: &Palette) -> bool {
    let ratio = leptos::prelude::window().device_pixel_ratio().clamp(1.0, 4.0);
    let Some(place) = canvas.parent_element() else {
        return false;
    };
    // A canvas that is not as large as its pixels, wherever on the page it stands, is stretched and blurred. Its place
    // may end within a pixel of the screen; it ends before.
    let width = (place.get_bounding_client_rect().width() * ratio).floor() as u32;
    let height = (f64::from(chart.height_px) * ratio).floor() as u32;
    let (Some(context), true) = (context_of(canvas), width > 0) else {
        return false;
    };
    for (property, pixels) in [("width", width), ("height", height)] {
        // Browsers cut lengths to 1/64 of a pixel: this is no less than it takes.
        let length = (f64::from(pixels) + 0.02) / ratio;
        // Only a style sheet that is read-only refuses.
        _ = canvas.style().set_property(property, &format!("{length}px"));
    }
    // Setting a size clears the canvas, even when it is the same.
    canvas.set_width(width);
    canvas.set_height(height);
    let Some(inner) = CanvasBackend::with_canvas_object(canvas.clone()) else {
        return false;
    };
    let area = Coloured {
        inner,
        context,
        palette,
        ratio,
        role: Role::Axis,
        is_unfinished: false,
    }
    .into_drawing_area();
    draw::marks(&area, chart, ratio).is_ok()
}

/// A canvas that is handed roles.
struct Coloured<'a> {
    inner: CanvasBackend,
    context: CanvasRenderingContext2d,
    palette: &'a Palette,
    ratio: f64,
    role: Role,
    is_unfinished: bool,
}

impl RoleBackend for Coloured<'_> {
    fn set_role(&mut self, role: Role, is_unfinished: bool) {
        self.role = role;
        self.is_unfinished = is_unfinished;
    }
}

/// A style as plotters-canvas wants it.
struct Style {
    color: BackendColor,
    stroke_width: u32,
}

impl BackendStyle for Style {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.stroke_width
    }
}

type Error = DrawingErrorKind<<CanvasBackend as DrawingBackend>::ErrorType>;

impl Coloured<'_> {
    fn coloured<S: BackendStyle>(&self, look: &S) -> Style {
        Style {
            color: self.palette.colour(self.role),
            stroke_width: look.stroke_width(),
        }
    }

    /// Sets or clears the dashes, as long as the style sheet's.
    fn dash(&self, dashed: bool) {
        let pattern = Array::new();
        if dashed {
            for length in [4.0, 3.0] {
                pattern.push(&JsValue::from_f64(length * self.ratio));
            }
        }
        // Only a pattern that is no list of numbers is refused.
        _ = self.context.set_line_dash(&pattern);
    }
}

impl DrawingBackend for Coloured<'_> {
    type ErrorType = <CanvasBackend as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), Error> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Error> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, _: BackendColor) -> Result<(), Error> {
        let color = self.palette.colour(self.role);
        self.inner.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        look: &S,
    ) -> Result<(), Error> {
        self.dash(self.role.is_dashed() || self.is_unfinished);
        let style = self.coloured(look);
        // plotters-canvas puts the middle of a straight line into that of a pixel. One of an even number of pixels has
        // its middle between two.
        let is_straight = from.0 == to.0 || from.1 == to.1;
        let shift = if is_straight && style.stroke_width.is_multiple_of(2) {
            -0.5
        } else {
            0.0
        };
        // Only a singular matrix is refused.
        _ = self.context.translate(shift, shift);
        let drawn = self.inner.draw_line(from, to, &style);
        _ = self.context.translate(-shift, -shift);
        drawn
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        look: &S,
        fill: bool,
    ) -> Result<(), Error> {
        let style = self.coloured(look);
        self.inner.draw_rect(upper_left, bottom_right, &style, fill)
    }

    /// Lines from side to side are put on whole pixels, which only `draw_line` does.
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        look: &S,
    ) -> Result<(), Error> {
        let points: Vec<BackendCoord> = path.into_iter().collect();
        if let [from, to] = points[..] {
            return self.draw_line(from, to, look);
        }
        self.dash(self.role.is_dashed() || self.is_unfinished);
        let style = self.coloured(look);
        self.inner.draw_path(points, &style)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        _: &S,
    ) -> Result<(), Error> {
        let mut color = self.palette.colour(self.role);
        if self.is_unfinished {
            color.alpha *= UNFINISHED_ALPHA;
        }
        let style = Style {
            color,
            stroke_width: 0,
        };
        self.inner.fill_polygon(corners, &style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        look: &S,
        fill: bool,
    ) -> Result<(), Error> {
        self.dash(false);
        let style = self.coloured(look);
        self.inner.draw_circle(center, radius, &style, fill)
    }

    /// Texts are SVG.
    fn draw_text<S: BackendTextStyle>(&mut self, _: &str, _: &S, _: BackendCoord) -> Result<(), Error> {
        Ok(())
    }
}
