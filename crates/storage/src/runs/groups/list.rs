//! One page of a list of sessions or users, and the sums over the whole list.
//!
//! Both come of one pass over the newest runs of the window, because that pass is most of what a list costs: it reads
//! what `runs_grouped_idx` holds and no more, so that Postgres need not look at the rows. Only the groups of the page
//! are then summed up in full, by the index of their ids.

use domain::run::{GroupCost, GroupOrder, GroupTotals, RunGroup, RunGroupPage, RunGrouping};
use domain::{NanoUsd, ProjectId, RunFilter, RunStatus, Timestamp};
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::{GroupRow, MAX_GROUPED, READ, SUMS, column};
use crate::runs::{MAX_PAGE, filter};
use crate::{Result, Snapshot};

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

#[derive(FromRow)]
struct PassRow {
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
    /// Groups of the page in its order, and one more where there is one.
    page: Vec<String>,
}

/// What is read of each run. `runs_grouped_idx` has to have all of it.
const NARROW: &str = "status, cost_nano_usd, unpriced_steps, severity, ended_at, partition_at";

/// What is known of each group after the pass.
const EACH: &str = "select id, count(*) as runs, max(severity) as severity, \
    case when count(cost_nano_usd) > 0 then least(sum(cost_nano_usd), 9223372036854775807)::bigint end as cost, \
    sum(unpriced_steps) as unpriced_steps, min(partition_at) as since";

const TOTALS: &str = "count(*) as groups, count(*) filter (where severity = 2) as critical, \
    count(*) filter (where severity = 1) as warning, coalesce(sum(runs), 0)::bigint as runs, \
    case when count(cost) > 0 then least(sum(cost), 9223372036854775807)::bigint end as cost_nano_usd, \
    coalesce(sum(unpriced_steps), 0)::bigint as unpriced_steps, \
    percentile_disc(0.5) within group (order by runs) as median_runs, \
    percentile_disc(0.5) within group (order by cost) as median_cost_nano_usd, \
    (select id from g order by cost desc nulls last, id desc limit 1) as costliest_id, max(cost) as costliest_cost, \
    min(since) as since";

/// One page of groups, and the sums over all groups of its filter, whose status and severity these leave aside.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    wanted: GroupQuery<'_>,
    now: Timestamp,
) -> Result<(RunGroupPage, GroupTotals)> {
    let limit = wanted.limit.clamp(1, MAX_PAGE) as usize;
    let pass: PassRow = one_pass(project, wanted, now, limit)
        .build_query_as()
        .fetch_one(&mut *snapshot)
        .await?;
    let more = pass.page.len() > limit;
    let page: Vec<String> = pass.page.iter().take(limit).cloned().collect();
    let totals = GroupTotals::from(pass);
    if page.is_empty() {
        return Ok((RunGroupPage::default(), totals));
    }
    let mut items = sums(snapshot, project, wanted, now, &page, totals.grouped_since).await?;
    let place = |id: &str| page.iter().position(|known| known == id);
    items.sort_by_key(|group| place(&group.id));
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|group| write_cursor(group, wanted.order));
    Ok((RunGroupPage { items, next_cursor }, totals))
}

/// The statement of the pass.
fn one_pass(
    project: ProjectId,
    wanted: GroupQuery<'_>,
    now: Timestamp,
    limit: usize,
) -> QueryBuilder<Postgres> {
    let GroupQuery {
        grouping,
        filter: narrowed,
        order,
        cursor,
        ..
    } = wanted;
    let id = column(grouping);
    let runs = format!("with r as not materialized (select {id} as id, {NARROW}");
    let mut query = filter::narrowed(&runs, project, narrowed, now, filter::Status::Leave);
    query.push(format!(
        " and {id} is not null order by partition_at desc limit {MAX_GROUPED}), g as materialized ({EACH}"
    ));
    // What only some lists ask for is worked out for those alone.
    let state = match narrowed.status {
        Some(RunStatus::Error) => Some("bool_or(status = 'error')"),
        Some(RunStatus::Running) => Some("bool_or(status = 'running')"),
        Some(RunStatus::Ok) => Some("bool_and(status = 'ok')"),
        None => None,
    };
    if let Some(state) = state {
        query.push(format!(", {state} as is_listed"));
    }
    let figure = match order {
        GroupOrder::Latest => {
            query.push(", (extract(epoch from max(ended_at)) * 1000000)::bigint as last_seen");
            "last_seen"
        }
        GroupOrder::Costliest => "coalesce(cost, -1)",
    };
    query.push(format!(
        " from r group by id) select {TOTALS}, coalesce((select array_agg(id order by figure desc, id desc) \
         from (select id, {figure} as figure from g where true"
    ));
    if state.is_some() {
        query.push(" and is_listed");
    }
    if let Some(worst) = narrowed.severity {
        query.push(" and severity = ").push_bind(worst as i16);
    }
    if let Some((last, id)) = cursor.and_then(parse_cursor) {
        query
            .push(format!(" and ({figure}, id) < ("))
            .push_bind(last)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    query
        .push(" order by figure desc, id desc limit ")
        .push_bind(rows)
        .push(") p), '{}') as page from g");
    query
}

/// The groups of a page in full, in no order. Where more runs match than are grouped, those of the last microsecond are
/// all counted here and some of them in the totals.
async fn sums(
    snapshot: &mut Snapshot,
    project: ProjectId,
    wanted: GroupQuery<'_>,
    now: Timestamp,
    page: &[String],
    grouped_since: Option<Timestamp>,
) -> Result<Vec<RunGroup>> {
    let id = column(wanted.grouping);
    let runs = format!("with r as not materialized (select {id} as id, {READ}");
    let mut query = filter::narrowed(&runs, project, wanted.filter, now, filter::Status::Leave);
    query
        .push(format!(" and {id} = any ("))
        .push_bind(page.to_vec())
        .push(")");
    if let Some(since) = grouped_since {
        query
            .push(" and partition_at >= ")
            .push_bind(since.to_offset_date_time());
    }
    query.push(format!(") select r.id, {SUMS} from r group by r.id"));
    let rows: Vec<GroupRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    Ok(rows.into_iter().map(RunGroup::from).collect())
}

impl From<PassRow> for GroupTotals {
    fn from(row: PassRow) -> Self {
        Self {
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
        }
    }
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
