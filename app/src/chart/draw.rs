//! The one drawing function. It knows neither colours nor what it draws on.

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use super::{Bars, Chart, Dots, Marks, Role};

/// Free above the highest tick, in CSS pixels.
pub(super) const TOP_PX: f64 = 8.0;
/// Kept for the texts below the zero line, in CSS pixels.
pub(super) const FOOT_PX: f64 = 22.0;
/// How far below the zero line the texts stand, in CSS pixels.
const TEXT_DROP_PX: f64 = 15.0;
/// The share of its place that a bar fills.
const BAR_SHARE: f64 = 0.66;

type Plane<B> = DrawingArea<B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A role as plotters carries it: its number in place of a colour, which the backends look up.
pub(super) fn colour_of(role: Role) -> RGBColor {
    RGBColor(role.0, 0, 0)
}

/// The role that a backend was handed.
pub(super) fn role_of(rgb: (u8, u8, u8)) -> Role {
    Role(rgb.0)
}

fn filled(role: Role) -> ShapeStyle {
    ShapeStyle {
        color: colour_of(role).into(),
        filled: true,
        stroke_width: 0,
    }
}

fn stroked(role: Role, width: f64) -> ShapeStyle {
    ShapeStyle {
        color: colour_of(role).into(),
        filled: false,
        stroke_width: width.round().max(1.0) as u32,
    }
}

/// Where a value stands, in CSS pixels from the top.
pub(super) fn y_px(chart: &Chart, value: f64) -> f64 {
    let end = chart.y_ticks().last().copied().unwrap_or(1.0);
    let base = f64::from(chart.height_px) - FOOT_PX;
    base - (value / end).clamp(0.0, 1.0) * (base - TOP_PX)
}

/// The chart's own coordinates: 0 to 1 across, its unit upwards. `px` is the length of a CSS pixel on the backend.
fn plane<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Plane<B> {
    let (width, _) = area.dim_in_pixel();
    let base = (f64::from(chart.height_px) - FOOT_PX) * px;
    let end = chart.y_ticks().last().copied().unwrap_or(1.0);
    let pixels = (0..width as i32, base.round() as i32..(TOP_PX * px).round() as i32);
    area.apply_coord_spec(Cartesian2d::new(0.0..1.0, 0.0..end, pixels))
}

/// Grid, marks and the zero line.
pub(super) fn marks<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    let plane = plane(area, chart, px);
    let line = |y: f64, role: Role| PathElement::new(vec![(0.0, y), (1.0, y)], stroked(role, px));
    let ticks = chart.y_ticks();
    for y in ticks.iter().skip(1) {
        plane.draw(&line(*y, Role::GRID))?;
    }
    let per_px =
        ticks.last().copied().unwrap_or(1.0) / (f64::from(chart.height_px) - FOOT_PX - TOP_PX).max(1.0);
    match &chart.marks {
        Marks::Bars(found) => bars(&plane, found, per_px)?,
        Marks::Dots(found) => dots(&plane, found, px)?,
    }
    plane.draw(&line(0.0, Role::AXIS))
}

/// `per_px` is what a CSS pixel is worth on the vertical axis.
fn bars<B: DrawingBackend>(plane: &Plane<B>, bars: &Bars, per_px: f64) -> Drawn<B> {
    let pitch = 1.0 / bars.bars.len().max(1) as f64;
    for (index, bar) in bars.bars.iter().enumerate() {
        let from = (index as f64 + (1.0 - BAR_SHARE) / 2.0) * pitch;
        let to = from + BAR_SHARE * pitch;
        let mut so_far = 0_i64;
        for (series, value) in bars.series.iter().zip(&bar.values) {
            if *value <= 0 {
                continue;
            }
            let bottom = so_far as f64;
            so_far = so_far.saturating_add(*value);
            // A hairline of the ground parts the pieces; a piece of one pixel stays one.
            let top = (so_far as f64 - per_px).max(bottom + per_px);
            plane.draw(&Rectangle::new([(from, bottom), (to, top)], filled(series.role)))?;
        }
    }
    Ok(())
}

fn dots<B: DrawingBackend>(plane: &Plane<B>, dots: &Dots, px: f64) -> Drawn<B> {
    if let [one, other, ..] = &dots.lines[..] {
        let corners = [
            (0.0, one.value.min(other.value)),
            (1.0, one.value.max(other.value)),
        ];
        plane.draw(&Rectangle::new(corners, filled(Role::BETWEEN)))?;
    }
    for line in &dots.lines {
        let ends = vec![(0.0, line.value), (1.0, line.value)];
        plane.draw(&PathElement::new(ends, stroked(line.role, px)))?;
    }
    for dot in &dots.dots {
        let (radius, is_filled) = dot.role.dot();
        let style = if is_filled {
            filled(dot.role)
        } else {
            stroked(dot.role, 1.5 * px)
        };
        plane.draw(&Circle::new(
            (dot.at, dot.value),
            (radius * px).round() as i32,
            style,
        ))?;
    }
    Ok(())
}

/// The texts below the zero line.
pub(super) fn x_texts<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    let (width, _) = area.dim_in_pixel();
    let y = ((f64::from(chart.height_px) - FOOT_PX + TEXT_DROP_PX) * px).round() as i32;
    for (at, text, minor) in chart.x_ticks() {
        let x = (at * f64::from(width)).round() as i32;
        let role = if minor { Role::TEXT_MINOR } else { Role::TEXT };
        area.draw(&Text::new(text, (x, y), text_style(role, HPos::Center)))?;
    }
    Ok(())
}

/// The texts of the vertical axis, from its left edge.
pub(super) fn y_texts<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    for value in chart.y_ticks() {
        let y = ((y_px(chart, value) + 4.0) * px).round() as i32;
        let text = domain::text::grouped(value as u64);
        area.draw(&Text::new(text, (0, y), text_style(Role::TEXT, HPos::Left)))?;
    }
    Ok(())
}

/// The backends take face and size from the style sheet; plotters only wants to be told something.
fn text_style(role: Role, across: HPos) -> TextStyle<'static> {
    TextStyle {
        font: ("sans-serif", 11).into_font(),
        color: colour_of(role).to_backend_color(),
        pos: Pos::new(across, VPos::Bottom),
    }
}
