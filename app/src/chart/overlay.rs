//! What lies above the marks: zones to point at, the crosshair and the tooltip. Pure: strings of SVG.

mod lines;

pub(crate) use lines::plumb_lines;

use std::fmt::Write as _;

use domain::text;

#[cfg(any(target_arch = "wasm32", test))]
use super::Dot;
use super::draw::{TOP_PX, Upwards};
use super::{Bar, Bars, Chart, Dots, Marks, Role};

/// How near the pointer has to be to a dot, in CSS pixels.
#[cfg(any(target_arch = "wasm32", test))]
const REACH_PX: f64 = 14.0;
/// Right of this the tooltip flips to the left.
const FLIP: f64 = 0.58;
/// The height of a line of the tooltip, in CSS pixels.
const LINE_PX: f64 = 18.0;

/// A text inside markup.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// `13 Nov: 31 conditions`: a stack in words.
pub(super) fn bar_text(chart: &Chart, bar: &Bar) -> String {
    format!("{}: {}", bar.title, text::counted(bar.total(), chart.unit))
}

/// A zone over each bar, as tall as the plot; a link where the bar leads somewhere.
/// `titled` gives them the browser's own tooltips, for pages without script.
pub(super) fn zones(chart: &Chart, titled: bool) -> String {
    let bars = match &chart.marks {
        Marks::Bars(bars) => bars,
        Marks::Dots(_) => return String::new(),
        Marks::Lines(lines) => return lines::zones(chart, lines, titled),
    };
    let pitch = 100.0 / bars.bars.len().max(1) as f64;
    let height = chart.base_px();
    let mut out = String::new();
    for (index, bar) in bars.bars.iter().enumerate() {
        let (x, label) = (index as f64 * pitch, escaped(&bar_text(chart, bar)));
        let title = if titled {
            format!("<title>{label}</title>")
        } else {
            String::new()
        };
        let zone = format!(
            r#"<rect class="ch-zone" x="{x:.3}%" y="0" width="{pitch:.3}%" height="{height}">{title}</rect>"#
        );
        match &bar.href {
            Some(href) if bar.total() > 0 => {
                let href = escaped(href);
                _ = write!(
                    out,
                    r#"<a href="{href}" data-index="{index}" aria-label="{label}">{zone}</a>"#
                );
            }
            _ => out.push_str(&zone),
        }
    }
    out
}

/// Which bar or dot is meant by a place: across from 0 to 1, down in CSS pixels.
#[cfg(any(target_arch = "wasm32", test))]
pub(super) fn at(chart: &Chart, across: f64, down_px: f64, width_px: f64) -> Option<usize> {
    match &chart.marks {
        Marks::Bars(bars) if bars.bars.is_empty() => None,
        Marks::Bars(bars) => {
            let index = (across * bars.bars.len() as f64) as usize;
            Some(index.min(bars.bars.len() - 1))
        }
        Marks::Dots(dots) => {
            let upwards = Upwards::of(chart);
            let distance = |dot: &Dot| {
                let (x, y) = ((dot.at - across) * width_px, upwards.px(dot.value) - down_px);
                x.hypot(y)
            };
            dots.dots
                .iter()
                .enumerate()
                .map(|(index, dot)| (index, distance(dot)))
                .filter(|(_, px)| *px <= REACH_PX)
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(index, _)| index)
        }
        Marks::Lines(lines) => lines.nearest(across),
    }
}

/// Where a click on a bar or dot leads.
pub(super) fn href(chart: &Chart, index: usize) -> Option<&str> {
    match &chart.marks {
        Marks::Bars(bars) => bars
            .bars
            .get(index)
            .filter(|bar| bar.total() > 0)?
            .href
            .as_deref(),
        Marks::Dots(dots) => dots.dots.get(index)?.href.as_deref(),
        // Markers are links of their own.
        Marks::Lines(_) => None,
    }
}

/// The crosshair and the tooltip of a bar or dot.
pub(super) fn tooltip(chart: &Chart, index: usize) -> String {
    match &chart.marks {
        Marks::Bars(bars) => bar_tooltip(chart, bars, index),
        Marks::Dots(dots) => dot_tooltip(chart, dots, index),
        Marks::Lines(found) => lines::tooltip(chart, found, index),
    }
    .unwrap_or_default()
}

fn bar_tooltip(chart: &Chart, bars: &Bars, index: usize) -> Option<String> {
    let bar = bars.bars.get(index)?;
    let across = (index as f64 + 0.5) / bars.bars.len().max(1) as f64;
    // The stack from the top down, like it is drawn.
    let parts = bars.series.iter().zip(&bar.values).rev().filter(|(_, n)| **n > 0);
    let lines: Vec<(Option<Role>, String, String)> = parts
        .map(|(series, n)| {
            (
                Some(series.role),
                series.name.clone(),
                text::grouped(n.unsigned_abs()),
            )
        })
        .collect();
    let base = chart.base_px();
    let cross = format!(
        r#"<line class="ch-cross" x1="{x:.3}%" x2="{x:.3}%" y1="0" y2="{base}"/>"#,
        x = across * 100.0
    );
    let head = (bar.title.clone(), text::counted(bar.total(), chart.unit));
    Some(cross + &tip(across, TOP_PX, &head, &lines))
}

fn dot_tooltip(chart: &Chart, dots: &Dots, index: usize) -> Option<String> {
    let dot = dots.dots.get(index)?;
    let (x, y) = (dot.at * 100.0, Upwards::of(chart).px(dot.value));
    let ring = format!(r#"<circle class="ch-ring" cx="{x:.3}%" cy="{y:.1}" r="7"/>"#);
    let head = (dot.title.clone(), text::counted(dot.value as i64, chart.unit));
    let lines = [(Some(dot.role), dot.word.to_owned(), String::new())];
    let top = (y - 24.0).clamp(0.0, (chart.base_px() - 40.0).max(0.0));
    Some(ring + &tip(dot.at, top, &head, &lines))
}

/// A box beside a place: what and how much at the top, one line per part.
fn tip(across: f64, top: f64, head: &(String, String), lines: &[(Option<Role>, String, String)]) -> String {
    let cut = |name: &str| text::first_line(name, 34);
    let chars = lines
        .iter()
        .map(|(_, name, value)| cut(name).chars().count() + value.chars().count() + 5)
        .chain([head.0.chars().count() + head.1.chars().count() + 3])
        .max()
        .unwrap_or(0);
    let width = (chars as f64 * 6.3 + 20.0).max(120.0);
    let height = (lines.len() + 1) as f64 * LINE_PX + 12.0;
    let left = if across > FLIP { -width - 12.0 } else { 12.0 };
    let mut out = format!(
        r#"<svg class="ch-tip" x="{x:.3}%" y="{top:.1}" overflow="visible"><rect class="tip-box" x="{left:.1}" width="{width:.1}" height="{height}" rx="4"/>"#,
        x = across * 100.0
    );
    let (from, to) = (left + 10.0, left + width - 10.0);
    let mut row = |y: f64, indent: f64, class: &str, name: &str, value: &str| {
        _ = write!(
            out,
            r#"<text class="{class}" x="{x:.1}" y="{y}">{name}</text><text class="{class}" x="{to:.1}" y="{y}" text-anchor="end">{value}</text>"#,
            x = from + indent,
            name = escaped(&cut(name)),
            value = escaped(value),
        );
    };
    row(19.0, 0.0, "strong", &head.0, &head.1);
    for (index, (_, name, value)) in lines.iter().enumerate() {
        row(19.0 + (index + 1) as f64 * LINE_PX, 14.0, "t2", name, value);
    }
    for (index, (role, _, _)) in lines.iter().enumerate() {
        if let Some(role) = role {
            let (class, y) = (role.class(), 11.0 + (index + 1) as f64 * LINE_PX);
            _ = write!(
                out,
                r#"<rect class="ch-key {class}" x="{from:.1}" y="{y}" width="8" height="8" rx="2"/>"#
            );
        }
    }
    out.push_str("</svg>");
    out
}

/// What hangs on plumb lines, in the lane below the axis.
pub(super) fn markers(chart: &Chart) -> String {
    match &chart.marks {
        Marks::Lines(lines) => lines::markers(chart, lines),
        Marks::Bars(_) | Marks::Dots(_) => String::new(),
    }
}

/// The names of lines across, beside the plot. Two that would touch are moved apart.
pub(super) fn line_labels(chart: &Chart) -> String {
    let dots = match &chart.marks {
        Marks::Bars(_) => return String::new(),
        Marks::Dots(dots) => dots,
        Marks::Lines(lines) => return lines::ends(chart, lines),
    };
    let upwards = Upwards::of(chart);
    let mut labels: Vec<(f64, &super::Line)> = dots
        .lines
        .iter()
        .map(|line| (upwards.px(line.value), line))
        .collect();
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out = String::new();
    let mut free_from = f64::MIN;
    for (y, line) in labels {
        let y = y.max(free_from);
        free_from = y + 15.0;
        let class = if line.role == Role::AsTried { "strong" } else { "" };
        let label = escaped(&line.label);
        _ = write!(
            out,
            r#"<text class="{class}" x="8" y="{:.1}">{label}</text>"#,
            y + 4.0
        );
    }
    out
}
