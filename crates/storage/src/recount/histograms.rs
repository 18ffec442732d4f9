//! Histograms of hours and days against the steps they come from.

use domain::{ProjectId, Timestamp};

use super::Latencies;
use crate::Result;
use crate::db::Tx;
use crate::hours::first_whole_day;

/// Hours in which a series' histograms are not those of its steps.
pub(super) async fn wrong_hours(
    tx: &mut Tx,
    project: ProjectId,
    from: Timestamp,
    agree: impl Fn(&Latencies) -> bool,
) -> Result<Vec<String>> {
    let hours = sqlx::query!(
        "with s as (
           select s.hour,
             coalesce(o.key_label, s.key_label) as key_label,
             case when o.series_id is null then s.environment else o.environment end as environment,
             coalesce(o.step_name, s.name) as step_name,
             case when o.series_id is null then s.model else o.model end as model,
             case when o.series_id is null then s.template_fingerprint else o.template_fingerprint end
               as template_fingerprint,
             array_agg(s.latency_ms) filter (where s.latency_ms is not null) as latency_ms,
             array_agg(s.ttft_ms) filter (where s.ttft_ms is not null) as ttft_ms
           from (
             select *, date_trunc('hour', started_at at time zone 'UTC') at time zone 'UTC' as hour
             from steps where project_id = $1 and started_at >= $2
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
           group by 1, 2, 3, 4, 5, 6
         )
         select r.hour::text as \"hour!\", s.latency_ms, s.ttft_ms, r.latency_us, r.ttft_us
         from s join rollups r on r.project_id = $1 and r.hour = s.hour and r.key_label = s.key_label
           and r.step_name = s.step_name and r.environment is not distinct from s.environment
           and r.model is not distinct from s.model
           and r.template_fingerprint is not distinct from s.template_fingerprint",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    let wrong = hours.into_iter().filter_map(|row| {
        let latencies = Latencies {
            latency_ms: row.latency_ms.unwrap_or_default(),
            ttft_ms: row.ttft_ms.unwrap_or_default(),
            latency_us: row.latency_us.unwrap_or_default(),
            ttft_us: row.ttft_us.unwrap_or_default(),
        };
        (!agree(&latencies)).then_some(row.hour)
    });
    Ok(wrong.collect())
}

/// Days that have histograms which are not those of their steps.
pub(super) async fn wrong_days(
    tx: &mut Tx,
    project: ProjectId,
    from: Timestamp,
    agree: impl Fn(&Latencies) -> bool,
) -> Result<Vec<String>> {
    let days = sqlx::query!(
        "with s as (
           select date_trunc('day', s.hour, 'UTC') as day,
             coalesce(o.key_label, s.key_label) as key_label,
             case when o.series_id is null then s.environment else o.environment end as environment,
             coalesce(o.step_name, s.name) as step_name,
             case when o.series_id is null then s.model else o.model end as model,
             case when o.series_id is null then s.template_fingerprint else o.template_fingerprint end
               as template_fingerprint,
             array_agg(s.latency_ms) filter (where s.latency_ms is not null) as latency_ms,
             array_agg(s.ttft_ms) filter (where s.ttft_ms is not null) as ttft_ms
           from (
             select *, date_trunc('hour', started_at at time zone 'UTC') at time zone 'UTC' as hour
             from steps where project_id = $1 and started_at >= $2
           ) s
           left join rollups o on o.project_id = $1 and o.hour = s.hour and o.series_id = s.other_series
           group by 1, 2, 3, 4, 5, 6
         )
         select r.day::text as \"day!\", s.latency_ms, s.ttft_ms, r.latency_us as \"latency_us!\", r.ttft_us
         from s join rollup_days r on r.project_id = $1 and r.day = s.day and r.latency_us is not null and r.key_label = s.key_label
           and r.step_name = s.step_name and r.environment is not distinct from s.environment
           and r.model is not distinct from s.model
           and r.template_fingerprint is not distinct from s.template_fingerprint",
        project.0,
        first_whole_day(from).to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    let wrong = days.into_iter().filter_map(|row| {
        let latencies = Latencies {
            latency_ms: row.latency_ms.unwrap_or_default(),
            ttft_ms: row.ttft_ms.unwrap_or_default(),
            latency_us: row.latency_us,
            ttft_us: row.ttft_us.unwrap_or_default(),
        };
        (!agree(&latencies)).then(|| format!("{} (day)", row.day))
    });
    Ok(wrong.collect())
}
