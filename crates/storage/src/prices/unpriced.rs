use domain::{ProjectId, Timestamp, UnpricedModel};

use crate::{Result, Snapshot};

/// Models with calls since `from` that have no price, the one with most calls first, at most `limit`. Calls whose cost
/// is unknown although their model has a price (their usage was not reported) are not among them: those name the row.
pub async fn unpriced_models(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<UnpricedModel>> {
    let rows = sqlx::query!(
        "with unknown as (
           select coalesce(model, '') as model, sum(unpriced) as calls, max(hour) as last_hour
           from rollups where project_id = $1 and hour >= $2 and unpriced > 0 group by 1
         ), listed as (
           select coalesce(model, '') as model, count(*) as calls
           from steps where project_id = $1 and started_at >= $2 and cost_source = 'unknown'
             and price_version is not null group by 1
         )
         select u.model as \"model!\", (u.calls - coalesce(l.calls, 0))::bigint as \"calls!\",
           u.last_hour as \"last_hour!\"
         from unknown u left join listed l on l.model = u.model
         where u.calls > coalesce(l.calls, 0)
         order by 2 desc, 1
         limit $3",
        project.0,
        from.hour().to_offset_date_time(),
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| UnpricedModel {
            model: row.model,
            calls: row.calls,
            last_hour: Timestamp::from_offset_date_time(row.last_hour),
        })
        .collect())
}
