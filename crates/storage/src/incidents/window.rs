//! What a judgement reads: the hours of all series of a project, and around onsets the minutes.

use domain::{NanoUsd, ProjectId, Timestamp};
use serde_json::Value;

use crate::{Result, Snapshot};

/// An hour of one series, as `rollups` holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct HourSums {
    pub hour: Timestamp,
    pub key: String,
    pub environment: Option<String>,
    pub step: String,
    pub model: String,
    /// The template's fingerprint in hex.
    pub template: Option<String>,
    pub calls: i64,
    pub errors: i64,
    pub anomalies: i64,
    pub unpriced: i64,
    pub input_fresh: i64,
    pub cache_read: i64,
    pub cache_write: i64,
    pub output: i64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    pub cost_squares: i128,
    pub output_squares: i128,
    /// Encoded histograms.
    pub latency_us: Vec<u8>,
    pub ttft_us: Vec<u8>,
    /// Counts by word.
    pub shapes: Value,
}

/// The hours of model calls in `from..to`, and no more than `limit` of them: more are as good as too many.
pub async fn hours(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<HourSums>> {
    let rows = sqlx::query!(
        "select hour, key_label, environment, step_name, model as \"model!\",
           encode(template_fingerprint, 'hex') as template, calls, errors, anomalies, unpriced,
           coalesce(input_fresh, 0) as \"input_fresh!\", coalesce(cache_read, 0) as \"cache_read!\",
           coalesce(cache_write, 0) as \"cache_write!\", coalesce(output, 0) as \"output!\",
           coalesce(cost_nano_usd, 0) as \"cost!\", cost_squares::text as \"cost_squares!\",
           output_squares::text as \"output_squares!\", latency_us, ttft_us, output_shapes
         from rollups
         where project_id = $1 and hour >= $2 and hour < $3 and model is not null and calls > 0
         limit $4",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        limit
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let whole = |digits: &str| digits.parse().unwrap_or(i128::MAX);
    Ok(rows
        .into_iter()
        .map(|row| HourSums {
            hour: Timestamp::from_offset_date_time(row.hour),
            key: row.key_label,
            environment: row.environment,
            step: row.step_name,
            model: row.model,
            template: row.template,
            calls: row.calls,
            errors: row.errors,
            anomalies: row.anomalies,
            unpriced: row.unpriced,
            input_fresh: row.input_fresh,
            cache_read: row.cache_read,
            cache_write: row.cache_write,
            output: row.output,
            cost: NanoUsd(row.cost),
            cost_squares: whole(&row.cost_squares),
            output_squares: whole(&row.output_squares),
            latency_us: row.latency_us.unwrap_or_default(),
            ttft_us: row.ttft_us.unwrap_or_default(),
            shapes: row.output_shapes,
        })
        .collect())
}

/// Runs that a key started in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHour {
    pub key: String,
    pub hour: Timestamp,
    pub runs: i64,
}

/// Runs by key and hour in `from..to`.
pub async fn runs_by_key(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<RunHour>> {
    let rows = sqlx::query!(
        "select value, hour, (ok_clean + ok_warning + ok_critical + error_clean + error_warning + error_critical
           + running_clean + running_warning + running_critical)::bigint as \"runs!\"
         from run_counts where project_id = $1 and dimension = 'key' and hour >= $2 and hour < $3",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| RunHour {
            key: row.value,
            hour: Timestamp::from_offset_date_time(row.hour),
            runs: row.runs,
        })
        .collect())
}

/// What the calls of a release did in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseHourSums {
    pub hour: Timestamp,
    pub release: String,
    pub key: String,
    pub step: String,
    pub model: String,
    pub calls: i64,
    pub errors: i64,
    pub cost: NanoUsd,
    pub cost_squares: i128,
    pub output: i64,
    /// Sum of the latencies, in microseconds.
    pub latency_us: i64,
}

/// What releases did in `from..to`, hour by hour.
pub async fn release_hours(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<ReleaseHourSums>> {
    let rows = sqlx::query!(
        "select hour, release, key_label, step_name, model as \"model!\", calls, errors,
           greatest(least(cost_nano_usd, 9223372036854775807), -9223372036854775808)::bigint as \"cost!\",
           cost_squares::numeric(60, 0)::text as \"cost_squares!\", least(output, 9223372036854775807)::bigint as \"output!\",
           least(latency_us, 9223372036854775807)::bigint as \"latency_us!\"
         from release_hours where project_id = $1 and hour >= $2 and hour < $3 and model is not null
         order by hour desc limit $4",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        limit
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ReleaseHourSums {
            hour: Timestamp::from_offset_date_time(row.hour),
            release: row.release,
            key: row.key_label,
            step: row.step_name,
            model: row.model,
            calls: row.calls,
            errors: row.errors,
            cost: NanoUsd(row.cost),
            cost_squares: row.cost_squares.parse().unwrap_or(i128::MAX),
            output: row.output,
            latency_us: row.latency_us,
        })
        .collect())
}

/// A minute of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepMinute {
    pub minute: Timestamp,
    pub key: String,
    pub environment: Option<String>,
    pub step: String,
    pub model: String,
    /// The template's fingerprint in hex.
    pub template: Option<String>,
    pub calls: i64,
    pub errors: i64,
    pub anomalies: i64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    pub output: i64,
    pub latency_us: i64,
    /// When its first call began.
    pub first_at: Timestamp,
}

/// The minutes of these hours, from the steps.
pub async fn minutes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    hours: &[Timestamp],
) -> Result<Vec<StepMinute>> {
    let rows = sqlx::query!(
        "select date_trunc('minute', s.started_at, 'UTC') as \"minute!\", s.key_label as \"key_label!\", s.environment,
           s.name as \"name!\", s.model as \"model!\", encode(s.template_fingerprint, 'hex') as template,
           count(*) as \"calls!\", count(*) filter (where s.status = 'error') as \"errors!\",
           count(*) filter (where s.severity > 0) as \"anomalies!\",
           least(coalesce(sum(s.cost_nano_usd), 0), 9223372036854775807)::bigint as \"cost!\",
           least(coalesce(sum(s.output), 0), 9223372036854775807)::bigint as \"output!\",
           coalesce(sum(s.latency_ms), 0) as \"latency_ms!\", min(s.started_at) as \"first_at!\"
         from unnest($2::timestamptz[]) as h (hour)
         cross join lateral (
           select started_at, key_label, environment, name, model, template_fingerprint, status, severity, cost_nano_usd,
             output, latency_ms
           from steps s
           where s.project_id = $1 and s.started_at >= h.hour and s.started_at < h.hour + interval '1 hour'
             and s.model is not null and s.other_series is null
         ) s
         group by 1, s.key_label, s.environment, s.name, s.model, s.template_fingerprint",
        project.0,
        &hours.iter().map(|hour| hour.to_offset_date_time()).collect::<Vec<_>>()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StepMinute {
            minute: Timestamp::from_offset_date_time(row.minute),
            key: row.key_label,
            environment: row.environment,
            step: row.name,
            model: row.model,
            template: row.template,
            calls: row.calls,
            errors: row.errors,
            anomalies: row.anomalies,
            cost: NanoUsd(row.cost),
            output: row.output,
            latency_us: (row.latency_ms * 1_000.0) as i64,
            first_at: Timestamp::from_offset_date_time(row.first_at),
        })
        .collect())
}

/// When calls first said that they ran each release, since `from`.
pub async fn releases_first_seen(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let rows = sqlx::query!(
        "select value, at from first_seen where project_id = $1 and dimension = 'release' and at >= $2
         order by at desc limit 1000",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.value, Timestamp::from_offset_date_time(row.at)))
        .collect())
}
