//! The drawings of a run as SVG text: overview strip, ruler, waterfall.
//!
//! Geometry is percent across and pixels down, so the drawing needs neither script nor style attributes. Only
//! numbers, figures and class names go into the text: nothing a client sent.

use std::fmt::Write;
use std::ops::Range;

use domain::{NanoUsd, Severity, StepKind, StepStatus, StepSummary, Timestamp, text};

use super::layout::{Layout, Line};
use super::scale::{Scale, drawn_end};

/// Height of a row in tree and drawing, in pixels.
pub(crate) const ROW_PX: usize = 28;
/// Height of the overview strip, in pixels.
pub(crate) const STRIP_PX: usize = 56;
/// Bars narrower than this are drawn 1.5 px wide, in percent.
const THIN_PERCENT: f64 = 0.15;
/// Up to this many steps each get their own line in the strip.
const STRIP_LINES: usize = 27;

pub(crate) const fn kind_class(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Llm => "kind-llm",
        StepKind::Tool => "kind-tool",
        StepKind::Agent => "kind-agent",
        StepKind::Chain => "kind-chain",
        StepKind::Retrieval => "kind-retrieval",
        StepKind::Embedding => "kind-embedding",
        StepKind::Guardrail => "kind-guardrail",
        StepKind::Other => "kind-other",
    }
}

pub(crate) const fn kind_icon(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Llm => "k-llm",
        StepKind::Tool => "k-tool",
        StepKind::Agent => "k-agent",
        StepKind::Chain => "k-chain",
        StepKind::Retrieval => "k-retrieval",
        StepKind::Embedding => "k-embedding",
        StepKind::Guardrail => "k-guardrail",
        StepKind::Other => "k-other",
    }
}

/// What is wrong with a step: symbol, its class, and the word. `None` for a step that is as it should be.
pub(crate) const fn glyph(
    status: StepStatus,
    severity: Severity,
) -> Option<(&'static str, &'static str, &'static str)> {
    match (status, severity) {
        (_, Severity::Critical) => Some(("critical", "st-critical", "critical")),
        (StepStatus::Error, _) => Some(("x", "st-bad", "failed")),
        (_, Severity::Warning) => Some(("warning", "st-warn", "warning")),
        (StepStatus::Running, _) => Some(("running", "st-accent", "running")),
        (StepStatus::Aborted, _) => Some(("x", "dim", "aborted")),
        (StepStatus::Ok, Severity::Ok) => None,
    }
}

/// How long a step took or has been running, in milliseconds: as reported, else from its times.
pub(crate) fn shown_ms(step: &StepSummary, now: Timestamp) -> f64 {
    step.latency_ms
        .unwrap_or_else(|| drawn_end(step, now).ms_since(step.started_at))
}

/// The whole run in 56 pixels: steps as lines, findings as ticks, cost so far as a curve.
pub(crate) fn strip(layout: &Layout, steps: &[StepSummary], now: Timestamp) -> String {
    let scale = Scale::full_width(steps, now);
    let mut out = String::from(r#"<rect class="strip-bg" width="100%" height="56"/>"#);
    cost_curve(&mut out, steps, scale, now);
    strip_lines(&mut out, layout, steps, scale, now);
    strip_ticks(&mut out, steps, scale);
    out
}

fn cost_curve(out: &mut String, steps: &[StepSummary], scale: Scale, now: Timestamp) {
    let mut costs: Vec<(Timestamp, NanoUsd)> = steps
        .iter()
        .filter_map(|step| Some((drawn_end(step, now), step.cost_nano_usd.filter(|c| c.0 > 0)?)))
        .collect();
    costs.sort();
    let whole: i128 = costs.iter().map(|(_, cost)| i128::from(cost.0)).sum();
    if whole <= 0 {
        return;
    }
    let mut line = String::from("M0 56");
    let (mut so_far, mut last_x) = (0_i128, f64::MIN);
    let mut y = 56.0;
    for (index, (at, cost)) in costs.iter().enumerate() {
        so_far += i128::from(cost.0);
        let x = scale.percent_from_time(*at) * 10.0;
        if x - last_x < 0.5 && index + 1 < costs.len() {
            continue;
        }
        let next_y = 56.0 - (so_far as f64 / whole as f64) * 40.0;
        _ = write!(line, "L{x:.1} {y:.1}L{x:.1} {next_y:.1}");
        (y, last_x) = (next_y, x);
    }
    _ = write!(line, "L1000 {y:.1}");
    _ = write!(
        out,
        r#"<svg x="0" y="0" width="100%" height="56" viewBox="0 0 1000 56" preserveAspectRatio="none"><path class="strip-cost" d="{line}L1000 56L0 56Z"/><path class="strip-cost-line" d="{line}"/></svg>"#
    );
}

fn strip_lines(out: &mut String, layout: &Layout, steps: &[StepSummary], scale: Scale, now: Timestamp) {
    let count = layout.rows.len();
    let lines = count.clamp(1, STRIP_LINES);
    let pitch = if lines > 1 { 42.0 / lines as f64 } else { 0.0 };
    // The open stretch of each line: steps of one kind that touch are drawn as one.
    let mut open: Option<(usize, &'static str, f64, f64)> = None;
    let mut flush = |stretch: Option<(usize, &'static str, f64, f64)>| {
        if let Some((line, class, from, to)) = stretch {
            let y = 12.0 + line as f64 * pitch;
            let width = width_text(to - from);
            _ = write!(
                out,
                r#"<rect class="{class}" x="{from:.2}%" y="{y:.2}" width="{width}" height="1.5"/>"#
            );
        }
    };
    for (row, place) in layout.rows.iter().enumerate() {
        let step = &steps[place.step];
        let line = if count <= STRIP_LINES {
            row
        } else {
            row * lines / count
        };
        let class = kind_class(step.kind);
        let from = scale.percent_from_time(step.started_at);
        let to = scale.percent_from_time(drawn_end(step, now));
        match &mut open {
            Some((l, c, start, end))
                if count > STRIP_LINES
                    && *l == line
                    && *c == class
                    && from <= *end + 0.2
                    && from >= *start =>
            {
                *end = end.max(to);
            }
            _ => flush(open.replace((line, class, from, to))),
        }
    }
    flush(open);
}

fn strip_ticks(out: &mut String, steps: &[StepSummary], scale: Scale) {
    let mut ticks: Vec<(i64, bool)> = steps
        .iter()
        .filter(|s| s.severity != Severity::Ok || s.status == StepStatus::Error)
        .map(|s| {
            let grave = s.severity == Severity::Critical || s.status == StepStatus::Error;
            (
                (scale.percent_from_time(s.started_at) * 5.0).round() as i64,
                grave,
            )
        })
        .collect();
    // One tick per fifth of a percent, the grave one where several meet.
    ticks.sort_by_key(|(x, grave)| (*x, !grave));
    ticks.dedup_by_key(|(x, _)| *x);
    for (x, grave) in ticks {
        let (class, height) = if grave { ("tick-crit", 9) } else { ("tick-warn", 6) };
        let x = x as f64 / 5.0;
        _ = write!(
            out,
            r#"<rect class="{class}" x="{x:.1}%" y="0" width="2" height="{height}"/>"#
        );
    }
}

/// The ruler over the waterfall.
pub(crate) fn ruler(scale: Scale) -> String {
    let mut out = String::new();
    for (index, (percent, label)) in scale.ticks().into_iter().enumerate() {
        let class = if index % 4 == 0 { "" } else { "tick-r" };
        _ = write!(
            out,
            r#"<text class="{class}" x="{percent:.2}%" y="16">{label}</text><line class="axis-line" x1="{percent:.2}%" x2="{percent:.2}%" y1="20" y2="24"/>"#
        );
    }
    out
}

/// What the bars of a waterfall are drawn from.
pub(crate) struct Bars<'a> {
    pub(crate) layout: &'a Layout,
    /// The steps it was laid out from.
    pub(crate) steps: &'a [StepSummary],
    /// Time to percent.
    pub(crate) scale: Scale,
    /// Where running steps end.
    pub(crate) now: Timestamp,
    /// Rows on the critical path.
    pub(crate) on_path: &'a [bool],
}

impl Bars<'_> {
    /// The bars of `shown` (positions in `lines`), over grid and row lines. `class_of` colours a step, `selected`
    /// is the position of the selected line.
    pub(crate) fn draw(
        &self,
        lines: &[Line],
        shown: Range<usize>,
        selected: Option<usize>,
        class_of: impl Fn(&StepSummary) -> &'static str,
    ) -> String {
        let shown = shown.start.min(lines.len())..shown.end.min(lines.len());
        let (top, bottom) = (shown.start * ROW_PX, shown.end * ROW_PX);
        let mut out = String::with_capacity(shown.len() * 320);
        if let Some(line) = selected.filter(|line| shown.contains(line)) {
            let y = line * ROW_PX;
            _ = write!(
                out,
                r#"<rect class="wf-sel" x="0" width="100%" y="{y}" height="{ROW_PX}"/>"#
            );
        }
        for (percent, _) in self.scale.ticks() {
            _ = write!(
                out,
                r#"<line class="grid-line" x1="{percent:.2}%" x2="{percent:.2}%" y1="{top}" y2="{bottom}"/>"#
            );
        }
        for at in shown.clone() {
            let y = (at + 1) * ROW_PX - 1;
            _ = write!(
                out,
                r#"<line class="row-line" x1="0" x2="100%" y1="{y}.5" y2="{y}.5"/>"#
            );
        }
        for at in shown {
            if let Some(Line::Row(row)) = lines.get(at) {
                let next = lines.get(at + 1);
                let is_folded = self.layout.is_parent(*row) && next != Some(&Line::Row(row + 1));
                self.bar(
                    &mut out,
                    *row,
                    at * ROW_PX,
                    is_folded,
                    selected == Some(at),
                    &class_of,
                );
            }
        }
        out
    }

    fn bar(
        &self,
        out: &mut String,
        row: usize,
        top: usize,
        is_folded: bool,
        is_selected: bool,
        class_of: &impl Fn(&StepSummary) -> &'static str,
    ) {
        let place = self.layout.rows[row];
        let step = &self.steps[place.step];
        let class = class_of(step);
        let from = self.scale.percent_from_time(step.started_at);
        let length = self
            .scale
            .percent_between(step.started_at, drawn_end(step, self.now));
        let width = width_text(length);
        let is_parent = self.layout.is_parent(row);
        let (bar_y, height, parent) = if is_parent {
            (top + 11, 6, " parent")
        } else {
            (top + 8, 12, "")
        };
        _ = write!(
            out,
            r#"<g class="wf-bar"><rect class="{class}{parent}" x="{from:.2}%" y="{bar_y}" width="{width}" height="{height}"/>"#
        );
        if !is_parent && self.on_path.get(row) == Some(&true) {
            let y = top + 22;
            _ = write!(
                out,
                r#"<rect class="cp" x="{from:.2}%" y="{y}" width="{width}" height="2"/>"#
            );
        }
        let mut label = text::duration(shown_ms(step, self.now));
        if is_folded {
            let hidden = place.subtree_end - row - 1;
            _ = write!(label, ", {} folded", text::counted(hidden as i64, "step"));
        }
        let end = from + length;
        let text_class = if is_selected || is_folded { "strong" } else { "t2" };
        let text_y = top + 18;
        _ = write!(out, r#"<svg x="{end:.2}%" y="0" overflow="visible">"#);
        let text_x = match glyph(step.status, step.severity) {
            Some((icon, class, _)) => {
                let y = top + 7;
                _ = write!(
                    out,
                    r##"<svg class="i {class}" x="6" y="{y}" width="14" height="14"><use href="#i-{icon}"/></svg>"##
                );
                25
            }
            None => 7,
        };
        _ = write!(
            out,
            r#"<text class="{text_class}" x="{text_x}" y="{text_y}">{label}</text></svg></g>"#
        );
    }
}

fn width_text(percent: f64) -> String {
    if percent < THIN_PERCENT {
        "1.5".to_owned()
    } else {
        format!("{percent:.2}%")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::timeline::critical_path;
    use crate::timeline::sample::{BEGIN, step};

    fn drawn(steps: &[StepSummary], folded: &[&str]) -> String {
        let layout = Layout::of(steps);
        let on_path = critical_path::by_time(&layout, steps, BEGIN);
        let folded: HashSet<String> = folded.iter().map(|id| (*id).to_owned()).collect();
        let lines = layout.lines(steps, &folded);
        let bars = Bars {
            layout: &layout,
            steps,
            scale: Scale::with_labels(steps, BEGIN),
            now: BEGIN,
            on_path: &on_path,
        };
        bars.draw(&lines, 0..usize::MAX, Some(0), |s| kind_class(s.kind))
    }

    #[test]
    fn nothing_a_client_sent_is_in_the_drawing() {
        let mut evil = step("<script>", None, 0, 10);
        evil.name = "\"><script>".to_owned();
        evil.error = Some("<b>".to_owned());
        evil.severity = Severity::Critical;
        let steps = [evil];
        let layout = Layout::of(&steps);
        for svg in [drawn(&steps, &[]), strip(&layout, &steps, BEGIN)] {
            assert!(!svg.contains("script") && !svg.contains("<b>"), "{svg}");
        }
    }

    #[test]
    fn bars() {
        let steps = [
            step("a", None, 0, 1_000),
            step("b", Some("a"), 0, 0),
            step("c", Some("a"), 500, 500),
        ];
        let check = |folded: &[&str], part: &str, times: usize| {
            assert_eq!(
                drawn(&steps, folded).matches(part).count(),
                times,
                "{part} {folded:?}"
            );
        };
        check(&[], "class=\"wf-bar\"", 3);
        check(&[], " parent\"", 1);
        check(&[], "width=\"1.5\"", 1);
        check(&[], "class=\"cp\"", 1);
        check(&[], "folded", 0);
        check(&["a"], "class=\"wf-bar\"", 1);
        check(&["a"], "1.00 s, 2 steps folded", 1);
        check(&[], "class=\"wf-sel\"", 1);
    }

    #[test]
    fn a_long_run_stays_a_short_strip() {
        let steps: Vec<_> = (0..5_000).map(|n| step(&n.to_string(), None, n, 1)).collect();
        let svg = strip(&Layout::of(&steps), &steps, BEGIN);
        assert!(svg.len() < 10_000, "{}", svg.len());
    }
}
