//! Sessions and users: runs grouped by the application's own ids.
//!
//! They have too many values to be counted by the hour (ADR 8): most users have a run or two a day, so a row for each and
//! day would be as long as the runs themselves. So nothing is kept beside them and nothing can differ from a recount. A
//! list groups the newest runs of its window, [`MAX_GROUPED`] at most, and says since when where there are more; what
//! stands beside each row comes from the indexes of runs by session and by user.
//!
//! What bounds a page is therefore [`MAX_GROUPED`] and not how many steps there are: three passes over the index of the
//! runs list, newest first (which groups are on the page, their sums, the sums over all), and by those indexes, for each of
//! fifty rows, its sixty newest runs, its first one, and its runs of the window for the one that went most wrong. Steps
//! are never read.

mod session;

use std::collections::BTreeMap;

use domain::run::{GroupCost, GroupOrder, GroupRuns, GroupTotals, RunGroup, RunGroupPage, RunGrouping};
use domain::{NanoUsd, ProjectId, RunFilter, RunStatus, RunSummary, Timestamp, TokenUsage};
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::{COLUMNS, MAX_PAGE, RunRow, filter, severity};
use crate::{Error, Result, Snapshot};

pub use session::{RunTexts, SpentOn, spent_on, texts};

/// The most runs that one list groups: those of a week and more at five million steps a quarter.
pub const MAX_GROUPED: i64 = 100_000;

/// Runs of each group that are drawn in a list.
const DRAWN_RUNS: i64 = 60;

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

/// `with r as (<the newest runs, each with its group's id>) <rest>`, open for more.
fn newest_runs(
    rest: &str,
    project: ProjectId,
    grouping: RunGrouping,
    narrowed: &RunFilter,
    now: Timestamp,
) -> QueryBuilder<Postgres> {
    let id = column(grouping);
    let runs = format!("with r as not materialized (select {id} as id, {READ}");
    let mut query = filter::narrowed(&runs, project, narrowed, now, filter::Status::Leave);
    query.push(format!(
        " and {id} is not null order by partition_at desc limit {MAX_GROUPED}) {rest}"
    ));
    query
}

/// Which page of which groups.
#[derive(Clone, Copy, Debug)]
pub struct GroupQuery<'a> {
    pub grouping: RunGrouping,
    /// Narrows the runs that are grouped; its status and severity narrow the groups: those with a run in that state, and
    /// those whose worst step has that severity. Its `attribute` is not honoured.
    pub filter: &'a RunFilter,
    pub order: GroupOrder,
    /// `next_cursor` of the page before; one that is none begins at the top.
    pub cursor: Option<&'a str>,
    pub limit: u32,
}

/// One page of groups.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    wanted: GroupQuery<'_>,
    now: Timestamp,
) -> Result<RunGroupPage> {
    let GroupQuery {
        grouping,
        filter: narrowed,
        order,
        cursor,
        limit,
    } = wanted;
    let limit = limit.clamp(1, MAX_PAGE);
    let figure = match order {
        GroupOrder::Latest => "(extract(epoch from max(ended_at)) * 1000000)::bigint",
        GroupOrder::Costliest => {
            "case when count(cost_nano_usd) > 0 then least(sum(cost_nano_usd), 9223372036854775807)::bigint else -1 end"
        }
    };
    // Which groups are on the page is found with little of each run; all sums are of those alone.
    let page = format!(", g as (select id, {figure} as figure from r group by id having true");
    let mut query = newest_runs(&page, project, grouping, narrowed, now);
    match narrowed.status {
        Some(RunStatus::Error) => _ = query.push(" and bool_or(status = 'error')"),
        Some(RunStatus::Running) => _ = query.push(" and bool_or(status = 'running')"),
        Some(RunStatus::Ok) => _ = query.push(" and bool_and(status = 'ok')"),
        None => {}
    }
    if let Some(worst) = narrowed.severity {
        query.push(" and max(severity) = ").push_bind(worst as i16);
    }
    if let Some((last, id)) = cursor.and_then(parse_cursor) {
        query
            .push(format!(" and ({figure}, id) < ("))
            .push_bind(last)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
    query
        .push(" order by figure desc, id desc limit ")
        .push_bind(i64::from(limit) + 1);
    query.push(format!(
        ") select r.id, {SUMS} from r join g on g.id = r.id group by r.id, g.figure order by g.figure desc, r.id desc"
    ));
    let rows: Vec<GroupRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut items: Vec<RunGroup> = rows.into_iter().map(RunGroup::from).collect();
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|group| write_cursor(group, order));
    Ok(RunGroupPage { items, next_cursor })
}

/// One group, over all runs that are kept. `NotFound` when none has this id.
pub async fn get(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    id: &str,
    now: Timestamp,
) -> Result<RunGroup> {
    let narrowed = of_one(grouping, id);
    let sums = format!("select r.id, {SUMS} from r group by r.id");
    let mut query = newest_runs(&sums, project, grouping, &narrowed, now);
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

#[derive(FromRow)]
struct TotalsRow {
    groups: i64,
    critical: i64,
    warning: i64,
    runs: i64,
    cost_nano_usd: Option<i64>,
    unpriced_steps: i64,
    median_runs: Option<i64>,
    median_cost_nano_usd: Option<i64>,
    costliest_id: Option<String>,
    costliest_cost: Option<i64>,
    since: Option<OffsetDateTime>,
}

/// Sums over all groups of a filter, its status and severity left aside.
pub async fn totals(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    narrowed: &RunFilter,
    now: Timestamp,
) -> Result<GroupTotals> {
    let sums = "select count(*) as groups, count(*) filter (where severity = 2) as critical, \
        count(*) filter (where severity = 1) as warning, coalesce(sum(runs), 0)::bigint as runs, \
        case when count(cost) > 0 then least(sum(cost), 9223372036854775807)::bigint end as cost_nano_usd, \
        coalesce(sum(unpriced_steps), 0)::bigint as unpriced_steps, \
        percentile_disc(0.5) within group (order by runs) as median_runs, \
        percentile_disc(0.5) within group (order by cost) as median_cost_nano_usd, \
        (array_agg(id order by cost desc nulls last, id desc))[1] as costliest_id, max(cost) as costliest_cost, \
        min(since) as since \
        from (select id, max(severity) as severity, count(*) as runs, \
          case when count(cost_nano_usd) > 0 then least(sum(cost_nano_usd), 9223372036854775807)::bigint end as cost, \
          sum(unpriced_steps) as unpriced_steps, min(partition_at) as since from r group by id) g";
    let mut query = newest_runs(sums, project, grouping, narrowed, now);
    let row: TotalsRow = query.build_query_as().fetch_one(&mut *snapshot).await?;
    Ok(GroupTotals {
        groups: row.groups,
        critical: row.critical,
        warning: row.warning,
        runs: row.runs,
        cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
        unpriced_steps: row.unpriced_steps,
        median_runs: row.median_runs.unwrap_or(0),
        median_cost_nano_usd: row.median_cost_nano_usd.map(NanoUsd),
        costliest: row
            .costliest_id
            .zip(row.costliest_cost.map(NanoUsd))
            .map(|(id, cost)| GroupCost { id, cost }),
        grouped_since: row
            .since
            .filter(|_| row.runs >= MAX_GROUPED)
            .map(Timestamp::from_offset_date_time),
    })
}

/// Some runs of each of several groups.
struct SomeRuns<'a> {
    grouping: RunGrouping,
    ids: &'a [String],
    /// First instant, and first instant after.
    window: (Option<Timestamp>, Option<Timestamp>),
    /// Conditions and order within a group.
    order: &'static str,
    /// How many of each group.
    limit: i64,
}

async fn some_of_each(
    snapshot: &mut Snapshot,
    project: ProjectId,
    some: SomeRuns<'_>,
) -> Result<Vec<RunSummary>> {
    let id = column(some.grouping);
    let mut query = QueryBuilder::<Postgres>::new("select r.* from unnest(");
    query.push_bind(some.ids.to_vec());
    query.push(format!(
        "::text[]) as g (id) cross join lateral (select {COLUMNS} from runs where step_count > 0 and project_id = "
    ));
    query.push_bind(project.0);
    query.push(format!(" and {id} = g.id"));
    for (operator, at) in [(">=", some.window.0), ("<", some.window.1)] {
        if let Some(at) = at {
            query
                .push(format!(" and partition_at {operator} "))
                .push_bind(at.to_offset_date_time());
        }
    }
    query
        .push(format!(" {} limit ", some.order))
        .push_bind(some.limit);
    query.push(") r");
    let rows: Vec<RunRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    Ok(rows.into_iter().map(RunSummary::from).collect())
}

/// The runs of one group from its beginning, `limit` at most, each whole however many days it went on.
pub async fn runs(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    id: &str,
    limit: u32,
) -> Result<Vec<RunSummary>> {
    let parts = some_of_each(
        snapshot,
        project,
        SomeRuns {
            grouping,
            ids: &[id.to_owned()],
            window: (None, None),
            order: "order by partition_at, run_id",
            limit: i64::from(limit),
        },
    )
    .await?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs: Vec<RunSummary> = Vec::new();
    for part in parts {
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

/// What stands beside each of these groups in a list, by id; their runs within a window.
pub async fn beside(
    snapshot: &mut Snapshot,
    project: ProjectId,
    grouping: RunGrouping,
    groups: &[RunGroup],
    window: (Option<Timestamp>, Option<Timestamp>),
) -> Result<BTreeMap<String, GroupRuns>> {
    let ids: Vec<String> = groups.iter().map(|group| group.id.clone()).collect();
    let ids = ids.as_slice();
    let of = |window, order, limit| SomeRuns {
        grouping,
        ids,
        window,
        order,
        limit,
    };
    let id_of = |run: &RunSummary| match grouping {
        RunGrouping::Session => run.session_id.clone(),
        RunGrouping::User => run.user_id.clone(),
    };
    let mut beside: BTreeMap<String, GroupRuns> = BTreeMap::new();
    let newest = of(window, "order by partition_at desc, run_id desc", DRAWN_RUNS);
    for run in some_of_each(snapshot, project, newest).await? {
        if let Some(id) = id_of(&run) {
            beside.entry(id).or_default().newest.push(run);
        }
    }
    for group in beside.values_mut() {
        group.newest.reverse();
    }
    let worst = "and problem_rank > 0 order by severity desc, problem_rank desc, partition_at, run_id";
    for run in some_of_each(snapshot, project, of(window, worst, 1)).await? {
        if let Some(id) = id_of(&run) {
            beside.entry(id).or_default().worst = Some(run);
        }
    }
    let first = of((None, None), "order by partition_at, run_id", 1);
    for run in some_of_each(snapshot, project, first).await? {
        if let Some(id) = id_of(&run) {
            beside.entry(id).or_default().first_ever_at = Some(run.started_at);
        }
    }
    Ok(beside)
}

/// `<figure>.<id>`: the last row of a page.
fn write_cursor(group: &RunGroup, order: GroupOrder) -> String {
    let figure = match order {
        GroupOrder::Latest => group.last_seen_at.micros(),
        GroupOrder::Costliest => group.cost_nano_usd.map_or(-1, |cost| cost.0),
    };
    format!("{figure}.{}", group.id)
}

fn parse_cursor(cursor: &str) -> Option<(i64, String)> {
    let (figure, id) = cursor.split_once('.')?;
    Some((figure.parse().ok()?, id.to_owned()))
}

/// Whether a text is a cursor that [`list`] understands.
pub fn is_cursor(text: &str) -> bool {
    parse_cursor(text).is_some()
}
