use domain::{ProjectId, Timestamp, UnpricedModel};

use crate::{Db, Result};

/// Models with calls since `from` that have no price, the one with most calls first, at most `limit`.
pub async fn unpriced_models(
    db: &Db,
    project: ProjectId,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<UnpricedModel>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "select coalesce(model, '') as \"model!\", sum(unpriced)::bigint as \"calls!\", max(hour) as \"last_hour!\"
         from rollups
         where project_id = $1 and hour >= $2 and unpriced > 0
         group by 1
         order by 2 desc, 1
         limit $3",
        project.0,
        from.hour().to_offset_date_time(),
        i64::from(limit)
    )
    .fetch_all(&mut *tx)
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
