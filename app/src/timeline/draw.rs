//! The drawings of a run as SVG text: ruler and waterfall.
//!
//! Geometry is percent across and pixels down, so the drawing needs neither script nor style attributes. Only
//! numbers, figures and class names go into the text: nothing a client sent.

use std::fmt::Write;
use std::ops::Range;

use domain::skeleton::{Skeleton, SkeletonStep};
use domain::{Severity, StepKind, StepStatus, text};

use super::layout::{Layout, Line};
use super::scale::Scale;

/// Height of a row in tree and drawing, in pixels.
pub(crate) const ROW_PX: usize = 28;
/// Bars narrower than this are drawn 1.5 px wide, in percent.
const THIN_PERCENT: f64 = 0.15;
/// Calls of a folded line that are drawn without a script.
const GROUP_BLOCKS: usize = 200;

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

/// The place of a kind in [`StepKind::ALL`].
pub(crate) fn kind_place(kind: StepKind) -> usize {
    StepKind::ALL.iter().position(|k| *k == kind).unwrap_or(0)
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
    pub(crate) skeleton: &'a Skeleton,
    /// Time to percent.
    pub(crate) scale: Scale,
    /// Where running steps end, in microseconds since 1970.
    pub(crate) now_us: i64,
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
        class_of: impl Fn(&SkeletonStep) -> &'static str,
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
            let top = at * ROW_PX;
            let is_selected = selected == Some(at);
            match lines.get(at) {
                Some(Line::Row(row)) => {
                    let is_folded = self.layout.is_parent(*row)
                        && lines.get(at + 1).and_then(|line| line.first_row()) != Some(row + 1);
                    self.bar(&mut out, *row, top, is_folded, is_selected, &class_of);
                }
                Some(Line::Group(first, end)) => self.group(&mut out, *first..*end, top, &class_of),
                Some(Line::Orphans(_)) | None => {}
            }
        }
        out
    }

    /// Calls that are one line: a block for each, and what they took together.
    fn group(
        &self,
        out: &mut String,
        rows: Range<usize>,
        top: usize,
        class_of: &impl Fn(&SkeletonStep) -> &'static str,
    ) {
        let y = top + 8;
        let steps = rows
            .clone()
            .map(|row| &self.skeleton.steps[self.layout.rows[row].step]);
        let mut ends = (f64::MAX, 0.0_f64);
        out.push_str(r#"<g class="wf-bar">"#);
        for step in steps.clone().take(GROUP_BLOCKS) {
            let from = self.scale.percent_from_us(step.started_us);
            let to = self.scale.percent_from_us(step.end_us(self.now_us));
            ends = (ends.0.min(from), ends.1.max(to));
            let class = class_of(step);
            let width = width_text((to - from - 0.1).max(0.0));
            _ = write!(
                out,
                r#"<rect class="{class}" x="{from:.2}%" y="{y}" width="{width}" height="12"/>"#
            );
        }
        let label = group_label(steps, self.now_us);
        let text_y = top + 18;
        let end = ends.1;
        _ = write!(
            out,
            r#"<svg x="{end:.2}%" y="0" overflow="visible"><text class="strong" x="7" y="{text_y}">{label}</text></svg></g>"#
        );
    }

    fn bar(
        &self,
        out: &mut String,
        row: usize,
        top: usize,
        is_folded: bool,
        is_selected: bool,
        class_of: &impl Fn(&SkeletonStep) -> &'static str,
    ) {
        let place = self.layout.rows[row];
        let step = &self.skeleton.steps[place.step];
        let class = class_of(step);
        let from = self.scale.percent_from_us(step.started_us);
        let length = self.scale.percent_from_us(step.end_us(self.now_us)) - from;
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
        let mut label = text::duration(step.shown_ms(self.now_us));
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

/// `×17 identical calls, 11.1 s, $0.0898`
pub(crate) fn group_label<'a>(steps: impl Iterator<Item = &'a SkeletonStep> + Clone, now_us: i64) -> String {
    let count = steps.clone().count();
    let first = steps.clone().next().and_then(|step| step.same_call);
    let is_same = first.is_some() && steps.clone().all(|step| step.same_call == first);
    let time: f64 = steps.clone().map(|step| step.shown_ms(now_us)).sum();
    let failed = steps
        .clone()
        .filter(|step| step.status == StepStatus::Error)
        .count();
    let known = steps
        .filter_map(|step| step.cost_nano_usd)
        .reduce(i64::saturating_add);
    let mut label = format!(
        "×{count} {}, {}",
        if is_same { "identical calls" } else { "calls" },
        text::duration(time)
    );
    if let Some(cost) = known {
        _ = write!(label, ", {}", domain::NanoUsd(cost).to_short());
    }
    if failed > 0 {
        _ = write!(label, ", {failed} failed");
    }
    label
}

pub(super) fn width_text(percent: f64) -> String {
    if percent < THIN_PERCENT {
        "1.5".to_owned()
    } else {
        format!("{percent:.2}%")
    }
}

#[cfg(test)]
mod tests {
    use domain::StepSummary;

    use super::*;
    use crate::timeline::critical_path;
    use crate::timeline::layout::Folds;
    use crate::timeline::overview;
    use crate::timeline::sample::{BEGIN, call, skeleton, skeleton_of_calls, step};

    fn drawn(steps: &[StepSummary], folded: &[&str]) -> String {
        let skeleton = skeleton_of_calls(steps);
        let layout = Layout::of(&skeleton);
        let now_us = BEGIN.micros();
        let on_path = critical_path::by_time(&layout, &skeleton, now_us);
        let folded: Vec<String> = folded.iter().map(|id| (*id).to_owned()).collect();
        let lines = layout.lines(&Folds::of(&layout, &skeleton, &folded, None, true));
        let bars = Bars {
            layout: &layout,
            skeleton: &skeleton,
            scale: Scale::with_labels(skeleton.bounds(now_us)),
            now_us,
            on_path: &on_path,
        };
        bars.draw(&lines, 0..usize::MAX, Some(0), |s| kind_class(s.kind))
    }

    #[test]
    fn identical_calls_keep_their_blocks_and_say_what_they_took() {
        let mut steps = vec![step("root", None, 0, 100)];
        steps.extend((0..17).map(|n| call(&format!("c{n}"), "root", 10 + n)));
        let svg = drawn(&steps, &[]);
        assert!(svg.contains("×17 identical calls, 17 ms"), "{svg}");
        assert_eq!(svg.matches("height=\"12\"").count(), 17);
    }

    #[test]
    fn nothing_a_client_sent_is_in_the_drawing() {
        let mut evil = step("<script>", None, 0, 10);
        evil.name = "\"><script>".to_owned();
        evil.error = Some("<b>".to_owned());
        evil.severity = Severity::Critical;
        let steps = [evil];
        let skeleton = skeleton(&steps);
        let layout = Layout::of(&skeleton);
        for svg in [
            drawn(&steps, &[]),
            overview::strip(&layout, &skeleton, BEGIN.micros()),
        ] {
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
}
