//! What people said about conditions: real or noise.

use domain::anomaly::{CodePrecision, Feedback};
use domain::{ProjectId, Timestamp, Verdict};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, Tx};

#[derive(Clone, Copy, Debug)]
pub struct ConditionRef<'a> {
    pub run_id: &'a str,
    pub step_id: &'a str,
    pub code: u16,
}

/// Writes down a verdict; the last one counts. [`Error::NotFound`] when there is no such condition.
pub async fn set(
    db: &Db,
    project: ProjectId,
    condition: ConditionRef<'_>,
    verdict: Verdict,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let written = sqlx::query!(
        "insert into condition_feedback (project_id, run_id, step_id, code, verdict, actor, at)
         select distinct c.project_id, c.run_id, c.step_id, c.code, $5, $6, $7::timestamptz
         from runs k
         join step_conditions c on c.project_id = k.project_id and c.run_id = k.run_id and c.partition_at = k.partition_at
         where k.project_id = $1 and k.run_id = $2 and c.step_id = $3 and c.code = $4
         on conflict (project_id, run_id, step_id, code)
           do update set verdict = excluded.verdict, actor = excluded.actor, at = excluded.at",
        project.0,
        condition.run_id,
        condition.step_id,
        number(condition.code),
        verdict.as_str(),
        actor,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if written == 0 {
        return Err(Error::NotFound);
    }
    record(&mut tx, project, condition, Some(verdict), actor, now).await?;
    Ok(tx.commit().await?)
}

/// Takes a verdict back. [`Error::NotFound`] when there is none.
pub async fn clear(
    db: &Db,
    project: ProjectId,
    condition: ConditionRef<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let deleted = sqlx::query!(
        "delete from condition_feedback where project_id = $1 and run_id = $2 and step_id = $3 and code = $4",
        project.0,
        condition.run_id,
        condition.step_id,
        number(condition.code)
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if deleted == 0 {
        return Err(Error::NotFound);
    }
    record(&mut tx, project, condition, None, actor, now).await?;
    Ok(tx.commit().await?)
}

/// Writes down who said what of which condition; `None` takes it back.
async fn record(
    tx: &mut Tx,
    project: ProjectId,
    condition: ConditionRef<'_>,
    verdict: Option<Verdict>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let details = json!({
        "run_id": condition.run_id, "step_id": condition.step_id, "verdict": verdict.map(Verdict::as_str),
    });
    let entry = Entry::new(actor, "condition.mark", &condition.code.to_string(), details);
    audit::record_within(tx, project, &entry, now).await
}

/// Every verdict on a run's conditions.
pub async fn of_run(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Vec<Feedback>> {
    let rows = sqlx::query!(
        "select step_id, code, verdict from condition_feedback
         where project_id = $1 and run_id = $2 order by step_id, code",
        project.0,
        run_id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| feedback(row.step_id, row.code, &row.verdict))
        .collect())
}

/// How often each code was right since a point in time, by code. Codes without a verdict are absent.
pub async fn precision_by_code(
    snapshot: &mut Snapshot,
    project: ProjectId,
    since: Timestamp,
) -> Result<Vec<CodePrecision>> {
    let rows = sqlx::query!(
        "select code, count(*) filter (where verdict = 'real') as \"real!\",
           count(*) filter (where verdict = 'noise') as \"noise!\"
         from condition_feedback where project_id = $1 and at >= $2 group by code order by code",
        project.0,
        since.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CodePrecision {
            code: u16::try_from(row.code).unwrap_or(0),
            real: row.real,
            noise: row.noise,
        })
        .collect())
}

/// A code as the database keeps it. One that does not fit is none that exists.
fn number(code: u16) -> i16 {
    i16::try_from(code).unwrap_or(-1)
}

/// A row as pages know it.
pub(crate) fn feedback(step_id: String, code: i16, verdict: &str) -> Option<Feedback> {
    Some(Feedback {
        step_id,
        code: u16::try_from(code).ok()?,
        verdict: Verdict::parse(verdict)?,
    })
}
