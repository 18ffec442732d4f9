//! Small figures of runs and steps that several pages show: severities, score bars, costs.

use domain::series::SeriesBy;
use domain::{NanoUsd, RunStatus, RunSummary, Severity, text};
use leptos::prelude::*;

use crate::ui::links::scope_href;

/// The score a whole bar stands for, unless the score is higher.
const BAR_POINTS: f64 = 200.0;

/// Symbol, class and word for a run, the gravest thing first.
pub(crate) const fn severity_glyph(
    status: RunStatus,
    severity: Severity,
) -> (&'static str, &'static str, &'static str) {
    match (severity, status) {
        (Severity::Critical, _) => ("critical", "st-critical", "critical"),
        (_, RunStatus::Error) => ("x", "st-bad", "failed"),
        (_, RunStatus::Running) => ("running", "st-accent", "running"),
        (Severity::Warning, _) => ("warning", "st-warn", "warning"),
        (Severity::Ok, RunStatus::Ok) => ("ok", "st-ok", "ok"),
    }
}

/// The layer of the gravest condition: the first digit of its code. Without a code, the layer that colours the
/// severity as it is.
pub(crate) fn layer_of(run: &RunSummary) -> u8 {
    let code = run.problem.as_ref().and_then(|problem| problem.code);
    let without_code = if run.severity == Severity::Critical { 1 } else { 4 };
    code.and_then(|code| u8::try_from(code / 1_000).ok())
        .unwrap_or(without_code)
}

/// The name of a step, key, model or template, which leads to its page where it has one, in the window that `range` says.
pub(crate) fn name_link(slug: &str, by: SeriesBy, name: &str, range: &str) -> AnyView {
    let text = match by {
        SeriesBy::Template => domain::prompt::short_fingerprint(name).to_owned(),
        _ if name.trim().is_empty() => "unnamed".to_owned(),
        _ => name.to_owned(),
    };
    match scope_href(slug, by, name) {
        Some(href) => view! { <a class="link" href=format!("{href}{range}")>{text}</a> }.into_any(),
        None => text.into_any(),
    }
}

/// A score bar: points by layer on 0 to 200, a tick at the threshold that the step was judged by where it is known.
pub(crate) fn score_bar(
    segments: &[(u8, i32)],
    threshold: Option<i32>,
    width_px: u32,
) -> impl IntoView + use<> {
    let drawing = score_segments(segments, threshold, width_px);
    view! {
        <svg
            class="scorebar"
            width=width_px.to_string()
            height="10"
            viewBox=format!("0 -2 {width_px} 10")
            aria-hidden="true"
            inner_html=drawing
        ></svg>
    }
}

fn score_segments(segments: &[(u8, i32)], threshold: Option<i32>, width_px: u32) -> String {
    let sum: f64 = segments
        .iter()
        .map(|(_, points)| f64::from((*points).max(0)))
        .sum();
    let tick = threshold.map_or(0.0, f64::from);
    let px_per_point = f64::from(width_px) / sum.max(tick).max(BAR_POINTS);
    let mut out = format!(r#"<rect class="track" width="{width_px}" height="6"/>"#);
    let mut x = 0.0_f64;
    for (layer, points) in segments.iter().filter(|(_, points)| *points > 0) {
        let length = f64::from(*points) * px_per_point;
        let width = (length - 1.0).max(1.0);
        let layer = (*layer).clamp(1, 5);
        out.push_str(&format!(
            r#"<rect class="layer-{layer}" x="{x:.1}" y="0" width="{width:.1}" height="6"/>"#
        ));
        x += length;
    }
    if threshold.is_some() {
        let at = tick * px_per_point;
        out.push_str(&format!(r#"<path class="threshold" d="M{at:.1} -2v10"/>"#));
    }
    out
}

/// A cost: the known sum, `unknown` beside it while steps have no price, `unknown` alone when none has.
pub(crate) fn cost_view(cost: Option<NanoUsd>, unpriced_steps: i64) -> AnyView {
    let title = cost_title(cost, unpriced_steps);
    match (cost, unpriced_steps) {
        (Some(cost), 0) => view! { <span title=title>{cost.to_short()}</span> }.into_any(),
        (Some(cost), _) => view! {
            <span title=title>{cost.to_short()}" + "<span class="unknown">"unknown"</span></span>
        }
        .into_any(),
        (None, 0) => view! { <span class="none" title=title>"–"</span> }.into_any(),
        (None, _) => view! { <span class="unknown" title=title>"unknown"</span> }.into_any(),
    }
}

/// The full value of a cost in words.
pub(crate) fn cost_title(cost: Option<NanoUsd>, unpriced_steps: i64) -> String {
    let missing = text::counted(unpriced_steps, "step");
    match (cost, unpriced_steps) {
        (Some(cost), 0) => format!("${}", cost.to_decimal()),
        (Some(cost), _) => format!("No price for {missing}; the others cost ${}", cost.to_decimal()),
        (None, 0) => "No step here is billed".to_owned(),
        (None, _) => format!("No price for {missing}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_their_width() {
        let check = |segments: &[(u8, i32)], expected: &[(f64, f64)]| {
            let svg = score_segments(segments, None, 44);
            let found: Vec<(f64, f64)> = svg
                .split("<rect class=\"layer-")
                .skip(1)
                .map(|rect| {
                    let value = |name: &str| {
                        let rest = rect.split(&format!("{name}=\"")).nth(1).unwrap();
                        rest.split('"').next().unwrap().parse().unwrap()
                    };
                    (value(" x"), value("width"))
                })
                .collect();
            assert_eq!(found, expected, "{segments:?}");
        };
        check(&[], &[]);
        check(&[(4, 15)], &[(0.0, 2.3)]);
        check(&[(2, 50), (3, 55)], &[(0.0, 10.0), (11.0, 11.1)]);
        check(&[(1, 200)], &[(0.0, 43.0)]);
        check(&[(1, 900)], &[(0.0, 43.0)]);
        check(&[(1, 200), (2, 200)], &[(0.0, 21.0), (22.0, 21.0)]);
        check(&[(1, 0), (1, -5)], &[]);
    }

    #[test]
    fn the_tick_stands_at_the_threshold_that_was_in_force() {
        let check = |threshold: Option<i32>, expected: Option<&str>| {
            let svg = score_segments(&[(2, 50)], threshold, 44);
            let tick = svg.split("d=\"M").nth(1).and_then(|rest| rest.split(' ').next());
            assert_eq!(tick, expected, "{threshold:?}");
        };
        check(None, None);
        check(Some(50), Some("11.0"));
        check(Some(100), Some("22.0"));
        check(Some(400), Some("44.0"));
    }

    #[test]
    fn costs_say_what_is_missing() {
        let check = |cost: Option<i64>, unpriced: i64, expected: &str| {
            assert_eq!(cost_title(cost.map(NanoUsd), unpriced), expected);
        };
        check(Some(1_400_000), 0, "$0.0014");
        check(
            Some(1_400_000),
            2,
            "No price for 2 steps; the others cost $0.0014",
        );
        check(None, 1, "No price for 1 step");
        check(None, 0, "No step here is billed");
    }
}
