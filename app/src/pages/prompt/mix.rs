//! The chart of a template's calls by day and model.

use std::collections::BTreeMap;

use domain::{PromptDay, Timestamp, text};
use leptos::prelude::*;

use crate::chart::{Bar, Bars, Chart, Marks, Role, Series};

const DAY_MICROS: i64 = 86_400_000_000;
/// Models drawn on their own; the others are one series.
const MODELS_DRAWN: usize = 5;
const REST: &str = "other models";
const CHART_HEIGHT_PX: u32 = 180;
/// The most days drawn, so that a bar stays wide enough to be pointed at.
const MAX_DAYS: i64 = 92;

/// The models in the order of their calls; those beyond the first five are not among them.
fn models(days: &[PromptDay]) -> Vec<String> {
    let mut calls: BTreeMap<&str, i64> = BTreeMap::new();
    for day in days {
        *calls.entry(name(day)).or_insert(0) += day.calls;
    }
    let mut models: Vec<_> = calls.into_iter().collect();
    models.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    models
        .into_iter()
        .take(MODELS_DRAWN)
        .map(|(model, _)| model.to_owned())
        .collect()
}

fn name(day: &PromptDay) -> &str {
    day.model
        .as_deref()
        .filter(|model| !model.is_empty())
        .unwrap_or("not reported")
}

fn series(days: &[PromptDay]) -> Vec<Series> {
    let models = models(days);
    let has_rest = days
        .iter()
        .any(|day| !models.iter().any(|model| model == name(day)));
    let drawn = models.into_iter().enumerate().map(|(at, name)| Series {
        name,
        role: Role::series(at),
    });
    let rest = has_rest.then(|| Series {
        name: REST.to_owned(),
        role: Role::Rest,
    });
    drawn.chain(rest).collect()
}

/// One bar per day from `from` to `to`, days without calls included.
pub(super) fn chart(days: &[PromptDay], from: Timestamp, to: Timestamp) -> Chart {
    let series = series(days);
    let mut by_day: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    let count = ((to.day().micros() - from.day().micros()) / DAY_MICROS).clamp(0, MAX_DAYS - 1);
    for back in 0..=count {
        by_day.insert(to.day().plus_micros(-back * DAY_MICROS), vec![0; series.len()]);
    }
    for day in days {
        let place = series
            .iter()
            .position(|series| series.name == name(day))
            .unwrap_or(series.len().saturating_sub(1));
        if let Some(value) = by_day.get_mut(&day.day).and_then(|values| values.get_mut(place)) {
            *value += day.calls;
        }
    }
    let bars = by_day
        .into_iter()
        .map(|(day, values)| {
            let label = day_label(day);
            Bar {
                title: format!("{label}, {}", text::counted(values.iter().sum(), "call")),
                label,
                href: None,
                values,
            }
        })
        .collect();
    Chart {
        marks: Marks::Bars(Bars { series, bars }),
        unit: "call",
        across: "Day",
        height_px: CHART_HEIGHT_PX,
    }
}

/// `13 Nov`, in UTC like the sums.
fn day_label(day: Timestamp) -> String {
    let date = day.to_offset_date_time();
    let month = date.month().to_string();
    format!("{} {}", date.day(), month.get(..3).unwrap_or(&month))
}

/// Which colour is which model.
pub(super) fn legend(days: &[PromptDay]) -> impl IntoView + use<> {
    let items = series(days)
        .into_iter()
        .map(|series| view! { <li><i class=format!("swatch {}", series.role.class())></i>{series.name}</li> })
        .collect_view();
    view! { <ul class="legend" aria-label="Models">{items}</ul> }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(at: i64, model: Option<&str>, calls: i64) -> PromptDay {
        PromptDay {
            day: Timestamp::from_micros(at * DAY_MICROS),
            model: model.map(str::to_owned),
            calls,
        }
    }

    #[test]
    fn every_day_and_every_call_is_drawn() {
        let mut days = vec![
            day(3, Some("large"), 5),
            day(3, None, 1),
            day(5, Some("small"), 9),
        ];
        days.extend((0..6).map(|n| day(4, Some(["a", "b", "c", "d", "e", "f"][n]), 2)));
        let drawn = chart(
            &days,
            Timestamp::from_micros(2 * DAY_MICROS + 1),
            Timestamp::from_micros(5 * DAY_MICROS + 1),
        );
        let Marks::Bars(bars) = drawn.marks else {
            unreachable!("a chart of bars")
        };
        let totals: Vec<i64> = bars.bars.iter().map(Bar::total).collect();
        assert_eq!(totals, [0, 6, 12, 9]);
        assert_eq!(bars.series.first().map(|s| s.name.as_str()), Some("small"));
        assert_eq!(bars.series.last().map(|s| s.name.as_str()), Some(REST));
        assert_eq!(bars.series.len(), MODELS_DRAWN + 1);
    }
}
