//! Under which time a step is stored: that of its run's part. ADR 0002 says why.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::{ProjectId, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BatchTx, StepRow};
use crate::Result;
use crate::scoring::{self, RunDone, WantedRun};
use crate::sequence::SEQUENCE_BITS;

const DAY_MICROS: i64 = 24 * 3_600_000_000;
/// A run that goes on is kept in parts as long as this, so that what retention deletes is never younger than its time
/// by more. No setting, because a step sent again has to be looked for where it was filed.
const PART_MICROS: i64 = DAY_MICROS;
/// How far ahead of its receipt a step may be filed: clocks differ, and one that is broken must not keep a run on top
/// of every list, and from retention, until the year it believes in.
const AHEAD_MICROS: i64 = DAY_MICROS;

/// A batch's runs, filed.
#[derive(Clone, Debug)]
pub struct FiledRuns {
    /// Those that are new.
    pub created: BTreeSet<(ProjectId, String)>,
    /// Those that were there before: other steps of theirs may be stored.
    pub known: Vec<(ProjectId, String)>,
    /// Those of the known ones with a step that was filed by its receipt, now or before, or ahead of it in a part that had
    /// not begun. Where that is doesn't follow from its start, or not once the start is told otherwise.
    filed_by_receipt: HashSet<(ProjectId, String)>,
    /// The first sequence number of this batch. The next batch of any process begins 2^20 further on.
    first_sequence: i64,
}

impl FiledRuns {
    /// The place of the batch's nth step in the order of arrival: no step of any process has the same.
    pub fn sequence(&self, nth: usize) -> i64 {
        let last = (1_i64 << SEQUENCE_BITS) - 1;
        self.first_sequence + i64::try_from(nth).unwrap_or(last).min(last)
    }
}

/// The time by which a step is filed: its start; its receipt when retention would delete it at once.
fn filing_time(started_at: Timestamp, received_at: Timestamp, retention_days: i64) -> Timestamp {
    let oldest = received_at.plus_micros(-retention_days.saturating_mul(DAY_MICROS));
    if started_at < oldest {
        received_at
    } else {
        started_at.min(received_at.plus_micros(AHEAD_MICROS))
    }
}

/// The start of the part of a run, first filed at `partition_at`, that `time` lies in. What is earlier than the first part
/// belongs to it.
fn part_of_run(partition_at: Timestamp, time: Timestamp) -> Timestamp {
    let parts = time.micros().saturating_sub(partition_at.micros()).max(0) / PART_MICROS;
    partition_at.plus_micros(parts.saturating_mul(PART_MICROS))
}

/// When the run of a batch begins, should it be new, and whether one of its steps is filed by its receipt.
struct NewKey {
    partition_at: Timestamp,
    filed_by_receipt: bool,
}

/// A run's key as it is stored, and the number of the batch that asks.
struct Filed {
    project_id: Uuid,
    run_id: String,
    partition_at: OffsetDateTime,
    filed_by_receipt: bool,
    batch: i64,
}

/// Files every step of the batch under a part of its run. A run's first part begins at the earliest of its steps in the
/// first batch that has any.
pub async fn file_runs(batch: &mut BatchTx, rows: &mut [StepRow<'_>]) -> Result<FiledRuns> {
    let times: Vec<Timestamp> = rows
        .iter()
        .map(|row| {
            let kept = batch.retention_days.get(&row.project_id).copied();
            filing_time(row.step.started_at, row.received_at, kept.unwrap_or_default())
        })
        .collect();
    let mut keys: HashMap<(ProjectId, &str), NewKey> = HashMap::new();
    for (row, time) in rows.iter().zip(&times) {
        let key = keys
            .entry((row.project_id, row.step.run_id.as_str()))
            .or_insert(NewKey {
                partition_at: *time,
                filed_by_receipt: false,
            });
        key.partition_at = key.partition_at.min(*time);
        key.filed_by_receipt |= *time != row.step.started_at;
    }
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable_by_key(|((project, run_id), _)| (*project, *run_id));
    let projects: Vec<_> = keys.iter().map(|((project, _), _)| project.0).collect();
    let run_ids: Vec<_> = keys.iter().map(|((_, run_id), _)| *run_id).collect();
    let partition_ats: Vec<_> = keys
        .iter()
        .map(|(_, key)| key.partition_at.to_offset_date_time())
        .collect();
    let by_receipt: Vec<bool> = keys.iter().map(|(_, key)| key.filed_by_receipt).collect();
    let now = rows.iter().map(|row| row.received_at).max().unwrap_or_default();
    let mut created = BTreeSet::new();
    let mut is_second = false;
    let filed = loop {
        let inserted = sqlx::query!(
            "insert into run_keys (project_id, run_id, partition_at, filed_by_receipt)
             select n.project_id, n.run_id, n.partition_at, n.filed_by_receipt
             from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bool[])
               as n (project_id, run_id, partition_at, filed_by_receipt)
             order by n.project_id, n.run_id
             on conflict (project_id, run_id) do nothing
             returning project_id, run_id",
            &projects,
            &run_ids as _,
            &partition_ats,
            &by_receipt,
        )
        .fetch_all(&mut *batch.tx)
        .await?;
        created.extend(
            inserted
                .into_iter()
                .map(|row| (ProjectId(row.project_id), row.run_id)),
        );
        // The number is taken after the batch has written or locked something: see `SnapshotBounds`.
        let filed = sqlx::query_as!(
            Filed,
            "select k.project_id, k.run_id, k.partition_at, k.filed_by_receipt, (select nextval('batches')) as \"batch!\"
             from unnest($1::uuid[], $2::text[]) as wanted (project_id, run_id)
             join run_keys k on k.project_id = wanted.project_id and k.run_id = wanted.run_id",
            &projects,
            &run_ids as _,
        )
        .fetch_all(&mut *batch.tx)
        .await?;
        // Retention may have taken a run between the two, or be about to. It does so once.
        if (filed.len() >= run_ids.len() && hold_old_keys(batch, &filed, now).await?) || is_second {
            break filed;
        }
        is_second = true;
    };
    let known: Vec<(ProjectId, String)> = filed
        .iter()
        .map(|row| (ProjectId(row.project_id), row.run_id.clone()))
        .filter(|run| !created.contains(run))
        .collect();
    let mut filed_by_receipt: HashSet<(ProjectId, String)> = filed
        .iter()
        .filter(|row| row.filed_by_receipt)
        .map(|row| (ProjectId(row.project_id), row.run_id.clone()))
        .collect();
    // A batch of refusals alone files nothing and needs no number.
    let number = filed.first().map_or(0, |row| row.batch);
    let first_parts: HashMap<(ProjectId, &str), Timestamp> = filed
        .iter()
        .map(|row| {
            let partition_at = Timestamp::from_offset_date_time(row.partition_at);
            ((ProjectId(row.project_id), row.run_id.as_str()), partition_at)
        })
        .collect();
    for (row, time) in rows.iter_mut().zip(times) {
        let first = first_parts.get(&(row.project_id, row.step.run_id.as_str()));
        row.partition_at = first.map_or(time, |first| part_of_run(*first, time));
        row.is_continued = first.is_some_and(|first| row.partition_at > *first);
    }
    let by_receipt = keys
        .iter()
        .filter(|(_, key)| key.filed_by_receipt)
        .map(|((project, run_id), _)| (*project, *run_id));
    let ahead = rows
        .iter()
        .filter(|row| row.is_continued && row.partition_at > row.received_at)
        .map(|row| (row.project_id, row.step.run_id.as_str()));
    let newly_by_receipt: BTreeSet<(ProjectId, &str)> = by_receipt
        .chain(ahead)
        .filter(|(project, run_id)| !filed_by_receipt.contains(&(*project, (*run_id).to_owned())))
        .collect();
    note_filed_by_receipt(batch, &newly_by_receipt).await?;
    filed_by_receipt.extend(
        newly_by_receipt
            .into_iter()
            .map(|(project, run_id)| (project, run_id.to_owned())),
    );
    Ok(FiledRuns {
        created,
        known,
        filed_by_receipt,
        first_sequence: number << SEQUENCE_BITS,
    })
}

/// Holds the keys that retention may take, those of runs of which nothing may be left. False when it has taken one.
async fn hold_old_keys(batch: &mut BatchTx, filed: &[Filed], now: Timestamp) -> Result<bool> {
    let is_old = |filed: &&Filed| {
        let kept = batch.retention_days.get(&ProjectId(filed.project_id)).copied();
        // Retention goes by whole days, and by a clock of its own.
        let days = kept.unwrap_or_default().saturating_sub(1);
        let oldest = now.plus_micros(-days.saturating_mul(DAY_MICROS));
        Timestamp::from_offset_date_time(filed.partition_at) < oldest
    };
    let old: Vec<&Filed> = filed.iter().filter(is_old).collect();
    if old.is_empty() {
        return Ok(true);
    }
    let held = sqlx::query_scalar!(
        "select k.run_id from unnest($1::uuid[], $2::text[]) as old (project_id, run_id)
         join run_keys k on k.project_id = old.project_id and k.run_id = old.run_id
         order by k.project_id, k.run_id for key share of k",
        &old.iter().map(|filed| filed.project_id).collect::<Vec<_>>(),
        &old.iter().map(|filed| filed.run_id.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(held.len() == old.len())
}

/// Notes for good that these runs have a step that was filed by its receipt, or ahead of it.
async fn note_filed_by_receipt(batch: &mut BatchTx, runs: &BTreeSet<(ProjectId, &str)>) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with locked as (
           select k.project_id, k.run_id from unnest($1::uuid[], $2::text[]) as r (project_id, run_id)
           join run_keys k on k.project_id = r.project_id and k.run_id = r.run_id
           order by k.project_id, k.run_id for no key update of k
         )
         update run_keys k set filed_by_receipt = true from locked l
         where k.project_id = l.project_id and k.run_id = l.run_id",
        &runs.iter().map(|(project, _)| project.0).collect::<Vec<_>>(),
        &runs.iter().map(|(_, run_id)| *run_id).collect::<Vec<_>>() as _,
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
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
    let is_known = |row: &&StepRow<'_>| known.contains(&(row.project_id, row.step.run_id.as_str()));
    let by_receipt: HashSet<(ProjectId, &str)> = runs
        .filed_by_receipt
        .iter()
        .map(|(project, run_id)| (*project, run_id.as_str()))
        .collect();
    let (anywhere, by_start): (Vec<&StepRow<'_>>, Vec<&StepRow<'_>>) = rows
        .iter()
        .filter(is_known)
        .partition(|row| by_receipt.contains(&(row.project_id, row.step.run_id.as_str())));
    let wanted: Vec<(&StepRow<'_>, Timestamp)> = by_start
        .into_iter()
        .flat_map(|row| parts_to_search(row).map(move |part| (row, part)))
        .collect();
    let mut stored = stored_steps(batch, &wanted).await?;
    stored.extend(steps_stored_anywhere(batch, &anywhere).await?);
    let mut seen: HashSet<(ProjectId, &str, &str)> = stored
        .iter()
        .map(|(project, run_id, step_id)| (*project, run_id.as_str(), step_id.as_str()))
        .collect();
    Ok(rows
        .iter()
        .map(|row| seen.insert((row.project_id, &row.step.run_id, &row.step.step_id)))
        .collect())
}

/// Where a step may be stored already: sent again with another start, or with none, it may fall into the part beside the
/// one it was filed under. There is none behind before a day has gone by: a run with a step that was filed in one is
/// looked through as a whole.
fn parts_to_search(row: &StepRow<'_>) -> impl Iterator<Item = Timestamp> {
    let before = row.partition_at.plus_micros(-PART_MICROS);
    let behind = row.partition_at.plus_micros(PART_MICROS);
    [
        Some(row.partition_at),
        row.is_continued.then_some(before),
        (behind <= row.received_at).then_some(behind),
    ]
    .into_iter()
    .flatten()
}

/// Those of the steps that are stored under these times: project, run, step.
async fn stored_steps(
    batch: &mut BatchTx,
    wanted: &[(&StepRow<'_>, Timestamp)],
) -> Result<Vec<(ProjectId, String, String)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let stored = sqlx::query!(
        "select s.project_id, s.run_id, s.step_id
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as w (project_id, run_id, step_id, partition_at)
         join steps s on s.project_id = w.project_id and s.run_id = w.run_id and s.step_id = w.step_id
           and s.partition_at = w.partition_at",
        &wanted.iter().map(|(row, _)| row.project_id.0).collect::<Vec<_>>(),
        &wanted
            .iter()
            .map(|(row, _)| row.step.run_id.as_str())
            .collect::<Vec<_>>() as _,
        &wanted
            .iter()
            .map(|(row, _)| row.step.step_id.as_str())
            .collect::<Vec<_>>() as _,
        &wanted
            .iter()
            .map(|(_, part)| part.to_offset_date_time())
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(stored
        .into_iter()
        .map(|s| (ProjectId(s.project_id), s.run_id, s.step_id))
        .collect())
}

/// Those of the steps that are stored in any part that is kept of their runs: project, run, step. Each partition is asked.
async fn steps_stored_anywhere(
    batch: &mut BatchTx,
    wanted: &[&StepRow<'_>],
) -> Result<Vec<(ProjectId, String, String)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let stored = sqlx::query!(
        "select s.project_id, s.run_id, s.step_id
         from unnest($1::uuid[], $2::text[], $3::text[]) as w (project_id, run_id, step_id)
         join runs r on r.project_id = w.project_id and r.run_id = w.run_id
         join steps s on s.project_id = w.project_id and s.run_id = w.run_id and s.step_id = w.step_id
           and s.partition_at = r.partition_at",
        &wanted.iter().map(|row| row.project_id.0).collect::<Vec<_>>(),
        &wanted
            .iter()
            .map(|row| row.step.run_id.as_str())
            .collect::<Vec<_>>() as _,
        &wanted
            .iter()
            .map(|row| row.step.step_id.as_str())
            .collect::<Vec<_>>() as _,
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(stored
        .into_iter()
        .map(|s| (ProjectId(s.project_id), s.run_id, s.step_id))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MICROS: i64 = 3_600_000_000;
    const NOW: Timestamp = Timestamp::from_micros(1_000_000 * HOUR_MICROS);

    fn hours(n: i64) -> Timestamp {
        NOW.plus_micros(n * HOUR_MICROS)
    }

    #[test]
    fn a_start_that_retention_or_a_broken_clock_makes_useless_files_nothing() {
        let check = |started_at, expected| assert_eq!(filing_time(started_at, NOW, 90), expected);
        check(NOW, NOW);
        check(hours(-90 * 24), hours(-90 * 24));
        check(hours(-90 * 24 - 1), NOW);
        check(hours(23), hours(23));
        check(hours(25), hours(24));
        check(Timestamp::from_micros(i64::MAX), hours(24));
        check(Timestamp::from_micros(i64::MIN), NOW);
    }

    #[test]
    fn a_run_that_goes_on_is_kept_in_parts_of_a_day() {
        let check = |time, expected| assert_eq!(part_of_run(NOW, time), expected);
        check(NOW, NOW);
        check(hours(-100), NOW);
        check(hours(23), NOW);
        check(hours(24), hours(24));
        check(hours(24 * 90 + 5), hours(24 * 90));
    }
}
