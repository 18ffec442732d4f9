//! Sessions and users: runs grouped by the application's own ids.
//!
//! They have too many values to be counted by the hour (ADR 8): most users have a run or two a day, so a row for each and
//! day would be as long as the runs themselves. So nothing is kept beside them and nothing can differ from a recount. A
//! list groups the newest runs of its window, [`MAX_GROUPED`] at most, and says since when where there are more; what
//! stands beside each row comes from the indexes of runs by session and by user.
//!
//! What bounds a page is therefore [`MAX_GROUPED`] and not how many steps there are: one pass over `runs_grouped_idx`,
//! newest first (which groups are on the page, and the sums over all), and by the indexes of ids, for each of fifty rows,
//! its runs of the window, and what is shown beside them. Steps are never read.

mod beside;
mod list;
mod session;

use std::collections::BTreeMap;

use domain::run::{RunGroup, RunGrouping};
use domain::{NanoUsd, ProjectId, RunFilter, RunSummary, Timestamp, TokenUsage};
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::{COLUMNS, RunRow, filter, severity};
use crate::{Error, Result, Snapshot};

pub use beside::{beside, worst_of_each};
pub use list::{GroupQuery, is_cursor, list};
pub use session::{RunTexts, SpentOn, spent_on, texts};

/// The most runs that one list groups: those of a week and more at five million steps a quarter.
pub const MAX_GROUPED: i64 = 100_000;

/// First instant, and first instant after.
type Window = (Option<Timestamp>, Option<Timestamp>);

#[derive(FromRow)]
struct GroupRow {
    id: String,
    user_id: Option<String>,
    sessions: i64,
    key_label: String,
    runs: i64,
    failed_runs: i64,
    running_runs: i64,
    steps: i64,
    errors: i64,
    calls: i64,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    cost_nano_usd: Option<i64>,
    unpriced_steps: i64,
    severity: i16,
    first_seen_at: OffsetDateTime,
    last_seen_at: OffsetDateTime,
}

impl From<GroupRow> for RunGroup {
    fn from(row: GroupRow) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            sessions: row.sessions,
            key_label: row.key_label,
            runs: row.runs,
            failed_runs: row.failed_runs,
            running_runs: row.running_runs,
            steps: row.steps,
            errors: row.errors,
            calls: row.calls,
            tokens: TokenUsage {
                input_fresh: row.input_fresh,
                cache_read: row.cache_read,
                cache_write: row.cache_write,
                cache_write_1h: None,
                output: row.output,
                reasoning: row.reasoning,
            },
            cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
            unpriced_steps: row.unpriced_steps,
            severity: severity(row.severity),
            first_seen_at: Timestamp::from_offset_date_time(row.first_seen_at),
            last_seen_at: Timestamp::from_offset_date_time(row.last_seen_at),
        }
    }
}

/// The columns of a group, of runs called `r`. The database can add up more than a bigint holds.
const SUMS: &str = "min(r.user_id) as user_id, count(distinct r.session_id) as sessions, min(r.key_label) as key_label, \
    count(*) as runs, count(*) filter (where r.status = 'error') as failed_runs, \
    count(*) filter (where r.status = 'running') as running_runs, sum(r.step_count)::bigint as steps, \
    sum(r.error_count)::bigint as errors, sum(r.call_count)::bigint as calls, \
    case when count(r.input_fresh) > 0 then least(sum(r.input_fresh), 9223372036854775807)::bigint end as input_fresh, \
    case when count(r.cache_read) > 0 then least(sum(r.cache_read), 9223372036854775807)::bigint end as cache_read, \
    case when count(r.cache_write) > 0 then least(sum(r.cache_write), 9223372036854775807)::bigint end as cache_write, \
    case when count(r.output) > 0 then least(sum(r.output), 9223372036854775807)::bigint end as output, \
    case when count(r.reasoning) > 0 then least(sum(r.reasoning), 9223372036854775807)::bigint end as reasoning, \
    case when count(r.cost_nano_usd) > 0 then least(sum(r.cost_nano_usd), 9223372036854775807)::bigint end as cost_nano_usd, \
    sum(r.unpriced_steps)::bigint as unpriced_steps, max(r.severity) as severity, \
    min(r.started_at) as first_seen_at, max(r.ended_at) as last_seen_at";

/// What is read of a run.
const READ: &str = "session_id, user_id, key_label, status, step_count, error_count, call_count, input_fresh, cache_read, \
    cache_write, output, reasoning, cost_nano_usd, unpriced_steps, severity, started_at, ended_at, partition_at";

/// The column that groups.
const fn column(grouping: RunGrouping) -> &'static str {
    match grouping {
        RunGrouping::Session => "session_id",
        RunGrouping::User => "user_id",
    }
}

/// One group, over all runs that are kept. `NotFound` when none has this id.
pub async fn get(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    id: &str,
    now: Timestamp,
) -> Result<RunGroup> {
    let runs = format!(
        "with r as not materialized (select {} as id, {READ}",
        column(grouping)
    );
    let mut query = filter::narrowed(&runs, project, &of_one(grouping, id), now, filter::Status::Leave);
    query.push(format!(
        " order by partition_at desc limit {MAX_GROUPED}) select r.id, {SUMS} from r group by r.id"
    ));
    let row: Option<GroupRow> = query.build_query_as().fetch_optional(&mut *snapshot).await?;
    row.map(RunGroup::from).ok_or(Error::NotFound)
}

/// The filter that leaves one group.
pub fn of_one(grouping: RunGrouping, id: &str) -> RunFilter {
    let id = Some(id.to_owned());
    match grouping {
        RunGrouping::Session => RunFilter {
            session: id,
            ..RunFilter::default()
        },
        RunGrouping::User => RunFilter {
            user: id,
            ..RunFilter::default()
        },
    }
}

/// `select g.id, r.* …`: columns of some runs of each of several groups, which `some` chooses: conditions, order, limit.
fn of_each(
    columns: &str,
    project: ProjectId,
    grouping: RunGrouping,
    ids: &[String],
    window: Window,
    some: &str,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select g.id, r.* from unnest(");
    query.push_bind(ids.to_vec()).push(format!(
        "::text[]) as g (id) cross join lateral (select {columns} from runs where step_count > 0 and project_id = "
    ));
    query
        .push_bind(project.0)
        .push(format!(" and {} = g.id", column(grouping)));
    for (operator, at) in [(">=", window.0), ("<", window.1)] {
        if let Some(at) = at {
            query
                .push(format!(" and partition_at {operator} "))
                .push_bind(at.to_offset_date_time());
        }
    }
    query.push(format!(" {some}) r"));
    query
}

/// The runs of one group from its beginning, `limit` at most, each whole however many days it went on.
pub async fn runs(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    id: &str,
    limit: u32,
) -> Result<Vec<RunSummary>> {
    let ids = [id.to_owned()];
    let first = format!("order by partition_at, run_id limit {limit}");
    let mut query = of_each(COLUMNS, project, grouping, &ids, (None, None), &first);
    let parts: Vec<RunRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs: Vec<RunSummary> = Vec::new();
    for part in parts.into_iter().map(RunSummary::from) {
        match places.get(&part.run_id).and_then(|place| runs.get_mut(*place)) {
            Some(run) => *run = run.clone().with_part(part),
            None => {
                places.insert(part.run_id.clone(), runs.len());
                runs.push(part);
            }
        }
    }
    Ok(runs)
}
