//! The batch writer's SQL. One transaction per batch, read top to bottom in `server::pipeline::process_batch`:
//! file the runs, insert the steps, then add what is new to everything that sums up.
//!
//! Locks are taken in one order by every writer (run keys, runs whose usage is compared, steps, prompt texts, runs, releases, first seen, rollups, days of conditions, ledger, days of redaction, alerts, traces, judgements; each sorted by its key),
//! so that two batches wait for each other instead of deadlocking.

mod alerts;
mod columns;
mod condition_days;
mod filing;
mod first_seen;
mod judgements;
mod ledger;
mod prompt_texts;
mod redaction_days;
mod releases;
mod rollups;
mod runs;
mod steps;
mod traces;
mod usage;

use std::collections::HashMap;

use domain::{Condition, CostSource, NanoUsd, NewStep, ProjectId, Severity, Timestamp, TokenUsage};
use uuid::Uuid;

pub use alerts::add_alerts;
pub use columns::Column;
pub(crate) use columns::MAX_HASHES;
pub use condition_days::{ConditionDay, add_to_condition_days};
pub use filing::{FiledRuns, file_runs, find_new, runs_done};
pub use first_seen::{Seen, keep_first_seen};
pub use judgements::queue_judgements;
pub use ledger::{LedgerEntry, Outcome, add_to_ledger};
pub use prompt_texts::{PromptText, keep_prompt_texts};
pub use redaction_days::{RedactionDay, add_to_redaction_days};
pub use releases::{KeyedReleaseHour, ReleaseHour, add_to_releases};
pub(crate) use rollups::write_rollups_within;
pub use rollups::{Rollup, RollupKey, Squares, lock_rollups, write_rollups};
pub use runs::{Problem, RunDelta, add_to_runs};
pub use steps::insert_steps;
pub use traces::queue_traces;
pub use usage::{RunPart, StoredUsage, stored_usage};

use crate::db::ClosingTx;
use crate::sealed::SealedTexts;
use crate::{Db, Error, Result, Scope};

/// A step with everything the pipeline worked out about it.
#[derive(Clone, Debug)]
pub struct StepRow<'a> {
    pub project_id: ProjectId,
    pub key_label: &'a str,
    /// When the server received it.
    pub received_at: Timestamp,
    /// The part of its run under which it is stored; set by `file_runs`.
    pub partition_at: Timestamp,
    /// Whether that is a later part than the first; set by `file_runs`.
    pub is_continued: bool,
    /// Until when more of its run may come; `None` where nobody waits for it.
    pub waits_until: Option<Timestamp>,
    /// Its sequence number: the order in which the steps of all processes were scored.
    pub sequence: i64,
    pub step: &'a NewStep,
    /// Its texts, where they are stored sealed: those of `step` are not stored then.
    pub sealed: Option<SealedTexts>,
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
    /// Hash of the whole prompt.
    pub prompt_hash: Option<i64>,
    /// Identity of the prompt's template, SHA-256.
    pub template_fingerprint: Option<Vec<u8>>,
    /// The series of the hourly sums that counts it, when too many values made that another than its own.
    pub other_series: Option<Uuid>,
    /// Whether its release is one of too many, so that what sums up calls by release counts it as `other`.
    pub release_is_other: bool,
    pub output_shape: Option<&'static str>,
    /// Sum of its conditions' points; `None` when it was not scored.
    pub score: Option<i32>,
    /// From how many points it is critical; `None` when it was not scored.
    pub threshold: Option<i32>,
    pub severity: Severity,
    /// The layer after which scoring stopped early.
    pub stopped_at_layer: Option<u8>,
    /// What the rules found.
    pub conditions: Vec<Condition>,
    /// Version of those rules, stored with each condition.
    pub rule_version: u16,
}

/// A batch on its way in. Dropped without `commit`, at any point, it leaves nothing behind but the question whether a
/// commit under way came about.
#[derive(Debug)]
pub struct BatchTx {
    tx: ClosingTx,
    /// How long each project keeps runs.
    retention_days: HashMap<ProjectId, i64>,
}

impl BatchTx {
    /// Makes everything durable. Only after this may "stored" be answered.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await
    }
}

/// Begins a batch that writes for these projects, none of which can be deleted until it ends. `NotFound` when one of
/// them has been.
pub async fn begin(db: &Db, projects: &[ProjectId]) -> Result<BatchTx> {
    let mut tx = db.begin_closing(Scope::Projects(projects)).await?;
    let ids: Vec<_> = projects.iter().map(|project| project.0).collect();
    let held = sqlx::query!(
        "select p.project_id, coalesce(s.retention_days, 90) as \"retention_days!\"
         from projects p left join project_settings s on s.project_id = p.project_id
         where p.project_id = any($1) and p.deleted_at is null order by p.project_id for key share of p",
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    if held.len() < ids.len() {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    let retention_days = held
        .into_iter()
        .map(|row| (ProjectId(row.project_id), row.retention_days.into()))
        .collect();
    Ok(BatchTx { tx, retention_days })
}

/// The columns that the batch writer fills, by table, for the test that compares them with the schema.
pub const WRITTEN: [(&str, &[Column]); 8] = [
    ("steps", steps::STEPS),
    ("step_payloads", steps::PAYLOADS),
    ("step_events", steps::EVENTS),
    ("step_conditions", steps::CONDITIONS),
    ("runs", runs::COLUMNS),
    ("rollups", rollups::COLUMNS),
    ("release_hours", releases::COLUMNS),
    ("condition_days", condition_days::COLUMNS),
];
