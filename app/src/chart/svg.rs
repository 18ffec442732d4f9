//! The backend that writes SVG: places across in per cent, so that the server needs no width; classes for colours.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters_backend::text_anchor::HPos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::draw::RoleBackend;
use super::overlay::escaped;
use super::{Chart, Role, draw};

/// The width of the drawing in its own units: hundredths of a per cent.
const WIDTH: u32 = 10_000;
/// Units per CSS pixel, upwards and for radii.
pub(super) const PER_PX: f64 = 10.0;

type Area<'a> = DrawingArea<SvgBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<Infallible>>;

/// Grid, marks and the zero line, for the first paint.
pub(super) fn marks(chart: &Chart) -> String {
    draw_with(chart, |area| draw::marks(area, chart, PER_PX))
}

/// The texts below the zero line.
pub(super) fn x_texts(chart: &Chart) -> String {
    draw_with(chart, |area| draw::x_texts(area, chart, PER_PX))
}

/// The texts of the vertical axis.
pub(super) fn y_texts(chart: &Chart) -> String {
    draw_with(chart, |area| draw::y_texts(area, chart, PER_PX))
}

/// What stands inside an `<svg>` of the chart's height. Writing to a text can't fail.
fn draw_with(chart: &Chart, drawing: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut out = String::new();
    let height = (f64::from(chart.height_px) * PER_PX) as u32;
    let area = SvgBackend {
        out: &mut out,
        height,
        role: Role::Axis,
        is_unfinished: false,
    }
    .into_drawing_area();
    let drawn = drawing(&area);
    drop(area);
    if drawn.is_err() {
        out.clear();
    }
    out
}

struct SvgBackend<'a> {
    out: &'a mut String,
    height: u32,
    role: Role,
    is_unfinished: bool,
}

impl RoleBackend for SvgBackend<'_> {
    fn set_role(&mut self, role: Role, is_unfinished: bool) {
        self.role = role;
        self.is_unfinished = is_unfinished;
    }
}

impl SvgBackend<'_> {
    /// The classes of a line or an area.
    fn classes(&self) -> String {
        let unfinished = if self.is_unfinished { " ch-unfinished" } else { "" };
        format!("{}{unfinished}", self.role.class())
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) -> Result<(), DrawingErrorKind<Infallible>> {
        // Only a Display of a client's could fail, and there is none.
        _ = self.out.write_fmt(element);
        Ok(())
    }
}

/// A place across: `12.5%`.
fn across(units: i32) -> String {
    format!("{}%", f64::from(units) * 100.0 / f64::from(WIDTH))
}

/// A length in CSS pixels: `12.5`.
fn px(units: i32) -> f64 {
    f64::from(units) / PER_PX
}

impl DrawingBackend for SvgBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (WIDTH, self.height)
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    /// Nothing here is drawn pixel by pixel.
    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        _: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (x1, x2, y1, y2) = (across(from.0), across(to.0), px(from.1), px(to.1));
        let class = self.classes();
        self.write(format_args!(
            r#"<line class="{class}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>"#
        ))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        _: &S,
        _fill: bool,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (x, width) = (across(upper_left.0), across(bottom_right.0 - upper_left.0));
        let (y, height) = (px(upper_left.1), px(bottom_right.1 - upper_left.1));
        let class = self.role.class();
        self.write(format_args!(
            r#"<rect class="{class}" x="{x}" width="{width}" y="{y}" height="{height}"/>"#
        ))
    }

    /// A polyline is stretched across; its stroke is not.
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        look: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let points: Vec<BackendCoord> = path.into_iter().collect();
        if let [from, to] = points[..] {
            return self.draw_line(from, to, look);
        }
        let data: Vec<String> = points.iter().map(|(x, y)| format!("{x} {y}")).collect();
        let (class, data, height) = (self.classes(), data.join("L"), self.height);
        self.write(format_args!(
            r#"<svg width="100%" height="{}" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none"><path class="line {class}" d="M{data}"/></svg>"#,
            px(height as i32)
        ))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        _: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let data: Vec<String> = corners.into_iter().map(|(x, y)| format!("{x} {y}")).collect();
        let (class, data, height) = (self.classes(), data.join("L"), self.height);
        self.write(format_args!(
            r#"<svg width="100%" height="{}" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none"><path class="fill {class}" d="M{data}Z"/></svg>"#,
            px(height as i32)
        ))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        _: &S,
        _fill: bool,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (x, y, r) = (across(center.0), px(center.1), f64::from(radius) / PER_PX);
        let class = self.role.class();
        self.write(format_args!(
            r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#
        ))
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        look: &S,
        pos: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let anchor = match look.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let (class, x, y) = (self.role.class(), across(pos.0), px(pos.1));
        let text = escaped(text);
        self.write(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#
        ))
    }
}
