//! What the stored steps of a run say was used, for those that may say it again.

use std::collections::{BTreeSet, HashSet};

use domain::{ProjectId, Timestamp};

use super::{BatchTx, FiledRuns};
use crate::Result;

/// How many steps of a run are looked at: what is compared is a tree of calls, and no loop of a hundred thousand.
const MAX_STEPS: i64 = 5_000;

/// A stored step, as far as it matters whose usage counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUsage {
    pub project_id: ProjectId,
    pub run_id: String,
    pub step_id: String,
    pub parent_step_id: Option<String>,
    /// Whether it has usage that counts.
    pub counts: bool,
    /// The provider's id of its answer, where it counts.
    pub response_id: Option<String>,
}

/// A part of a run, as it is filed.
pub type RunPart = (ProjectId, String, Timestamp);

/// The stored steps of parts of runs. Until the batch ends no other batch compares the usage of one of these runs.
pub async fn stored_usage(
    batch: &mut BatchTx,
    parts: BTreeSet<RunPart>,
    runs: &FiledRuns,
) -> Result<Vec<StoredUsage>> {
    let known: HashSet<(ProjectId, &str)> = runs
        .known
        .iter()
        .map(|(project, run_id)| (*project, run_id.as_str()))
        .collect();
    let parts: Vec<RunPart> = parts
        .into_iter()
        .filter(|(project, run_id, _)| known.contains(&(*project, run_id.as_str())))
        .collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let projects: Vec<_> = parts.iter().map(|(project, _, _)| project.0).collect();
    let run_ids: Vec<String> = parts.iter().map(|(_, run_id, _)| run_id.clone()).collect();
    let partition_ats: Vec<_> = parts.iter().map(|(_, _, at)| at.to_offset_date_time()).collect();
    // A run that is new waits for whoever else makes it; one that is known has to be held.
    sqlx::query!(
        "select pg_advisory_xact_lock(k.lock) from (
           select distinct hashtextextended(w.run_id, hashtext(w.project_id::text)) as lock
           from unnest($1::uuid[], $2::text[]) as w (project_id, run_id) order by 1
         ) k",
        &projects,
        &run_ids
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    let rows = sqlx::query!(
        "select w.project_id as \"project_id!\", w.run_id as \"run_id!\", s.step_id, s.parent_step_id,
           s.counts as \"counts!\", s.response_id
         from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as w (project_id, run_id, partition_at)
         cross join lateral (
           select s.step_id, s.parent_step_id, (s.usage_semantics is not null or s.cost_nano_usd is not null) as counts,
             case when s.usage_semantics is not null then s.attributes ->> 'gen_ai.response.id' end as response_id
           from steps s
           where s.project_id = w.project_id and s.partition_at = w.partition_at and s.run_id = w.run_id
           order by s.step_id limit $4
         ) s",
        &projects,
        &run_ids,
        &partition_ats,
        MAX_STEPS
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredUsage {
            project_id: ProjectId(row.project_id),
            run_id: row.run_id,
            step_id: row.step_id,
            parent_step_id: row.parent_step_id,
            counts: row.counts,
            response_id: row.response_id,
        })
        .collect())
}
