//! `GET /api/series`: a metric over time, as JSON or CSV.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::Timestamp;
use domain::series::{Bucket, Metric, MetricUnit, SeriesBy, SeriesFilter};
use engine::series::{MetricValue, Sums};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Db;
use storage::series::Span;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{
    ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType,
};
use utoipa::{IntoParams, ToSchema};

use super::csv::{self, Format};
use super::query::{Params, Reader};
use crate::clock;
use crate::error::{HttpError, HttpResult, ReadErrors};

/// Without `from`, the series of the last 24 hours.
const DEFAULT_WINDOW_MICROS: i64 = 24 * 3_600 * 1_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesParams {
    /// What is shown.
    #[param(inline)]
    metric: Metric,
    /// A series for each value; without it one of all calls.
    #[param(inline)]
    by: Option<SeriesBy>,
    /// The window's first instant, rounded down to a bucket; 24 hours before `to` without it.
    from: Option<Timestamp>,
    /// The first instant after it, rounded up to a bucket; now without it.
    to: Option<Timestamp>,
    /// `1m` for at most 6 hours, `5m` for 48, `1h` for 93 days; days begin at midnight UTC. Without it as fits the window.
    #[param(inline)]
    bucket: Option<Bucket>,
    /// Label of the key.
    key: Option<String>,
    /// Answered by it.
    model: Option<String>,
    /// Name of the step; then all its steps count, not only model calls.
    step: Option<String>,
    environment: Option<String>,
    /// Fingerprint of the prompt's template: 64 hexadecimal digits.
    template: Option<String>,
    /// `csv` for a file.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
}

/// A metric over time.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SeriesAnswer {
    metric: Metric,
    unit: MetricUnit,
    pub(crate) bucket: Bucket,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) series: Vec<OneSeries>,
}

/// Of one key, model, step, environment or template, or of all calls.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OneSeries {
    #[serde(flatten)]
    pub(crate) of: SeriesOf,
    /// When the bucket begins, the value in the unit (null when unknown), and the calls it rests on. A bucket without data
    /// is absent, never 0.
    #[schema(schema_with = points_schema)]
    pub(crate) points: Vec<(Timestamp, Option<MetricValue>, i64)>,
}

/// Whose series it is: one member says it. Its value is null for calls that have none.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct SeriesOf {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    total: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_null, required = false)]
    key: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_null, required = false)]
    model: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_null, required = false)]
    step: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_null, required = false)]
    environment: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_null, required = false)]
    template: Option<Value>,
}

/// What is asked for.
struct Asked {
    metric: Metric,
    by: Option<SeriesBy>,
    span: Span,
    filter: SeriesFilter,
    format: Format,
}

impl Asked {
    fn of(params: SeriesParams, now: Timestamp) -> HttpResult<Self> {
        let to = params.to.unwrap_or(now);
        let from = params
            .from
            .unwrap_or_else(|| to.plus_micros(-DEFAULT_WINDOW_MICROS));
        if from >= to {
            return Err(HttpError::invalid("from", "from must lie before to"));
        }
        let length = to.micros().saturating_sub(from.micros());
        let bucket = params.bucket.unwrap_or_else(|| Bucket::of_window(length));
        if length > bucket.max_window_micros() {
            let hours = bucket.max_window_micros() / 3_600_000_000;
            let message = format!(
                "bucket {} is for windows of at most {hours} hours",
                bucket.as_str()
            );
            return Err(HttpError::invalid("bucket", message));
        }
        let is_fingerprint =
            |digits: &String| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if params
            .template
            .as_ref()
            .is_some_and(|digits| !is_fingerprint(digits))
        {
            return Err(HttpError::invalid(
                "template",
                "template must be 64 hexadecimal digits",
            ));
        }
        let end = bucket.start_of(to.plus_micros(bucket.micros() - 1));
        Ok(Self {
            metric: params.metric,
            by: params.by,
            span: Span {
                from: bucket.start_of(from),
                to: end,
                bucket,
            },
            filter: SeriesFilter {
                key: params.key,
                model: params.model,
                step: params.step,
                environment: params.environment,
                template: params.template,
            },
            format: params.format,
        })
    }
}

/// A metric over time, by bucket
///
/// And by key, model, step, environment or template where that is asked for.
#[utoipa::path(get, path = "/api/series", operation_id = "series", params(SeriesParams, Reader),
    responses(
        (status = 200, description = "The series. A bucket without data is absent, never 0", content(
            (inline(SeriesAnswer) = "application/json"),
            (String = "text/csv"),
        )),
        ReadErrors,
    ))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<SeriesParams>,
) -> HttpResult<Response> {
    let asked = Asked::of(params, clock::now())?;
    let mut snapshot = db.snapshot(caller.project_id).await?;
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
    if asked.format == Format::Json {
        return Ok(Json(answer).into_response());
    }
    let name = format!("attachment; filename=\"{}.csv\"", answer.metric.as_str());
    let headers = [
        (header::CONTENT_TYPE, csv::CONTENT_TYPE.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, lines(&answer, asked.by)).into_response())
}

pub(super) fn name_of(by: Option<SeriesBy>, group: Option<String>) -> SeriesOf {
    let value = Some(group.map_or(Value::Null, Value::String));
    let nobody = SeriesOf::default();
    match by {
        None => SeriesOf {
            total: Some(true),
            ..nobody
        },
        Some(SeriesBy::Key) => SeriesOf { key: value, ..nobody },
        Some(SeriesBy::Model) => SeriesOf {
            model: value,
            ..nobody
        },
        Some(SeriesBy::Step) => SeriesOf {
            step: value,
            ..nobody
        },
        Some(SeriesBy::Environment) => SeriesOf {
            environment: value,
            ..nobody
        },
        Some(SeriesBy::Template) => SeriesOf {
            template: value,
            ..nobody
        },
    }
}

impl SeriesOf {
    /// The value; `None` for calls that have none, and for the series of all calls.
    pub(crate) fn name(&self) -> Option<&str> {
        [
            &self.key,
            &self.model,
            &self.step,
            &self.environment,
            &self.template,
        ]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)
    }
}

/// Not typed: a member whose type may be null is said to be always there, and only one of these is.
fn text_or_null() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("A string; null for calls that have none"))
        .into()
}

/// `[time, number or null, integer]`.
fn points_schema() -> Schema {
    let at = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let value = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Null]));
    let calls = ObjectBuilder::new().schema_type(Type::Integer);
    let point = ArrayBuilder::new()
        .prefix_items([at, value, calls].map(|item| Schema::from(item.build())))
        .items(ArrayItems::False)
        .min_items(Some(3))
        .max_items(Some(3));
    ArrayBuilder::new()
        .items(RefOr::T(Schema::from(point.build())))
        .build()
        .into()
}

/// A line per point, with the unit in the heading of the value.
fn lines(answer: &SeriesAnswer, by: Option<SeriesBy>) -> String {
    let heading = by.map_or(String::new(), |by| format!("{},", by.as_str()));
    let mut out = format!(
        "at,{heading}{}_{},calls\r\n",
        answer.metric.as_str(),
        answer.unit.as_str()
    );
    for series in &answer.series {
        let name = by.map_or(String::new(), |_| {
            format!("{},", csv::field(series.of.name().unwrap_or_default()))
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
