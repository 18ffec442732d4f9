//! What stands beside each row of a list of sessions or users. Each part is asked for where it is shown, because the
//! runs of fifty users are many.

use std::collections::BTreeMap;

use domain::run::{GroupRuns, RunGrouping, RunMark};
use domain::{ProjectId, RunStatus, RunSummary, Timestamp};
use sqlx::FromRow;
use time::OffsetDateTime;

use super::{Window, of_each};
use crate::runs::{COLUMNS, RunRow, severity};
use crate::{Result, Snapshot};

/// Runs of each session that are drawn in a list.
const DRAWN_RUNS: i64 = 60;

#[derive(FromRow)]
struct MarkRow {
    id: String,
    started_at: OffsetDateTime,
    status: String,
    severity: i16,
}

#[derive(FromRow)]
struct FirstRow {
    id: String,
    started_at: OffsetDateTime,
}

/// What stands beside each of these groups in a list, by id: of sessions their newest runs of a window, of users when
/// they were first seen, of both the run of the window that went most wrong.
pub async fn beside(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    ids: &[String],
    window: Window,
) -> Result<BTreeMap<String, GroupRuns>> {
    let mut beside: BTreeMap<String, GroupRuns> = BTreeMap::new();
    for (id, run) in worst_of_each(snapshot, project, grouping, ids, window).await? {
        beside.entry(id).or_default().worst = Some(run);
    }
    match grouping {
        RunGrouping::Session => {
            let order = "order by partition_at desc, run_id desc";
            let some = format!("{order} limit {DRAWN_RUNS}");
            let mut query = of_each(
                "started_at, status, severity",
                project,
                grouping,
                ids,
                window,
                &some,
            );
            let rows: Vec<MarkRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
            for row in rows {
                beside.entry(row.id).or_default().newest.push(RunMark {
                    started_at: Timestamp::from_offset_date_time(row.started_at),
                    status: RunStatus::parse(&row.status).unwrap_or(RunStatus::Running),
                    severity: severity(row.severity),
                });
            }
            for group in beside.values_mut() {
                group.newest.reverse();
            }
        }
        RunGrouping::User => {
            let some = "order by partition_at, run_id limit 1";
            let mut query = of_each("started_at", project, grouping, ids, (None, None), some);
            let rows: Vec<FirstRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
            for row in rows {
                let first = Timestamp::from_offset_date_time(row.started_at);
                beside.entry(row.id).or_default().first_ever_at = Some(first);
            }
        }
    }
    Ok(beside)
}

/// The run of a window that went most wrong in each of these groups, where one did.
pub async fn worst_of_each(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    ids: &[String],
    window: Window,
) -> Result<BTreeMap<String, RunSummary>> {
    let some = "and problem_rank > 0 order by severity desc, problem_rank desc, partition_at, run_id limit 1";
    let mut query = of_each(COLUMNS, project, grouping, ids, window, some);
    let runs: Vec<RunRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let id_of = |run: &RunSummary| match grouping {
        RunGrouping::Session => run.session_id.clone(),
        RunGrouping::User => run.user_id.clone(),
    };
    Ok(runs
        .into_iter()
        .map(RunSummary::from)
        .filter_map(|run| Some((id_of(&run)?, run)))
        .collect())
}
