//! What is summed up from `runs` and `rollups`, so that no page reads those over weeks: how many runs an hour has by
//! what most lists are narrowed by (`run_counts`), and the sums of a day (`rollup_days`). ADR 0008.
//!
//! Whatever changes a run or an hour ends its statement with one of these texts, so that both change or neither does. It
//! calls the rows as they are from now on `added` and those that they replace `removed`: the difference is added, and a
//! run whose state changes leaves one column for another. Retention deletes the sums of the same weeks, and the deletion
//! of a project all of them.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// Waits until nobody else adds to what these projects' runs and hours are summed up in, and keeps others waiting until
/// the end of the transaction. A statement of its own: the next one sees the rows that `removed` has to name.
pub(crate) async fn lock_counts(tx: &mut PgConnection, projects: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended(p.project_id::text, 0))::text as locked
         from (select distinct project_id from unnest($1::uuid[]) as d (project_id) order by project_id) p",
        projects
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}

/// As [`lock_counts`] for one project, but waits for nobody: false where somebody else is at it.
pub(crate) async fn try_lock_counts(tx: &mut PgConnection, project: Uuid) -> Result<bool> {
    let is_ours = sqlx::query_scalar!(
        "select pg_try_advisory_xact_lock(hashtextextended($1::uuid::text, 0)) as \"is_ours!\"",
        project
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(is_ours)
}

/// The columns of a run, called `r`, that its counts come from.
pub(crate) const COUNTED: &str = "r.project_id, r.partition_at, r.key_label, r.environment, r.release, r.models, \
    r.step_names, r.status, r.severity, r.step_count, r.unpriced_steps, r.cost_nano_usd";

/// Ends a statement that has the runs `added` and `removed`.
pub(crate) const COUNT_RUNS: &str = "
    insert into run_counts as c (project_id, hour, dimension, value, steps, priced_runs, unpriced_steps,
      cost_nano_usd, ok_clean, ok_warning, ok_critical, error_clean, error_warning, error_critical, running_clean,
      running_warning, running_critical)
    select r.project_id, date_trunc('hour', r.partition_at, 'UTC'), d.dimension, d.value, sum(sign * r.step_count),
      coalesce(sum(sign) filter (where r.cost_nano_usd is not null), 0), sum(sign * r.unpriced_steps),
      coalesce(sum(sign * r.cost_nano_usd), 0),
      coalesce(sum(sign) filter (where r.status = 'ok' and r.severity = 0), 0),
      coalesce(sum(sign) filter (where r.status = 'ok' and r.severity = 1), 0),
      coalesce(sum(sign) filter (where r.status = 'ok' and r.severity = 2), 0),
      coalesce(sum(sign) filter (where r.status = 'error' and r.severity = 0), 0),
      coalesce(sum(sign) filter (where r.status = 'error' and r.severity = 1), 0),
      coalesce(sum(sign) filter (where r.status = 'error' and r.severity = 2), 0),
      coalesce(sum(sign) filter (where r.status = 'running' and r.severity = 0), 0),
      coalesce(sum(sign) filter (where r.status = 'running' and r.severity = 1), 0),
      coalesce(sum(sign) filter (where r.status = 'running' and r.severity = 2), 0)
    from (select 1 as sign, a.* from added a union all select -1, b.* from removed b) r
    cross join lateral (
      values ('all', ''), ('key', r.key_label), ('environment', r.environment), ('release', r.release)
      union all select 'model', unnest(r.models)
      union all select 'step', unnest(r.step_names)
    ) d (dimension, value)
    where d.value is not null
    group by 1, 2, 3, 4
    order by 1, 3, 4, 2
    on conflict (project_id, dimension, value, hour) do update set
      steps = c.steps + excluded.steps,
      priced_runs = c.priced_runs + excluded.priced_runs,
      unpriced_steps = c.unpriced_steps + excluded.unpriced_steps,
      cost_nano_usd = c.cost_nano_usd + excluded.cost_nano_usd,
      ok_clean = c.ok_clean + excluded.ok_clean,
      ok_warning = c.ok_warning + excluded.ok_warning,
      ok_critical = c.ok_critical + excluded.ok_critical,
      error_clean = c.error_clean + excluded.error_clean,
      error_warning = c.error_warning + excluded.error_warning,
      error_critical = c.error_critical + excluded.error_critical,
      running_clean = c.running_clean + excluded.running_clean,
      running_warning = c.running_warning + excluded.running_warning,
      running_critical = c.running_critical + excluded.running_critical";

/// The columns of an hour of a series, called `r`, that its day comes from.
pub(crate) const SUMMED: &str = "r.project_id, r.hour, r.series_id, r.key_label, r.environment, r.step_name, r.model, \
    r.template_fingerprint, r.calls, r.errors, r.anomalies, r.unpriced, r.input_fresh, r.cache_read, r.cache_write, \
    r.output, r.reasoning, r.cost_nano_usd, r.cost_squares, r.input_squares, r.output_squares";

/// Ends a statement that has the hours `added` and `removed`.
pub(crate) const ADD_UP_DAYS: &str = "
    insert into rollup_days as d (project_id, day, first_hour, last_hour, calls, errors, anomalies, unpriced, priced_hours,
      series_id, input_fresh, cache_read, cache_write, output, reasoning, cost_nano_usd, cost_squares, input_squares,
      output_squares, key_label, environment, step_name, model, template_fingerprint)
    select project_id, date_trunc('day', hour, 'UTC'), min(hour), max(hour), sum(sign * calls),
      sum(sign * errors), sum(sign * anomalies), sum(sign * unpriced), coalesce(sum(sign) filter (where cost_nano_usd is not null), 0),
      series_id, sum(sign * input_fresh::numeric), sum(sign * cache_read::numeric),
      sum(sign * cache_write::numeric), sum(sign * output::numeric), sum(sign * reasoning::numeric),
      sum(sign * cost_nano_usd::numeric), sum(sign * cost_squares), sum(sign * input_squares), sum(sign * output_squares),
      min(key_label), min(environment), min(step_name), min(model),
      (array_agg(template_fingerprint))[1]
    from (select 1 as sign, a.* from added a union all select -1, b.* from removed b) r
    group by project_id, date_trunc('day', hour, 'UTC'), series_id
    order by project_id, 2, series_id
    on conflict (project_id, day, series_id) do update set
      first_hour = least(d.first_hour, excluded.first_hour),
      last_hour = greatest(d.last_hour, excluded.last_hour),
      calls = d.calls + excluded.calls,
      errors = d.errors + excluded.errors,
      anomalies = d.anomalies + excluded.anomalies,
      unpriced = d.unpriced + excluded.unpriced,
      priced_hours = d.priced_hours + excluded.priced_hours,
      input_fresh = coalesce(d.input_fresh + excluded.input_fresh, d.input_fresh, excluded.input_fresh),
      cache_read = coalesce(d.cache_read + excluded.cache_read, d.cache_read, excluded.cache_read),
      cache_write = coalesce(d.cache_write + excluded.cache_write, d.cache_write, excluded.cache_write),
      output = coalesce(d.output + excluded.output, d.output, excluded.output),
      reasoning = coalesce(d.reasoning + excluded.reasoning, d.reasoning, excluded.reasoning),
      cost_squares = d.cost_squares + excluded.cost_squares,
      input_squares = d.input_squares + excluded.input_squares,
      output_squares = d.output_squares + excluded.output_squares,
      -- A day that gets more calls is worked out again: day_histograms.rs.
      latency_us = case when excluded.calls = 0 then d.latency_us end,
      ttft_us = case when excluded.calls = 0 then d.ttft_us end,
      cost_nano_usd = case when d.priced_hours + excluded.priced_hours > 0
        then coalesce(d.cost_nano_usd, 0) + coalesce(excluded.cost_nano_usd, 0) end";

/// In a statement that has the hours `added`: says from when on incidents are to be judged again. Where that is said
/// already nothing is written.
pub(crate) const MARK_CHANGED: &str = "
    insert into incident_judging as j (project_id, changed_from)
    select project_id, min(hour) from added group by project_id order by project_id
    on conflict (project_id) do update set changed_from = excluded.changed_from
      where j.changed_from is null or j.changed_from > excluded.changed_from";
