//! Which limits of keys were told of, each share of each once in a month.

use domain::key_limit::Reached;
use domain::{ProjectId, Timestamp};

use super::outbox::{NewAlert, insert_within};
use crate::{Db, Result};

/// A limit of a month, and how much of it was reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyLimitNews {
    /// The key's label.
    pub key: String,
    pub reached: Reached,
}

/// Writes alerts of limits, but for what was told before, by this process or another. Returns how many.
pub async fn tell_key_limits(
    db: &Db,
    project: ProjectId,
    month_from: Timestamp,
    news: Vec<(KeyLimitNews, Vec<NewAlert>)>,
    now: Timestamp,
) -> Result<usize> {
    let mut tx = db.project(project).await?;
    let mut alerts = Vec::new();
    for (told, of_it) in news {
        let percent = i16::try_from(told.reached.percent).unwrap_or(i16::MAX);
        let inserted = sqlx::query!(
            "insert into key_limit_alerts (project_id, month_from, told_at, most, percent, measure, key_label)
             select $1, $2, $3, $4, $5, $6, $7 from projects where project_id = $1 and deleted_at is null
             on conflict do nothing",
            project.0,
            month_from.to_offset_date_time(),
            now.to_offset_date_time(),
            told.reached.limit,
            percent,
            told.reached.measure.as_str(),
            told.key
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() > 0 {
            alerts.extend(of_it);
        }
    }
    insert_within(&mut tx, &mut alerts, now).await?;
    tx.commit().await?;
    Ok(alerts.len())
}
