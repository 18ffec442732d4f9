//! Sums over windows that begin and end at any moment: what came before and after a deploy.

use domain::series::{CallSums, Latencies, WindowSums};
use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};

use crate::hours::Parts;
use crate::{Result, Snapshot};

/// What model calls did in each window, by key, step, model and template: whole hours from the hourly sums, the parts of
/// an hour at the ends from steps. A series may come twice, once of either.
pub async fn windows(
    snapshot: &mut Snapshot,
    project: ProjectId,
    windows: &[(Timestamp, Timestamp)],
) -> Result<Vec<WindowSums>> {
    let (mut hours, mut ragged) = (Vec::new(), Vec::new());
    for (index, (from, to)) in windows.iter().enumerate() {
        let parts = Parts::of(Some(*from), Some(*to));
        if let Some((Some(from), Some(to))) = parts.hours {
            hours.push((index, from, to));
        }
        ragged.extend(parts.ragged.into_iter().map(|(from, to)| (index, from, to)));
    }
    let mut found = of_rollups(snapshot, project, &hours).await?;
    found.extend(of_steps(snapshot, project, &ragged).await?);
    Ok(found)
}

type Part = (usize, Timestamp, Timestamp);

fn numbers(parts: &[Part]) -> Vec<i32> {
    parts
        .iter()
        .map(|(index, _, _)| i32::try_from(*index).unwrap_or(i32::MAX))
        .collect()
}

async fn of_rollups(snapshot: &mut Snapshot, project: ProjectId, parts: &[Part]) -> Result<Vec<WindowSums>> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select w.n as \"n!\", r.key_label, r.step_name, r.model, encode(r.template_fingerprint, 'hex') as template,
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
         from unnest($2::int[], $3::timestamptz[], $4::timestamptz[]) as w (n, from_at, to_at)
         join rollups r on r.project_id = $1 and r.hour >= w.from_at and r.hour < w.to_at
         where r.model is not null
         group by w.n, r.key_label, r.step_name, r.model, r.template_fingerprint",
        project.0,
        &numbers(parts),
        &parts.iter().map(|(_, from, _)| from.to_offset_date_time()).collect::<Vec<_>>(),
        &parts.iter().map(|(_, _, to)| to.to_offset_date_time()).collect::<Vec<_>>()
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

async fn of_steps(snapshot: &mut Snapshot, project: ProjectId, parts: &[Part]) -> Result<Vec<WindowSums>> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select w.n as \"n!\", s.key_label as \"key_label!\", s.name as \"name!\", s.model,
           encode(s.template_fingerprint, 'hex') as template,
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
         ) s
         group by w.n, s.key_label, s.name, s.model, s.template_fingerprint",
        project.0,
        &numbers(parts),
        &parts.iter().map(|(_, from, _)| from.to_offset_date_time()).collect::<Vec<_>>(),
        &parts.iter().map(|(_, _, to)| to.to_offset_date_time()).collect::<Vec<_>>()
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
