//! What a project, or the calls of one key, may cost in a month.

use domain::{NanoUsd, ProjectId, Timestamp};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot};

/// What the audit log calls the budget of the project as a whole.
const WHOLE: &str = "project";

/// A budget of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The key's label; `None` for all of the project.
    pub key: Option<String>,
    pub monthly: NanoUsd,
}

/// The project's own first, then those of keys by label.
pub async fn list(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<Budget>> {
    let rows = sqlx::query!(
        "select key_label, monthly_nano_usd from budgets where project_id = $1 order by key_label",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Budget {
            key: Some(row.key_label).filter(|label| !label.is_empty()),
            monthly: NanoUsd(row.monthly_nano_usd),
        })
        .collect())
}

/// Sets a budget, or takes it away where `monthly` is `None`; [`Error::NotFound`] when there is none to take away.
pub async fn set(
    db: &Db,
    project: ProjectId,
    key: Option<&str>,
    monthly: Option<NanoUsd>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let label = key.unwrap_or_default();
    let mut tx = db.project(project).await?;
    let action = match monthly {
        Some(monthly) => {
            sqlx::query!(
                "insert into budgets (project_id, key_label, monthly_nano_usd) values ($1, $2, $3)
                 on conflict (project_id, key_label) do update set monthly_nano_usd = excluded.monthly_nano_usd",
                project.0,
                label,
                monthly.0
            )
            .execute(&mut *tx)
            .await?;
            "budget.set"
        }
        None => {
            let deleted = sqlx::query!(
                "delete from budgets where project_id = $1 and key_label = $2",
                project.0,
                label
            )
            .execute(&mut *tx)
            .await?;
            if deleted.rows_affected() == 0 {
                return Err(Error::NotFound);
            }
            "budget.remove"
        }
    };
    let details = json!({ "monthly_usd": monthly.map(NanoUsd::to_decimal) });
    let entry = Entry::new(actor, action, key.unwrap_or(WHOLE), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
