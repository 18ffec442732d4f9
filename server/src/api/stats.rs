//! `GET /api/stats`: what calls of a window cost, took and failed, all together and by key, model, step or environment.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use domain::series::{Bucket, Metric, SeriesBy, SeriesFilter};
use domain::{NanoUsd, Timestamp, TokenUsage};
use engine::series::{MetricValue, Sums};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::series::Span;
use utoipa::{IntoParams, ToSchema};

use super::query::{Params, Reader};
use super::series::{SeriesOf, name_of};
use crate::clock;
use crate::error::{HttpError, HttpResult, ReadErrors};

/// Without `from`, the figures of the last seven days.
const DEFAULT_WINDOW_MICROS: i64 = 7 * 86_400_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsParams {
    /// By what the items are told apart; by key without it.
    #[param(inline)]
    by: Option<SeriesBy>,
    /// The window's first instant, rounded down to an hour; seven days before `to` without it.
    from: Option<Timestamp>,
    /// The first instant after it, rounded up to an hour; now without it.
    to: Option<Timestamp>,
    /// Label of the key.
    key: Option<String>,
    /// Answered by it.
    model: Option<String>,
    /// Name of the step; then all its steps count, not only model calls.
    step: Option<String>,
    environment: Option<String>,
}

/// Calls of a window.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Stats {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// All of them.
    pub(crate) total: Figures,
    /// The most expensive first.
    pub(crate) items: Vec<StatsItem>,
    /// Always null: one answer has all of them.
    pub(crate) next_cursor: Option<String>,
}

/// Calls of one key, model, step or environment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatsItem {
    #[serde(flatten)]
    pub(crate) of: SeriesOf,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// What calls did. What is unknown is null, never 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Figures {
    pub(crate) calls: i64,
    /// Those that failed.
    pub(crate) errors: i64,
    /// Those whose cost is unknown.
    pub(crate) unpriced_calls: i64,
    /// The sum of what is known, in dollars, as a decimal text.
    pub(crate) cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Of a call with a known cost, on average.
    pub(crate) cost_per_call_nano_usd: Option<NanoUsd>,
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p95_ms: Option<f64>,
    /// Time to the first token.
    pub(crate) ttft_p95_ms: Option<f64>,
    /// 0 to 1.
    pub(crate) error_rate: Option<f64>,
    /// The share of calls that are warning or critical, 0 to 1.
    pub(crate) anomaly_rate: Option<f64>,
    pub(crate) tokens: TokenUsage,
    /// The share of the input that came from a cache, 0 to 1.
    pub(crate) cache_hit_rate: Option<f64>,
}

impl From<&Sums> for Figures {
    fn from(sums: &Sums) -> Self {
        let real = |metric: Metric| sums.value(metric).0.map(MetricValue::as_f64);
        let per_call = match sums.value(Metric::CostPerCall).0 {
            Some(MetricValue::Whole(nano_usd)) => Some(NanoUsd(nano_usd)),
            _ => None,
        };
        let tokens = sums.tokens;
        let from_cache = tokens.cache_read.zip(tokens.input().filter(|input| *input > 0));
        Self {
            calls: sums.calls,
            errors: sums.errors,
            unpriced_calls: sums.unpriced,
            cost_usd: sums.cost.map(NanoUsd::to_decimal),
            cost_nano_usd: sums.cost,
            cost_per_call_nano_usd: per_call,
            latency_p50_ms: real(Metric::LatencyP50),
            latency_p95_ms: real(Metric::LatencyP95),
            ttft_p95_ms: real(Metric::TtftP95),
            error_rate: real(Metric::ErrorRate),
            anomaly_rate: real(Metric::AnomalyRate),
            tokens,
            cache_hit_rate: from_cache.map(|(read, input)| read as f64 / input as f64),
        }
    }
}

/// What calls cost, took and failed in a window
///
/// All together, and by key, model, step or environment.
#[utoipa::path(get, path = "/api/stats", operation_id = "stats", params(StatsParams, Reader),
    responses((status = 200, description = "The figures", body = inline(Stats)), ReadErrors))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<StatsParams>,
) -> HttpResult<Json<Stats>> {
    let span = span(&params, clock::now())?;
    let by = params.by.unwrap_or(SeriesBy::Key);
    let filter = SeriesFilter {
        key: params.key,
        model: params.model,
        step: params.step,
        environment: params.environment,
        template: None,
    };
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let found =
        storage::series::series(&mut snapshot, caller.project_id, &filter, span, Some(by), true).await?;
    let mut total = Sums::default();
    let mut groups: BTreeMap<Option<String>, Sums> = BTreeMap::new();
    for bucket in found {
        total.add_read(&bucket.sums);
        groups.entry(bucket.group).or_default().add_read(&bucket.sums);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.cost.cmp(&a.1.cost).then(b.1.calls.cmp(&a.1.calls)));
    let items = groups.into_iter().map(|(group, sums)| StatsItem {
        of: name_of(Some(by), group),
        figures: Figures::from(&sums),
    });
    Ok(Json(Stats {
        from: span.from,
        to: span.to,
        total: Figures::from(&total),
        items: items.collect(),
        next_cursor: None,
    }))
}

/// Whole hours, read by the day: hours are read where a day is not whole.
fn span(params: &StatsParams, now: Timestamp) -> HttpResult<Span> {
    let to = params.to.unwrap_or(now);
    let from = params
        .from
        .unwrap_or_else(|| to.plus_micros(-DEFAULT_WINDOW_MICROS));
    if from >= to {
        return Err(HttpError::invalid("from", "from must lie before to"));
    }
    if to.micros() - from.micros() > Bucket::Day.max_window_micros() {
        let days = Bucket::Day.max_window_micros() / Bucket::Day.micros();
        let message = format!("from must lie at most {days} days before to");
        return Err(HttpError::invalid("from", message));
    }
    Ok(Span {
        from: from.hour(),
        to: to.plus_micros(Bucket::Hour.micros() - 1).hour(),
        bucket: Bucket::Day,
    })
}
