//! Counts of runs and sums of days against the runs and hours they come from.

use domain::{ProjectId, Timestamp};

use crate::Result;
use crate::db::Tx;
use crate::ingest::MAX_HASHES;

/// Hours whose counts of runs differ from the runs that are filed in them; at most 20 are named.
pub(super) async fn wrong_counts(
    tx: &mut Tx,
    project: ProjectId,
    hours_from: Timestamp,
) -> Result<Vec<String>> {
    let wrong_counts = sqlx::query_scalar!(
        "with sides as (
           select date_trunc('hour', r.partition_at, 'UTC') as hour, d.dimension, d.value, r.step_count::bigint as steps,
             (r.cost_nano_usd is not null)::int as priced, r.unpriced_steps::bigint as unpriced,
             coalesce(r.cost_nano_usd, 0)::numeric as cost,
             (r.status = 'ok' and r.severity = 0)::int as a, (r.status = 'ok' and r.severity = 1)::int as b,
             (r.status = 'ok' and r.severity = 2)::int as c, (r.status = 'error' and r.severity = 0)::int as d,
             (r.status = 'error' and r.severity = 1)::int as e, (r.status = 'error' and r.severity = 2)::int as f,
             (r.status = 'running' and r.severity = 0)::int as g, (r.status = 'running' and r.severity = 1)::int as h,
             (r.status = 'running' and r.severity = 2)::int as i
           from runs r
           cross join lateral (
             select 'all' as dimension, '' as value
             union all select 'key', r.key_label
             union all select 'environment', r.environment where r.environment is not null
             union all select 'release', r.release where r.release is not null
             union all select 'model', m from unnest(r.models) m
             union all select 'step', s from unnest(r.step_names) s
           ) d
           where r.project_id = $1 and r.partition_at >= $2
           union all
           select hour, dimension, value, -steps, -priced_runs, -unpriced_steps, -cost_nano_usd, -ok_clean,
             -ok_warning, -ok_critical, -error_clean, -error_warning, -error_critical, -running_clean,
             -running_warning, -running_critical
           from run_counts where project_id = $1 and hour >= $2
         )
         select distinct hour::text as \"hour!\" from (
           select hour from sides group by hour, dimension, value
           having (sum(steps), sum(priced), sum(unpriced), sum(cost), sum(a), sum(b), sum(c), sum(d), sum(e), sum(f),
             sum(g), sum(h), sum(i)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
         ) wrong order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong_counts
        .into_iter()
        .map(|hour| format!("{hour} (runs)"))
        .collect())
}

/// Runs that are not found by the attributes of their steps, or by others; at most 20 are named. How numbers of other
/// magnitudes were written, and which of more than 32 attributes were taken, is not in the rows.
pub(super) async fn wrong_attributes(tx: &mut Tx, project: ProjectId) -> Result<Vec<String>> {
    let wrong = sqlx::query_scalar!(
        "with named as (
           select s.run_id, s.partition_at, hashtext(a.key || '=' || (a.value #>> '{}')) as hash,
             count(*) over (partition by s.run_id, s.partition_at, s.step_id) > 32
               or case when jsonb_typeof(a.value) = 'number'
                 then a.value::numeric <> 0 and abs(a.value::numeric) not between 0.001 and 1e15 end as is_unsure
           from steps s cross join lateral jsonb_each(s.attributes) a
           where s.project_id = $1 and jsonb_typeof(a.value) in ('string', 'number', 'boolean')
             and octet_length(a.key || '=' || (a.value #>> '{}')) <= 200
         ), counted as (
           select run_id, partition_at, array_agg(distinct hash order by hash) as hashes,
             coalesce(bool_or(is_unsure), false) as is_unsure
           from named group by run_id, partition_at
         )
         select r.run_id
         from (
           select run_id, partition_at,
             array(select h from unnest(attribute_hashes) h order by h) as hashes
           from runs where project_id = $1
         ) r
         left join counted c on c.run_id = r.run_id and c.partition_at = r.partition_at
         where c.is_unsure is not true and r.hashes <> coalesce(c.hashes[1:$2], '{}')
         order by r.run_id limit 20",
        project.0,
        MAX_HASHES
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong
        .into_iter()
        .map(|run_id| format!("{run_id} (attributes)"))
        .collect())
}

/// Days whose sums differ from those of their hours; at most 20 are named.
pub(super) async fn wrong_days(
    tx: &mut Tx,
    project: ProjectId,
    hours_from: Timestamp,
) -> Result<Vec<String>> {
    let wrong_days = sqlx::query_scalar!(
        "with sides as (
           select date_trunc('day', hour, 'UTC') as day, series_id, calls::numeric as calls, errors::numeric as errors,
             anomalies::numeric as anomalies, unpriced::numeric as unpriced, coalesce(input_fresh, 0)::numeric as input_fresh,
             coalesce(output, 0)::numeric as output, coalesce(cost_nano_usd, 0)::numeric as cost,
             (cost_nano_usd is not null)::int as priced, cost_squares, input_squares, output_squares
           from rollups where project_id = $1 and hour >= date_trunc('day', $2::timestamptz, 'UTC')
           union all
           select day, series_id, -calls, -errors, -anomalies, -unpriced, -coalesce(input_fresh, 0), -coalesce(output, 0),
             -coalesce(cost_nano_usd, 0), -priced_hours, -cost_squares, -input_squares, -output_squares
           from rollup_days where project_id = $1 and day >= date_trunc('day', $2::timestamptz, 'UTC')
         )
         select distinct day::text as \"day!\" from (
           select day from sides group by day, series_id
           having (sum(calls), sum(errors), sum(anomalies), sum(unpriced), sum(input_fresh), sum(output), sum(cost),
             sum(priced), sum(cost_squares), sum(input_squares), sum(output_squares))
             <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
         ) wrong order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong_days.into_iter().map(|day| format!("{day} (day)")).collect())
}

/// Hours of releases that differ from the steps that said they ran them; at most 20 are named.
pub(super) async fn wrong_releases(
    tx: &mut Tx,
    project: ProjectId,
    hours_from: Timestamp,
) -> Result<Vec<String>> {
    let wrong_releases = sqlx::query_scalar!(
        "with sides as (
           select s.hour, case when s.release_is_other then 'other' else s.release end as release, s.key_label,
             coalesce(o.step_name, s.name) as step_name,
             case when o.series_id is null then s.model else o.model end as model, 1::numeric as calls,
             (s.status = 'error')::int as errors, coalesce((s.cost_source = 'unknown')::int, 0) as unpriced,
             (s.cost_nano_usd is not null)::int as priced, (s.input is not null)::int as metered_input,
             (s.output is not null)::int as metered_output, coalesce((s.latency_ms >= 0)::int, 0) as timed,
             coalesce(s.input, 0) as input, coalesce(s.output, 0)::numeric as output,
             case when s.latency_ms >= 0 then trunc(s.latency_ms * 1000)::numeric else 0 end as latency_us,
             coalesce(s.cost_nano_usd, 0)::numeric as cost
           from (
             select *, date_trunc('hour', started_at, 'UTC') as hour,
               case when coalesce(input_fresh, cache_read, cache_write) is not null
                 then coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) end as input
             from steps where project_id = $1 and started_at >= $2 and release is not null
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
         ), both_sides as (
           select hour, release, key_label, step_name, model, calls, errors, unpriced, priced, metered_input,
             metered_output, timed, input, output, latency_us, cost, cost ^ 2 as cost_squares
           from sides
           union all
           select hour, release, key_label, step_name, model, -calls, -errors, -unpriced, -priced, -metered_input,
             -metered_output, -timed, -input, -output, -latency_us, -cost_nano_usd, -cost_squares
           from release_hours where project_id = $1 and hour >= $2
         )
         select distinct hour::text as \"hour!\" from (
           select hour from both_sides group by hour, release, key_label, step_name, model
           having (sum(calls), sum(errors), sum(unpriced), sum(priced), sum(metered_input), sum(metered_output),
             sum(timed), sum(input), sum(output), sum(latency_us), sum(cost), sum(cost_squares))
             <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
         ) wrong order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong_releases
        .into_iter()
        .map(|hour| format!("{hour} (release)"))
        .collect())
}

/// Models, steps and releases that were named before what is kept as their first time; at most 20 are named. What named
/// them first may be gone.
pub(super) async fn wrong_first_seen(
    tx: &mut Tx,
    project: ProjectId,
    hours_from: Timestamp,
) -> Result<Vec<String>> {
    let wrong = sqlx::query_scalar!(
        "with named as (
           select d.dimension, d.value, min(least(s.started_at, s.received_at)) as at
           from (
             select *, date_trunc('hour', started_at, 'UTC') as hour
             from steps where project_id = $1 and started_at >= $2
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
           cross join lateral (
             values ('step', coalesce(o.step_name, s.name)),
               ('model', case when o.series_id is null then s.model else o.model end),
               ('release', case when s.release_is_other then 'other' else s.release end)
           ) d (dimension, value)
           where d.value is not null
           group by 1, 2
         )
         select n.dimension || ' ' || n.value as \"value!\"
         from named n
         left join first_seen f on f.project_id = $1 and f.dimension = n.dimension and f.value = n.value
         where f.at is null or f.at > n.at
         order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong
        .into_iter()
        .map(|value| format!("{value} (first seen)"))
        .collect())
}

/// Days whose steps with conditions are others than those that are stored; at most 20 are named. By key: names may be
/// counted as other ones.
pub(super) async fn wrong_condition_days(
    tx: &mut Tx,
    project: ProjectId,
    hours_from: Timestamp,
) -> Result<Vec<String>> {
    let wrong_days = sqlx::query_scalar!(
        "with found as (
           select s.run_id, s.step_id, s.partition_at, date_trunc('day', s.started_at, 'UTC') as day, s.key_label,
             s.severity, c.code
           from steps s
           join step_conditions c on c.project_id = $1 and c.run_id = s.run_id and c.step_id = s.step_id
             and c.partition_at = s.partition_at
           where s.project_id = $1 and s.started_at >= date_trunc('day', $2::timestamptz, 'UTC')
         ), counted as (
           select day, key_label, code, severity from found
           union all
           select day, key_label, layer, severity from (
             select distinct run_id, step_id, partition_at, day, key_label, severity, (code / 1000)::smallint as layer
             from found) f
           union all
           select day, key_label, 0::smallint, severity from (
             select distinct run_id, step_id, partition_at, day, key_label, severity from found) f
         ), sides as (
           select day, key_label, code, (severity = 0)::int as ok, (severity = 1)::int as warning,
             (severity = 2)::int as critical
           from counted
           union all
           select day, key_label, code, -ok, -warning, -critical
           from condition_days where project_id = $1 and day >= date_trunc('day', $2::timestamptz, 'UTC')
         )
         select distinct day::text as \"day!\" from (
           select day from sides group by day, key_label, code
           having (sum(ok), sum(warning), sum(critical)) <> (0, 0, 0)
         ) wrong order by 1 limit 20",
        project.0,
        hours_from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(wrong_days
        .into_iter()
        .map(|day| format!("{day} (conditions)"))
        .collect())
}
