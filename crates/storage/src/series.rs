//! Sums over time: from `rollup_days` and `rollups`, and for buckets below the hour from the steps of a few hours.
//!
//! Calls, errors, anomalies and latencies are those of model calls; where the filter names a step, of all its steps.

mod layers;
mod parts;
mod windows;

use std::collections::HashMap;

use domain::series::{Bucket, BucketSums, CallSums, Latencies, SeriesBy, SeriesFilter};
use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};

use crate::day_histograms::{Stretches, bounds, open_days};
use crate::hours::whole_days;
use crate::{Result, Snapshot};

pub use layers::layers;
pub use parts::{first_seen, parts};
pub use windows::{Grain, windows, windows_of};

/// The template of a filter as it is stored. What is no fingerprint is that of no call.
fn template(filter: &SeriesFilter) -> Option<Vec<u8>> {
    let digits = filter.template.as_deref()?;
    Some(crate::prompts::fingerprint(digits).map_or_else(Vec::new, Vec::from))
}

/// What is read: a window whose ends are the beginnings of buckets, or of hours where buckets are days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// What it is cut into.
    pub bucket: Bucket,
}

/// A row of sums, as each of the statements below returns it.
macro_rules! bucket_sums {
    ($row:ident) => {
        BucketSums {
            at: Timestamp::from_offset_date_time($row.at),
            group: $row.group,
            sums: CallSums {
                calls: $row.calls,
                errors: $row.errors,
                anomalies: $row.anomalies,
                unpriced: $row.unpriced,
                tokens: TokenUsage {
                    input_fresh: $row.input_fresh,
                    cache_read: $row.cache_read,
                    cache_write: $row.cache_write,
                    output: $row.output,
                    ..TokenUsage::default()
                },
                cost_nano_usd: $row.cost.map(NanoUsd),
                ..CallSums::default()
            },
        }
    };
}

/// Sums by bucket, and by group where one is asked for; latencies too where `latencies` says so. Buckets without
/// anything are absent.
pub async fn series(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    by: Option<SeriesBy>,
    latencies: bool,
) -> Result<Vec<BucketSums>> {
    if matches!(span.bucket, Bucket::Minute | Bucket::FiveMinutes) {
        return of_steps(snapshot, project, filter, span, by, latencies).await;
    }
    let mut found = of_rollups(snapshot, project, filter, span, by).await?;
    if latencies {
        let places: HashMap<(Timestamp, Option<String>), usize> = found
            .iter()
            .enumerate()
            .map(|(place, bucket)| ((bucket.at, bucket.group.clone()), place))
            .collect();
        for (at, group, latency, ttft) in histograms(snapshot, project, filter, span, by).await? {
            let known = places.get(&(at, group)).and_then(|place| found.get_mut(*place));
            if let Some(bucket) = known {
                bucket.sums.latency.histograms = latency;
                bucket.sums.ttft.histograms = ttft;
            }
        }
    }
    Ok(found)
}

async fn of_rollups(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    by: Option<SeriesBy>,
) -> Result<Vec<BucketSums>> {
    let (first_day, last_day) = match span.bucket {
        Bucket::Day => whole_days(span.from, span.to),
        _ => (span.to, span.to),
    };
    let rows = sqlx::query!(
        "select date_trunc($9, r.at, 'UTC') as \"at!\",
           case $8::text when 'key' then r.key_label when 'model' then r.model when 'step' then r.step_name
             when 'environment' then r.environment when 'template' then encode(r.template_fingerprint, 'hex')
             end as \"group\",
           coalesce(sum(r.calls) filter (where r.counts), 0)::bigint as \"calls!\",
           coalesce(sum(r.errors) filter (where r.counts), 0)::bigint as \"errors!\",
           coalesce(sum(r.anomalies) filter (where r.counts), 0)::bigint as \"anomalies!\",
           sum(r.unpriced)::bigint as \"unpriced!\",
           case when count(r.input_fresh) > 0 then least(sum(r.input_fresh), 9223372036854775807)::bigint end as input_fresh,
           case when count(r.cache_read) > 0 then least(sum(r.cache_read), 9223372036854775807)::bigint end as cache_read,
           case when count(r.cache_write) > 0 then least(sum(r.cache_write), 9223372036854775807)::bigint end as cache_write,
           case when count(r.output) > 0 then least(sum(r.output), 9223372036854775807)::bigint end as output,
           case when count(r.cost) > 0
             then greatest(least(sum(r.cost), 9223372036854775807), -9223372036854775808)::bigint end as cost
         from (
           select hour as at, key_label, model, step_name, environment, template_fingerprint, calls, errors, anomalies,
             unpriced, input_fresh::numeric as input_fresh, cache_read::numeric as cache_read, cache_write::numeric as cache_write,
             output::numeric as output, cost_nano_usd::numeric as cost,
             model is not null or $6::text is not null as counts
           from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and (hour < $10 or hour >= $11)
           union all
           select day, key_label, model, step_name, environment, template_fingerprint, calls, errors, anomalies, unpriced,
             input_fresh, cache_read, cache_write, output, cost_nano_usd, model is not null or $6::text is not null
           from rollup_days where project_id = $1 and day >= $10 and day < $11
         ) r
         where ($4::text is null or r.key_label = $4) and ($5::text is null or r.model = $5)
           and ($6::text is null or r.step_name = $6) and ($7::text is null or r.environment = $7)
           and ($12::bytea is null or r.template_fingerprint = $12)
         group by 1, 2
         having sum(r.calls) > 0
         order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        by.map(SeriesBy::as_str),
        if span.bucket == Bucket::Day { "day" } else { "hour" },
        first_day.to_offset_date_time(),
        last_day.to_offset_date_time(),
        template(filter)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(|row| bucket_sums!(row)).collect())
}

type Encoded = Vec<Vec<u8>>;

/// Histograms of the latency and of the time to the first token, by bucket and group: where buckets are days, from the
/// days that have theirs.
async fn histograms(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    by: Option<SeriesBy>,
) -> Result<Vec<(Timestamp, Option<String>, Encoded, Encoded)>> {
    let window = (span.from, span.to);
    let cut = match span.bucket {
        Bucket::Day => Stretches::of(window, &open_days(snapshot, project, window).await?),
        _ => Stretches {
            days: Vec::new(),
            hours: vec![window],
        },
    };
    let (hours_from, hours_to) = bounds(&cut.hours);
    let (days_from, days_to) = bounds(&cut.days);
    let rows = sqlx::query!(
        "select date_trunc($7, r.at, 'UTC') as \"at!\",
           case $6::text when 'key' then r.key_label when 'model' then r.model when 'step' then r.step_name
             when 'environment' then r.environment when 'template' then encode(r.template_fingerprint, 'hex')
             end as \"group\",
           array_agg(r.latency_us) filter (where r.latency_us <> '') as latency,
           array_agg(r.ttft_us) filter (where r.ttft_us <> '') as ttft
         from (
           select h.hour as at, h.key_label, h.model, h.step_name, h.environment, h.template_fingerprint, h.latency_us, h.ttft_us
           from unnest($8::timestamptz[], $9::timestamptz[]) as w (from_at, to_at)
           join rollups h on h.project_id = $1 and h.hour >= w.from_at and h.hour < w.to_at
           union all
           select d.day, d.key_label, d.model, d.step_name, d.environment, d.template_fingerprint, d.latency_us, d.ttft_us
           from unnest($10::timestamptz[], $11::timestamptz[]) as w (from_at, to_at)
           join rollup_days d on d.project_id = $1 and d.day >= w.from_at and d.day < w.to_at
         ) r
         where (r.model is not null or $4::text is not null)
           and ($2::text is null or r.key_label = $2) and ($3::text is null or r.model = $3)
           and ($4::text is null or r.step_name = $4) and ($5::text is null or r.environment = $5)
           and ($12::bytea is null or r.template_fingerprint = $12)
         group by 1, 2",
        project.0,
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        by.map(SeriesBy::as_str),
        if span.bucket == Bucket::Day { "day" } else { "hour" },
        &hours_from,
        &hours_to,
        &days_from,
        &days_to,
        template(filter)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                Timestamp::from_offset_date_time(row.at),
                row.group,
                row.latency.unwrap_or_default(),
                row.ttft.unwrap_or_default(),
            )
        })
        .collect())
}

async fn of_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    by: Option<SeriesBy>,
    latencies: bool,
) -> Result<Vec<BucketSums>> {
    let rows = sqlx::query!(
        "select date_bin($9::bigint * interval '1 microsecond', s.started_at, 'epoch') as \"at!\",
           case $8::text when 'key' then s.key_label when 'model' then s.model when 'step' then s.name
             when 'environment' then s.environment when 'template' then encode(s.template_fingerprint, 'hex')
             end as \"group\",
           count(*) filter (where s.model is not null or $6::text is not null) as \"calls!\",
           count(*) filter (where (s.model is not null or $6::text is not null) and s.status = 'error') as \"errors!\",
           count(*) filter (where (s.model is not null or $6::text is not null) and s.severity > 0) as \"anomalies!\",
           count(*) filter (where s.cost_source = 'unknown') as \"unpriced!\",
           case when count(s.input_fresh) > 0 then least(sum(s.input_fresh), 9223372036854775807)::bigint end as input_fresh,
           case when count(s.cache_read) > 0 then least(sum(s.cache_read), 9223372036854775807)::bigint end as cache_read,
           case when count(s.cache_write) > 0 then least(sum(s.cache_write), 9223372036854775807)::bigint end as cache_write,
           case when count(s.output) > 0 then least(sum(s.output), 9223372036854775807)::bigint end as output,
           case when count(s.cost_nano_usd) > 0
             then greatest(least(sum(s.cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint end as cost,
           array_agg(s.latency_ms) filter (where $10 and s.latency_ms is not null
             and (s.model is not null or $6::text is not null)) as latency,
           array_agg(s.ttft_ms) filter (where $10 and s.ttft_ms is not null
             and (s.model is not null or $6::text is not null)) as ttft
         from steps s
         where s.project_id = $1 and s.started_at >= $2 and s.started_at < $3
           and ($4::text is null or s.key_label = $4) and ($5::text is null or s.model = $5)
           and ($6::text is null or s.name = $6) and ($7::text is null or s.environment = $7)
           and ($11::bytea is null or s.template_fingerprint = $11)
         group by 1, 2
         order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        by.map(SeriesBy::as_str),
        span.bucket.micros(),
        latencies,
        template(filter)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let of = |ms: Option<Vec<f64>>| Latencies {
                histograms: Vec::new(),
                ms: ms.unwrap_or_default(),
            };
            let (latency, ttft) = (of(row.latency), of(row.ttft));
            let mut bucket = bucket_sums!(row);
            (bucket.sums.latency, bucket.sums.ttft) = (latency, ttft);
            bucket
        })
        .collect())
}

/// What one value of a dimension cost in a window and in the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Key, model or step.
    pub by: SeriesBy,
    /// The value.
    pub name: String,
    /// Cost in the window before; `None` when nothing of it is known.
    pub before: Option<NanoUsd>,
    /// Cost in the window.
    pub now: Option<NanoUsd>,
    /// Calls in the window before.
    pub calls_before: i64,
    /// Calls in the window.
    pub calls_now: i64,
}

/// The keys, models and steps whose cost differs most between `before..middle` and `middle..to`, at most `limit`. The
/// three are beginnings of hours.
pub async fn changes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    (before, middle, to): (Timestamp, Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<Change>> {
    // Days that lie whole in one of the two.
    let (first, last) = whole_days(before, middle);
    let (next, end) = whole_days(middle, to);
    let time = Timestamp::to_offset_date_time;
    let rows = sqlx::query!(
        "select d.dimension as \"dimension!\", d.name as \"name!\",
           case when count(r.cost) filter (where r.at < $4) > 0 then greatest(least(sum(r.cost) filter (where r.at < $4),
             9223372036854775807), -9223372036854775808)::bigint end as before,
           case when count(r.cost) filter (where r.at >= $4) > 0 then greatest(least(sum(r.cost) filter (where r.at >= $4),
             9223372036854775807), -9223372036854775808)::bigint end as now,
           coalesce(sum(r.calls) filter (where r.at < $4), 0)::bigint as \"calls_before!\",
           coalesce(sum(r.calls) filter (where r.at >= $4), 0)::bigint as \"calls_now!\"
         from (
           select hour as at, key_label, model, step_name, environment, calls, cost_nano_usd::numeric as cost
           from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and not (hour >= $5 and hour < $6)
             and not (hour >= $7 and hour < $8)
           union all
           select day, key_label, model, step_name, environment, calls, cost_nano_usd
           from rollup_days
           where project_id = $1 and day >= $5 and day < $6
           union all
           select day, key_label, model, step_name, environment, calls, cost_nano_usd
           from rollup_days
           where project_id = $1 and day >= $7 and day < $8
         ) r
         cross join lateral (values ('key', r.key_label), ('model', r.model), ('step', r.step_name)) d (dimension, name)
         where d.name is not null and r.model is not null
           and ($9::text is null or r.key_label = $9) and ($10::text is null or r.model = $10)
           and ($11::text is null or r.step_name = $11) and ($12::text is null or r.environment = $12)
         group by 1, 2
         order by abs(coalesce(sum(r.cost) filter (where r.at >= $4), 0)
           - coalesce(sum(r.cost) filter (where r.at < $4), 0)) desc, 1, 2
         limit $13",
        project.0,
        time(before),
        time(to),
        time(middle),
        time(first),
        time(last),
        time(next),
        time(end),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Change {
                by: SeriesBy::parse(&row.dimension)?,
                name: row.name,
                before: row.before.map(NanoUsd),
                now: row.now.map(NanoUsd),
                calls_before: row.calls_before,
                calls_now: row.calls_now,
            })
        })
        .collect())
}
