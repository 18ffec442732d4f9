//! `GET /api/series`: a metric over time, as JSON or CSV.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use domain::Timestamp;
use domain::series::{Bucket, Metric, MetricUnit, SeriesBy, SeriesFilter};
use engine::series::{MetricValue, Sums};
use serde::Serialize;
use serde_json::{Map, Value};
use storage::series::Span;

use super::query::Params;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// Without `from`, the series of the last 24 hours.
const DEFAULT_WINDOW_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A metric over time.
#[derive(Debug, Serialize)]
struct SeriesAnswer {
    metric: Metric,
    unit: MetricUnit,
    bucket: Bucket,
    from: Timestamp,
    to: Timestamp,
    series: Vec<OneSeries>,
}

/// Of one key, model, step or environment, or of all calls.
#[derive(Debug, Serialize)]
struct OneSeries {
    /// `key`, `model`, `step` or `environment` with its value; `total` where nothing was asked for.
    #[serde(flatten)]
    of: Map<String, Value>,
    /// When, how much, from how many calls. A bucket without data is absent.
    points: Vec<(Timestamp, Option<MetricValue>, i64)>,
}

/// What is asked for.
struct Asked {
    metric: Metric,
    by: Option<SeriesBy>,
    span: Span,
    filter: SeriesFilter,
    is_csv: bool,
}

impl Asked {
    fn of(params: &Params, now: Timestamp) -> HttpResult<Self> {
        let metric = word(params, "metric", Metric::ALL, Metric::parse, Metric::as_str)?;
        let metric = metric.ok_or_else(|| HttpError::invalid("metric", "Say which metric"))?;
        let by = word(params, "by", SeriesBy::ALL, SeriesBy::parse, SeriesBy::as_str)?;
        let to = params.time("to")?.unwrap_or(now);
        let from = params
            .time("from")?
            .unwrap_or_else(|| to.plus_micros(-DEFAULT_WINDOW_MICROS));
        if from >= to {
            return Err(HttpError::invalid("from", "from must lie before to"));
        }
        let length = to.micros() - from.micros();
        let bucket = word(params, "bucket", Bucket::ALL, Bucket::parse, Bucket::as_str)?
            .unwrap_or_else(|| Bucket::of_window(length));
        if length > bucket.max_window_micros() {
            let hours = bucket.max_window_micros() / 3_600_000_000;
            let message = format!(
                "bucket {} is for windows of at most {hours} hours",
                bucket.as_str()
            );
            return Err(HttpError::invalid("bucket", message));
        }
        let end = bucket.start_of(to.plus_micros(bucket.micros() - 1));
        let is_csv = match params.get("format") {
            None | Some("json") => false,
            Some("csv") => true,
            Some(_) => return Err(HttpError::invalid("format", "format must be json or csv")),
        };
        let text = |name: &str| params.get(name).map(str::to_owned);
        Ok(Self {
            metric,
            by,
            span: Span {
                from: bucket.start_of(from),
                to: end,
                bucket,
            },
            filter: SeriesFilter {
                key: text("key"),
                model: text("model"),
                step: text("step"),
                environment: text("environment"),
            },
            is_csv,
        })
    }
}

/// One of a fixed set of words.
fn word<T: Copy>(
    params: &Params,
    name: &'static str,
    all: &[T],
    parse: fn(&str) -> Option<T>,
    word: fn(T) -> &'static str,
) -> HttpResult<Option<T>> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    parse(text).map(Some).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|value| word(*value)).collect();
        HttpError::invalid(name, format!("{name} must be one of {}", words.join(", ")))
    })
}

/// A metric by bucket, and by key, model, step or environment where that is asked for.
pub(crate) async fn get(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Response> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let asked = Asked::of(&params, clock::now())?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let found = storage::series::series(
        &mut snapshot,
        caller.project_id,
        &asked.filter,
        asked.span,
        asked.by,
        asked.metric.is_percentile(),
    )
    .await?;
    let mut groups: BTreeMap<Option<String>, Vec<_>> = BTreeMap::new();
    for bucket in found {
        let (value, n) = Sums::from(&bucket.sums).value(asked.metric);
        groups
            .entry(bucket.group)
            .or_default()
            .push((bucket.at, value, n));
    }
    let series = groups.into_iter().map(|(group, points)| OneSeries {
        of: name_of(asked.by, group),
        points,
    });
    let answer = SeriesAnswer {
        metric: asked.metric,
        unit: asked.metric.unit(),
        bucket: asked.span.bucket,
        from: asked.span.from,
        to: asked.span.to,
        series: series.collect(),
    };
    if !asked.is_csv {
        return Ok(Json(answer).into_response());
    }
    let name = format!("attachment; filename=\"{}.csv\"", answer.metric.as_str());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, csv(&answer, asked.by)).into_response())
}

fn name_of(by: Option<SeriesBy>, group: Option<String>) -> Map<String, Value> {
    let (name, value) = match by {
        Some(by) => (by.as_str(), group.map_or(Value::Null, Value::String)),
        None => ("total", Value::Bool(true)),
    };
    Map::from_iter([(name.to_owned(), value)])
}

/// A line per point, with the unit in the heading of the value.
fn csv(answer: &SeriesAnswer, by: Option<SeriesBy>) -> String {
    let heading = by.map_or(String::new(), |by| format!("{},", by.as_str()));
    let mut out = format!(
        "at,{heading}{}_{},calls\r\n",
        answer.metric.as_str(),
        answer.unit.as_str()
    );
    for series in &answer.series {
        let name = by.map_or(String::new(), |by| {
            let value = series.of.get(by.as_str()).and_then(Value::as_str);
            format!("{},", csv_field(value.unwrap_or_default()))
        });
        for (at, value, n) in &series.points {
            let value = match value {
                None => String::new(),
                Some(MetricValue::Whole(whole)) => whole.to_string(),
                Some(MetricValue::Real(real)) => real.to_string(),
            };
            out.push_str(&format!("{at},{name}{value},{n}\r\n"));
        }
    }
    out
}

/// A field in quotes where it needs them. A name comes from elsewhere: one that a spreadsheet would take for a formula
/// gets an apostrophe.
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas_and_no_columns() {
        let check = |text: &str, expected: &str| assert_eq!(csv_field(text), expected);
        check("prod-frontend", "prod-frontend");
        check("a,b", "\"a,b\"");
        check("say \"hi\"", "\"say \"\"hi\"\"\"");
        check("=1+1", "'=1+1");
        check("@cmd,x", "\"'@cmd,x\"");
        check("", "");
    }
}
