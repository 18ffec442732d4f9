//! The overview strip: the whole run in 56 pixels, as SVG text of numbers and class names.

use std::fmt::Write;

use domain::StepKind;
use domain::skeleton::Skeleton;

use super::draw::{kind_class, kind_place, width_text};
use super::layout::Layout;
use super::scale::Scale;

/// Height of the overview strip, in pixels.
pub(crate) const STRIP_PX: usize = 56;
/// Up to this many steps each get their own line in the strip.
const STRIP_LINES: usize = 27;
/// A run of more steps is drawn as how many began when.
const STRIP_STEPS: usize = 1_000;

/// The whole run in 56 pixels: steps as lines, findings as ticks, cost so far as a curve.
pub(crate) fn strip(layout: &Layout, skeleton: &Skeleton, now_us: i64) -> String {
    let scale = Scale::full_width(skeleton.bounds(now_us));
    let mut out = String::from(r#"<rect class="strip-bg" width="100%" height="56"/>"#);
    cost_curve(&mut out, skeleton, scale, now_us);
    if layout.rows.len() > STRIP_STEPS {
        strip_density(&mut out, skeleton, scale);
    } else {
        strip_lines(&mut out, layout, skeleton, scale, now_us);
    }
    strip_ticks(&mut out, skeleton, scale);
    out
}

fn cost_curve(out: &mut String, skeleton: &Skeleton, scale: Scale, now_us: i64) {
    let mut costs: Vec<(i64, i64)> = skeleton
        .steps
        .iter()
        .filter_map(|step| Some((step.end_us(now_us), step.cost_nano_usd.filter(|cost| *cost > 0)?)))
        .collect();
    costs.sort_unstable();
    let whole: i128 = costs.iter().map(|(_, cost)| i128::from(*cost)).sum();
    if whole <= 0 {
        return;
    }
    let mut line = String::from("M0 56");
    let (mut so_far, mut last_x) = (0_i128, f64::MIN);
    let mut y = 56.0;
    for (index, (at, cost)) in costs.iter().enumerate() {
        so_far += i128::from(*cost);
        let x = scale.percent_from_us(*at) * 10.0;
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

/// How many steps of each kind began in each of 240 columns, stacked.
fn strip_density(out: &mut String, skeleton: &Skeleton, scale: Scale) {
    const COLUMNS: usize = 240;
    let mut begun = vec![[0_u32; StepKind::ALL.len()]; COLUMNS];
    for step in &skeleton.steps {
        let column = scale.percent_from_us(step.started_us) / 100.0 * COLUMNS as f64;
        let column = (column.max(0.0) as usize).min(COLUMNS - 1);
        begun[column][kind_place(step.kind)] += 1;
    }
    let most = begun
        .iter()
        .map(|kinds| kinds.iter().sum::<u32>())
        .max()
        .unwrap_or(0);
    let width = 100.0 / COLUMNS as f64;
    let mut below = [0_u32; COLUMNS];
    for (place, kind) in StepKind::ALL.iter().enumerate() {
        let class = kind_class(*kind);
        for (column, kinds) in begun.iter().enumerate() {
            let count = kinds[place];
            if count == 0 {
                continue;
            }
            let height = f64::from(count) / f64::from(most.max(1)) * 42.0;
            let y = 54.0 - f64::from(below[column]) / f64::from(most.max(1)) * 42.0 - height;
            let x = column as f64 * width;
            _ = write!(
                out,
                r#"<rect class="{class} dense" x="{x:.2}%" y="{y:.1}" width="{width:.2}%" height="{height:.1}"/>"#
            );
            below[column] += count;
        }
    }
}

fn strip_lines(out: &mut String, layout: &Layout, skeleton: &Skeleton, scale: Scale, now_us: i64) {
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
        let step = &skeleton.steps[place.step];
        let line = if count <= STRIP_LINES {
            row
        } else {
            row * lines / count
        };
        let class = kind_class(step.kind);
        let from = scale.percent_from_us(step.started_us);
        let to = scale.percent_from_us(step.end_us(now_us));
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

fn strip_ticks(out: &mut String, skeleton: &Skeleton, scale: Scale) {
    let mut ticks: Vec<(i64, bool)> = skeleton
        .steps
        .iter()
        .filter(|step| step.is_problem())
        .map(|step| {
            (
                (scale.percent_from_us(step.started_us) * 5.0).round() as i64,
                step.is_grave(),
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

/// Where a search found something, under the strip.
pub(crate) fn strip_hits(layout: &Layout, skeleton: &Skeleton, hits: &[bool], now_us: i64) -> String {
    let scale = Scale::full_width(skeleton.bounds(now_us));
    let mut places: Vec<i64> = (0..layout.rows.len())
        .filter(|row| hits.get(*row) == Some(&true))
        .map(|row| {
            (scale.percent_from_us(skeleton.steps[layout.rows[row].step].started_us) * 5.0).round() as i64
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut out = String::new();
    for x in places {
        let x = x as f64 / 5.0;
        _ = write!(
            out,
            r#"<rect class="strip-hit" x="{x:.1}%" y="53" width="0.3%" height="3"/>"#
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::{BEGIN, skeleton, step};

    #[test]
    fn a_long_run_stays_a_short_strip() {
        let steps: Vec<_> = (0..5_000).map(|n| step(&n.to_string(), None, n, 1)).collect();
        let skeleton = skeleton(&steps);
        let svg = strip(&Layout::of(&skeleton), &skeleton, BEGIN.micros());
        assert!(svg.len() < 30_000, "{}", svg.len());
    }

    #[test]
    fn what_a_search_found_is_marked_once_a_place() {
        let steps: Vec<_> = (0..400).map(|n| step(&n.to_string(), None, n / 200, 1)).collect();
        let skeleton = skeleton(&steps);
        let layout = Layout::of(&skeleton);
        let svg = strip_hits(&layout, &skeleton, &[true; 400], BEGIN.micros());
        assert_eq!(svg.matches("strip-hit").count(), 2);
    }
}
