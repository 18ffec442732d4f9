//! What is summed up from steps, counted again where some are gone.

use std::collections::{BTreeMap, BTreeSet};

use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::had::Had;
use crate::counts::{ADD_UP_DAYS, SUMMED};
use crate::ingest::{Rollup, RollupKey, Squares, write_rollups_within};
use crate::partitions::RELEASE_DAYS;
use crate::{Result, Tx};

/// Makes an encoded histogram of latencies in milliseconds; of none, nothing.
pub type EncodeHistogram<'a> = &'a (dyn Fn(&[f64]) -> Vec<u8> + Send + Sync);

/// Counts all of that again from the steps that are left.
pub(super) async fn count_again(
    tx: &mut Tx,
    project: ProjectId,
    had: &Had,
    histogram: EncodeHistogram<'_>,
    now: Timestamp,
) -> Result<()> {
    let left = hours_left(tx, project, had, histogram).await?;
    delete_empty_hours(tx, project, had, &left).await?;
    // Hours in which nothing is left are no less another history than those that are written back.
    if let Some(first) = had.hours.iter().min() {
        let first = Timestamp::from_offset_date_time(*first);
        crate::incidents::mark_changed(tx, project, first).await?;
    }
    write_rollups_within(tx, &left).await?;
    trim_days(tx, project, had).await?;
    count_releases(tx, project, had, now).await?;
    count_condition_days(tx, project, had).await?;
    forget_templates(tx, project, had).await
}

/// The sums of the hours of series in which steps are left.
async fn hours_left(
    tx: &mut Tx,
    project: ProjectId,
    had: &Had,
    histogram: EncodeHistogram<'_>,
) -> Result<Vec<(RollupKey, Rollup)>> {
    let rows = sqlx::query!(
        "with s as (
           select s.*, o.hour, o.series_id, o.key_label as of_key, o.environment as of_environment,
             o.step_name as of_step, o.model as of_model, o.template_fingerprint as of_template,
             array(select c.code::text from step_conditions c where c.project_id = $1 and c.run_id = s.run_id
               and c.step_id = s.step_id and c.partition_at = s.partition_at) as codes
           from unnest($2::timestamptz[], $3::uuid[]) as w (hour, series_id)
           join rollups o on o.project_id = $1 and o.hour = w.hour and o.series_id = w.series_id
           join steps s on s.project_id = $1 and s.started_at >= o.hour and s.started_at < o.hour + interval '1 hour'
             and (s.other_series = o.series_id or s.other_series is null and s.key_label = o.key_label
               and s.name = o.step_name and s.environment is not distinct from o.environment
               and s.model is not distinct from o.model
               and s.template_fingerprint is not distinct from o.template_fingerprint)
         ), words as (
           select hour, series_id, kind, jsonb_object_agg(word, n) as counts from (
             select hour, series_id, 'shape' as kind, output_shape as word, count(*) as n from s
             where output_shape is not null group by 1, 2, 4
             union all
             select hour, series_id, 'reason', stop_reason, count(*) from s where stop_reason is not null group by 1, 2, 4
             union all
             select hour, series_id, 'condition', code, count(*) from s, unnest(codes) as code group by 1, 2, 4
             union all
             select hour, series_id, 'part', p.word, least(sum(p.n), 9223372036854775807)::bigint
             from s, parts_of_usage(coalesce(s.usage_semantics, s.cost_source), s.usage_details, s.web_searches, s.cache_write_1h) p group by 1, 2, 4
           ) counted group by 1, 2, 3
         )
         select s.hour as \"hour!\", s.series_id as \"series_id!\", min(of_key) as \"key_label!\",
           min(of_environment) as environment, min(of_step) as \"step_name!\", min(of_model) as model,
           (array_agg(of_template))[1] as template, count(*) as \"calls!\",
           count(*) filter (where status = 'error') as \"errors!\",
           count(*) filter (where severity > 0) as \"anomalies!\",
           count(*) filter (where cost_source = 'unknown') as \"unpriced!\", count(cost_nano_usd) as \"priced!\",
           sum(input_fresh)::bigint as input_fresh, sum(cache_read)::bigint as cache_read,
           sum(cache_write)::bigint as cache_write, sum(output)::bigint as output, sum(reasoning)::bigint as reasoning,
           sum(cost_nano_usd)::bigint as cost,
           coalesce(sum(cost_nano_usd::numeric ^ 2), 0)::numeric(1000, 0)::text as \"cost_squares!\",
           coalesce(sum((coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0)) ^ 2),
             0)::numeric(1000, 0)::text as \"input_squares!\",
           coalesce(sum(output::numeric ^ 2), 0)::numeric(1000, 0)::text as \"output_squares!\",
           coalesce(array_agg(latency_ms) filter (where latency_ms is not null), '{}') as \"latency!\",
           coalesce(array_agg(ttft_ms) filter (where ttft_ms is not null), '{}') as \"ttft!\",
           (select counts from words w where w.hour = s.hour and w.series_id = s.series_id and kind = 'shape')
             as \"shapes: Json<BTreeMap<String, i64>>\",
           (select counts from words w where w.hour = s.hour and w.series_id = s.series_id and kind = 'reason')
             as \"reasons: Json<BTreeMap<String, i64>>\",
           (select counts from words w where w.hour = s.hour and w.series_id = s.series_id and kind = 'condition')
             as \"conditions: Json<BTreeMap<String, i64>>\",
           (select counts from words w where w.hour = s.hour and w.series_id = s.series_id and kind = 'part')
             as \"parts: Json<BTreeMap<String, i64>>\"
         from s group by s.hour, s.series_id order by 1, 2",
        project.0,
        &had.hours,
        &had.series
    )
    .fetch_all(&mut **tx)
    .await?;
    let whole = |digits: &str| digits.parse().unwrap_or(i128::MAX);
    Ok(rows
        .into_iter()
        .map(|row| {
            let key = RollupKey {
                project_id: project,
                hour: Timestamp::from_offset_date_time(row.hour),
                series_id: row.series_id,
            };
            let rollup = Rollup {
                key_label: row.key_label,
                environment: row.environment,
                step_name: row.step_name,
                model: row.model,
                template_fingerprint: row.template,
                calls: row.calls,
                errors: row.errors,
                anomalies: row.anomalies,
                unpriced: row.unpriced,
                priced: row.priced,
                tokens: TokenUsage {
                    input_fresh: row.input_fresh,
                    cache_read: row.cache_read,
                    cache_write: row.cache_write,
                    cache_write_1h: None,
                    output: row.output,
                    reasoning: row.reasoning,
                },
                cost_nano_usd: row.cost.map(NanoUsd),
                squares: Squares {
                    cost_nano_usd: whole(&row.cost_squares),
                    input: whole(&row.input_squares),
                    output: whole(&row.output_squares),
                },
                latency_us: histogram(&row.latency),
                ttft_us: histogram(&row.ttft),
                output_shapes: row.shapes.map(|counts| counts.0).unwrap_or_default(),
                finish_reasons: row.reasons.map(|counts| counts.0).unwrap_or_default(),
                conditions: row.conditions.map(|counts| counts.0).unwrap_or_default(),
                usage_parts: row.parts.map(|counts| counts.0).unwrap_or_default(),
            };
            (key, rollup)
        })
        .collect())
}

/// Deletes the hours of series in which no step is left.
async fn delete_empty_hours(
    tx: &mut Tx,
    project: ProjectId,
    had: &Had,
    left: &[(RollupKey, Rollup)],
) -> Result<()> {
    let statement = format!(
        "with removed as (
           delete from rollups r using unnest($2::timestamptz[], $3::uuid[]) as w (hour, series_id)
           where r.project_id = $1 and r.hour = w.hour and r.series_id = w.series_id
             and not exists (
               select from unnest($4::timestamptz[], $5::uuid[]) as k (hour, series_id)
               where k.hour = w.hour and k.series_id = w.series_id)
           returning {SUMMED}
         ), added as (
           select r.* from removed r where false
         ) {ADD_UP_DAYS}"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(project.0)
        .bind(&had.hours)
        .bind(&had.series)
        .bind(
            left.iter()
                .map(|(key, _)| key.hour.to_offset_date_time())
                .collect::<Vec<_>>(),
        )
        .bind(left.iter().map(|(key, _)| key.series_id).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Deletes the days of series in which no step is left, and lets the others begin and end with what is left.
async fn trim_days(tx: &mut Tx, project: ProjectId, had: &Had) -> Result<()> {
    sqlx::query!(
        "delete from rollup_days d using unnest($2::timestamptz[], $3::uuid[]) as w (hour, series_id)
         where d.project_id = $1 and d.day = date_trunc('day', w.hour, 'UTC') and d.series_id = w.series_id
           and not exists (
             select from rollups r where r.project_id = $1 and r.series_id = d.series_id and r.hour >= d.day
               and r.hour < d.day + interval '1 day')",
        project.0,
        &had.hours,
        &had.series
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update rollup_days d set first_hour = f.first_hour, last_hour = f.last_hour
         from (
           select r.series_id, date_trunc('day', r.hour, 'UTC') as day, min(r.hour) as first_hour,
             max(r.hour) as last_hour
           from rollups r
           join (select distinct date_trunc('day', hour, 'UTC') as day, series_id
                 from unnest($2::timestamptz[], $3::uuid[]) as w (hour, series_id)) w
             on r.series_id = w.series_id and r.hour >= w.day and r.hour < w.day + interval '1 day'
           where r.project_id = $1
           group by 1, 2
         ) f
         where d.project_id = $1 and d.day = f.day and d.series_id = f.series_id",
        project.0,
        &had.hours,
        &had.series
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The hours of releases of these keys on these days, as far as they are kept.
async fn count_releases(tx: &mut Tx, project: ProjectId, had: &Had, now: Timestamp) -> Result<()> {
    let kept_from = now
        .day()
        .plus_micros(-RELEASE_DAYS * 86_400_000_000)
        .to_offset_date_time();
    let (from, to) = had.bounds();
    sqlx::query!(
        "delete from release_hours where project_id = $1 and hour >= $4 and hour < $5 and key_label = any ($2)
           and date_trunc('day', hour, 'UTC') = any ($3)",
        project.0,
        &had.labels,
        &had.days,
        from,
        to
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into release_hours (project_id, hour, release, key_label, step_name, model, calls, errors, unpriced, priced,
           cost_nano_usd, cost_squares, metered_input, input, metered_output, output, timed, latency_us)
         select $1, s.hour, s.release, s.key_label, coalesce(o.step_name, s.name),
           case when o.series_id is null then s.model else o.model end, count(*),
           count(*) filter (where s.status = 'error'), count(*) filter (where s.cost_source = 'unknown'),
           count(s.cost_nano_usd), coalesce(sum(s.cost_nano_usd), 0), coalesce(sum(s.cost_nano_usd::numeric ^ 2), 0),
           count(s.input), coalesce(sum(s.input), 0), count(s.output), coalesce(sum(s.output), 0),
           count(*) filter (where s.latency_ms >= 0),
           coalesce(sum(trunc(s.latency_ms * 1000)::numeric) filter (where s.latency_ms >= 0), 0)
         from (
           select *, date_trunc('hour', started_at, 'UTC') as hour,
             case when coalesce(input_fresh, cache_read, cache_write) is not null
               then coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) end as input
           from steps
           where project_id = $1 and started_at >= greatest($4::timestamptz, $5::timestamptz) and started_at < $6 and key_label = any ($2)
             and date_trunc('day', started_at, 'UTC') = any ($3) and release is not null
         ) s
         left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
         group by 1, 2, 3, 4, 5, 6",
        project.0,
        &had.labels,
        &had.days,
        kept_from,
        from,
        to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The steps with conditions of these keys on these days.
async fn count_condition_days(tx: &mut Tx, project: ProjectId, had: &Had) -> Result<()> {
    let (from, to) = had.bounds();
    sqlx::query!(
        "delete from condition_days where project_id = $1 and key_label = any ($2) and day = any ($3)",
        project.0,
        &had.labels,
        &had.days
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into condition_days (project_id, day, code, step_name, model, key_label, ok, warning, critical)
         select $1, s.day, c.code, coalesce(o.step_name, s.name),
           coalesce(case when o.series_id is null then s.model else o.model end, ''), s.key_label,
           count(*) filter (where s.severity = 0), count(*) filter (where s.severity = 1),
           count(*) filter (where s.severity = 2)
         from (
           select *, date_trunc('hour', started_at, 'UTC') as hour, date_trunc('day', started_at, 'UTC') as day
           from steps
           where project_id = $1 and started_at >= $4 and started_at < $5 and key_label = any ($2)
             and date_trunc('day', started_at, 'UTC') = any ($3)
         ) s
         left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
         cross join lateral (
           select distinct d.code
           from step_conditions c
           cross join lateral (values (0::smallint), ((c.code / 1000)::smallint), (c.code)) d (code)
           where c.project_id = $1 and c.run_id = s.run_id and c.step_id = s.step_id
             and c.partition_at = s.partition_at
         ) c
         group by 1, 2, 3, 4, 5, 6",
        project.0,
        &had.labels,
        &had.days,
        from,
        to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Templates that no hour names any more.
async fn forget_templates(tx: &mut Tx, project: ProjectId, had: &Had) -> Result<()> {
    sqlx::query!(
        "delete from prompt_texts t where t.project_id = $1 and t.fingerprint = any ($2)
           and not exists (
             select from rollups r where r.project_id = $1 and r.template_fingerprint = t.fingerprint)",
        project.0,
        &had.templates
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// When these models, steps and releases were first named by what is left; forgotten where nothing names them.
pub(crate) async fn see_first(
    tx: &mut Tx,
    project: ProjectId,
    named: &BTreeSet<(String, String)>,
) -> Result<()> {
    sqlx::query!(
        "with named as (
           select f.dimension, f.value, case f.dimension
               when 'step' then (select min(r.hour) from rollups r where r.project_id = $1 and r.step_name = f.value)
               when 'model' then (select min(r.hour) from rollups r where r.project_id = $1 and r.model = f.value)
               else (select min(c.hour) from run_counts c
                 where c.project_id = $1 and c.dimension = 'release' and c.value = f.value)
             end as hour
           from unnest($2::text[], $3::text[]) as f (dimension, value)
         ), later as (
           update first_seen f set at = s.at
           from named n
           cross join lateral (
             select min(least(s.started_at, s.received_at)) as at from steps s
             where s.project_id = $1 and s.started_at >= n.hour and s.started_at < n.hour + interval '1 hour'
               and case n.dimension when 'step' then s.name when 'model' then s.model end = n.value
           ) s
           where f.project_id = $1 and f.dimension = n.dimension and f.value = n.value and s.at > f.at
         )
         delete from first_seen f using named n
         where f.project_id = $1 and f.dimension = n.dimension and f.value = n.value and n.hour is null",
        project.0,
        &named.iter().map(|(dimension, _)| dimension.clone()).collect::<Vec<_>>(),
        &named.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
