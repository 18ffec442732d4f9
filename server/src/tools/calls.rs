//! What calls cost, took and failed.

use std::collections::BTreeMap;

use domain::series::{Bucket, Metric, SeriesBy, SeriesFilter};
use domain::{NanoUsd, Timestamp};
use engine::series::{MetricValue, Sums, percent, text};
use serde_json::{Value, json};
use storage::series::{Grain, Span};

use super::{Answer, Call, ToolError};
use crate::answers::ForecastItem;
use crate::incidents::answer::date;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The most series of one answer.
const MAX_SERIES: usize = 20;

fn filter(call: &Call<'_>) -> SeriesFilter {
    SeriesFilter {
        key: call.arguments.owned("key"),
        step: call.arguments.owned("step"),
        model: call.arguments.owned("model"),
        ..SeriesFilter::default()
    }
}

pub(super) async fn daily(call: &Call<'_>) -> Result<Answer, ToolError> {
    let metric = call
        .arguments
        .text("metric")
        .and_then(Metric::parse)
        .unwrap_or(Metric::Cost);
    let by = call.arguments.text("by").and_then(SeriesBy::parse);
    let days = call.arguments.integer("days");
    let to = call
        .arguments
        .time("to")
        .unwrap_or(call.now)
        .day()
        .plus_micros(DAY);
    let span = Span {
        from: to.plus_micros(-days * DAY),
        to,
        bucket: Bucket::Day,
    };
    let mut snapshot = call.snapshot().await?;
    let filter = filter(call);
    let is_percentile = metric.is_percentile();
    let rows = storage::series::series(&mut snapshot, call.project, &filter, span, by, is_percentile).await?;
    let unit = metric.unit();
    let mut series: BTreeMap<String, Vec<(Timestamp, f64, i64)>> = BTreeMap::new();
    for row in rows {
        let (value, calls) = Sums::from(&row.sums).value(metric);
        let name = row
            .group
            .unwrap_or_else(|| by.map_or("all calls", |_| "none").to_owned());
        if let Some(value) = value.map(MetricValue::as_f64) {
            series.entry(name).or_default().push((row.at, value, calls));
        }
    }
    // A running day has less of everything.
    let today = call.now.day();
    let mut moved: Vec<(String, f64, f64)> = series
        .iter()
        .filter_map(|(name, points)| {
            let mut whole = points.iter().filter(|(at, ..)| *at < today);
            let first = whole.next().or(points.first())?;
            let last = whole.next_back().unwrap_or(first);
            Some((name.clone(), first.1, last.1))
        })
        .collect();
    moved.sort_by(|a, b| (b.2 - b.1).abs().total_cmp(&(a.2 - a.1).abs()));
    let line = match moved.first() {
        None => format!("{days} days without such calls"),
        Some((name, first, last)) => format!(
            "{days} days; {name} {} → {} a day",
            text(*first, unit),
            text(*last, unit)
        ),
    };
    let left_out = series.len().saturating_sub(MAX_SERIES);
    let shown: Vec<Value> = moved
        .iter()
        .take(MAX_SERIES)
        .filter_map(|(name, ..)| {
            let points = series.get(name)?;
            let days: Vec<Value> = points
                .iter()
                .map(|(at, value, calls)| json!([date(*at), text(*value, unit), calls]))
                .collect();
            Some(json!({ "name": name, "days": days }))
        })
        .collect();
    let data = json!({
        "metric": metric.as_str(), "columns": ["day (UTC)", "value", "calls"], "series": shown,
        "series_left_out": left_out, "running_day": date(today),
    });
    Ok(Answer::new(line, data))
}

#[derive(Default)]
struct ModelShare {
    calls: [i64; 2],
    cost: [Option<i64>; 2],
}

pub(super) async fn models(call: &Call<'_>) -> Result<Answer, ToolError> {
    let reach = call.arguments.integer("hours") * HOUR;
    let around = call
        .arguments
        .time("around")
        .unwrap_or_else(|| call.now.plus_micros(-DAY));
    let windows = [
        (around.plus_micros(-reach), around),
        (around, around.plus_micros(reach).min(call.now.max(around))),
    ];
    let mut snapshot = call.snapshot().await?;
    let rows = storage::series::windows_of(
        &mut snapshot,
        call.project,
        &filter(call),
        Grain::Series,
        &windows,
    )
    .await?;
    let mut models: BTreeMap<String, ModelShare> = BTreeMap::new();
    for row in rows {
        let share = models
            .entry(row.model.unwrap_or_else(|| "unknown".to_owned()))
            .or_default();
        if let (Some(calls), Some(cost)) = (share.calls.get_mut(row.window), share.cost.get_mut(row.window)) {
            *calls = calls.saturating_add(row.sums.calls);
            if let Some(NanoUsd(more)) = row.sums.cost_nano_usd {
                *cost = Some(cost.unwrap_or(0).saturating_add(more));
            }
        }
    }
    let total = |side: fn(&ModelShare) -> i64| models.values().map(side).sum::<i64>();
    let (before, after) = (total(|share| share.calls[0]), total(|share| share.calls[1]));
    let of = |part: i64, whole: i64| (whole > 0).then(|| part as f64 / whole as f64);
    let mut rows: Vec<(f64, String, Value)> = models
        .iter()
        .map(|(model, share)| {
            let [first, then] = share.calls;
            let (was, is) = (of(first, before), of(then, after));
            let words = |share: Option<f64>| share.map_or("no calls".to_owned(), percent);
            let usd = |cost: Option<i64>| cost.map(|nano| NanoUsd(nano).to_short());
            let line = format!("{model} {} → {} of calls", words(was), words(is));
            let row = json!({
                "model": model, "calls_before": first, "calls_after": then, "share_before": was.map(percent),
                "share_after": is.map(percent), "cost_before": usd(share.cost[0]), "cost_after": usd(share.cost[1]),
            });
            ((is.unwrap_or(0.0) - was.unwrap_or(0.0)).abs(), line, row)
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let line = match rows.first() {
        None => "no calls on either side".to_owned(),
        Some((_, line, _)) => format!("{line}, {before} and {after} calls"),
    };
    let shown: Vec<Value> = rows.into_iter().take(MAX_SERIES).map(|(_, _, row)| row).collect();
    let data = json!({
        "before": [windows[0].0, windows[0].1], "after": [windows[1].0, windows[1].1], "calls_before": before,
        "calls_after": after, "models": shown,
    });
    Ok(Answer::new(line, data))
}

pub(super) async fn keys(call: &Call<'_>) -> Result<Answer, ToolError> {
    const MOST: u32 = 100;
    let reach = call.arguments.integer("days") * DAY;
    let around = call
        .arguments
        .time("around")
        .unwrap_or_else(|| call.now.plus_micros(-7 * DAY))
        .hour();
    let from = around.plus_micros(-reach);
    let to = around.plus_micros(reach).min(call.now.hour().max(around));
    let mut snapshot = call.snapshot().await?;
    let filter = SeriesFilter::default();
    let changes =
        storage::series::changes(&mut snapshot, call.project, &filter, (from, around, to), MOST).await?;
    let a_day = |cost: Option<NanoUsd>, micros: i64| {
        cost.filter(|_| micros > 0)
            .and_then(|cost| i64::try_from(i128::from(cost.0) * i128::from(DAY) / i128::from(micros)).ok())
            .unwrap_or(0)
    };
    let (before, after) = (around.micros() - from.micros(), to.micros() - around.micros());
    let mut rows: Vec<(i64, String, Value)> = changes
        .into_iter()
        .filter(|change| change.by == SeriesBy::Key)
        .map(|change| {
            let (was, is) = (a_day(change.before, before), a_day(change.now, after));
            let difference = is.saturating_sub(was);
            let sign = if difference < 0 { "−" } else { "+" };
            let words = NanoUsd(difference.saturating_abs()).to_short();
            let row = json!({
                "key": change.name, "cost_a_day_before": NanoUsd(was).to_short(), "cost_a_day_after": NanoUsd(is).to_short(),
                "change_a_day": format!("{sign}{words}"), "calls_before": change.calls_before,
                "calls_after": change.calls_now,
            });
            (difference, format!("{} {sign}{words}", change.name), row)
        })
        .collect();
    rows.sort_by_key(|(difference, ..)| std::cmp::Reverse(difference.saturating_abs()));
    let lines: Vec<&str> = rows.iter().take(4).map(|(_, line, _)| line.as_str()).collect();
    let line = if lines.is_empty() {
        "no calls on either side".to_owned()
    } else {
        format!("{} a day", lines.join(", "))
    };
    let shown: Vec<&Value> = rows.iter().map(|(_, _, row)| row).collect();
    Ok(Answer::new(
        line,
        json!({ "before": [from, around], "after": [around, to], "keys": shown }),
    ))
}

pub(super) async fn forecast(call: &Call<'_>) -> Result<Answer, ToolError> {
    let mut snapshot = call.snapshot().await?;
    let mut found = app::forecasts(&mut snapshot, call.project, call.now).await?;
    if let Some(key) = call.arguments.text("key") {
        found.retain(|one| one.key.as_deref() == Some(key));
        if found.is_empty() {
            return Err(ToolError::Asked(
                "No key of this label has sent anything this month".to_owned(),
            ));
        }
    }
    let items: Vec<ForecastItem> = found
        .into_iter()
        .take(MAX_SERIES)
        .map(ForecastItem::from)
        .collect();
    let line = items
        .first()
        .and_then(|item| item.sentences.first().cloned())
        .unwrap_or_else(|| "nothing was spent yet".to_owned());
    let data = json!({ "month_from": call.now.month(), "month_to": call.now.next_month(), "items": items });
    Ok(Answer::new(line, data))
}
