//! Three charts on one axis of time, with a plumb line for each rollout and the onset shaded. Pure SVG: there is nothing to
//! wait for, and the numbers are a table below.

use std::fmt::Write as _;

use domain::Timestamp;
use domain::series::{Bucket, MetricUnit};
use engine::incidents::words;
use leptos::prelude::*;

use crate::api::incidents::{Cause, IncidentView, Panel};
use crate::chart::{escaped, time_ticks};
use crate::ui::time::use_zone;

const HOUR_MICROS: i64 = 3_600_000_000;
/// Heights of the panels, from the first to the last, with their titles.
const PANELS_PX: [f64; 3] = [140.0, 96.0, 96.0];
/// Above the marks of a panel, for its title.
const TITLE_PX: f64 = 26.0;
/// Below the last one: the axis, and what hangs on the plumb lines.
const FOOT_PX: f64 = 62.0;

/// Where things are, from left (0) to right (100).
#[derive(Clone, Copy)]
struct Axis {
    from: Timestamp,
    hours: usize,
}

impl Axis {
    fn to(self) -> Timestamp {
        self.from
            .plus_micros(i64::try_from(self.hours).unwrap_or(0) * HOUR_MICROS)
    }

    fn x(self, at: Timestamp) -> f64 {
        let length = (self.to().micros() - self.from.micros()).max(1) as f64;
        (at.micros() - self.from.micros()) as f64 / length * 100.0
    }

    fn holds(self, at: Timestamp) -> bool {
        at >= self.from && at <= self.to()
    }
}

/// The section.
#[component]
pub(super) fn OnsetHours(view: IncidentView) -> impl IntoView {
    let (from, hours) = view.hours;
    let axis = Axis { from, hours };
    let has_data = view
        .panels
        .iter()
        .any(|panel| panel.observed.iter().any(Option::is_some));
    if hours == 0 || !has_data {
        return view! {
            <section class="cell" aria-label="The hours around the onset">
                <p class="dim">"The hours around the onset are past the project's retention."</p>
            </section>
        }
        .into_any();
    }
    let zone = use_zone();
    let onset = (view.incident.onset.from, view.incident.onset.to);
    let (panels, causes) = (view.panels.clone(), view.causes.clone());
    let height = PANELS_PX.iter().take(panels.len()).sum::<f64>() + FOOT_PX;
    let (drawn, drawn_causes) = (panels.clone(), causes);
    let plot = move || plot(axis, &drawn, &drawn_causes, onset, zone);
    let texts = y_texts(&panels);
    let label = format!(
        "{} around {}",
        panels
            .iter()
            .map(|panel| panel.title.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        words::name(&view.incident)
    );
    let key = view.incident.key.clone().unwrap_or_else(|| "all keys".to_owned());
    let rows = table(axis, &panels);
    let heads = panels
        .iter()
        .map(|panel| view! { <th class="n" scope="col">{panel.title.clone()}</th> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="onset-title">
            <div class="head">
                <h2 id="onset-title">"The hours around the onset"</h2>
                <span class="sub">{format!("{key}, hourly; shaded: least to most of the same hours of the 7 days before")}</span>
                <ul class="legend head-actions wide">
                    <li><span class="swatch line c1"></span>"observed"</li>
                    <li><span class="swatch band"></span>"expected"</li>
                    <li><span class="swatch on-z"></span>"likely onset"</li>
                </ul>
            </div>
            <div class="onset-plot">
                <svg class="plot onset-y" height=height.to_string() aria-hidden="true" inner_html=texts></svg>
                <svg class="plot" height=height.to_string() role="img" aria-label=label inner_html=plot></svg>
            </div>
            <details class="numbers">
                <summary>"Show the numbers"</summary>
                <div class="scroll-x ch-table" tabindex="0" role="region" aria-label="The hours around the onset">
                    <table class="table compact">
                        <thead><tr><th scope="col">"Hour (UTC)"</th>{heads}</tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </section>
    }
    .into_any()
}

/// The top of each panel, and the height of its marks.
fn places(panels: &[Panel]) -> Vec<(f64, f64)> {
    let mut top = 0.0;
    panels
        .iter()
        .zip(PANELS_PX)
        .map(|(_, height)| {
            let place = (top + TITLE_PX, height - TITLE_PX);
            top += height;
            place
        })
        .collect()
}

fn highest(panel: &Panel) -> f64 {
    let observed = panel.observed.iter().flatten().copied();
    let expected = panel.expected.iter().flatten().map(|(_, high)| *high);
    let most = observed.chain(expected).fold(0.0, f64::max);
    match panel.unit {
        MetricUnit::Share if most > 0.3 => 1.0,
        _ if most > 0.0 => most * 1.05,
        _ => 1.0,
    }
}

/// A short value beside the axis.
fn axis_text(value: f64, unit: MetricUnit) -> String {
    match unit {
        MetricUnit::Share => format!("{:.0} %", value * 100.0),
        MetricUnit::NanoUsd if value == 0.0 => "$0".to_owned(),
        MetricUnit::Calls => domain::text::short_count(value.round() as i64),
        unit => engine::series::text(value, unit),
    }
}

fn y_texts(panels: &[Panel]) -> String {
    let mut out = String::new();
    for (panel, (top, height)) in panels.iter().zip(places(panels)) {
        let most = highest(panel);
        for share in [0.0, 0.5, 1.0] {
            _ = write!(
                out,
                r#"<text x="0" y="{:.1}">{}</text>"#,
                top + height * (1.0 - share) + 4.0,
                escaped(&axis_text(most * share, panel.unit))
            );
        }
    }
    out
}

fn plot(
    axis: Axis,
    panels: &[Panel],
    causes: &[Cause],
    onset: (Timestamp, Timestamp),
    zone: impl Fn(Timestamp) -> i64,
) -> String {
    let mut out = String::new();
    let places = places(panels);
    let first = places.first().map_or(0.0, |(top, _)| *top);
    let foot = places.last().map_or(0.0, |(top, height)| top + height);
    let (begin, end) = (
        axis.x(onset.0).clamp(0.0, 100.0),
        axis.x(onset.1).clamp(0.0, 100.0),
    );
    _ = write!(
        out,
        r#"<rect class="mark-zone strong" x="{begin:.2}%" y="{first}" width="{:.2}%" height="{:.1}"/>"#,
        (end - begin).max(0.4),
        foot - first
    );
    for (index, (panel, (top, height))) in panels.iter().zip(&places).enumerate() {
        draw_panel(&mut out, axis, panel, *top, *height, index);
    }
    _ = write!(
        out,
        r#"<text class="onset-word halo" x="{begin:.2}%" y="{:.0}" dx="-6" text-anchor="end">Onset</text>"#,
        first + 10.0
    );
    for (at, text) in time_ticks((axis.from, axis.to()), Bucket::Hour, zone) {
        let anchor = match at {
            ..0.04 => "start",
            0.96.. => "end",
            _ => "middle",
        };
        _ = write!(
            out,
            r#"<text x="{:.2}%" y="{:.0}" text-anchor="{anchor}">{}</text>"#,
            at * 100.0,
            foot + 16.0,
            escaped(&text)
        );
    }
    rollouts(&mut out, axis, causes, first, foot);
    out
}

fn draw_panel(out: &mut String, axis: Axis, panel: &Panel, top: f64, height: f64, index: usize) {
    let most = highest(panel);
    let y = |value: f64| top + height * (1.0 - (value / most).clamp(0.0, 1.0));
    let step = 1_000.0 / axis.hours.max(1) as f64;
    for share in [0.5, 1.0] {
        let at = top + height * (1.0 - share);
        _ = write!(
            out,
            r#"<line class="grid-line" x1="0" x2="100%" y1="{at:.1}" y2="{at:.1}"/>"#
        );
    }
    let base = top + height;
    _ = write!(
        out,
        r#"<line class="axis-line" x1="0" x2="100%" y1="{base:.1}" y2="{base:.1}"/>"#
    );
    let view_height = base;
    _ = write!(
        out,
        r#"<svg x="0" y="0" width="100%" height="{view_height:.1}" viewBox="0 0 1000 {view_height:.1}" preserveAspectRatio="none" overflow="visible">"#
    );
    for (hour, expected) in panel.expected.iter().enumerate() {
        if let Some((low, high)) = expected {
            let x = hour as f64 * step;
            _ = write!(
                out,
                r#"<rect class="band" x="{x:.2}" y="{:.1}" width="{:.2}" height="{:.1}"/>"#,
                y(*high),
                step + 0.05,
                (y(*low) - y(*high)).max(1.0)
            );
        }
    }
    let mut path = String::new();
    let mut is_down = false;
    for (hour, value) in panel.observed.iter().enumerate() {
        let (x, Some(value)) = (hour as f64 * step, value) else {
            is_down = false;
            continue;
        };
        let letter = if is_down { 'L' } else { 'M' };
        _ = write!(path, "{letter}{x:.2} {0:.1}L{1:.2} {0:.1}", y(*value), x + step);
        is_down = true;
    }
    let class = if index == 2 { "line c5" } else { "line c1" };
    _ = write!(out, r#"<path class="{class}" d="{path}"/></svg>"#);
    _ = write!(
        out,
        r#"<text class="t2 halo" x="0" y="{:.0}">{}</text>"#,
        top - 10.0,
        escaped(&panel.title)
    );
}

/// A plumb line for each rollout in these hours; of several in one place only the named one has its name written.
fn rollouts(out: &mut String, axis: Axis, causes: &[Cause], first: f64, foot: f64) {
    const LEAST_GAP: f64 = 7.0;
    let mut written: Vec<f64> = Vec::new();
    let mut shipped: Vec<(&Cause, Timestamp)> = causes
        .iter()
        .filter_map(|cause| Some((cause, cause.rolled_out?.1)))
        .filter(|(_, at)| axis.holds(*at))
        .collect();
    shipped.sort_by_key(|(cause, at)| (!cause.is_named, *at));
    for (cause, at) in shipped {
        let x = axis.x(at);
        let (line, bob) = if cause.is_named {
            ("plumb-cause", "bob cause")
        } else {
            ("note-line", "bob")
        };
        let title = format!("{}, complete {} UTC", cause.name, words::clock(at));
        _ = write!(
            out,
            r#"<line class="{line}" x1="{x:.2}%" x2="{x:.2}%" y1="{first:.0}" y2="{:.0}"/><svg x="{x:.2}%" y="{:.0}" overflow="visible"><path class="{bob}" d="M0 6.9L-4.6 0.69 0 -4.6 4.6 0.69z"><title>{}</title></path></svg>"#,
            foot + 28.0,
            foot + 33.0,
            escaped(&title)
        );
        if written.iter().all(|known| (known - x).abs() > LEAST_GAP) {
            let words: Vec<&str> = cause.name.split(' ').take(2).collect();
            let class = if cause.is_named { "strong" } else { "t2" };
            _ = write!(
                out,
                r#"<text class="{class}" x="{x:.2}%" y="{:.0}" text-anchor="middle">{}</text>"#,
                foot + 56.0,
                escaped(&words.join(" "))
            );
            written.push(x);
        }
    }
}

fn table(axis: Axis, panels: &[Panel]) -> impl IntoView + use<> {
    (0..axis.hours)
        .map(|hour| {
            let at = axis
                .from
                .plus_micros(i64::try_from(hour).unwrap_or(0) * HOUR_MICROS);
            let cells = panels
                .iter()
                .map(|panel| {
                    let value = panel.observed.get(hour).copied().flatten();
                    let text =
                        value.map_or_else(|| "–".to_owned(), |value| engine::series::text(value, panel.unit));
                    view! { <td class="n">{text}</td> }
                })
                .collect_view();
            let name: String = at
                .to_string()
                .chars()
                .take(16)
                .collect::<String>()
                .replace('T', " ");
            view! { <tr><th scope="row">{name}</th>{cells}</tr> }
        })
        .collect_view()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(observed: Vec<Option<f64>>) -> Panel {
        Panel {
            title: "Cost <per> hour".to_owned(),
            unit: MetricUnit::Share,
            expected: vec![Some((0.1, 0.2)); observed.len()],
            observed,
        }
    }

    #[test]
    fn a_missing_hour_lifts_the_pen_and_titles_are_escaped() {
        let axis = Axis {
            from: Timestamp::from_micros(0),
            hours: 4,
        };
        let onset = (
            Timestamp::from_micros(HOUR_MICROS),
            Timestamp::from_micros(2 * HOUR_MICROS),
        );
        let drawn = plot(
            axis,
            &[panel(vec![Some(0.5), None, Some(1.0), Some(0.5)])],
            &[],
            onset,
            |_| 0,
        );
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert!(drawn.contains("Cost &lt;per&gt; hour"));
        assert!(
            drawn.contains(r#"class="mark-zone strong" x="25.00%""#),
            "{drawn}"
        );
    }
}
