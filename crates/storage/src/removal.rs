//! Taking recorded steps away: whole runs, or the steps of one user out of runs that others have a part in.
//!
//! What is summed up from steps is not subtracted but counted again from the steps that are left, for the hours, days and
//! names that those which go had a part in: so it ends as if they had never been there.

mod had;
mod shared_runs;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use domain::{ProjectId, Timestamp};
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;

use crate::counts::{COUNT_RUNS, COUNTED, lock_counts};
use crate::{Result, Tx};

pub(crate) use sums::see_first;

pub use sums::EncodeHistogram;

/// The steps that go.
#[derive(Debug)]
pub(crate) struct Going {
    pub(crate) project: ProjectId,
    pub(crate) run_ids: Vec<String>,
    /// Where they are filed.
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
    /// Of runs that go on without them, the steps of this user alone; without one the runs with everything.
    pub(crate) of_user: Option<String>,
}

/// What went.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Rows, by table.
    pub(crate) rows: BTreeMap<String, i64>,
    /// What the steps had named: dimension and value.
    pub(crate) named: BTreeSet<(String, String)>,
}

/// Everything that says whose run it is and goes with the run. Judgements before findings: whoever writes a finding has
/// changed its judgement before.
const OF_RUNS: [&str; 9] = [
    "condition_feedback",
    "share_links",
    "analyses",
    "judgements",
    "findings",
    "judgement_queue",
    "trace_queue",
    "demo_runs",
    "run_keys",
];
/// What was said of a run in the light of all its steps.
const ABOUT_RUNS: [&str; 4] = ["analyses", "judgements", "findings", "trace_queue"];

/// Takes them away, and corrects what is summed up from them. Who calls holds the keys of the runs.
pub(crate) async fn remove(
    tx: &mut Tx,
    going: &Going,
    histogram: EncodeHistogram<'_>,
    now: Timestamp,
) -> Result<Gone> {
    lock_counts(tx, &[going.project.0]).await?;
    let had = had::had_by(tx, going, now).await?;
    take_from_ledger(tx, going).await?;
    let mut rows = BTreeMap::new();
    match &going.of_user {
        None => delete_runs(tx, going, &mut rows).await?,
        Some(user) => {
            delete_steps_of(tx, going, user, &mut rows).await?;
            shared_runs::total_again(tx, going).await?;
        }
    }
    delete_empty_counts(tx, going).await?;
    sums::count_again(tx, going.project, &had, histogram, now).await?;
    Ok(Gone {
        rows,
        named: had.named,
    })
}

/// The accounts of their receipt.
async fn take_from_ledger(tx: &mut Tx, going: &Going) -> Result<()> {
    sqlx::query!(
        "with gone as (
           select date_trunc('minute', received_at, 'UTC') as minute, key_label, count(*) as steps
           from steps
           where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4
             and ($5::text is null or user_id = $5)
           group by 1, 2
         )
         update ledger l set steps = l.steps - g.steps from gone g
         where l.project_id = $1 and l.minute = g.minute and l.key_label = g.key_label and l.outcome = 'stored'",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to,
        going.of_user.as_deref()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from ledger where project_id = $1 and outcome = 'stored' and steps <= 0",
        going.project.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The runs, and everything that is recorded of them.
async fn delete_runs(tx: &mut Tx, going: &Going, rows: &mut BTreeMap<String, i64>) -> Result<()> {
    let statement = format!(
        "with removed as (
           delete from runs r
           where r.project_id = $1 and r.run_id = any ($2) and r.partition_at >= $3 and r.partition_at <= $4
           returning {COUNTED}
         ), added as (
           select r.* from removed r where false
         ) {COUNT_RUNS}"
    );
    run(tx, going, None, statement).await?;
    for table in ["step_payloads", "step_events", "step_conditions", "steps"] {
        let statement = format!(
            "delete from {table}
             where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4"
        );
        let deleted = run(tx, going, None, statement).await?;
        add(rows, table, deleted);
    }
    for table in OF_RUNS {
        let deleted = delete_by_run(tx, going, table).await?;
        add(rows, table, deleted);
    }
    add(rows, "runs", u64::try_from(going.run_ids.len()).unwrap_or(0));
    Ok(())
}

/// The steps of one user out of runs that others have a part in, and what was said of those runs.
async fn delete_steps_of(
    tx: &mut Tx,
    going: &Going,
    user: &str,
    rows: &mut BTreeMap<String, i64>,
) -> Result<()> {
    const THEIRS: &str =
        "s.project_id = $1 and s.run_id = any ($2) and s.partition_at >= $3 and s.partition_at <= $4
           and s.user_id = $5";
    for table in ["step_payloads", "step_events", "step_conditions"] {
        let statement = format!(
            "delete from {table} t using steps s
             where {THEIRS} and t.project_id = $1 and t.partition_at >= $3 and t.partition_at <= $4
               and t.partition_at = s.partition_at and t.run_id = s.run_id and t.step_id = s.step_id"
        );
        let deleted = run(tx, going, Some(user), statement).await?;
        add(rows, table, deleted);
    }
    let statement = format!(
        "delete from condition_feedback t using steps s
         where {THEIRS} and t.project_id = $1 and t.run_id = s.run_id and t.step_id = s.step_id"
    );
    let deleted = run(tx, going, Some(user), statement).await?;
    add(rows, "condition_feedback", deleted);
    let deleted = run(
        tx,
        going,
        Some(user),
        format!("delete from steps s where {THEIRS}"),
    )
    .await?;
    add(rows, "steps", deleted);
    for table in ABOUT_RUNS {
        let deleted = delete_by_run(tx, going, table).await?;
        add(rows, table, deleted);
    }
    Ok(())
}

async fn delete_by_run(tx: &mut Tx, going: &Going, table: &str) -> Result<u64> {
    let statement = format!("delete from {table} where project_id = $1 and run_id = any ($2)");
    let deleted = sqlx::query(AssertSqlSafe(statement))
        .bind(going.project.0)
        .bind(&going.run_ids)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}

/// Hours that are left with nothing.
async fn delete_empty_counts(tx: &mut Tx, going: &Going) -> Result<()> {
    sqlx::query!(
        "delete from run_counts
         where project_id = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and hour <= $3
           and (steps, ok_clean, ok_warning, ok_critical, error_clean, error_warning, error_critical, running_clean,
             running_warning, running_critical) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        going.project.0,
        going.from,
        going.to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Executes a statement about them; one about a user's has a fifth parameter.
async fn run(tx: &mut Tx, going: &Going, user: Option<&str>, statement: String) -> Result<u64> {
    let query = sqlx::query(AssertSqlSafe(statement))
        .bind(going.project.0)
        .bind(&going.run_ids)
        .bind(going.from)
        .bind(going.to);
    let query = match user {
        Some(user) => query.bind(user),
        None => query,
    };
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

fn add(rows: &mut BTreeMap<String, i64>, table: &str, more: u64) {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    if more > 0 {
        *rows.entry(table.to_owned()).or_default() += more;
    }
}
