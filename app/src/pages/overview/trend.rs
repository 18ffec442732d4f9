//! The chart: a metric over time by key, model, step or environment, with what shipped.

use domain::Timestamp;
use domain::series::{Bucket, MetricUnit, SeriesBy};
use leptos::prelude::*;

use super::Page;
use crate::api::overview::{OverviewView, Part};
use crate::chart::{
    Chart, ChartBox, LineSeries, Lines, Marker, Marks, Moment, Role, TableLink, TableToggle, group_markers,
    time_ticks,
};
use crate::models::overview_query::{OverviewQuery, OverviewSpan};
use crate::models::rollout_words::deploy_name;
use crate::ui::links::{deploy_href, page_href};
use crate::ui::time::use_zone;

const HEIGHT_PX: u32 = 300;

/// The chart with its tabs.
#[component]
pub(super) fn Trend(page: Page, view: OverviewView) -> impl IntoView {
    let Page { slug, query, go, .. } = page;
    let offset = use_zone();
    let (metric, by) = (query.read_untracked().metric, query.read_untracked().by);
    let per = bucket_word(view.span.bucket);
    let title = format!("{} {per}, by {}", metric.label(), by.as_str());
    let span = view.span;
    let legend = legend(&view.parts);
    let chart = Memo::new(move |_| chart(&view, &query.read(), &slug.read(), &offset));
    let splits = SeriesBy::ALL
        .iter()
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
    let note = match span.bucket {
        Bucket::Day => "days are those of UTC",
        _ => "",
    };
    view! {
        <section class="cell under-kpi" id="trend" aria-labelledby="trend-title">
            <div class="head">
                <h2 id="trend-title">{title.clone()}</h2>
                <span class="sub">{note}</span>
                <div class="head-actions">
                    <div class="seg sm" role="group" aria-label="Split by">{splits}</div>
                    {styles}
                    <a class="link" href=csv rel="external" download>"CSV"</a>
                    <TableLink toggle/>
                </div>
            </div>
            {legend}
            <ChartBox chart label=title as_table=toggle.shown on_range/>
        </section>
    }
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

/// The series' names, above the chart where beside it is no room.
fn legend(parts: &[Part]) -> impl IntoView + use<> {
    let items = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let class = format!("swatch line {}", role_of(part, index).class());
            view! { <li><span class=class></span>{part_name(part)}</li> }
        })
        .collect_view();
    view! { <ul class="legend narrow">{items}</ul> }
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
    let moments = buckets
        .iter()
        .map(|at| Moment {
            at: span.share(at.plus_micros(half)),
            title: moment_title(*at, span.bucket, offset),
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
        })
        .collect();
    Chart {
        marks: Marks::Lines(Lines {
            moments,
            series,
            is_stacked: query.is_stacked && query.metric.adds_up(),
            unit,
            markers: markers(view, query, slug, offset),
            ticks: time_ticks((span.from, span.to), span.bucket, offset),
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

/// `Thu 12 Nov`, `12 Nov 14:00`: the bucket's beginning on the viewer's clock.
fn moment_title(at: Timestamp, bucket: Bucket, offset: &impl Fn(Timestamp) -> i64) -> String {
    if bucket == Bucket::Day {
        let day = at.to_offset_date_time();
        let weekday = day.weekday().to_string();
        return format!("{} {}", weekday.get(..3).unwrap_or(&weekday), day_and_month(at));
    }
    let local = at.plus_micros(offset(at) * 60_000_000);
    format!("{} {}", day_and_month(local), clock(local))
}

fn day_and_month(at: Timestamp) -> String {
    let at = at.to_offset_date_time();
    let month = at.month().to_string();
    format!("{} {}", at.day(), month.get(..3).unwrap_or(&month))
}

fn clock(at: Timestamp) -> String {
    let (hour, minute, _) = at.to_offset_date_time().to_hms();
    format!("{hour:02}:{minute:02}")
}

/// What shipped, where it is; several beside each other lead to the list of their time.
fn markers(
    view: &OverviewView,
    query: &OverviewQuery,
    slug: &str,
    offset: &impl Fn(Timestamp) -> i64,
) -> Vec<Marker> {
    let named = view.worse.as_ref().map(|worse| worse.deploy.id.as_str());
    let single = view
        .deploys
        .iter()
        .filter(|deploy| deploy.went_live())
        .map(|deploy| {
            let local = deploy.at().plus_micros(offset(deploy.at()) * 60_000_000);
            Marker {
                at: view.span.share(deploy.at()),
                label: deploy.name(),
                title: format!(
                    "{}, {}, {} {}",
                    deploy_name(deploy),
                    deploy.author.as_deref().unwrap_or("author unknown"),
                    day_and_month(local),
                    clock(local)
                ),
                href: deploy_href(slug, &deploy.id),
                is_named: named == Some(deploy.id.as_str()),
            }
        })
        .collect();
    let list = page_href(slug, "deploys");
    group_markers(
        single,
        |count| format!("{count} deploys"),
        |group| match group.iter().find(|marker| marker.is_named) {
            Some(marker) => marker.href.clone(),
            None => format!("{list}{}", query.range_href()),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_called_by_the_viewers_clock_and_days_by_utc() {
        let at = Timestamp::parse_rfc3339("2026-11-12T20:00:00Z").unwrap();
        let check = |bucket: Bucket, offset: i64, expected: &str| {
            assert_eq!(moment_title(at, bucket, &|_| offset), expected);
        };
        check(Bucket::Hour, 0, "12 Nov 20:00");
        check(Bucket::Hour, 345, "13 Nov 01:45");
        check(Bucket::Day, 345, "Thu 12 Nov");
    }

    #[test]
    fn the_rest_has_a_name_and_a_colour_of_its_own() {
        let part = |name: Option<&str>, others: usize| Part {
            name: name.map(str::to_owned),
            others,
            buckets: Vec::new(),
        };
        assert_eq!(part_name(&part(Some("prod"), 0)), "prod");
        assert_eq!(part_name(&part(Some(" "), 0)), "unnamed");
        assert_eq!(part_name(&part(None, 0)), "none");
        assert_eq!(part_name(&part(None, 9)), "9 others");
        assert_eq!(role_of(&part(None, 9), 2), Role::Rest);
    }
}
