//! The batch writer's SQL. One transaction per batch, read top to bottom in `server::pipeline::process_batch`:
//! file the runs, insert the steps, then add what is new to everything that sums up.
//!
//! Locks are taken in one order by every writer (run keys, steps, prompt texts, runs, rollups, ledger; each sorted by its key),
//! so that two batches wait for each other instead of deadlocking.

mod columns;
mod ledger;
mod prompt_texts;
mod rollups;
mod runs;

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::{Condition, CostSource, NanoUsd, NewStep, ProjectId, Severity, Timestamp, TokenUsage};

pub use ledger::{LedgerEntry, Outcome, add_to_ledger};
pub use prompt_texts::{PromptText, keep_prompt_texts};
pub use rollups::{Rollup, RollupKey, lock_rollups, write_rollups};
pub(crate) use runs::lock_counts;
pub use runs::{Problem, RunDelta, add_to_runs};

use uuid::Uuid;

use crate::scoring::{self, RunDone, WantedRun};
use crate::{Db, Error, Result, Scope, Tx};

/// A step with everything the pipeline worked out about it.
#[derive(Clone, Debug)]
pub struct StepRow<'a> {
    /// The tenant.
    pub project_id: ProjectId,
    /// Label of the key that sent it.
    pub key_label: &'a str,
    /// When the server received it.
    pub received_at: Timestamp,
    /// Its place in the order in which all processes' steps were scored.
    pub arrival: i64,
    /// The step as received.
    pub step: &'a NewStep,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// How the buckets were worked out; `None` without tokens.
    pub usage_semantics: Option<&'static str>,
    /// Its cost; `None` when unknown or when nothing costs.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Where the cost comes from; `None` for steps that cost nothing by nature.
    pub cost_source: Option<CostSource>,
    /// The price row behind a computed cost, or the one by which an unknown one can't be computed.
    pub price_version: Option<String>,
    /// Identity of the whole prompt, SHA-256.
    pub prompt_fingerprint: Option<Vec<u8>>,
    /// Identity of the prompt's template, SHA-256.
    pub template_fingerprint: Option<Vec<u8>>,
    /// The series of the hourly sums that counts it, when too many values made that another than its own.
    pub other_series: Option<Uuid>,
    /// Shape of its output.
    pub output_shape: Option<&'static str>,
    /// Sum of its conditions' points; `None` when it was not scored.
    pub score: Option<i32>,
    /// From how many points it is critical; `None` when it was not scored.
    pub threshold: Option<i32>,
    /// Its severity.
    pub severity: Severity,
    /// The layer after which scoring stopped early.
    pub stopped_at_layer: Option<u8>,
    /// What the rules found.
    pub conditions: Vec<Condition>,
    /// Version of those rules, stored with each condition.
    pub rule_version: u16,
}

/// A batch on its way in.
#[derive(Debug)]
pub struct BatchTx {
    tx: Tx,
}

impl BatchTx {
    /// Makes everything durable. Only after this may anybody be told "stored".
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

/// Begins a batch that writes for these projects, none of which can be deleted until it ends. `NotFound` when one of
/// them has been.
pub async fn begin(db: &Db, projects: &[ProjectId]) -> Result<BatchTx> {
    let mut tx = db.begin(Scope::Projects(projects)).await?;
    let ids: Vec<_> = projects.iter().map(|project| project.0).collect();
    let held = sqlx::query_scalar!(
        "select project_id from projects where project_id = any($1) and deleted_at is null
         order by project_id for key share",
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    if held.len() < ids.len() {
        Err(Error::NotFound)
    } else {
        Ok(BatchTx { tx })
    }
}

/// A batch's runs, filed.
#[derive(Clone, Debug)]
pub struct FiledRuns {
    /// The time under which each is filed, by (project, run).
    pub run_ats: HashMap<(ProjectId, String), Timestamp>,
    /// Those that are new.
    pub created: BTreeSet<(ProjectId, String)>,
    /// Those that were there before: other steps of theirs may be stored.
    pub known: Vec<(ProjectId, String)>,
    /// The first place of this batch in the order of arrival. The next batch of any process begins 2^20 further on.
    first_arrival: i64,
}

/// Bits of a place in the order of arrival that number the steps of one batch; those above number the batches.
pub const ARRIVAL_BITS: u32 = 20;

impl FiledRuns {
    /// The place of the batch's nth step in the order of arrival: no step of any process has the same.
    pub fn arrival(&self, nth: usize) -> i64 {
        let last = (1_i64 << ARRIVAL_BITS) - 1;
        self.first_arrival + i64::try_from(nth).unwrap_or(last).min(last)
    }
}

/// Which row of its batch a step was.
pub fn nth_of_batch(arrival: i64) -> usize {
    usize::try_from(arrival & ((1 << ARRIVAL_BITS) - 1)).unwrap_or(0)
}

/// The number of the batch with which a step arrived.
pub fn batch_of(arrival: i64) -> i64 {
    arrival >> ARRIVAL_BITS
}

/// Files every run of the batch. A run that is new is filed at the start of the earliest of its steps in this batch; at
/// its receipt when that lies beyond the retention, which would delete it, and what comes to it later, within the hour.
pub async fn file_runs(batch: &mut BatchTx, rows: &[StepRow<'_>]) -> Result<FiledRuns> {
    let mut earliest: HashMap<(ProjectId, &str), (Timestamp, Timestamp)> = HashMap::new();
    for row in rows {
        let times = (row.step.started_at, row.received_at);
        let at = earliest
            .entry((row.project_id, row.step.run_id.as_str()))
            .or_insert(times);
        *at = (at.0.min(times.0), at.1.min(times.1));
    }
    let mut keys: Vec<_> = earliest.into_iter().collect();
    keys.sort_unstable_by_key(|((project, run_id), _)| (*project, *run_id));
    let projects: Vec<_> = keys.iter().map(|((project, _), _)| project.0).collect();
    let run_ids: Vec<_> = keys.iter().map(|((_, run_id), _)| *run_id).collect();
    let run_ats: Vec<_> = keys.iter().map(|(_, (at, _))| at.to_offset_date_time()).collect();
    let received_ats: Vec<_> = keys.iter().map(|(_, (_, at))| at.to_offset_date_time()).collect();
    let mut created = BTreeSet::new();
    let mut is_second = false;
    let filed = loop {
        let inserted = sqlx::query!(
            "insert into run_keys (project_id, run_id, run_at)
             select n.project_id, n.run_id, case
               when n.run_at < n.received_at - make_interval(days => coalesce(s.retention_days, 90)) then n.received_at
               else n.run_at end
             from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
               as n (project_id, run_id, run_at, received_at)
             left join project_settings s on s.project_id = n.project_id
             order by n.project_id, n.run_id
             on conflict (project_id, run_id) do nothing
             returning project_id, run_id",
            &projects,
            &run_ids as _,
            &run_ats,
            &received_ats,
        )
        .fetch_all(&mut *batch.tx)
        .await?;
        created.extend(
            inserted
                .into_iter()
                .map(|row| (ProjectId(row.project_id), row.run_id)),
        );
        // The number is taken after the batch has written or locked something: see `SeenTo`.
        let filed = sqlx::query!(
            "select k.project_id, k.run_id, k.run_at, (select nextval('batches')) as \"batch!\"
             from unnest($1::uuid[], $2::text[]) as wanted (project_id, run_id)
             join run_keys k on k.project_id = wanted.project_id and k.run_id = wanted.run_id",
            &projects,
            &run_ids as _,
        )
        .fetch_all(&mut *batch.tx)
        .await?;
        // Retention may have taken a run between the two. It does so once.
        if filed.len() >= run_ids.len() || is_second {
            break filed;
        }
        is_second = true;
    };
    let known = filed
        .iter()
        .map(|row| (ProjectId(row.project_id), row.run_id.clone()))
        .filter(|run| !created.contains(run))
        .collect();
    // A batch of refusals alone files nothing and needs no number.
    let number = filed.first().map_or(0, |row| row.batch);
    Ok(FiledRuns {
        created,
        known,
        first_arrival: number << ARRIVAL_BITS,
        run_ats: filed
            .into_iter()
            .map(|row| {
                let run_at = Timestamp::from_offset_date_time(row.run_at);
                ((ProjectId(row.project_id), row.run_id), run_at)
            })
            .collect(),
    })
}

/// What runs have done, as the batch sees them.
pub async fn runs_done(batch: &mut BatchTx, runs: &[WantedRun<'_>]) -> Result<Vec<RunDone>> {
    scoring::runs_done(&mut batch.tx, runs).await
}

/// For each row, whether its step is new: neither stored already nor standing earlier in the batch. Another batch may
/// store it before this one does; `insert_steps` has the last word. Of a run that is new nothing is stored.
pub async fn find_new(batch: &mut BatchTx, rows: &[StepRow<'_>], runs: &FiledRuns) -> Result<Vec<bool>> {
    let known: HashSet<(ProjectId, &str)> = runs
        .known
        .iter()
        .map(|(project, run_id)| (*project, run_id.as_str()))
        .collect();
    let stored = if known.is_empty() {
        Vec::new()
    } else {
        let is_known = |row: &&StepRow<'_>| known.contains(&(row.project_id, row.step.run_id.as_str()));
        stored_steps(batch, &rows.iter().filter(is_known).collect::<Vec<_>>(), runs).await?
    };
    let mut seen: HashSet<(ProjectId, &str, &str)> = stored
        .iter()
        .map(|(project, run_id, step_id)| (*project, run_id.as_str(), step_id.as_str()))
        .collect();
    Ok(rows
        .iter()
        .map(|row| seen.insert((row.project_id, &row.step.run_id, &row.step.step_id)))
        .collect())
}

/// Those of the rows' steps that are stored: project, run, step.
async fn stored_steps(
    batch: &mut BatchTx,
    rows: &[&StepRow<'_>],
    runs: &FiledRuns,
) -> Result<Vec<(ProjectId, String, String)>> {
    let run_at = |row: &StepRow<'_>| {
        runs.run_ats
            .get(&(row.project_id, row.step.run_id.clone()))
            .copied()
    };
    let stored = sqlx::query!(
        "select s.project_id, s.run_id, s.step_id
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as w (project_id, run_id, step_id, run_at)
         join steps s on s.project_id = w.project_id and s.run_id = w.run_id and s.step_id = w.step_id
           and s.run_at = w.run_at",
        &rows.iter().map(|row| row.project_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.step.run_id.as_str()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.step.step_id.as_str()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| run_at(row).unwrap_or_default().to_offset_date_time()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(stored
        .into_iter()
        .map(|s| (ProjectId(s.project_id), s.run_id, s.step_id))
        .collect())
}

/// Inserts the steps with their texts, events and conditions. Returns, for each row, whether it was new; a step
/// that is already there, or stands earlier in the same batch, is left as it is.
pub async fn insert_steps(
    batch: &mut BatchTx,
    rows: &[StepRow<'_>],
    run_ats: &HashMap<(ProjectId, String), Timestamp>,
) -> Result<Vec<bool>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| (rows[i].project_id, &rows[i].step.run_id, &rows[i].step.step_id, i));
    let identity = |i: usize| (rows[i].project_id, &rows[i].step.run_id, &rows[i].step.step_id);
    order.dedup_by(|a, b| identity(*a) == identity(*b));
    let filed: Vec<columns::Filed<'_>> = order
        .iter()
        .filter_map(|&i| {
            let row = &rows[i];
            let run_at = run_ats.get(&(row.project_id, row.step.run_id.clone()))?;
            Some(columns::Filed {
                index: i,
                row,
                run_at: run_at.to_offset_date_time(),
            })
        })
        .collect();
    let new_ordinals = columns::insert_steps(&mut batch.tx, &filed).await?;
    let mut new = vec![false; rows.len()];
    for ordinal in &new_ordinals {
        new[filed[*ordinal].index] = true;
    }
    let stored: Vec<&columns::Filed<'_>> = new_ordinals.iter().map(|&ordinal| &filed[ordinal]).collect();
    columns::insert_payloads(&mut batch.tx, &stored).await?;
    columns::insert_events(&mut batch.tx, &stored).await?;
    columns::insert_conditions(&mut batch.tx, &stored).await?;
    Ok(new)
}
