//! Charts: one drawing function, two backends. The server writes SVG for the first paint; the browser draws the same
//! marks on a canvas. Axis texts, zones and tooltips stay SVG, so nothing moves when the canvas takes over.
//!
//! A chart names roles, never colours: each role is a class of the style sheet that sets `--c`.
//! `draw` (plotters) → `svg` or `canvas` (backends) → `view` (the component) and `table` (the same numbers).

mod calls;
#[cfg(target_arch = "wasm32")]
mod canvas;
mod draw;
mod lines;
mod overlay;
mod role;
mod scale;
mod spark;
#[cfg(feature = "ssr")]
mod still;
mod svg;
mod table;
mod time_axis;
mod view;

use crate::chart::scale::{even_ticks, value_ticks};

pub(crate) use calls::{CallDot, call_dots};
pub(crate) use lines::{LineSeries, Lines, Marker, Moment, group_markers};
pub(crate) use overlay::escaped;
pub(crate) use overlay::plumb_lines;
pub(crate) use role::Role;
pub(crate) use spark::spark;
#[cfg(feature = "ssr")]
pub(crate) use still::still;
pub(crate) use time_axis::{instant_text, moment_title, so_far, time_ticks};
pub(crate) use view::{ChartBox, TableLink, TableToggle};

/// A chart, without its size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    pub(crate) marks: Marks,
    /// What one unit of the vertical axis is: `condition`, `point`.
    pub(crate) unit: &'static str,
    /// What the horizontal axis shows: `Day`, `Time`.
    pub(crate) across: &'static str,
    /// Height without the table, in CSS pixels.
    pub(crate) height_px: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Marks {
    /// Bars side by side, each a stack.
    Bars(Bars),
    /// Dots, and lines across.
    Dots(Dots),
    /// Values over time, as lines or stacked.
    Lines(Lines),
}

/// Stacked bars.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    /// The parts of a stack from the bottom up.
    pub(crate) series: Vec<Series>,
    /// The stacks from left to right.
    pub(crate) bars: Vec<Bar>,
}

/// One part of every stack.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// One stack.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// Below the axis.
    pub(crate) label: String,
    /// In the tooltip and the table.
    pub(crate) title: String,
    /// Where a click leads.
    pub(crate) href: Option<String>,
    /// One number per series.
    pub(crate) values: Vec<i64>,
}

impl Bar {
    /// The height of the stack.
    pub(crate) fn total(&self) -> i64 {
        self.values
            .iter()
            .fold(0, |sum, n| sum.saturating_add((*n).max(0)))
    }
}

/// Dots over time, and horizontal lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dots {
    /// The dots; what has to be seen comes last.
    pub(crate) dots: Vec<Dot>,
    /// Lines across, such as a limit.
    pub(crate) lines: Vec<Line>,
    /// Texts below the axis, each with its place from 0 to 1.
    pub(crate) ticks: Vec<(f64, String)>,
    /// The axis reaches at least this high.
    pub(crate) at_least: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dot {
    /// Place from left (0) to right (1).
    pub(crate) at: f64,
    /// Height.
    pub(crate) value: f64,
    pub(crate) role: Role,
    /// In the tooltip and the table: when and what.
    pub(crate) title: String,
    /// Its class in words, for the table: `still alert`.
    pub(crate) word: &'static str,
    /// Where a click leads.
    pub(crate) href: Option<String>,
}

/// A line across. Two lines with different heights have a band between them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Height.
    pub(crate) value: f64,
    /// [`Role::InForce`] or [`Role::AsTried`].
    pub(crate) role: Role,
    /// At its right end: `100, as tried`.
    pub(crate) label: String,
}

impl Chart {
    /// The ticks of the vertical axis; the last one is its end.
    fn y_ticks(&self) -> Vec<f64> {
        if let Marks::Lines(lines) = &self.marks {
            return value_ticks(lines.highest(), lines.unit);
        }
        let highest = match &self.marks {
            Marks::Bars(bars) => bars.bars.iter().map(Bar::total).max().unwrap_or(0) as f64,
            Marks::Dots(dots) => dots
                .dots
                .iter()
                .map(|dot| dot.value)
                .chain(dots.lines.iter().map(|line| line.value))
                .fold(dots.at_least, f64::max),
            Marks::Lines(lines) => lines.highest(),
        };
        even_ticks(highest)
    }

    /// How a value reads beside the vertical axis.
    fn y_text(&self, value: f64) -> String {
        match &self.marks {
            Marks::Lines(lines) => scale::axis_text(value, lines.unit),
            Marks::Bars(_) | Marks::Dots(_) => domain::text::grouped(value.max(0.0) as u64),
        }
    }

    /// What is kept below the zero line, in CSS pixels: the texts of the axis and, where there are markers, their lane. A
    /// chart without texts stands above another one that has them.
    fn foot_px(&self) -> f64 {
        match &self.marks {
            Marks::Lines(lines) if lines.ticks.is_empty() => BARE_PX,
            Marks::Bars(bars) if bars.bars.iter().all(|bar| bar.label.is_empty()) => BARE_PX,
            Marks::Lines(lines) if !lines.markers.is_empty() => TEXTS_PX + LANE_PX,
            _ => TEXTS_PX,
        }
    }

    /// Where the zero line is, in CSS pixels from the top.
    fn base_px(&self) -> f64 {
        f64::from(self.height_px) - self.foot_px()
    }

    /// Texts below the axis: place from 0 to 1, text, and whether it may go where there is little room.
    fn x_ticks(&self) -> Vec<(f64, &str, bool)> {
        match &self.marks {
            Marks::Bars(bars) => {
                let count = bars.bars.len().max(1);
                let every = count.div_ceil(MAX_LABELS);
                bars.bars
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| (count - 1 - index).is_multiple_of(every))
                    .map(|(index, bar)| {
                        let minor = !((count - 1 - index) / every).is_multiple_of(2);
                        ((index as f64 + 0.5) / count as f64, bar.label.as_str(), minor)
                    })
                    .collect()
            }
            Marks::Dots(dots) => ticks(&dots.ticks),
            Marks::Lines(lines) => ticks(&lines.ticks),
        }
    }

    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.marks {
            Marks::Bars(bars) => bars.bars.iter().all(|bar| bar.total() == 0),
            Marks::Dots(dots) => dots.dots.is_empty(),
            Marks::Lines(lines) => lines.series.is_empty(),
        }
    }
}

/// Every second text goes where there is little room.
fn ticks(ticks: &[(f64, String)]) -> Vec<(f64, &str, bool)> {
    ticks
        .iter()
        .enumerate()
        .map(|(index, (at, text))| (*at, text.as_str(), !index.is_multiple_of(2)))
        .collect()
}

/// Kept for the texts below the zero line, in CSS pixels.
const TEXTS_PX: f64 = 22.0;
/// Kept where there are no texts, in CSS pixels.
const BARE_PX: f64 = 4.0;
/// Kept for what hangs on plumb lines below those texts.
const LANE_PX: f64 = 24.0;
/// The most texts below an axis on a wide page.
const MAX_LABELS: usize = 15;

#[cfg(test)]
mod tests;
