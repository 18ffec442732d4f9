//! Counting everything again: run totals and rollups against the raw steps. For `doctor --recount` and for tests;
//! it reads every step of a project.

mod counts;
mod histograms;

use std::collections::BTreeSet;

use domain::{ProjectId, Timestamp};

use crate::db::Tx;
use crate::partitions::RELEASE_DAYS;
use crate::{Db, Result};

/// What a recount found. Everything agrees when the two lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    pub steps: i64,
    pub runs: i64,
    /// Runs whose totals differ from their steps (at most 20 are named), or that have no steps; and, marked
    /// `(attributes)`, those that are not found by the attributes of their steps.
    pub wrong_runs: Vec<String>,
    /// Hours in which a series differs from the steps that began in them, and, marked `(runs)`, hours whose counts of
    /// runs differ from the runs that are filed in them (at most 20 of each are named).
    pub wrong_hours: Vec<String>,
}

/// Latencies of the steps of one series in one hour, and what is stored as their histograms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    /// Known latencies, in milliseconds.
    pub latency_ms: Vec<f64>,
    /// Known times to the first token, in milliseconds.
    pub ttft_ms: Vec<f64>,
    /// Histogram of the former in microseconds, encoded.
    pub latency_us: Vec<u8>,
    /// Histogram of the latter in microseconds, encoded.
    pub ttft_us: Vec<u8>,
}

/// Counts a project again; `agree` compares histograms. Writes that are under way meanwhile do not disturb it: it reads
/// one snapshot.
pub async fn recount(
    db: &Db,
    project: ProjectId,
    now: Timestamp,
    agree: impl Fn(&Latencies) -> bool,
) -> Result<Recount> {
    let mut tx = db.project(project).await?;
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await?;
    let counts = sqlx::query!(
        "select (select count(*) from steps where project_id = $1) as \"steps!\",
                (select count(*) from runs where project_id = $1) as \"runs!\"",
        project.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let mut wrong_runs = sqlx::query_scalar!(
        "with counted as (
           select run_id, partition_at, count(*) as steps, count(*) filter (where status = 'error') as errors,
             count(*) filter (where kind in ('llm', 'embedding')) as calls,
             count(*) filter (where parent_step_id is null) as roots,
             count(*) filter (where parent_step_id is null and status = 'error') as root_errors,
             count(*) filter (where ended_at is null) as open,
             count(*) filter (where cost_source = 'unknown') as unpriced, count(cost_nano_usd) as priced,
             sum(input_fresh) as input_fresh, sum(cache_read) as cache_read, sum(cache_write) as cache_write,
             sum(output) as output, sum(reasoning) as reasoning, sum(cost_nano_usd) as cost, sum(score) as score_sum,
             max(score) as score_max, max(severity) as severity, min(started_at) as started_at,
             max(coalesce(ended_at, started_at)) as ended_at
           from steps where project_id = $1 group by run_id, partition_at
         )
         select coalesce(r.run_id, c.run_id) as \"run_id!\"
         from (select * from runs where project_id = $1) r
         full join counted c on c.run_id = r.run_id and c.partition_at = r.partition_at
         where (r.step_count, r.error_count, r.call_count, r.root_count, r.root_error_count, r.open_count, r.unpriced_steps, r.priced_steps,
             r.input_fresh, r.cache_read, r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.score_sum,
             r.score_max, r.severity, r.started_at, r.ended_at)
           is distinct from (c.steps, c.errors, c.calls, c.roots, c.root_errors, c.open, c.unpriced, c.priced,
             c.input_fresh, c.cache_read, c.cache_write, c.output, c.reasoning, c.cost, c.score_sum,
             c.score_max, c.severity, c.started_at, c.ended_at)
         order by 1 limit 20",
        project.0
    )
    .fetch_all(&mut *tx)
    .await?;
    wrong_runs.extend(counts::wrong_attributes(&mut tx, project).await?);
    // Steps and hours leave with the weeks they are filed under, which differ at the edge: nothing is compared there.
    let days = sqlx::query_scalar!(
        "select retention_days from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let whole_days = (i64::from(days.unwrap_or(90)) - 14).max(0);
    let hours_from = now.plus_micros(-whole_days * 24 * 3_600_000_000).hour();
    // Each series of an hour has two rows, one of either side and with the signs turned, that cancel each other out.
    let wrong_hours = sqlx::query_scalar!(
        "with sides as (
           select s.hour, coalesce(o.key_label, s.key_label) as key_label,
             case when o.series_id is null then s.environment else o.environment end as environment,
             coalesce(o.step_name, s.name) as step_name,
             case when o.series_id is null then s.model else o.model end as model,
             case when o.series_id is null then s.template_fingerprint else o.template_fingerprint end
               as template_fingerprint,
             count(*) as calls,
             count(*) filter (where s.status = 'error') as errors,
             count(*) filter (where s.cost_source = 'unknown') as unpriced, count(s.cost_nano_usd) as priced,
             sum(s.input_fresh) as input_fresh,
             sum(s.cache_read) as cache_read, sum(s.cache_write) as cache_write, sum(s.output) as output,
             sum(s.reasoning) as reasoning, sum(s.cost_nano_usd) as cost,
             count(*) filter (where s.severity > 0) as anomalies,
             coalesce(sum(s.cost_nano_usd::numeric ^ 2), 0) as cost_squares,
             coalesce(sum((coalesce(s.input_fresh, 0)::numeric + coalesce(s.cache_read, 0)
               + coalesce(s.cache_write, 0)) ^ 2), 0) as input_squares,
             coalesce(sum(s.output::numeric ^ 2), 0) as output_squares
           from (
             select *, date_trunc('hour', started_at at time zone 'UTC') at time zone 'UTC' as hour
             from steps where project_id = $1 and started_at >= $2
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
           group by 1, 2, 3, 4, 5, 6
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, -calls, -errors, -unpriced, -priced,
             -input_fresh, -cache_read, -cache_write, -output, -reasoning, -cost_nano_usd, -anomalies, -cost_squares,
             -input_squares, -output_squares
           from rollups where project_id = $1 and hour >= $2
         ), wrong as (
           select hour from sides group by hour, key_label, environment, step_name, model, template_fingerprint
           having sum(calls) <> 0 or sum(errors) <> 0 or sum(unpriced) <> 0 or sum(priced) <> 0 or sum(anomalies) <> 0
             or sum(cost_squares) <> 0 or sum(input_squares) <> 0 or sum(output_squares) <> 0
             or sum(input_fresh) <> 0 or count(input_fresh) = 1 or sum(cache_read) <> 0 or count(cache_read) = 1
             or sum(cache_write) <> 0 or count(cache_write) = 1 or sum(output) <> 0 or count(output) = 1
             or sum(reasoning) <> 0 or count(reasoning) = 1 or sum(cost) <> 0 or count(cost) = 1
         )
         select distinct hour::text as \"hour!\" from wrong order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    let wrong_words = wrong_words(&mut tx, project, hours_from).await?;
    let wrong_histograms = histograms::wrong_hours(&mut tx, project, hours_from, &agree).await?;
    let wrong_day_histograms = histograms::wrong_days(&mut tx, project, hours_from, &agree).await?;
    let wrong_counts = counts::wrong_counts(&mut tx, project, hours_from).await?;
    let wrong_days = counts::wrong_days(&mut tx, project, hours_from).await?;
    // The first of those days may be gone already.
    let releases_from = now.plus_micros(-(RELEASE_DAYS - 1) * 24 * 3_600_000_000).hour();
    let wrong_releases = counts::wrong_releases(&mut tx, project, hours_from.max(releases_from)).await?;
    let wrong_first_seen = counts::wrong_first_seen(&mut tx, project, hours_from).await?;
    let wrong_conditions = counts::wrong_condition_days(&mut tx, project, hours_from).await?;
    let wrong_hours: BTreeSet<String> = [
        wrong_hours,
        wrong_words,
        wrong_histograms,
        wrong_day_histograms,
        wrong_counts,
        wrong_days,
        wrong_releases,
        wrong_first_seen,
        wrong_conditions,
    ]
    .into_iter()
    .flatten()
    .collect();
    Ok(Recount {
        steps: counts.steps,
        runs: counts.runs,
        wrong_runs,
        wrong_hours: wrong_hours.into_iter().take(20).collect(),
    })
}

/// Hours in which a series counts conditions, shapes of outputs, finish reasons or what is used beside the buckets otherwise
/// than its steps have them.
async fn wrong_words(tx: &mut Tx, project: ProjectId, from: Timestamp) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "with s as (
           select s.run_id, s.step_id, s.partition_at, s.hour, coalesce(o.key_label, s.key_label) as key_label,
             case when o.series_id is null then s.environment else o.environment end as environment,
             coalesce(o.step_name, s.name) as step_name,
             case when o.series_id is null then s.model else o.model end as model,
             case when o.series_id is null then s.template_fingerprint else o.template_fingerprint end
               as template_fingerprint,
             s.output_shape, s.stop_reason, s.usage_semantics, s.cost_source, s.usage_details, s.web_searches, s.cache_write_1h
           from (
             select *, date_trunc('hour', started_at at time zone 'UTC') at time zone 'UTC' as hour
             from steps where project_id = $1 and started_at >= $2
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
         ), r as (
           select hour, key_label, environment, step_name, model, template_fingerprint, output_shapes, finish_reasons,
             conditions, usage_parts
           from rollups where project_id = $1 and hour >= $2
         ), sides as (
           select hour, key_label, environment, step_name, model, template_fingerprint, 'shape' as counted,
             output_shape as word, 1 as count
           from s where output_shape is not null
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'reason', stop_reason, 1
           from s where stop_reason is not null
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'condition', c.code::text, 1
           from s join step_conditions c on c.project_id = $1 and c.run_id = s.run_id and c.step_id = s.step_id
             and c.partition_at = s.partition_at
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'part', p.word, p.n
           from s, parts_of_usage(coalesce(s.usage_semantics, s.cost_source), s.usage_details, s.web_searches, s.cache_write_1h) p
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'part', w.key, -w.value::bigint
           from r, jsonb_each_text(usage_parts) w
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'shape', w.key, -w.value::bigint
           from r, jsonb_each_text(output_shapes) w
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'reason', w.key, -w.value::bigint
           from r, jsonb_each_text(finish_reasons) w
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'condition', w.key,
             -w.value::bigint
           from r, jsonb_each_text(conditions) w
         ), totals as (
           select * from sides
           union all
           select hour, key_label, environment, step_name, model, template_fingerprint, 'reasons', '', count
           from sides where counted = 'reason'
         ), wrong as (
           select hour from totals
           group by hour, key_label, environment, step_name, model, template_fingerprint, counted, word
           -- A reason may be counted as 'other': fewer than there are, and all of them together right.
           having case when counted = 'reason' then sum(count) < 0 and word <> 'other' else sum(count) <> 0 end
         )
         select distinct hour::text as \"hour!\" from wrong order by 1 limit 20",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?)
}
