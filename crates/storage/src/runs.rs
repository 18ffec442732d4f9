//! Reading runs.

mod filter;
pub mod groups;
mod strip;
mod totals;
pub mod waiting;

use domain::run::{Neighbours, RunPage};
use domain::{
    NanoUsd, ProjectId, RunFilter, RunProblem, RunStatus, RunSummary, Severity, Timestamp, TokenUsage,
};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{Error, Result, Snapshot};

pub use strip::Strip;
pub use totals::{MAX_COUNTED, facets, summary, totals};

/// The most rows one page may have.
pub const MAX_PAGE: u32 = 500;

/// The columns of a run as lists show it, in the order of `RunRow`.
const COLUMNS: &str = "run_id, partition_at, name, started_at, ended_at, status, key_label, environment, release, \
    session_id, user_id, tags, models, step_count, error_count, input_fresh, cache_read, cache_write, output, \
    reasoning, cost_nano_usd, unpriced_steps, score_max, severity, problem_step_id, problem_step_name, problem_code, \
    problem_text";

#[derive(FromRow)]
struct RunRow {
    run_id: String,
    partition_at: OffsetDateTime,
    name: String,
    started_at: OffsetDateTime,
    ended_at: OffsetDateTime,
    status: String,
    key_label: String,
    environment: Option<String>,
    release: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    tags: Vec<String>,
    models: Vec<String>,
    step_count: i32,
    error_count: i32,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    cost_nano_usd: Option<i64>,
    unpriced_steps: i32,
    score_max: Option<i32>,
    severity: i16,
    problem_step_id: Option<String>,
    problem_step_name: Option<String>,
    problem_code: Option<i16>,
    problem_text: Option<String>,
}

impl From<RunRow> for RunSummary {
    fn from(row: RunRow) -> Self {
        let started_at = Timestamp::from_offset_date_time(row.started_at);
        let ended_at = Timestamp::from_offset_date_time(row.ended_at);
        let problem = match (row.problem_step_id, row.problem_step_name, row.problem_text) {
            (Some(step_id), Some(step_name), Some(text)) => Some(RunProblem {
                step_id,
                step_name,
                code: row.problem_code.and_then(|code| u16::try_from(code).ok()),
                text,
            }),
            _ => None,
        };
        Self {
            run_id: row.run_id,
            name: row.name,
            partition_at: Timestamp::from_offset_date_time(row.partition_at),
            started_at,
            ended_at,
            latency_ms: ended_at.ms_since(started_at),
            status: RunStatus::parse(&row.status).unwrap_or(RunStatus::Running),
            key_label: row.key_label,
            environment: row.environment,
            release: row.release,
            session_id: row.session_id,
            user_id: row.user_id,
            tags: row.tags,
            models: row.models,
            step_count: i64::from(row.step_count),
            error_count: i64::from(row.error_count),
            tokens: TokenUsage {
                input_fresh: row.input_fresh,
                cache_read: row.cache_read,
                cache_write: row.cache_write,
                cache_write_1h: None,
                output: row.output,
                reasoning: row.reasoning,
            },
            cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
            unpriced_steps: i64::from(row.unpriced_steps),
            score_max: row.score_max,
            severity: severity(row.severity),
            problem,
        }
    }
}

/// The severity of its number in the database.
pub(crate) fn severity(number: i16) -> Severity {
    match number {
        0 => Severity::Ok,
        1 => Severity::Warning,
        _ => Severity::Critical,
    }
}

/// One page of the list, newest first. A cursor that is none begins at the top.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
    cursor: Option<&str>,
    limit: u32,
) -> Result<RunPage> {
    let limit = limit.clamp(1, MAX_PAGE);
    let before = cursor.and_then(parse_cursor);
    let mut query = if filter::is_search(filter) {
        let rows = i32::try_from(limit).unwrap_or(i32::MAX).saturating_add(1);
        filter::search(
            COLUMNS,
            project,
            filter,
            now,
            filter::Status::Include,
            before,
            rows,
        )
    } else {
        let mut query = filter::select(COLUMNS, project, filter, now, filter::Status::Include);
        if let Some((partition_at, run_id)) = before {
            query
                .push(" and (partition_at, run_id) < (")
                .push_bind(partition_at)
                .push(", ")
                .push_bind(run_id)
                .push(")");
        }
        query
    };
    query
        .push(" order by partition_at desc, run_id desc limit ")
        .push_bind(i64::from(limit) + 1);
    let rows: Vec<RunRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut items: Vec<RunSummary> = rows.into_iter().map(RunSummary::from).collect();
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(write_cursor);
    Ok(RunPage { items, next_cursor })
}

/// One run, whatever parts it is kept in.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<RunSummary> {
    let parts = sqlx::query_as!(
        RunRow,
        "select r.run_id, r.partition_at, r.name, r.started_at, r.ended_at, r.status, r.key_label, r.environment, r.release,
           r.session_id, r.user_id, r.tags, r.models, r.step_count, r.error_count, r.input_fresh, r.cache_read,
           r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.unpriced_steps, r.score_max, r.severity,
           r.problem_step_id, r.problem_step_name, r.problem_code, r.problem_text
         from runs r where r.project_id = $1 and r.run_id = $2 order by r.partition_at",
        project.0,
        run_id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let parts = parts.into_iter().map(RunSummary::from);
    parts.reduce(RunSummary::with_part).ok_or(Error::NotFound)
}

/// Whether the project has ever received a step.
pub async fn any(snapshot: &mut Snapshot, project: ProjectId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from run_keys where project_id = $1) as \"any!\"",
        project.0
    )
    .fetch_one(&mut *snapshot)
    .await?)
}

/// The runs listed right beside one, whatever a filter shows.
pub async fn neighbours(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Neighbours> {
    let row = sqlx::query!(
        "select
           (select n.run_id from runs n
            where n.project_id = $1 and n.step_count > 0 and n.run_id <> k.run_id and (n.partition_at, n.run_id) > (k.partition_at, k.run_id)
            order by n.partition_at, n.run_id limit 1) as newer,
           (select o.run_id from runs o
            where o.project_id = $1 and o.step_count > 0 and o.run_id <> k.run_id and (o.partition_at, o.run_id) < (k.partition_at, k.run_id)
            order by o.partition_at desc, o.run_id desc limit 1) as older
         from runs k where k.project_id = $1 and k.run_id = $2 order by k.partition_at desc limit 1",
        project.0,
        run_id
    )
    .fetch_optional(&mut *snapshot)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Neighbours {
        newer: row.newer,
        older: row.older,
    })
}

/// `<microseconds>.<run id>`: the last row of a page.
fn write_cursor(run: &RunSummary) -> String {
    format!("{}.{}", run.partition_at.micros(), run.run_id)
}

fn parse_cursor(cursor: &str) -> Option<(OffsetDateTime, String)> {
    let (micros, run_id) = cursor.split_once('.')?;
    let at = Timestamp::from_micros(micros.parse().ok()?);
    Some((at.to_offset_date_time(), run_id.to_owned()))
}

/// Whether a text is a cursor that `list` understands.
pub fn is_cursor(text: &str) -> bool {
    parse_cursor(text).is_some()
}

/// How many runs are looked through for a good one.
const LOOKED_THROUGH: i64 = 20_000;

/// The latest run of a name that completed without anything critical, begun before `before`; of the latest runs of the
/// project, so that a name that never had one costs no more.
pub async fn last_good(
    snapshot: &mut Snapshot,
    project: ProjectId,
    name: &str,
    before: Timestamp,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "select run_id from (
           select run_id, partition_at, name, status, severity from runs
           where project_id = $1 and step_count > 0 and partition_at < $3
           order by partition_at desc, run_id desc limit $4) r
         where name = $2 and status = 'ok' and severity < 2
         order by partition_at desc, run_id desc limit 1",
        project.0,
        name,
        before.to_offset_date_time(),
        LOOKED_THROUGH
    )
    .fetch_optional(&mut *snapshot)
    .await?)
}
