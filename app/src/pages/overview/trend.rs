//! The chart: a metric over time by key, model, step or environment, with what shipped.

use domain::series::{Bucket, Metric, MetricUnit, SeriesBy};
use domain::{IncidentStatus, Timestamp};
use leptos::prelude::*;

use super::Page;
use crate::api::overview::{OverviewView, Part};
use crate::chart::{
    Chart, ChartBox, LineSeries, Lines, Marks, Moment, Role, TableLink, TableToggle, escaped, moment_title,
    so_far, time_ticks,
};
use crate::models::overview_query::{OverviewQuery, OverviewSpan};
use crate::pages::deploy_markers::deploy_markers;
use crate::pages::time_window::BucketChoice;
use crate::ui::links::scope_href;
use crate::ui::time::use_zone;

const HEIGHT_PX: u32 = 300;
/// The texts of the axis and the lane of the deploys, below the marks.
const FOOT_PX: u32 = 46;

/// The chart with its tabs.
#[component]
pub(super) fn Trend(page: Page, view: OverviewView) -> impl IntoView {
    let Page { slug, query, go, .. } = page;
    let offset = use_zone();
    let (metric, by) = (query.read_untracked().metric, query.read_untracked().by);
    let per = bucket_word(view.span.bucket);
    let title = format!("{} {per}, by {}", metric.label(), by.as_str());
    let span = view.span;
    let legend = legend(&view.parts, slug, by, query);
    let note = note(&view, metric);
    let shaded = shaded(&view);
    let chart = Memo::new(move |_| chart(&view, &query.read(), &slug.read(), &offset));
    // Templates have a page of their own.
    let splits = SeriesBy::ALL
        .iter()
        .filter(|choice| **choice != SeriesBy::Template)
        .map(|choice| {
            view! {
                <a
                    href=move || query.read().with(|query| query.by = *choice).to_href()
                    aria-current=move || (query.read().by == *choice).then_some("true")
                    data-noscroll
                >
                    {capital(choice.as_str())}
                </a>
            }
        })
        .collect_view();
    let styles = metric.adds_up().then(|| {
        let link = move |stacked: bool, label: &'static str| {
            view! {
                <a
                    href=move || query.read().with(|query| query.is_stacked = stacked).to_href()
                    aria-current=move || (query.read().is_stacked == stacked).then_some("true")
                    data-noscroll
                >
                    {label}
                </a>
            }
        };
        view! {
            <div class="seg sm" role="group" aria-label="Drawn as">{link(false, "Lines")}{link(true, "Stacked")}</div>
        }
    });
    let toggle = TableToggle {
        shown: Signal::derive(move || query.read().as_table),
        href: Signal::derive(move || {
            query
                .read()
                .with(|query| query.as_table = !query.as_table)
                .to_href()
        }),
    };
    let csv = move || csv_href(&slug.read(), &query.read(), span);
    let on_range = Callback::new(move |range: (f64, f64)| go.run(query.read_untracked().zoomed(span, range)));
    view! {
        <section class="cell under-kpi" id="trend" aria-labelledby="trend-title">
            <div class="head">
                <h2 id="trend-title">{title.clone()}</h2>
                <span class="sub">{note}</span>
                <div class="head-actions">
                    <BucketChoice page span/>
                    <div class="seg sm" role="group" aria-label="Split by">{splits}</div>
                    {styles}
                    <a class="link" href=csv rel="external" download>"CSV"</a>
                    <TableLink toggle/>
                </div>
            </div>
            {legend}
            <ChartBox chart label=title as_table=toggle.shown above=shaded on_range/>
        </section>
    }
}

/// What the cells compare, what the band is, and whose days they are.
fn note(view: &OverviewView, metric: Metric) -> String {
    let mut notes = Vec::new();
    if let Some((deploy, _)) = &view.since {
        notes.push(format!(
            "the figures above are since {}, against as long before it",
            deploy.name()
        ));
    }
    let banded = view
        .parts
        .iter()
        .find(|part| part.usual.iter().any(Option::is_some));
    notes.extend(banded.map(|part| {
        let when = if view.span.bucket == Bucket::Hour {
            "hour"
        } else {
            "day"
        };
        let metric = metric.label().to_lowercase();
        format!(
            "shaded: usual {metric} of {} at that {when} of the week",
            part_name(part)
        )
    }));
    if view.span.bucket == Bucket::Day {
        notes.push("days are those of UTC".to_owned());
    }
    notes.join("; ")
}

fn bucket_word(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Minute => "per minute",
        Bucket::FiveMinutes => "per 5 minutes",
        Bucket::Hour => "per hour",
        Bucket::Day => "per day",
    }
}

fn capital(word: &str) -> String {
    let mut word = word.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}

/// The time of each incident, from its onset on.
fn shaded(view: &OverviewView) -> String {
    let mut out = String::new();
    for incident in &view.incidents {
        let begin = view.span.share(incident.onset).clamp(0.0, 1.0) * 100.0;
        let end = match incident.status {
            IncidentStatus::Open => 100.0,
            _ => view.span.share(incident.until).clamp(0.0, 1.0) * 100.0,
        };
        let class = if incident.status == IncidentStatus::Open {
            "mark-zone"
        } else {
            "past-zone"
        };
        out.push_str(&format!(
            r#"<rect class="{class}" x="{begin:.2}%" y="0" width="{:.2}%" height="{}"/><line class="mark-line" x1="{begin:.2}%" x2="{begin:.2}%" y1="0" y2="{}"><title>{}</title></line>"#,
            (end - begin).max(0.3),
            HEIGHT_PX - FOOT_PX,
            HEIGHT_PX - FOOT_PX,
            escaped(&format!("Incident: {}", incident.sentence))
        ));
    }
    out
}

/// Where the chart's numbers are as CSV.
fn csv_href(slug: &str, query: &OverviewQuery, span: OverviewSpan) -> String {
    let (from, to) = (span.from.to_string(), span.to.to_string());
    let mut pairs = vec![
        ("format", "csv"),
        ("project", slug),
        ("metric", query.metric.as_str()),
        ("by", query.by.as_str()),
        ("bucket", span.bucket.as_str()),
        ("from", &from),
        ("to", &to),
    ];
    let chips = query.chips();
    pairs.extend(chips.iter().map(|(by, value)| (by.as_str(), value.as_str())));
    format!("/api/series?{}", domain::filter::encode_query(pairs))
}

/// The series' names, each with the page it has, above the chart where beside it is no room.
fn legend(
    parts: &[Part],
    slug: Memo<String>,
    by: SeriesBy,
    query: Memo<OverviewQuery>,
) -> impl IntoView + use<> {
    let items = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let class = format!("swatch line {}", role_of(part, index).class());
            let text = part_name(part);
            let name = match part_page(part, &slug.read_untracked(), by) {
                Some(page) => {
                    let href = move || format!("{page}{}", query.read().range_href());
                    view! { <a class="link" href=href>{text}</a> }.into_any()
                }
                None => text.into_any(),
            };
            view! { <li><span class=class></span>{name}</li> }
        })
        .collect_view();
    view! { <ul class="legend narrow">{items}</ul> }
}

/// The page of a series that is one thing's.
fn part_page(part: &Part, slug: &str, by: SeriesBy) -> Option<String> {
    let name = part.name.as_deref().filter(|_| part.others == 0)?;
    scope_href(slug, by, name)
}

fn part_name(part: &Part) -> String {
    match (&part.name, part.others) {
        (Some(name), _) if name.trim().is_empty() => "unnamed".to_owned(),
        (Some(name), _) => name.clone(),
        (None, 0) => "none".to_owned(),
        (None, others) => format!("{others} others"),
    }
}

fn role_of(part: &Part, index: usize) -> Role {
    if part.others > 0 {
        Role::Rest
    } else {
        Role::series(index)
    }
}

fn chart(
    view: &OverviewView,
    query: &OverviewQuery,
    slug: &str,
    offset: &impl Fn(Timestamp) -> i64,
) -> Chart {
    let span = view.span;
    let unit = query.metric.unit();
    let buckets = span.buckets();
    let half = span.bucket.micros() / 2;
    let range = query.range_href();
    let named = view.worse.as_ref().map(|worse| worse.deploy.id.as_str());
    let moments = buckets
        .iter()
        .map(|at| Moment {
            at: span.share(at.plus_micros(half)),
            title: so_far(
                moment_title(*at, span.bucket, offset),
                span.goes_on(*at, view.now),
            ),
        })
        .collect();
    let series = view
        .parts
        .iter()
        .enumerate()
        .map(|(index, part)| LineSeries {
            name: part_name(part),
            role: role_of(part, index),
            values: part.buckets.clone(),
            usual: part.usual.clone(),
            href: part_page(part, slug, query.by).map(|page| format!("{page}{range}")),
        })
        .collect();
    Chart {
        marks: Marks::Lines(Lines {
            moments,
            series,
            is_stacked: query.is_stacked && query.metric.adds_up(),
            unit,
            markers: deploy_markers(&view.deploys, named, span, slug, &range, offset),
            ticks: time_ticks((span.from, span.to), span.bucket, offset),
            is_last_unfinished: view.now < span.to,
        }),
        unit: if unit == MetricUnit::Calls { "call" } else { "" },
        across: match span.bucket {
            Bucket::Day => "Day",
            Bucket::Hour => "Hour",
            Bucket::FiveMinutes | Bucket::Minute => "Time",
        },
        height_px: HEIGHT_PX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_has_a_name_and_a_colour_of_its_own() {
        let part = |name: Option<&str>, others: usize| Part {
            name: name.map(str::to_owned),
            others,
            buckets: Vec::new(),
            usual: Vec::new(),
        };
        assert_eq!(part_name(&part(Some("prod"), 0)), "prod");
        assert_eq!(part_name(&part(Some(" "), 0)), "unnamed");
        assert_eq!(part_name(&part(None, 0)), "none");
        assert_eq!(part_name(&part(None, 9)), "9 others");
        assert_eq!(role_of(&part(None, 9), 2), Role::Rest);
    }
}
