//! What lies over the bars: cuts, links between steps, and the frame of an area.

use std::ops::Range;

use domain::text;

use super::{ROW, Scene, Selection};
use crate::timeline::layout::Layout;
use crate::timeline::surface::{Area, Ink, Surface};

impl Scene<'_> {
    pub(super) fn cuts(&self, surface: &mut impl Surface, height: f64, width_px: f64) {
        for cut in self.axis.cuts() {
            let from = self.view.x_of(cut.at, width_px);
            let to = self.view.x_of(cut.at + cut.width, width_px).max(from + 2.0);
            if to < 0.0 || from > width_px {
                continue;
            }
            surface.rect(Ink::SUNKEN, 0.85, Area::new(from, 0.0, to - from, height));
            for x in [from, to] {
                let torn: Vec<(f64, f64)> = (0..=(height / 6.0) as usize)
                    .map(|n| (x + if n % 2 == 0 { -1.5 } else { 1.5 }, n as f64 * 6.0))
                    .collect();
                surface.path(Ink::LINE_STRONG, 1.0, false, &torn);
            }
        }
    }

    /// From the end of an output to the beginning of the step that read it.
    pub(super) fn links(&self, surface: &mut impl Surface, shown: &Range<usize>, width_px: f64) {
        for link in self.flow {
            let line = |row: usize| Layout::line_of(self.lines, self.layout, row);
            let (Some(from_line), Some(to_line)) = (line(link.from_row), line(link.to_row)) else {
                continue;
            };
            let outside = |line: usize| line + 1 < shown.start || line > shown.end;
            if from_line == to_line || (outside(from_line) && outside(to_line)) {
                continue;
            }
            let y_of = |line: usize| (line as f64 - shown.start as f64) * ROW;
            let x_from = self.view.x_of(self.spans.get(link.from_row).1, width_px);
            let x_to = self.view.x_of(self.spans.get(link.to_row).0, width_px);
            let down = to_line > from_line;
            let y_from = y_of(from_line) + if down { 21.0 } else { 7.0 };
            let y_to = y_of(to_line) + if down { 7.0 } else { 21.0 };
            let turn = if down { y_to - 4.0 } else { y_to + 4.0 };
            let points = [(x_from, y_from), (x_from, turn), (x_to, turn), (x_to, y_to)];
            surface.path(Ink::MARK, 1.5, !link.is_exact, &points);
            let tip = if down { y_to - 3.0 } else { y_to };
            surface.rect(Ink::MARK, 1.0, Area::new(x_to - 2.0, tip, 4.0, 3.0));
        }
    }

    pub(super) fn frame(
        &self,
        surface: &mut impl Surface,
        area: &Selection,
        shown: &Range<usize>,
        width_px: f64,
    ) {
        let y_of = |line: usize| (line as f64 - shown.start as f64) * ROW;
        let (x, to) = (
            self.view.x_of(area.from, width_px),
            self.view.x_of(area.to, width_px),
        );
        let (top, bottom) = (y_of(area.lines.start) + 0.5, y_of(area.lines.end) - 0.5);
        surface.rect(Ink::ACCENT, 0.12, Area::new(x, top, to - x, bottom - top));
        let corners = [(x, top), (to, top), (to, bottom), (x, bottom), (x, top)];
        surface.path(Ink::ACCENT, 1.0, true, &corners);
        let us = self.axis.time_at(area.to) - self.axis.time_at(area.from);
        let label = format!("{} × {} rows", text::duration(us / 1_000.0), area.lines.len());
        surface.text(Ink::ACCENT, true, x + 6.0, bottom - 8.0, &label);
    }
}
