//! The metrics at a glance. Each is a tab of the chart below.

use domain::series::{Metric, MetricUnit};
use leptos::prelude::*;

use super::Page;
use crate::api::overview::{Cell, OverviewView};
use crate::chart::spark;
use crate::models::rollout_words::ratio;

/// The cells, as tabs.
#[component]
pub(super) fn Cells(page: Page, view: OverviewView) -> impl IntoView {
    let query = page.query;
    let unpriced = view.unpriced;
    let cells = view
        .cells
        .into_iter()
        .map(|cell| {
            let metric = cell.metric;
            let is_chosen = move || query.read().metric == metric;
            let (delta, tone) = delta(&cell);
            let value = cell.now.map_or_else(
                || "–".to_owned(),
                |value| engine::series::text(value, metric.unit()),
            );
            let exact = exact(&cell, unpriced);
            let drawing = spark(&cell.buckets);
            view! {
                <a
                    class="kpi"
                    role="tab"
                    href=move || query.read().with(|query| query.metric = metric).to_href()
                    aria-selected=move || if is_chosen() { "true" } else { "false" }
                    aria-controls="trend"
                    title=exact
                    data-noscroll
                >
                    <span class="kpi-label">{metric.label()}</span>
                    <span class="kpi-value num">{value}</span>
                    <span class="kpi-delta num" data-tone=tone>{delta}</span>
                    <svg
                        class=move || if is_chosen() { "spark c1" } else { "spark c8" }
                        height="32"
                        aria-hidden="true"
                        inner_html=drawing
                    ></svg>
                </a>
            }
        })
        .collect_view();
    view! { <div class="kpis" data-cells="8" role="tablist" aria-label="Metric of the chart">{cells}</div> }
}

/// The change against the window before, and whether it is for the worse.
fn delta(cell: &Cell) -> (String, Option<&'static str>) {
    let (Some(now), Some(before)) = (cell.now, cell.before) else {
        let word = if cell.now.is_some() { "none before" } else { "" };
        return (word.to_owned(), None);
    };
    let was = engine::series::text(before, cell.metric.unit());
    if before <= 0.0 {
        return (format!("was {was}"), None);
    }
    let change = now / before - 1.0;
    // A tenth more or less is every other day's.
    let is_worse = cell.metric.more_is_worse() == Some(true) && change >= 0.1;
    (format!("{} was {was}", ratio(change)), is_worse.then_some("up"))
}

/// The full value.
fn exact(cell: &Cell, unpriced: i64) -> String {
    let label = cell.metric.label();
    let Some(value) = cell.now else {
        return format!("{label}: unknown");
    };
    let text = match cell.metric.unit() {
        MetricUnit::NanoUsd => format!("${}", domain::NanoUsd(value.round() as i64).to_decimal()),
        MetricUnit::Calls | MetricUnit::Tokens => domain::text::grouped(value.max(0.0) as u64),
        MetricUnit::Ms => format!("{value:.1} ms"),
        MetricUnit::Share => format!("{:.3} %", value * 100.0),
    };
    if unpriced > 0 && matches!(cell.metric, Metric::Cost | Metric::CostPerCall) {
        let steps = domain::text::counted(unpriced, "step");
        return format!("{label}: {text}; nobody has a price for {steps} more");
    }
    format!("{label}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(metric: Metric, now: Option<f64>, before: Option<f64>) -> Cell {
        Cell {
            metric,
            now,
            before,
            buckets: Vec::new(),
        }
    }

    #[test]
    fn a_rise_is_red_only_where_more_is_worse() {
        let check =
            |cell: Cell, text: &str, tone: Option<&str>| assert_eq!(delta(&cell), (text.to_owned(), tone));
        check(
            cell(Metric::Cost, Some(21.87e9), Some(8.66e9)),
            "×2.5 was $8.66",
            Some("up"),
        );
        check(
            cell(Metric::Cost, Some(9.0e9), Some(8.66e9)),
            "+4 % was $8.66",
            None,
        );
        check(
            cell(Metric::Calls, Some(1_170.0), Some(861.0)),
            "+36 % was 861",
            None,
        );
        check(
            cell(Metric::ErrorRate, Some(0.0083), Some(0.0116)),
            "−28 % was 1.16 %",
            None,
        );
        check(cell(Metric::ErrorRate, Some(0.01), Some(0.0)), "was 0 %", None);
        check(cell(Metric::Cost, Some(1.0), None), "none before", None);
        check(cell(Metric::Cost, None, None), "", None);
    }

    #[test]
    fn the_title_says_what_is_missing() {
        assert_eq!(
            exact(&cell(Metric::Cost, Some(1_500_000_000.0), None), 2),
            "Cost: $1.5; nobody has a price for 2 steps more"
        );
        assert_eq!(
            exact(&cell(Metric::LatencyP95, None, None), 0),
            "Latency p95: unknown"
        );
    }
}
