//! Which budgets were told of, each once in a month.

use domain::alert::Trigger;
use domain::{NanoUsd, ProjectId, Timestamp};

use super::outbox::{NewAlert, insert_within};
use crate::{Db, Result, Snapshot};

/// A budget of a month, and what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetNews {
    pub trigger: Trigger,
    /// The key's label; `None` for all of the project.
    pub key: Option<String>,
    pub monthly: NanoUsd,
}

/// What was told of a month's budgets.
pub async fn told_budgets(
    snapshot: &mut Snapshot,
    project: ProjectId,
    month_from: Timestamp,
) -> Result<Vec<BudgetNews>> {
    let rows = sqlx::query!(
        "select trigger, key_label, monthly_nano_usd from budget_alerts where project_id = $1 and month_from = $2",
        project.0,
        month_from.to_offset_date_time()
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(BudgetNews {
                trigger: Trigger::parse(&row.trigger)?,
                key: Some(row.key_label).filter(|label| !label.is_empty()),
                monthly: NanoUsd(row.monthly_nano_usd),
            })
        })
        .collect())
}

/// Writes alerts of budgets, but for what another process has told meanwhile. Returns how many.
pub async fn tell_budgets(
    db: &Db,
    project: ProjectId,
    month_from: Timestamp,
    news: Vec<(BudgetNews, Vec<NewAlert>)>,
    now: Timestamp,
) -> Result<usize> {
    let mut tx = db.project(project).await?;
    let mut alerts = Vec::new();
    for (told, of_it) in news {
        let inserted = sqlx::query!(
            "insert into budget_alerts (project_id, month_from, told_at, monthly_nano_usd, trigger, key_label)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            project.0,
            month_from.to_offset_date_time(),
            now.to_offset_date_time(),
            told.monthly.0,
            told.trigger.as_str(),
            told.key.unwrap_or_default()
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
