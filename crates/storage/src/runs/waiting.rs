//! Runs that wait for more of their spans, and when they wait no longer. Ingest says until when (`ingest/runs.rs`), and
//! keeps such a run `running`; here it gets the state it ended in. So every reader sees the same: a row's `status`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::{ProjectId, Timestamp};
use uuid::Uuid;

use crate::counts::{COUNT_RUNS, COUNTED, try_lock_counts};
use crate::{Db, Result, Scope, Tx};

/// Parts of runs that one transaction ends.
pub const MAX_ENDED: i64 = 1_000;
/// Projects that are tried: whoever holds the counts of as many is not waited for.
const MAX_PROJECTS: i64 = 100;

/// Ends the waiting of runs of which nothing came until `now`, of the project that has waited longest, and
/// [`MAX_ENDED`] parts of runs at most. Returns the runs by project; none when no more are due.
///
/// One project a transaction, and none whose counts somebody holds: who waits for those of one must not hold those of
/// others, whose steps would wait too.
pub async fn end_waiting(db: &Db, now: Timestamp) -> Result<BTreeMap<ProjectId, BTreeSet<String>>> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with due as (
               select * from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as d (project_id, run_id, partition_at)
             ), removed as (
               select {COUNTED} from due d
               join runs r on r.project_id = d.project_id and r.run_id = d.run_id and r.partition_at = d.partition_at
             ), added as (
               update runs r set waits_until = null,
                 status = case when r.root_error_count > 0 then 'error'
                   when r.open_count > 0 or (r.root_count = 0 and not r.is_continued) then 'running' else 'ok' end
               from due d
               where r.project_id = d.project_id and r.run_id = d.run_id and r.partition_at = d.partition_at
               returning {COUNTED}
             ) {COUNT_RUNS}"
        )
    });
    let mut tx = db.begin(Scope::All).await?;
    let at = now.to_offset_date_time();
    let projects: Vec<Uuid> = sqlx::query_scalar!(
        "select r.project_id from runs r join projects p on p.project_id = r.project_id and p.deleted_at is null
         where r.waits_until <= $1 group by r.project_id order by min(r.waits_until) limit $2",
        at,
        MAX_PROJECTS
    )
    .fetch_all(&mut *tx)
    .await?;
    // From here on nobody else changes its runs. What came meanwhile has made them wait longer.
    let Some(project) = first_free(&mut tx, &projects).await? else {
        return Ok(BTreeMap::new());
    };
    let due = sqlx::query!(
        "select project_id, run_id, partition_at from runs
         where waits_until <= $1 and project_id = $2 order by waits_until limit $3",
        at,
        project,
        MAX_ENDED
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut run_ids = Vec::with_capacity(due.len());
    let mut of_projects = Vec::with_capacity(due.len());
    let mut parts = Vec::with_capacity(due.len());
    let mut ended: BTreeMap<ProjectId, BTreeSet<String>> = BTreeMap::new();
    for run in due {
        let runs = ended.entry(ProjectId(run.project_id)).or_default();
        runs.insert(run.run_id.clone());
        of_projects.push(run.project_id);
        run_ids.push(run.run_id);
        parts.push(run.partition_at);
    }
    sqlx::query(STATEMENT.as_str())
        .bind(of_projects)
        .bind(run_ids)
        .bind(parts)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(ended)
}

/// Takes the counts of the first of the projects that nobody holds.
async fn first_free(tx: &mut Tx, projects: &[Uuid]) -> Result<Option<Uuid>> {
    for project in projects {
        if try_lock_counts(tx, *project).await? {
            return Ok(Some(*project));
        }
    }
    Ok(None)
}
