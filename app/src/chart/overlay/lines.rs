//! What lies above lines: markers, the crosshair with its tooltip, the names at the right end.

use std::fmt::Write as _;

use super::{TOP_PX, Upwards, escaped, tip};
use crate::chart::lines::{LineSeries, Marker};
use crate::chart::{Chart, Lines, Role};

/// Where bobs hang, in CSS pixels below the zero line.
const BOB_DROP_PX: f64 = 34.0;
/// The most zones that a plot of middle size has room for.
const MAX_ZONES: usize = 400;
/// Series in a tooltip; more would not fit into the plot.
const MAX_ROWS: usize = 8;

/// Without script the browser's own tooltips say what a moment's values are.
pub(super) fn zones(chart: &Chart, lines: &Lines, titled: bool) -> String {
    // More would be narrower than a pixel.
    if !titled || lines.moments.len() > MAX_ZONES {
        return String::new();
    }
    let width = 100.0 / lines.moments.len().max(1) as f64;
    let height = chart.base_px();
    let mut out = String::new();
    for (index, moment) in lines.moments.iter().enumerate() {
        _ = write!(
            out,
            r#"<rect class="ch-zone" x="{:.3}%" y="0" width="{width:.3}%" height="{height}"><title>{}</title></rect>"#,
            (moment.at * 100.0 - width / 2.0).max(0.0),
            escaped(&lines.in_words(index))
        );
    }
    out
}

/// The crosshair, a dot on each line, and what the moment's values are, largest first.
pub(super) fn tooltip(chart: &Chart, lines: &Lines, index: usize) -> Option<String> {
    let moment = lines.moments.get(index)?;
    let (x, base) = (moment.at * 100.0, chart.base_px());
    let mut out = format!(r#"<line class="ch-cross" x1="{x:.3}%" x2="{x:.3}%" y1="0" y2="{base}"/>"#);
    let upwards = Upwards::of(chart);
    for (series, height) in lines.series.iter().zip(lines.heights_at(index)) {
        if let Some(height) = height {
            let (class, y) = (series.role.class(), upwards.px(height));
            _ = write!(
                out,
                r#"<circle class="ch-point {class}" cx="{x:.3}%" cy="{y:.1}" r="3.5"/>"#
            );
        }
    }
    let mut rows: Vec<(f64, &LineSeries)> = lines
        .series
        .iter()
        .filter_map(|series| Some((series.values.get(index).copied().flatten()?, series)))
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total: f64 = rows.iter().map(|row| row.0).sum();
    let more = rows.len().saturating_sub(MAX_ROWS);
    let text = |value: f64| engine::series::text(value, lines.unit);
    let mut shown: Vec<(Option<Role>, String, String)> = Vec::new();
    for (value, series) in rows.into_iter().take(MAX_ROWS) {
        shown.push((Some(series.role), series.name.clone(), text(value)));
        if let Some(usual) = lines.usual_in_words(series, index).filter(|_| !lines.is_stacked) {
            shown.push((None, usual, String::new()));
        }
    }
    if more > 0 {
        shown.push((None, format!("and {more} more"), String::new()));
    }
    let head = if lines.is_stacked {
        text(total)
    } else {
        String::new()
    };
    out.push_str(&tip(moment.at, TOP_PX, &(moment.title.clone(), head), &shown));
    Some(out)
}

/// The plumb lines alone, for a chart above the one that has the bobs.
pub(crate) fn plumb_lines(markers: &[Marker], height_px: u32) -> String {
    let mut out = String::new();
    for marker in markers {
        let (x, named) = (marker.at * 100.0, if marker.is_named { " cause" } else { "" });
        _ = write!(
            out,
            r#"<line class="deploy-line{named}" x1="{x:.3}%" x2="{x:.3}%" y1="0" y2="{height_px}"/>"#
        );
    }
    out
}

/// A plumb line and a bob for each marker, each a link; its name beside it where nothing else is near. Without texts
/// below the axis there is no lane for bobs.
pub(super) fn markers(chart: &Chart, lines: &Lines) -> String {
    let base = chart.base_px();
    if lines.ticks.is_empty() {
        return plumb_lines(&lines.markers, chart.height_px);
    }
    let mut out = String::new();
    for (index, marker) in lines.markers.iter().enumerate() {
        let next = lines.markers.get(index + 1).map_or(1.0, |next| next.at);
        // About as much room as the widest name takes on a page of middle size.
        let is_roomy = next - marker.at > 0.16;
        _ = write!(out, "{}", plumb(marker, base, is_roomy));
    }
    out
}

fn plumb(marker: &Marker, base: f64, is_roomy: bool) -> String {
    let (x, y) = (marker.at * 100.0, base + BOB_DROP_PX);
    let named = if marker.is_named { " cause" } else { "" };
    let (href, title, label) = (
        escaped(&marker.href),
        escaped(&marker.title),
        escaped(&marker.label),
    );
    let text = if is_roomy {
        format!(
            r#"<text class="wide-c{named}" x="9" y="{:.1}">{label}</text>"#,
            y + 4.0
        )
    } else {
        String::new()
    };
    format!(
        r#"<a class="ch-marker" href="{href}" aria-label="{title}"><title>{title}</title><svg x="{x:.3}%" y="0" overflow="visible"><line class="deploy-line{named}" x1="0" x2="0" y1="0" y2="{:.1}"/><rect class="ch-zone" x="-8" y="{:.1}" width="16" height="20"/><path class="bob{named}" d="M0 {:.1}l-4.6 -6.2 4.6 -5.3 4.6 5.3z"/>{text}</svg></a>"#,
        y - 6.0,
        y - 10.0,
        y + 5.5,
    )
}

/// The name and the last value of each series, as high as it ends. Those that would touch are moved apart.
pub(super) fn ends(chart: &Chart, lines: &Lines) -> String {
    const LINE_PX: f64 = 15.0;
    let heights = lines.heights();
    let upwards = Upwards::of(chart);
    let mut ends: Vec<(f64, &LineSeries, f64)> = lines
        .series
        .iter()
        .zip(&heights)
        .filter_map(|(series, heights)| {
            let last = heights.iter().rposition(Option::is_some)?;
            let value = series.values.iter().rev().copied().flatten().next()?;
            Some((upwards.px((*heights.get(last)?)?), series, value))
        })
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    // From below, so that the lowest stays above the axis; what is then too high moves down again.
    let mut limit = chart.base_px();
    for end in ends.iter_mut().rev() {
        end.0 = end.0.min(limit);
        limit = end.0 - LINE_PX;
    }
    let mut free_from = 6.0_f64;
    let mut out = String::new();
    for (y, series, value) in ends {
        let y = y.max(free_from);
        free_from = y + LINE_PX;
        let class = series.role.class();
        let name = escaped(&domain::text::first_line(&series.name, 17));
        let name = match &series.href {
            Some(href) => format!(r#"<a class="ch-name" href="{}">{name}</a>"#, escaped(href)),
            None => name,
        };
        _ = write!(
            out,
            r#"<rect class="ch-key {class}" x="10" y="{:.1}" width="8" height="2"/><text class="strong" x="24" y="{:.1}">{}</text><text x="186" y="{:.1}" text-anchor="end">{}</text>"#,
            y - 1.0,
            y + 4.0,
            name,
            y + 4.0,
            escaped(&engine::series::text(value, lines.unit)),
        );
    }
    out
}
