//! A chart on paper: the server's SVG with its texts and markers, for documents without script.

use super::{Chart, overlay, svg};

/// The chart as markup. `label` says what it shows.
pub(crate) fn still(chart: &Chart, label: &str) -> String {
    let height = chart.height_px;
    let label = overlay::escaped(label);
    let (y_texts, marks, x_texts) = (svg::y_texts(chart), svg::marks(chart), svg::x_texts(chart));
    let (zones, markers) = (overlay::zones(chart, true), overlay::markers(chart));
    let ends = overlay::line_labels(chart);
    format!(
        r#"<div class="ch"><svg class="plot ch-y" height="{height}" aria-hidden="true">{y_texts}</svg><div class="ch-plot"><svg class="plot ch-marks" height="{height}" aria-hidden="true">{marks}</svg><svg class="plot ch-over" height="{height}" role="group" aria-label="{label}"><g aria-hidden="true">{x_texts}</g><g>{zones}</g><g>{markers}</g></svg></div><svg class="plot ch-ends ch-names" height="{height}" aria-hidden="true">{ends}</svg></div>"#
    )
}
