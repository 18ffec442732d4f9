//! Health over time: conditions, latency, errors, calls and cost, one below the other on one time axis with what shipped.

use domain::Timestamp;
use domain::filter::encode_query;
use domain::series::{Bucket, Metric};
use leptos::prelude::*;

use super::drawn::{self, PANELS, Panel};
use crate::api::scope::ScopeView;
use crate::chart::{
    Chart, ChartBox, Marker, Moment, Role, TableLink, TableToggle, moment_title, plumb_lines, so_far,
    time_ticks,
};
use crate::models::overview_query::{OverviewQuery, OverviewSpan};
use crate::pages::deploy_markers::deploy_markers;
use crate::pages::time_window::{BucketChoice, Page};
use crate::ui::time::use_zone;

/// The charts, or their numbers as one table.
#[component]
pub(super) fn Health(page: Page, view: ScopeView) -> impl IntoView {
    let Page { slug, query, go, .. } = page;
    let offset = use_zone();
    let span = view.span;
    let toggle = TableToggle {
        shown: Signal::derive(move || query.read().as_table),
        href: Signal::derive(move || {
            query
                .read()
                .with(|query| query.as_table = !query.as_table)
                .to_href()
        }),
    };
    let note = note(&view);
    let view = StoredValue::new(view);
    let axis = Memo::new(move |_| Axis::of(&view.read_value(), &slug.read(), &query.read(), &offset));
    let on_range = Callback::new(move |range: (f64, f64)| go.run(query.read_untracked().zoomed(span, range)));
    let conditions = Memo::new(move |_| drawn::conditions(&view.read_value(), &axis.read().moments));
    let plumb = Signal::derive(move || {
        let height_px = conditions.read().height_px;
        plumb_lines(&axis.read().markers, height_px)
    });
    let layers = view.with_value(|view| {
        let mut layers: Vec<u8> = view.layers.iter().map(|count| count.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    });
    let charts = PANELS
        .into_iter()
        .enumerate()
        .map(|(nth, panel)| {
            let has_axis = nth + 1 == PANELS.len();
            let chart = Memo::new(move |_| chart(&view.read_value(), panel, &axis.read(), has_axis));
            let csv = panel.metrics.first().map(|(metric, _)| {
                let metric = *metric;
                let href =
                    move || view.with_value(|view| csv_href(&slug.read(), &query.read(), view, metric));
                let label = format!("{} as CSV", panel.title);
                view! { <a class="link push" href=href rel="external" download aria-label=label>"CSV"</a> }
            });
            view! {
                <div class="health-head">
                    <h3>{panel.title}</h3>
                    {view.with_value(|view| values(view, panel))}
                    {csv}
                </div>
                <ChartBox chart label=panel.title as_table=Signal::stored(false) on_range/>
            }
        })
        .collect_view();
    let layer_names = layers
        .into_iter()
        .filter_map(|layer| {
            let name = engine::codes::LAYERS.get(usize::from(layer).checked_sub(1)?)?;
            let class = format!("swatch {}", Role::layer(layer).class());
            Some(view! { <li><span class=class></span>{*name}</li> })
        })
        .collect_view();
    let table = move || table(&view.read_value(), &axis.read());
    view! {
        <section class="cell" id="health" aria-labelledby="health-title">
            <div class="head">
                <h2 id="health-title">"Health"</h2>
                <span class="sub">{note}</span>
                <div class="head-actions"><BucketChoice page span/><TableLink toggle/></div>
            </div>
            <div class="health" hidden=move || toggle.shown.get()>
                <div class="health-head">
                    <h3>"Conditions"</h3>
                    <ul class="legend">{layer_names}</ul>
                </div>
                <ChartBox chart=conditions label="Conditions by layer" as_table=Signal::stored(false) above=plumb/>
                {charts}
            </div>
            {move || toggle.shown.get().then(table)}
        </section>
    }
}

/// What all charts have in common.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    moments: Vec<Moment>,
    markers: Vec<Marker>,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn of(view: &ScopeView, slug: &str, query: &OverviewQuery, offset: &impl Fn(Timestamp) -> i64) -> Self {
        let span = view.span;
        let named = view.worse.as_ref().map(|worse| worse.deploy.id.as_str());
        Self {
            moments: drawn::moments(span, |at| {
                so_far(moment_title(at, span.bucket, offset), span.goes_on(at, view.now))
            }),
            markers: deploy_markers(&view.deploys, named, span, slug, &query.range_href(), offset),
            ticks: time_ticks((span.from, span.to), span.bucket, offset),
        }
    }
}

fn chart(view: &ScopeView, panel: Panel, axis: &Axis, has_axis: bool) -> Chart {
    let ticks = if has_axis { axis.ticks.clone() } else { Vec::new() };
    drawn::lines(view, panel, &axis.moments, &axis.markers, ticks)
}

/// What a bucket is, and what the band is.
fn note(view: &ScopeView) -> String {
    let per = match view.span.bucket {
        Bucket::Day => "per day, UTC",
        Bucket::Hour => "per hour",
        Bucket::FiveMinutes => "per 5 minutes",
        Bucket::Minute => "per minute",
    };
    if view.drawn.iter().any(|drawn| !drawn.usual.is_empty()) {
        format!("{per}; shaded: usual at that time of the week")
    } else {
        per.to_owned()
    }
}

/// The latest value of each line of a chart, which is its legend.
fn values(view: &ScopeView, panel: Panel) -> impl IntoView + use<> {
    let items = panel
        .metrics
        .iter()
        .enumerate()
        .filter_map(|(nth, (metric, name))| {
            let value = engine::series::text(drawn::last_value(view, *metric)?, metric.unit());
            let class = format!("swatch line {}", drawn::role_of(nth).class());
            let name = (panel.metrics.len() > 1).then(|| format!("{name} "));
            Some(view! { <li><span class=class></span>{name}<span class="num">{value}</span></li> })
        })
        .collect_view();
    view! { <ul class="legend" title="The latest value">{items}</ul> }
}

/// Where a metric's numbers are as CSV.
fn csv_href(slug: &str, query: &OverviewQuery, view: &ScopeView, metric: Metric) -> String {
    let OverviewSpan { from, to, bucket, .. } = view.span;
    let (from, to) = (from.to_string(), to.to_string());
    let mut pairs = vec![
        ("format", "csv"),
        ("project", slug),
        ("metric", metric.as_str()),
        ("bucket", bucket.as_str()),
        ("from", &from),
        ("to", &to),
        (view.by.as_str(), &view.name),
    ];
    let chips = query.chips();
    let others = chips.iter().filter(|(by, _)| *by != view.by);
    pairs.extend(others.map(|(by, value)| (by.as_str(), value.as_str())));
    format!("/api/series?{}", encode_query(pairs))
}

/// All of it in figures, the latest first. What is unknown is a dash.
fn table(view: &ScopeView, axis: &Axis) -> impl IntoView + use<> {
    let metrics: Vec<(Metric, &str)> = PANELS
        .iter()
        .flat_map(|panel| panel.metrics.iter().copied())
        .collect();
    let heads = metrics
        .iter()
        .map(|(metric, _)| view! { <th class="n" scope="col">{metric.label()}</th> })
        .collect_view();
    let buckets = view.span.buckets();
    let rows = axis
        .moments
        .iter()
        .zip(&buckets)
        .enumerate()
        .rev()
        .map(|(index, (moment, at))| {
            let cells = metrics
                .iter()
                .map(|(metric, _)| {
                    let drawn = view.drawn.iter().find(|drawn| drawn.metric == *metric);
                    match drawn.and_then(|drawn| drawn.buckets.get(index).copied().flatten()) {
                        Some(value) => {
                            view! { <td class="n t">{engine::series::text(value, metric.unit())}</td> }.into_any()
                        }
                        None => view! { <td class="n none">"–"</td> }.into_any(),
                    }
                })
                .collect_view();
            let conditions: i64 = view
                .layers
                .iter()
                .filter(|count| count.at == *at)
                .map(|count| count.count)
                .sum();
            let conditions = domain::text::grouped(conditions.unsigned_abs());
            view! { <tr><th scope="row">{moment.title.clone()}</th>{cells}<td class="n">{conditions}</td></tr> }
        })
        .collect_view();
    view! {
        <div class="scroll-x ch-table" tabindex="0" role="region" aria-label="Health as a table">
            <table class="table compact">
                <thead><tr><th scope="col">"Time"</th>{heads}<th class="n" scope="col">"Conditions"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
