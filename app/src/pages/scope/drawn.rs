//! The charts of the page, one below the other on one time axis: what is drawn in each.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::series::{LayerCount, Metric, MetricUnit};

use crate::api::scope::{DrawnMetric, ScopeView};
use crate::chart::{Bar, Bars, Chart, LineSeries, Lines, Marker, Marks, Moment, Role, Series};
use crate::models::overview_query::OverviewSpan;

/// The height of what is drawn in one chart, in CSS pixels.
const HEIGHT_PX: u32 = 74;
/// What the axis and the lane of deploys below the last chart need besides.
const FOOT_PX: u32 = 48;

/// One chart: what it shows, in which metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// The first is drawn in front.
    pub(super) metrics: &'static [(Metric, &'static str)],
}

/// The charts of metrics, from top to bottom. The last has the axis.
pub(super) const PANELS: [Panel; 5] = [
    Panel {
        title: "Latency",
        metrics: &[(Metric::LatencyP95, "p95"), (Metric::LatencyP50, "p50")],
    },
    Panel {
        title: "Error rate",
        metrics: &[(Metric::ErrorRate, "errors")],
    },
    Panel {
        title: "Calls",
        metrics: &[(Metric::Calls, "calls")],
    },
    Panel {
        title: "Cost",
        metrics: &[(Metric::Cost, "cost")],
    },
    Panel {
        title: "Cost per call",
        metrics: &[(Metric::CostPerCall, "per call")],
    },
];

/// The moments of the window, named on the viewer's clock.
pub(super) fn moments(span: OverviewSpan, title: impl Fn(Timestamp) -> String) -> Vec<Moment> {
    let half = span.bucket.micros() / 2;
    span.buckets()
        .into_iter()
        .map(|at| Moment {
            at: span.share(at.plus_micros(half)),
            title: title(at),
        })
        .collect()
}

fn metric_of(view: &ScopeView, metric: Metric) -> Option<&DrawnMetric> {
    view.drawn.iter().find(|drawn| drawn.metric == metric)
}

/// The latest known value of a metric.
pub(super) fn last_value(view: &ScopeView, metric: Metric) -> Option<f64> {
    let values = &metric_of(view, metric)?.buckets;
    values.iter().rev().copied().flatten().next()
}

/// The role of the nth metric of a chart.
pub(super) const fn role_of(nth: usize) -> Role {
    match nth {
        0 => Role::Series1,
        _ => Role::Rest,
    }
}

/// A chart of metrics. With `ticks` it has the axis and the lane of deploys.
pub(super) fn lines(
    view: &ScopeView,
    panel: Panel,
    moments: &[Moment],
    markers: &[Marker],
    ticks: Vec<(f64, String)>,
) -> Chart {
    let unit = panel
        .metrics
        .first()
        .map_or(MetricUnit::Calls, |(metric, _)| metric.unit());
    let height_px = if ticks.is_empty() {
        HEIGHT_PX
    } else {
        HEIGHT_PX + FOOT_PX
    };
    let series = panel
        .metrics
        .iter()
        .enumerate()
        .filter_map(|(nth, (metric, name))| {
            let drawn = metric_of(view, *metric)?;
            Some(LineSeries {
                name: (*name).to_owned(),
                role: role_of(nth),
                values: drawn.buckets.clone(),
                usual: drawn.usual.clone(),
                href: None,
            })
        })
        .collect();
    Chart {
        marks: Marks::Lines(Lines {
            moments: moments.to_vec(),
            series,
            is_stacked: false,
            unit,
            markers: markers.to_vec(),
            ticks,
            is_last_unfinished: view.now < view.span.to,
        }),
        unit: "",
        across: "Time",
        height_px,
    }
}

/// Conditions by layer, as bars above one another.
pub(super) fn conditions(view: &ScopeView, moments: &[Moment]) -> Chart {
    let mut by_bucket: BTreeMap<Timestamp, [i64; 5]> = BTreeMap::new();
    for LayerCount { at, layer, count } in &view.layers {
        let layers = by_bucket.entry(*at).or_default();
        if let Some(sum) = usize::from(*layer)
            .checked_sub(1)
            .and_then(|nth| layers.get_mut(nth))
        {
            *sum += count;
        }
    }
    let bars = view
        .span
        .buckets()
        .iter()
        .zip(moments)
        .map(|(at, moment)| Bar {
            // The axis is below the last chart.
            label: String::new(),
            title: moment.title.clone(),
            href: None,
            values: by_bucket.get(at).copied().unwrap_or_default().to_vec(),
        })
        .collect();
    let series = (1..=5_u8)
        .zip(engine::codes::LAYERS)
        .map(|(layer, name)| Series {
            name: format!("{layer} {name}"),
            role: Role::layer(layer),
        })
        .collect();
    Chart {
        marks: Marks::Bars(Bars { series, bars }),
        unit: "condition",
        across: "Time",
        height_px: HEIGHT_PX,
    }
}

#[cfg(test)]
mod tests {
    use domain::series::Bucket;

    use super::*;

    fn view() -> ScopeView {
        let at = |day: i64| Timestamp::from_micros(day * Bucket::Day.micros());
        let drawn = |metric: Metric, buckets: [Option<f64>; 3]| DrawnMetric {
            metric,
            buckets: buckets.to_vec(),
            usual: Vec::new(),
        };
        ScopeView {
            now: at(10),
            span: OverviewSpan {
                before_from: at(4),
                from: at(7),
                to: at(10),
                bucket: Bucket::Day,
            },
            by: domain::SeriesBy::Step,
            name: "parse".to_owned(),
            cells: Vec::new(),
            drawn: vec![
                drawn(Metric::LatencyP95, [Some(900.0), None, Some(800.0)]),
                drawn(Metric::LatencyP50, [Some(500.0), None, None]),
            ],
            layers: vec![
                LayerCount {
                    at: at(8),
                    layer: 2,
                    count: 3,
                },
                LayerCount {
                    at: at(8),
                    layer: 5,
                    count: 1,
                },
                LayerCount {
                    at: at(9),
                    layer: 9,
                    count: 7,
                },
            ],
            parts: Vec::new(),
            deploys: Vec::new(),
            compared: 0,
            latest: None,
            worse: None,
            first_seen: None,
            steps: None,
            unpriced: 0,
            facets: domain::run::Facets::default(),
        }
    }

    #[test]
    fn bars_stand_where_their_bucket_is() {
        let view = view();
        let moments = moments(view.span, |at| at.to_string());
        let Marks::Bars(bars) = conditions(&view, &moments).marks else {
            unreachable!("bars are drawn")
        };
        let values: Vec<_> = bars.bars.iter().map(|bar| bar.values.clone()).collect();
        assert_eq!(values, [vec![0; 5], vec![0, 3, 0, 0, 1], vec![0; 5]]);
        assert_eq!(bars.series[1].name, "2 Contract");
    }

    #[test]
    fn only_the_last_chart_has_an_axis() {
        let view = view();
        let moments = moments(view.span, |at| at.to_string());
        let bare = lines(&view, PANELS[0], &moments, &[], Vec::new());
        let last = lines(&view, PANELS[0], &moments, &[], vec![(0.5, "8 Jan".to_owned())]);
        assert_eq!((bare.height_px, last.height_px), (HEIGHT_PX, HEIGHT_PX + FOOT_PX));
        assert_eq!(last_value(&view, Metric::LatencyP50), Some(500.0));
        assert_eq!(last_value(&view, Metric::Cost), None);
    }
}
