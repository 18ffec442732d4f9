//! What came lately, as far as rules look at it.

use domain::alert::PastStep;
use domain::{ProjectId, Timestamp};

use crate::runs::severity;
use crate::{Result, Snapshot};

/// The latest steps that were scored, at most `limit`, received since `from`, in the order in which they came.
pub async fn past_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<PastStep>> {
    let rows = sqlx::query!(
        "select received_at, name, key_label, environment, severity,
           (status = 'error' or coalesce(btrim(error), '') <> '') as \"has_failed!\"
         from steps where project_id = $1 and score is not null
         order by sequence desc limit $2",
        project.0,
        i64::from(limit)
    )
    .fetch_all(snapshot)
    .await?;
    let mut steps: Vec<PastStep> = rows
        .into_iter()
        .map(|row| PastStep {
            at: Timestamp::from_offset_date_time(row.received_at),
            name: row.name,
            key: row.key_label,
            environment: row.environment,
            severity: severity(row.severity),
            has_failed: row.has_failed,
        })
        .take_while(|step| step.at >= from)
        .collect();
    steps.reverse();
    Ok(steps)
}

/// How many incidents were noticed, and how many were over, since `from`.
pub async fn incident_news(snapshot: &mut Snapshot, project: ProjectId, from: Timestamp) -> Result<i64> {
    let news = sqlx::query_scalar!(
        "select count(*) filter (where opened_at >= $2) + count(*) filter (where ended_at >= $2) as \"news!\"
         from incidents where project_id = $1 and last_at >= $2",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_one(snapshot)
    .await?;
    Ok(news)
}
