//! What re-pricing adds to the hours of releases.

use domain::Timestamp;
use uuid::Uuid;

use super::Delta;
use crate::Result;
use crate::jobs::JobChunk;

/// An hour of a release by key, step and model, as the batch writer counts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseKey {
    pub hour: Timestamp,
    pub release: String,
    pub key_label: String,
    pub step_name: String,
    pub model: Option<String>,
    /// The series whose step name and model count, when they are not the step's own.
    pub other_series: Option<Uuid>,
}

/// Adds to the hours of releases; hours that are kept no longer are left out. Follows `add_to_runs`, which lets one
/// transaction of a project at a time go on.
pub async fn add_to_releases(chunk: &mut JobChunk, deltas: &[(ReleaseKey, Delta)]) -> Result<()> {
    let key = |index: usize| &deltas[index].0;
    let all = || 0..deltas.len();
    sqlx::query!(
        "update release_hours r set priced = r.priced + d.priced, unpriced = r.unpriced + d.unpriced,
           cost_nano_usd = r.cost_nano_usd + d.cost, cost_squares = r.cost_squares + d.cost_squares
         from (
           select d.hour, d.release, d.key_label, coalesce(o.step_name, d.step_name) as step_name,
             case when o.series_id is null then d.model else o.model end as model, sum(d.cost) as cost,
             sum(d.cost_squares::numeric) as cost_squares, sum(d.priced)::bigint as priced,
             sum(d.unpriced)::bigint as unpriced
           from unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::bigint[],
             $9::text[], $10::bigint[], $11::bigint[])
             as d (hour, release, key_label, step_name, model, other_series, cost, cost_squares, priced, unpriced)
           left join rollups o on o.project_id = $1 and o.hour = d.hour and o.series_id = d.other_series
           group by 1, 2, 3, 4, 5
         ) d
         where r.project_id = $1 and r.hour = d.hour and r.release = d.release and r.key_label = d.key_label
           and r.step_name = d.step_name and r.model is not distinct from d.model",
        chunk.job.project_id.0,
        &all().map(|n| key(n).hour.to_offset_date_time()).collect::<Vec<_>>(),
        &all().map(|n| key(n).release.clone()).collect::<Vec<_>>(),
        &all().map(|n| key(n).key_label.clone()).collect::<Vec<_>>(),
        &all().map(|n| key(n).step_name.clone()).collect::<Vec<_>>(),
        &all().map(|n| key(n).model.clone()).collect::<Vec<_>>() as _,
        &all().map(|n| key(n).other_series).collect::<Vec<_>>() as _,
        &all().map(|n| deltas[n].1.cost).collect::<Vec<_>>(),
        &all().map(|n| deltas[n].1.cost_squares.to_string()).collect::<Vec<_>>(),
        &all().map(|n| deltas[n].1.priced).collect::<Vec<_>>(),
        &all().map(|n| deltas[n].1.unpriced).collect::<Vec<_>>()
    )
    .execute(&mut *chunk.tx)
    .await?;
    Ok(())
}
