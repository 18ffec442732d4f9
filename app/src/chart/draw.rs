//! The one drawing function. It knows neither colours nor what it draws on.

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color as _, IntoFont as _, ShapeStyle, TextStyle};
use plotters_backend::{BackendCoord, DrawingErrorKind};

use super::{Bars, Chart, Dots, Lines, Marks, Role};

/// Free above the highest tick, in CSS pixels.
pub(super) const TOP_PX: f64 = 8.0;
/// How far below the zero line the texts stand, in CSS pixels.
const TEXT_DROP_PX: f64 = 15.0;
/// The share of its place that a bar fills.
const BAR_SHARE: f64 = 0.66;

type Plane<B> = DrawingArea<B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A backend that is told what is drawn next, and knows how that looks.
pub(super) trait RoleBackend: DrawingBackend {
    /// What everything drawn from here on is, and whether it still grows.
    fn set_role(&mut self, role: Role, is_unfinished: bool);
}

/// An element of no extent that says what those after it are, and whether they still grow.
struct As(Role, bool);

impl<'a, Coord: 'a> PointCollection<'a, Coord> for &'a As {
    type Point = &'a Coord;
    type IntoIter = std::iter::Empty<&'a Coord>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

impl<B: RoleBackend> Drawable<B> for As {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        _: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        backend.set_role(self.0, self.1);
        Ok(())
    }
}

// Plotters wants a colour in every style; backends take theirs from the role.
fn filled() -> ShapeStyle {
    ShapeStyle {
        color: BLACK.into(),
        filled: true,
        stroke_width: 0,
    }
}

fn stroked(width: f64) -> ShapeStyle {
    ShapeStyle {
        color: BLACK.into(),
        filled: false,
        stroke_width: width.round().max(1.0) as u32,
    }
}

/// The vertical axis. Working it out looks at every value of the chart.
#[derive(Clone, Copy)]
pub(super) struct Upwards {
    /// Its highest tick.
    end: f64,
    /// Where its zero is, in CSS pixels from the top.
    base_px: f64,
}

impl Upwards {
    pub(super) fn of(chart: &Chart) -> Self {
        Self {
            end: chart.y_ticks().last().copied().unwrap_or(1.0),
            base_px: chart.base_px(),
        }
    }

    /// Where a value stands, in CSS pixels from the top.
    pub(super) fn px(self, value: f64) -> f64 {
        self.base_px - (value / self.end).clamp(0.0, 1.0) * (self.base_px - TOP_PX)
    }
}

/// The chart's own coordinates: 0 to 1 across, its unit upwards. `px` is the length of a CSS pixel on the backend.
fn plane<B: DrawingBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Plane<B> {
    let (width, _) = area.dim_in_pixel();
    let base = chart.base_px() * px;
    let end = chart.y_ticks().last().copied().unwrap_or(1.0);
    let pixels = (0..width as i32, base.round() as i32..(TOP_PX * px).round() as i32);
    area.apply_coord_spec(Cartesian2d::new(0.0..1.0, 0.0..end, pixels))
}

/// Grid, marks and the zero line.
pub(super) fn marks<B: RoleBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    let plane = plane(area, chart, px);
    let line = |y: f64| PathElement::new(vec![(0.0, y), (1.0, y)], stroked(px));
    let ticks = chart.y_ticks();
    plane.draw(&As(Role::Grid, false))?;
    for y in ticks.iter().skip(1) {
        plane.draw(&line(*y))?;
    }
    let per_px = ticks.last().copied().unwrap_or(1.0) / (chart.base_px() - TOP_PX).max(1.0);
    match &chart.marks {
        Marks::Bars(found) => bars(&plane, found, per_px)?,
        Marks::Dots(found) => dots(&plane, found, px)?,
        Marks::Lines(found) => lines(&plane, found, px)?,
    }
    plane.draw(&As(Role::Axis, false))?;
    plane.draw(&line(0.0))
}

/// `per_px` is what a CSS pixel is worth on the vertical axis.
fn bars<B: RoleBackend>(plane: &Plane<B>, bars: &Bars, per_px: f64) -> Drawn<B> {
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
            // A hairline of the background parts the segments; one of a single pixel stays whole.
            let top = (so_far as f64 - per_px).max(bottom + per_px);
            plane.draw(&As(series.role, false))?;
            plane.draw(&Rectangle::new([(from, bottom), (to, top)], filled()))?;
        }
    }
    Ok(())
}

fn dots<B: RoleBackend>(plane: &Plane<B>, dots: &Dots, px: f64) -> Drawn<B> {
    if let [one, other, ..] = &dots.lines[..] {
        let corners = [
            (0.0, one.value.min(other.value)),
            (1.0, one.value.max(other.value)),
        ];
        plane.draw(&As(Role::Between, false))?;
        plane.draw(&Rectangle::new(corners, filled()))?;
    }
    for line in &dots.lines {
        let ends = vec![(0.0, line.value), (1.0, line.value)];
        plane.draw(&As(line.role, false))?;
        plane.draw(&PathElement::new(ends, stroked(px)))?;
    }
    for dot in &dots.dots {
        let (radius, is_filled) = dot.role.dot();
        let style = if is_filled { filled() } else { stroked(1.5 * px) };
        plane.draw(&As(dot.role, false))?;
        plane.draw(&Circle::new(
            (dot.at, dot.value),
            (radius * px).round() as i32,
            style,
        ))?;
    }
    Ok(())
}

/// Lines broken where a value is missing, or areas on top of one another with their upper edges.
fn lines<B: RoleBackend>(plane: &Plane<B>, lines: &Lines, px: f64) -> Drawn<B> {
    let heights = lines.heights();
    if lines.is_stacked {
        for (index, series) in lines.series.iter().enumerate() {
            let finished = lines.finished();
            let parts = [
                (0..finished, false),
                (finished.saturating_sub(1)..lines.moments.len(), true),
            ];
            for (between, is_unfinished) in parts {
                if is_unfinished && !lines.is_last_unfinished {
                    continue;
                }
                plane.draw(&As(series.role, is_unfinished))?;
                for area in lines.areas(&heights, index, between) {
                    plane.draw(&Polygon::new(area, filled()))?;
                }
            }
        }
        return Ok(());
    }
    plane.draw(&As(Role::Usual, false))?;
    for band in lines.bands() {
        plane.draw(&Polygon::new(band, filled()))?;
    }
    // What has to be seen is drawn last.
    for (series, heights) in lines.series.iter().zip(&heights).rev() {
        for stretch in lines.stretches(heights) {
            let (finished, unfinished) = lines.parted(stretch);
            for (points, is_unfinished) in [(finished, false), (unfinished, true)] {
                plane.draw(&As(series.role, is_unfinished))?;
                match points[..] {
                    [] => {}
                    [alone] => plane.draw(&Circle::new(alone, (2.0 * px).round() as i32, filled()))?,
                    _ => plane.draw(&PathElement::new(points, stroked(1.75 * px)))?,
                }
            }
        }
    }
    Ok(())
}

/// The texts below the zero line.
pub(super) fn x_texts<B: RoleBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    let (width, _) = area.dim_in_pixel();
    let y = ((chart.base_px() + TEXT_DROP_PX) * px).round() as i32;
    for (at, text, minor) in chart.x_ticks() {
        let x = (at * f64::from(width)).round() as i32;
        let role = if minor { Role::MinorText } else { Role::Text };
        area.draw(&As(role, false))?;
        area.draw(&Text::new(text, (x, y), text_style(HPos::Center)))?;
    }
    Ok(())
}

/// The texts of the vertical axis, from its left edge.
pub(super) fn y_texts<B: RoleBackend>(area: &DrawingArea<B, Shift>, chart: &Chart, px: f64) -> Drawn<B> {
    let upwards = Upwards::of(chart);
    area.draw(&As(Role::Text, false))?;
    for value in chart.y_ticks() {
        let y = ((upwards.px(value) + 4.0) * px).round() as i32;
        area.draw(&Text::new(chart.y_text(value), (0, y), text_style(HPos::Left)))?;
    }
    Ok(())
}

/// The backends take face and size from the style sheet; plotters requires a value.
fn text_style(across: HPos) -> TextStyle<'static> {
    TextStyle {
        font: ("sans-serif", 11).into_font(),
        color: BLACK.to_backend_color(),
        pos: Pos::new(across, VPos::Bottom),
    }
}
