//! The drawing of the lines that are seen, whatever the zoom.

mod over;

use std::ops::Range;

use domain::skeleton::{Skeleton, SkeletonStep};
use domain::text;

use super::axis::{Axis, View};
use super::blocks::{Piece, blocks};
use super::draw::{ROW_PX, group_label};
use super::layout::{Layout, Line};
use super::scale::ticks;
use super::surface::{Area, Glyph, Ink, Surface};

const ROW: f64 = ROW_PX as f64;
/// A label that would have less room than this stands left of its bar, in pixels.
const LABEL_ROOM_PX: f64 = 80.0;
/// What is narrower is drawn this wide, in pixels.
const THIN_PX: f64 = 1.5;

/// Where each row's bar begins and ends on the axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spans(Vec<(f64, f64)>);

impl Spans {
    /// Of all rows. `start_us` is the run's beginning.
    pub(crate) fn of(layout: &Layout, skeleton: &Skeleton, axis: &Axis, start_us: i64, now_us: i64) -> Self {
        let place = |at_us: i64| axis.place_of(at_us.saturating_sub(start_us) as f64);
        let rows = layout.rows.iter();
        Self(
            rows.map(|row| {
                let step = &skeleton.steps[row.step];
                (place(step.started_us), place(step.end_us(now_us)))
            })
            .collect(),
        )
    }

    pub(crate) fn get(&self, row: usize) -> (f64, f64) {
        self.0.get(row).copied().unwrap_or_default()
    }
}

/// An output that came back as an input: rows of both steps, and whether word for word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowLine {
    pub(crate) from_row: usize,
    pub(crate) to_row: usize,
    pub(crate) is_exact: bool,
}

/// Lines and places that were drawn a frame around.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    /// Between which places on the axis.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Which lines.
    pub(crate) lines: Range<usize>,
}

/// What is painted.
pub(crate) struct Scene<'a> {
    pub(crate) skeleton: &'a Skeleton,
    pub(crate) layout: &'a Layout,
    pub(crate) lines: &'a [Line],
    pub(crate) spans: &'a Spans,
    pub(crate) axis: &'a Axis,
    pub(crate) view: View,
    /// The ink of each row.
    pub(crate) inks: &'a [Ink],
    /// Rows on the critical path.
    pub(crate) on_path: &'a [bool],
    /// Rows that a search found; empty without one.
    pub(crate) hits: &'a [bool],
    pub(crate) flow: &'a [FlowLine],
    /// The selected line.
    pub(crate) selected: Option<usize>,
    /// A moment on the axis.
    pub(crate) playhead: Option<f64>,
    pub(crate) area: Option<&'a Selection>,
    pub(crate) now_us: i64,
    /// Whether bars carry their durations: not on a narrow screen.
    pub(crate) has_labels: bool,
}

impl Scene<'_> {
    /// Paints these lines onto a surface that begins with the first of them.
    pub(crate) fn paint(&self, surface: &mut impl Surface, shown: Range<usize>, width_px: f64) {
        let shown = shown.start.min(self.lines.len())..shown.end.min(self.lines.len());
        let height = shown.len() as f64 * ROW;
        let y_of = |line: usize| (line as f64 - shown.start as f64) * ROW;
        if let Some(line) = self.selected.filter(|line| shown.contains(line)) {
            surface.rect(Ink::SELECTED, 1.0, Area::new(0.0, y_of(line), width_px, ROW));
        }
        for (x, _) in self.ruler_places(width_px) {
            surface.rect(Ink::GRID, 1.0, Area::new(x.round(), 0.0, 1.0, height));
        }
        for line in shown.clone() {
            surface.rect(
                Ink::GRID,
                1.0,
                Area::new(0.0, y_of(line) + ROW - 1.0, width_px, 1.0),
            );
        }
        for at in shown.clone() {
            match self.lines[at] {
                Line::Orphans(_) => {
                    surface.rect(Ink::SUNKEN, 1.0, Area::new(0.0, y_of(at), width_px, ROW - 1.0))
                }
                Line::Group(first, end) => self.group(surface, first..end, y_of(at), width_px),
                Line::Row(row) => self.row(surface, at, row, y_of(at), width_px),
            }
        }
        self.cuts(surface, height, width_px);
        self.links(surface, &shown, width_px);
        if let Some(area) = self.area {
            self.frame(surface, area, &shown, width_px);
        }
        if let Some(place) = self.playhead {
            let x = self.view.x_of(place, width_px).round();
            surface.rect(Ink::ACCENT, 1.0, Area::new(x, 0.0, 1.0, height));
        }
    }

    /// The ruler above them, 24 px high.
    pub(crate) fn paint_ruler(&self, surface: &mut impl Surface, width_px: f64) {
        let mut free_from = f64::MIN;
        for (x, label) in self.ruler_places(width_px) {
            surface.rect(Ink::LINE_STRONG, 1.0, Area::new(x.round(), 20.0, 1.0, 4.0));
            if x >= free_from && x < width_px - 24.0 {
                free_from = x + surface.text(Ink::TEXT_3, false, x, 16.0, &label) + 8.0;
            }
        }
        for cut in self.axis.cuts() {
            let from = self.view.x_of(cut.at, width_px);
            let to = self.view.x_of(cut.at + cut.width, width_px);
            surface.rect(Ink::SUNKEN, 1.0, Area::new(from, 0.0, (to - from).max(2.0), 24.0));
            let label = format!("{} cut", text::duration((cut.to_us - cut.from_us) / 1_000.0));
            if to > 0.0 && from < width_px {
                surface.text(Ink::TEXT_2, false, from.max(0.0) + 2.0, 11.0, &label);
            }
        }
        if let Some(place) = self.playhead {
            let x = self.view.x_of(place, width_px).round();
            surface.rect(Ink::ACCENT, 1.0, Area::new(x - 2.0, 14.0, 5.0, 10.0));
        }
    }

    /// Ticks (pixels, label) of what is seen.
    fn ruler_places(&self, width_px: f64) -> Vec<(f64, String)> {
        let ms = |place: f64| {
            self.axis
                .time_at(place)
                .clamp(0.0, self.axis.time_at(self.axis.length()))
                / 1_000.0
        };
        let (from, to) = (ms(self.view.from), ms(self.view.to));
        let in_cut = |us: f64| {
            self.axis
                .cuts()
                .iter()
                .any(|cut| us > cut.from_us && us < cut.to_us)
        };
        // Without the cuts as many ticks as the width has room for.
        let seen_ms = self.view.width() / 1_000.0;
        let shrink = ((to - from) / seen_ms.max(0.001)).max(1.0);
        let marks = if shrink > 1.5 {
            let mut marks = Vec::new();
            let mut at = from;
            while at < to && marks.len() < 40 {
                marks.extend(ticks(at, (at + seen_ms).min(to)));
                at += seen_ms;
            }
            marks
        } else {
            ticks(from, to)
        };
        marks
            .into_iter()
            .filter(|(ms, _)| !in_cut(ms * 1_000.0))
            .map(|(ms, label)| (self.view.x_of(self.axis.place_of(ms * 1_000.0), width_px), label))
            .filter(|(x, _)| *x >= -1.0 && *x <= width_px)
            .collect()
    }

    fn step(&self, row: usize) -> &SkeletonStep {
        &self.skeleton.steps[self.layout.rows[row].step]
    }

    fn ink(&self, row: usize) -> Ink {
        self.inks.get(row).copied().unwrap_or(Ink::NEUTRAL)
    }

    fn pieces(&self, rows: impl Iterator<Item = usize>, width_px: f64) -> Vec<Piece> {
        rows.map(|row| {
            let (from, to) = self.spans.get(row);
            Piece {
                from: self.view.x_of(from, width_px),
                to: self.view.x_of(to, width_px),
                colour: self.ink(row).0,
                is_grave: self.step(row).is_grave(),
            }
        })
        .collect()
    }

    fn row(&self, surface: &mut impl Surface, at: usize, row: usize, top: f64, width_px: f64) {
        let place = self.layout.rows[row];
        let is_parent = self.layout.is_parent(row);
        let next = self.lines.get(at + 1).and_then(|line| line.first_row());
        let is_folded = is_parent && next != Some(row + 1);
        let step = self.step(row);
        let (from, to) = self.spans.get(row);
        let (from, to) = (self.view.x_of(from, width_px), self.view.x_of(to, width_px));
        let (x, width) = cut_to(from, to, width_px);
        if width > 0.0 {
            let (y, height, alpha) = if is_parent {
                (top + 11.0, 6.0, 0.45)
            } else {
                (top + 8.0, 12.0, 1.0)
            };
            if is_folded {
                self.filled(surface, row + 1..place.subtree_end, top, width_px);
            } else {
                surface.rect(self.ink(row), alpha, Area::new(x, y, width, height));
            }
            if self.on_path.get(row) == Some(&true) && (!is_parent || is_folded) {
                surface.rect(Ink::TEXT, 1.0, Area::new(x, top + 22.0, width, 2.0));
            }
        }
        let rows = if is_folded {
            row..place.subtree_end
        } else {
            row..row + 1
        };
        self.hit_line(surface, rows.clone(), top, width_px);
        if from > width_px || to < 0.0 {
            self.outside(surface, from > width_px, row, top, width_px);
            return;
        }
        let warn = |surface: &mut _| {
            if step.is_grave() && width > 0.0 {
                mark_on_bar(surface, x, width, top);
            }
        };
        if !self.has_labels {
            warn(surface);
            return;
        }
        let mut label = text::duration(step.shown_ms(self.now_us));
        if is_folded {
            let hidden = rows.len() - 1;
            let failed = rows.skip(1).filter(|row| self.step(*row).is_grave()).count();
            label.push_str(&format!(", {} folded", text::counted(hidden as i64, "step")));
            if failed > 0 {
                label.push_str(&format!(", {} failed or critical", text::grouped(failed as u64)));
            }
        }
        let strong = is_folded || self.selected == Some(at);
        let glyph = Glyph::of(step.status, step.severity);
        if !label_beside(surface, &label, strong, glyph, (from, to), top, width_px) {
            warn(surface);
        }
    }

    /// What a folded step contains: its steps as blocks at full height.
    fn filled(&self, surface: &mut impl Surface, rows: Range<usize>, top: f64, width_px: f64) {
        let leaves = rows.filter(|row| !self.layout.is_parent(*row) || self.step(*row).is_grave());
        let leaves = self.pieces(leaves, width_px);
        self.blocks(surface, &leaves, top, width_px);
    }

    fn blocks(&self, surface: &mut impl Surface, pieces: &[Piece], top: f64, width_px: f64) -> usize {
        let (drawn, most) = blocks(pieces, width_px);
        let (top, height) = if most > 1 {
            (top + 5.0, 18.0)
        } else {
            (top + 8.0, 12.0)
        };
        for block in &drawn {
            let area = Area::new(
                block.x,
                top + block.top * height,
                block.width.max(1.0),
                (block.height * height).max(1.0),
            );
            surface.rect(Ink(block.colour), 1.0, area);
        }
        // Over everything else, so that none is painted over.
        for block in drawn.iter().filter(|block| block.is_grave) {
            let y = top + block.top * height;
            surface.rect(
                Ink::MARK,
                1.0,
                Area::new(block.x, y - 2.0, block.width.max(2.0), 3.0),
            );
        }
        most
    }

    fn group(&self, surface: &mut impl Surface, rows: Range<usize>, top: f64, width_px: f64) {
        let pieces = self.pieces(rows.clone(), width_px);
        let most = self.blocks(surface, &pieces, top, width_px);
        self.hit_line(surface, rows.clone(), top, width_px);
        let from = pieces.iter().map(|piece| piece.from).fold(f64::MAX, f64::min);
        let to = pieces.iter().map(|piece| piece.to).fold(f64::MIN, f64::max);
        if rows.clone().any(|row| self.on_path.get(row) == Some(&true)) {
            let (x, width) = cut_to(from, to, width_px);
            if width > 0.0 {
                surface.rect(Ink::TEXT, 1.0, Area::new(x, top + 24.0, width, 2.0));
            }
        }
        if from > width_px || to < 0.0 {
            self.outside(surface, from > width_px, rows.start, top, width_px);
        } else if self.has_labels {
            let mut label = group_label(rows.clone().map(|row| self.step(row)), self.now_us);
            if most > 1 {
                label.push_str(&format!(", up to {most} at once"));
            }
            let gravest = rows
                .map(|row| self.step(row))
                .max_by_key(|step| (step.is_grave(), step.severity));
            let glyph = gravest.and_then(|step| Glyph::of(step.status, step.severity));
            label_beside(surface, &label, true, glyph, (from, to), top, width_px);
        }
    }

    /// Says on which side of the part that is seen a step lies, and how far.
    fn outside(&self, surface: &mut impl Surface, later: bool, row: usize, top: f64, width_px: f64) {
        let (from, to) = self.spans.get(row);
        if later {
            let ms = self.axis.time_at(from) / 1_000.0;
            let label = format!("from {} ›", text::duration(ms));
            surface.text(
                Ink::TEXT_3,
                false,
                width_px - 8.0 - label.chars().count() as f64 * 6.2,
                top + 18.0,
                &label,
            );
        } else {
            let ms = (self.axis.time_at(self.view.from) - self.axis.time_at(to)) / 1_000.0;
            let label = format!("‹ ended {} earlier", text::duration(ms.max(0.0)));
            surface.text(Ink::TEXT_3, false, 7.0, top + 18.0, &label);
        }
    }

    fn hit_line(&self, surface: &mut impl Surface, rows: Range<usize>, top: f64, width_px: f64) {
        if self.hits.is_empty() {
            return;
        }
        let found = rows.filter(|row| self.hits.get(*row) == Some(&true));
        let pieces = self.pieces(found, width_px);
        let mut last = f64::MIN;
        let mut order: Vec<(f64, f64)> = pieces.iter().map(|piece| (piece.from, piece.to)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (from, to) in order {
            let (x, width) = cut_to(from, to, width_px);
            // What lies within a pixel of the one before it is seen already.
            if width > 0.0 && x + width > last + 0.5 {
                surface.rect(Ink::ACCENT, 1.0, Area::new(x, top + 2.0, width.max(2.0), 2.0));
                last = x + width;
            }
        }
    }
}

/// The part of a bar that is seen, never thinner than can be seen; a width of 0 when none is.
fn cut_to(from: f64, to: f64, width_px: f64) -> (f64, f64) {
    if to < 0.0 || from > width_px {
        return (0.0, 0.0);
    }
    let x = from.max(-4.0);
    (x, (to.min(width_px + 4.0) - x).max(THIN_PX))
}

/// Where there is no room for a glyph, the bar itself says that its step failed.
fn mark_on_bar(surface: &mut impl Surface, x: f64, width: f64, top: f64) {
    surface.rect(Ink::MARK, 1.0, Area::new(x, top + 5.0, width.max(2.0), 3.0));
}

/// A label right of its bar, or left of it where there is too little room; false where there is none on either side.
fn label_beside(
    surface: &mut impl Surface,
    label: &str,
    strong: bool,
    glyph: Option<(Glyph, Ink)>,
    (from, to): (f64, f64),
    top: f64,
    width_px: f64,
) -> bool {
    let ink = if strong { Ink::TEXT } else { Ink::TEXT_2 };
    let glyph_px = if glyph.is_some() { 18.0 } else { 0.0 };
    let about_px = label.chars().count() as f64 * 6.4 + glyph_px + 8.0;
    let x = if width_px - to >= LABEL_ROOM_PX.max(about_px) {
        to + 7.0
    } else if from >= about_px {
        from - about_px
    } else if width_px - to >= LABEL_ROOM_PX {
        to + 7.0
    } else {
        return false;
    };
    if let Some((glyph, ink)) = glyph {
        surface.glyph(glyph, ink, x - 1.0, top + 7.0);
    }
    surface.text(ink, strong, x + glyph_px, top + 18.0, label);
    true
}

#[cfg(test)]
mod tests;
