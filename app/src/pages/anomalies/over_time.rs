//! Conditions over time, stacked.

use std::collections::BTreeMap;

use domain::anomaly::BucketSpan;
use domain::{Severity, Timestamp, text};
use leptos::prelude::*;

use super::Page;
use super::layers::before_words;
use super::sums::Sums;
use crate::api::anomalies::AnomaliesView;
use crate::chart::{Bar, Bars, Chart, ChartBox, Marks, Role, Series, TableLink, TableToggle};
use crate::models::anomalies_query::{AnomaliesQuery, Period, Split};
use crate::pages::conditions::code_name;

/// Series with a name of their own; the others are "rest".
const NAMED: usize = 5;
const HEIGHT_PX: u32 = 172;

/// The chart with its tabs.
#[component]
pub(super) fn OverTime(page: Page, view: AnomaliesView, sums: Sums) -> impl IntoView {
    let query = page.query;
    let period = query.read_untracked().period;
    let split = query.read_untracked().split;
    let unit = if split == Split::Severity {
        "Steps"
    } else {
        "Conditions"
    };
    let per = if period == Period::Day { "hour" } else { "day" };
    let title = format!("{unit} per {per}");
    let label = format!("{title} by {}", split.label().to_lowercase());
    let note = format!(
        "{} in {}, {} {}",
        text::counted(sums.all.now, "condition"),
        text::counted(view.counts.steps_now, "step"),
        before_words(period).trim_start_matches("the "),
        text::grouped(sums.all.before.unsigned_abs())
    );
    let chart = chart(&view, &query.read_untracked());
    // The layers are named beside the chart.
    let legend = (split != Split::Layer).then(|| legend(&chart));
    let tabs = Split::ALL
        .map(|(choice, _, label)| {
            view! {
                <a
                    href=move || query.read().with(|query| query.split = choice).to_href()
                    aria-current=move || (query.read().split == choice).then_some("true")
                    data-noscroll
                >
                    {label}
                </a>
            }
        })
        .collect_view();
    let toggle = TableToggle {
        shown: Signal::derive(move || query.read().as_table),
        href: Signal::derive(move || {
            query
                .read()
                .with(|query| query.as_table = !query.as_table)
                .to_href()
        }),
    };
    view! {
        <section class="cell" aria-labelledby="over-time">
            <div class="head">
                <h2 id="over-time">{title}</h2>
                <span class="sub num" title="Hours and days are counted in UTC">{note}</span>
                <div class="head-actions">
                    <div class="seg sm" role="group" aria-label="Split by">{tabs}</div>
                    <TableLink toggle/>
                </div>
            </div>
            <ChartBox chart=Signal::stored(chart) label as_table=toggle.shown/>
            {legend}
        </section>
    }
}

/// The names of the series.
fn legend(chart: &Chart) -> impl IntoView + use<> {
    let Marks::Bars(bars) = &chart.marks else {
        return None;
    };
    let items = bars
        .series
        .iter()
        .rev()
        .map(|series| view! { <li><span class=format!("swatch {}", series.role.class())></span>{series.name.clone()}</li> })
        .collect_view();
    Some(view! { <ul class="legend ch-legend">{items}</ul> })
}

/// The chart of a reading: one bar per hour or day, each leading to the steps of that time.
fn chart(view: &AnomaliesView, query: &AnomaliesQuery) -> Chart {
    let span = view.span;
    let buckets = span.count();
    let series = series(view, query.split, buckets);
    let bars = (0..buckets)
        .map(|bucket| {
            let at = span.start_of(bucket);
            Bar {
                label: label_of(at, span),
                title: title_of(at, span),
                href: Some(zoom(query, span, bucket, view.now)),
                values: series.iter().map(|(_, values)| values[bucket]).collect(),
            }
        })
        .collect();
    Chart {
        marks: Marks::Bars(Bars {
            series: series.into_iter().map(|(series, _)| series).collect(),
            bars,
        }),
        unit: if query.split == Split::Severity {
            "step"
        } else {
            "condition"
        },
        across: if span.bucket_hours == 1 { "Hour" } else { "Day" },
        height_px: HEIGHT_PX,
    }
}

/// A day leads to its 24 hours; an hour to the list of the window it ends.
fn zoom(query: &AnomaliesQuery, span: BucketSpan, bucket: usize, now: Timestamp) -> String {
    let end = span.start_of(bucket + 1);
    let next = query.with(|query| {
        query.until = (end < now).then_some(end);
        if query.period == Period::Day {
            query.as_list = true;
        }
        query.period = Period::Day;
    });
    next.to_href()
}

type Stack = Vec<(Series, Vec<i64>)>;

fn series(view: &AnomaliesView, split: Split, buckets: usize) -> Stack {
    let counts = &view.counts;
    match split {
        Split::Layer => (1..=5_u8)
            .map(|layer| {
                let name = engine::codes::LAYERS[usize::from(layer) - 1];
                let of_layer = counts
                    .by_code
                    .iter()
                    .filter(|c| c.code / 1_000 == u16::from(layer));
                let values = spread(of_layer.map(|c| (c.bucket, c.count)), buckets);
                (named(format!("{layer} {name}"), Role::layer(layer)), values)
            })
            .filter(|(_, values)| values.iter().any(|n| *n > 0))
            .collect(),
        Split::Code => {
            let names = counts
                .by_code
                .iter()
                .map(|c| (c.bucket, format!("{} {}", c.code, code_name(c.code)), c.count));
            largest(names, buckets)
        }
        Split::Step | Split::Model => {
            let unnamed = if split == Split::Step {
                "unnamed step"
            } else {
                "no model"
            };
            let names = counts.by_name.iter().map(|c| {
                let name = if c.name.trim().is_empty() {
                    unnamed
                } else {
                    c.name.as_str()
                };
                (c.bucket, name.to_owned(), c.count)
            });
            largest(names, buckets)
        }
        Split::Severity => [
            (Severity::Critical, "critical", Role::Mark),
            (Severity::Warning, "warning", Role::QuietReal),
        ]
        .into_iter()
        .map(|(severity, name, role)| {
            let of = view.severities.iter().filter(|c| c.severity == severity);
            (
                named(name.to_owned(), role),
                spread(of.map(|c| (c.bucket, c.count)), buckets),
            )
        })
        .collect(),
    }
}

fn named(name: String, role: Role) -> Series {
    Series { name, role }
}

/// One number per bucket.
fn spread(counts: impl Iterator<Item = (u32, i64)>, buckets: usize) -> Vec<i64> {
    let mut values = vec![0; buckets];
    for (bucket, count) in counts {
        if let Some(value) = values.get_mut(bucket as usize) {
            *value += count;
        }
    }
    values
}

/// The names with most, largest at the bottom; the others together on top as "rest".
fn largest(counts: impl Iterator<Item = (u32, String, i64)>, buckets: usize) -> Stack {
    let mut by_name: BTreeMap<String, Vec<(u32, i64)>> = BTreeMap::new();
    for (bucket, name, count) in counts {
        by_name.entry(name).or_default().push((bucket, count));
    }
    let mut names: Vec<(String, Vec<i64>)> = by_name
        .into_iter()
        .map(|(name, counts)| (name, spread(counts.into_iter(), buckets)))
        .collect();
    names.sort_by(|a, b| b.1.iter().sum::<i64>().cmp(&a.1.iter().sum()).then(a.0.cmp(&b.0)));
    let keep = if names.len() > NAMED + 1 {
        NAMED
    } else {
        names.len()
    };
    let rest = names.split_off(keep);
    let mut stack: Stack = names
        .into_iter()
        .enumerate()
        .map(|(index, (name, values))| (named(name, Role::series(index)), values))
        .collect();
    if !rest.is_empty() {
        let sum = (0..buckets)
            .map(|bucket| rest.iter().map(|(_, values)| values[bucket]).sum())
            .collect();
        stack.push((named(format!("{} others", rest.len()), Role::Rest), sum));
    }
    stack
}

/// Below the axis: `13 Nov`, `09:00`.
fn label_of(at: Timestamp, span: BucketSpan) -> String {
    let text = title_of(at, span);
    text.rsplit_once(", ")
        .map_or(text.clone(), |(_, clock)| clock.to_owned())
}

/// `13 Nov`, `13 Nov, 09:00`.
pub(super) fn title_of(at: Timestamp, span: BucketSpan) -> String {
    let at = at.to_offset_date_time();
    let month = at.month().to_string();
    let day = format!("{} {}", at.day(), month.get(..3).unwrap_or(&month));
    if span.bucket_hours == 1 {
        format!("{day}, {:02}:00", at.hour())
    } else {
        day
    }
}

#[cfg(test)]
mod tests {
    use super::super::sums::tests::view;
    use super::*;

    fn names(chart: &Chart) -> Vec<(String, Vec<i64>)> {
        let Marks::Bars(bars) = &chart.marks else {
            return Vec::new();
        };
        bars.series
            .iter()
            .enumerate()
            .map(|(index, series)| {
                (
                    series.name.clone(),
                    bars.bars.iter().map(|bar| bar.values[index]).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn bars_are_stacked_by_what_the_address_says() {
        let view = view(&[(0, 1001, 1), (1, 2001, 2), (3, 2003, 4)], &[]);
        let by = |split: Split| {
            names(&chart(
                &view,
                &AnomaliesQuery {
                    split,
                    ..AnomaliesQuery::default()
                },
            ))
        };
        assert_eq!(
            by(Split::Layer),
            [
                ("1 Hard failure".to_owned(), vec![1, 0, 0, 0]),
                ("2 Contract".to_owned(), vec![0, 2, 0, 4])
            ]
        );
        assert_eq!(by(Split::Code)[0].0, "2003 enum_contract_violation");
    }

    #[test]
    fn many_names_become_five_and_the_rest() {
        let counts = (0..9_u32).map(|n| (n % 2, format!("step-{n}"), i64::from(n) + 1));
        let stack = largest(counts, 2);
        assert_eq!(stack.len(), 6);
        assert_eq!(stack[0].0.name, "step-8");
        assert_eq!(
            (stack[5].0.name.as_str(), stack[5].1.iter().sum::<i64>()),
            ("4 others", 10)
        );
        let six = largest((0..6_u32).map(|n| (0, format!("step-{n}"), 1)), 1);
        assert_eq!(six.len(), 6);
    }

    #[test]
    fn a_day_leads_to_its_hours_and_an_hour_to_its_steps() {
        let mut query = AnomaliesQuery::default();
        let reading = view(&[(0, 1001, 1)], &[]);
        let href = zoom(&query, reading.span, 0, reading.now);
        assert_eq!(href, "?range=24h&until=1970-01-02T00%3A00%3A00Z");
        query.period = Period::Day;
        assert!(zoom(&query, reading.span, 3, reading.now).ends_with("range=24h&show=steps"));
    }

    #[test]
    fn times_of_buckets() {
        let span = |bucket_hours: u32| BucketSpan {
            bucket_hours,
            ..view(&[], &[]).span
        };
        let at = Timestamp::parse_rfc3339("2026-11-13T09:00:00Z").unwrap();
        assert_eq!(
            (label_of(at, span(24)), title_of(at, span(24))),
            ("13 Nov".into(), "13 Nov".into())
        );
        assert_eq!(
            (label_of(at, span(1)), title_of(at, span(1))),
            ("09:00".into(), "13 Nov, 09:00".into())
        );
    }
}
