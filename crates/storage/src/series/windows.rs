//! Sums over windows that begin and end at any moment: what came before and after a deploy.

use std::collections::BTreeSet;

use domain::series::{CallSums, Latencies, SeriesFilter, WindowSums};
use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};
use time::OffsetDateTime;

use super::template;
use crate::day_histograms::{Stretches, open_days};
use crate::hours::Parts;
use crate::{Result, Snapshot};

/// What model calls did in each window, by key, step, model and template: whole days from the sums of days, other
/// whole hours from those of hours, the parts of an hour at the ends from steps. A series may come more than once.
pub async fn windows(
    snapshot: &mut Snapshot,
    project: ProjectId,
    windows: &[(Timestamp, Timestamp)],
) -> Result<Vec<WindowSums>> {
    windows_of(
        snapshot,
        project,
        &SeriesFilter::default(),
        Grain::Series,
        windows,
    )
    .await
}

/// How finely what a window did is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// By key alone: of many windows at once.
    Key,
    /// By key, step, model and template.
    Series,
}

/// The same of the model calls that a filter lets through, as finely as `grain` says.
pub async fn windows_of(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    grain: Grain,
    windows: &[(Timestamp, Timestamp)],
) -> Result<Vec<WindowSums>> {
    let (mut whole, mut ragged) = (Vec::new(), Vec::new());
    for (index, (from, to)) in windows.iter().enumerate() {
        let parts = Parts::of(Some(*from), Some(*to));
        if let Some((Some(from), Some(to))) = parts.hours {
            whole.push((index, from, to));
        }
        ragged.extend(parts.ragged.into_iter().map(|(from, to)| (index, from, to)));
    }
    let ends = |end: fn(&Part) -> Timestamp| whole.iter().map(end);
    let reach = ends(|part| part.1).min().zip(ends(|part| part.2).max());
    let open = match reach {
        Some(reach) => open_days(snapshot, project, reach).await?,
        None => BTreeSet::new(),
    };
    let (mut hours, mut days) = (Vec::new(), Vec::new());
    for (index, from, to) in whole {
        let cut = Stretches::of((from, to), &open);
        hours.extend(cut.hours.into_iter().map(|(from, to)| (index, from, to)));
        days.extend(cut.days.into_iter().map(|(from, to)| (index, from, to)));
    }
    let mut found = of_rollups(snapshot, project, filter, grain, &hours, &days).await?;
    found.extend(of_steps(snapshot, project, filter, grain, &ragged).await?);
    Ok(found)
}

type Part = (usize, Timestamp, Timestamp);

fn numbers(parts: &[Part]) -> Vec<i32> {
    parts
        .iter()
        .map(|(index, _, _)| i32::try_from(*index).unwrap_or(i32::MAX))
        .collect()
}

fn begins(parts: &[Part]) -> Vec<OffsetDateTime> {
    parts
        .iter()
        .map(|(_, from, _)| from.to_offset_date_time())
        .collect()
}

fn ends(parts: &[Part]) -> Vec<OffsetDateTime> {
    parts.iter().map(|(_, _, to)| to.to_offset_date_time()).collect()
}

async fn of_rollups(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    grain: Grain,
    hours: &[Part],
    days: &[Part],
) -> Result<Vec<WindowSums>> {
    if hours.is_empty() && days.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select r.n as \"n!\", r.key_label as \"key_label!\", case when $13 then '' else min(r.step_name) end as \"step_name!\",
           case when not $13 then min(r.model) end as model, case when not $13 then encode((array_agg(r.template_fingerprint))[1], 'hex') end as template,
           sum(r.calls)::bigint as \"calls!\", sum(r.errors)::bigint as \"errors!\",
           sum(r.anomalies)::bigint as \"anomalies!\", sum(r.unpriced)::bigint as \"unpriced!\",
           case when count(r.input_fresh) > 0 then least(sum(r.input_fresh), 9223372036854775807)::bigint end as input_fresh,
           case when count(r.cache_read) > 0 then least(sum(r.cache_read), 9223372036854775807)::bigint end as cache_read,
           case when count(r.cache_write) > 0 then least(sum(r.cache_write), 9223372036854775807)::bigint end as cache_write,
           case when count(r.output) > 0 then least(sum(r.output), 9223372036854775807)::bigint end as output,
           case when count(r.cost_nano_usd) > 0
             then greatest(least(sum(r.cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint end as cost,
           sum(r.cost_squares)::text as \"cost_squares!\", sum(r.input_squares)::text as \"input_squares!\",
           sum(r.output_squares)::text as \"output_squares!\",
           array_agg(r.latency_us) filter (where r.latency_us <> '') as latency,
           array_agg(r.ttft_us) filter (where r.ttft_us <> '') as ttft
         from (
           select w.n, h.series_id, h.key_label, h.step_name, h.model, h.environment, h.template_fingerprint, h.calls, h.errors,
             h.anomalies, h.unpriced, h.input_fresh, h.cache_read, h.cache_write, h.output, h.cost_nano_usd,
             h.cost_squares, h.input_squares, h.output_squares, h.latency_us, h.ttft_us
           from unnest($2::int[], $3::timestamptz[], $4::timestamptz[]) as w (n, from_at, to_at)
           cross join lateral (select * from rollups h where h.project_id = $1 and h.hour >= w.from_at and h.hour < w.to_at offset 0) h
           union all
           select w.n, d.series_id, d.key_label, d.step_name, d.model, d.environment, d.template_fingerprint, d.calls, d.errors,
             d.anomalies, d.unpriced, d.input_fresh, d.cache_read, d.cache_write, d.output, d.cost_nano_usd,
             d.cost_squares, d.input_squares, d.output_squares, d.latency_us, d.ttft_us
           from unnest($10::int[], $11::timestamptz[], $12::timestamptz[]) as w (n, from_at, to_at)
           cross join lateral (select * from rollup_days d where d.project_id = $1 and d.day >= w.from_at and d.day < w.to_at offset 0) d
         ) r
         where r.model is not null
           and ($5::text is null or r.key_label = $5) and ($6::text is null or r.model = $6)
           and ($7::text is null or r.step_name = $7) and ($8::text is null or r.environment = $8)
           and ($9::bytea is null or r.template_fingerprint = $9)
         group by r.n, r.key_label, case when not $13 then r.series_id end",
        project.0,
        &numbers(hours),
        &begins(hours),
        &ends(hours),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        template(filter),
        &numbers(days),
        &begins(days),
        &ends(days),
        grain == Grain::Key
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let histograms = |encoded: Option<Vec<Vec<u8>>>| Latencies {
        histograms: encoded.unwrap_or_default(),
        ms: Vec::new(),
    };
    Ok(rows
        .into_iter()
        .map(|row| WindowSums {
            window: usize::try_from(row.n).unwrap_or(0),
            key: row.key_label,
            step: row.step_name,
            model: row.model,
            template: row.template,
            sums: CallSums {
                calls: row.calls,
                errors: row.errors,
                anomalies: row.anomalies,
                unpriced: row.unpriced,
                tokens: TokenUsage {
                    input_fresh: row.input_fresh,
                    cache_read: row.cache_read,
                    cache_write: row.cache_write,
                    output: row.output,
                    ..TokenUsage::default()
                },
                cost_nano_usd: row.cost.map(NanoUsd),
                cost_squares: whole(&row.cost_squares),
                input_squares: whole(&row.input_squares),
                output_squares: whole(&row.output_squares),
                latency: histograms(row.latency),
                ttft: histograms(row.ttft),
            },
        })
        .collect())
}

/// A whole number that Postgres wrote.
fn whole(digits: &str) -> i128 {
    digits.parse().unwrap_or(i128::MAX)
}

async fn of_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    grain: Grain,
    parts: &[Part],
) -> Result<Vec<WindowSums>> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    // Each window by itself (`offset 0`): one plan for all of them, kept for any filter, would read every step.
    let rows = sqlx::query!(
        "select w.n as \"n!\", s.key_label as \"key_label!\", case when $10 then '' else s.name end as \"name!\",
           case when not $10 then s.model end as model,
           case when not $10 then encode(s.template_fingerprint, 'hex') end as template,
           count(*) as \"calls!\", count(*) filter (where s.status = 'error') as \"errors!\",
           count(*) filter (where s.severity > 0) as \"anomalies!\",
           count(*) filter (where s.cost_source = 'unknown') as \"unpriced!\",
           case when count(s.input_fresh) > 0 then least(sum(s.input_fresh), 9223372036854775807)::bigint end as input_fresh,
           case when count(s.cache_read) > 0 then least(sum(s.cache_read), 9223372036854775807)::bigint end as cache_read,
           case when count(s.cache_write) > 0 then least(sum(s.cache_write), 9223372036854775807)::bigint end as cache_write,
           case when count(s.output) > 0 then least(sum(s.output), 9223372036854775807)::bigint end as output,
           case when count(s.cost_nano_usd) > 0
             then greatest(least(sum(s.cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint end as cost,
           coalesce(sum(s.cost_nano_usd::numeric ^ 2), 0)::numeric(60, 0)::text as \"cost_squares!\",
           coalesce(sum((coalesce(s.input_fresh, 0)::numeric + coalesce(s.cache_read, 0)
             + coalesce(s.cache_write, 0)) ^ 2), 0)::numeric(60, 0)::text as \"input_squares!\",
           coalesce(sum(s.output::numeric ^ 2), 0)::numeric(60, 0)::text as \"output_squares!\",
           array_agg(s.latency_ms) filter (where s.latency_ms is not null) as latency,
           array_agg(s.ttft_ms) filter (where s.ttft_ms is not null) as ttft
         from unnest($2::int[], $3::timestamptz[], $4::timestamptz[]) as w (n, from_at, to_at)
         cross join lateral (
           select * from steps s
           where s.project_id = $1 and s.started_at >= w.from_at and s.started_at < w.to_at and s.model is not null
             and ($5::text is null or s.key_label = $5) and ($6::text is null or s.model = $6)
             and ($7::text is null or s.name = $7) and ($8::text is null or s.environment = $8)
             and ($9::bytea is null or s.template_fingerprint = $9)
           offset 0
         ) s
         group by 1, 2, 3, 4, 5",
        project.0,
        &numbers(parts),
        &begins(parts),
        &ends(parts),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        template(filter),
        grain == Grain::Key
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let one_by_one = |ms: Option<Vec<f64>>| Latencies {
        histograms: Vec::new(),
        ms: ms.unwrap_or_default(),
    };
    Ok(rows
        .into_iter()
        .map(|row| WindowSums {
            window: usize::try_from(row.n).unwrap_or(0),
            key: row.key_label,
            step: row.name,
            model: row.model,
            template: row.template,
            sums: CallSums {
                calls: row.calls,
                errors: row.errors,
                anomalies: row.anomalies,
                unpriced: row.unpriced,
                tokens: TokenUsage {
                    input_fresh: row.input_fresh,
                    cache_read: row.cache_read,
                    cache_write: row.cache_write,
                    output: row.output,
                    ..TokenUsage::default()
                },
                cost_nano_usd: row.cost.map(NanoUsd),
                cost_squares: whole(&row.cost_squares),
                input_squares: whole(&row.input_squares),
                output_squares: whole(&row.output_squares),
                latency: one_by_one(row.latency),
                ttft: one_by_one(row.ttft),
            },
        })
        .collect())
}
