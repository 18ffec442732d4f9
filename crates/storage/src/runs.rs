//! Reading runs.

mod filter;

use domain::run::{ActivityBucket, Facets, Neighbours, RunPage, RunTotals};
use domain::{
    NanoUsd, ProjectId, RunFilter, RunProblem, RunStatus, RunSummary, Severity, Timestamp, TokenUsage,
};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{Error, Result, Snapshot};

/// The most rows one page may have.
pub const MAX_PAGE: u32 = 500;

/// The columns of a run as lists show it, in the order of `RunRow`.
const COLUMNS: &str = "run_id, run_at, name, started_at, ended_at, status, key_label, environment, release, \
    session_id, user_id, tags, models, step_count, error_count, input_fresh, cache_read, cache_write, output, \
    reasoning, cost_nano_usd, unpriced_steps, score_max, severity, problem_step_id, problem_step_name, problem_code, \
    problem_text";

#[derive(FromRow)]
struct RunRow {
    run_id: String,
    run_at: OffsetDateTime,
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
            filed_at: Timestamp::from_offset_date_time(row.run_at),
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
    let mut query = filter::select(COLUMNS, project, filter, now, filter::Status::Include);
    if let Some((run_at, run_id)) = cursor.and_then(parse_cursor) {
        query
            .push(" and (run_at, run_id) < (")
            .push_bind(run_at)
            .push(", ")
            .push_bind(run_id)
            .push(")");
    }
    query
        .push(" order by run_at desc, run_id desc limit ")
        .push_bind(i64::from(limit) + 1);
    let rows: Vec<RunRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut items: Vec<RunSummary> = rows.into_iter().map(RunSummary::from).collect();
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(write_cursor);
    Ok(RunPage { items, next_cursor })
}

/// One run.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<RunSummary> {
    let row = sqlx::query_as!(
        RunRow,
        "select r.run_id, r.run_at, r.name, r.started_at, r.ended_at, r.status, r.key_label, r.environment, r.release,
           r.session_id, r.user_id, r.tags, r.models, r.step_count, r.error_count, r.input_fresh, r.cache_read,
           r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.unpriced_steps, r.score_max, r.severity,
           r.problem_step_id, r.problem_step_name, r.problem_code, r.problem_text
         from run_keys k
         join runs r on r.project_id = k.project_id and r.run_id = k.run_id and r.run_at = k.run_at
         where k.project_id = $1 and k.run_id = $2",
        project.0,
        run_id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(RunSummary::from).ok_or(Error::NotFound)
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

/// Sums over everything the filter shows, its status and severity left aside.
pub async fn totals(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
) -> Result<RunTotals> {
    let columns = "count(*), coalesce(sum(step_count), 0)::bigint, count(*) filter (where severity = 2), \
        count(*) filter (where severity = 1), count(*) filter (where status = 'error'), \
        count(*) filter (where status = 'running'), least(sum(cost_nano_usd), 9223372036854775807)::bigint, \
        coalesce(sum(unpriced_steps), 0)::bigint";
    let mut query = filter::select(columns, project, filter, now, filter::Status::Leave);
    let row: (i64, i64, i64, i64, i64, i64, Option<i64>, i64) =
        query.build_query_as().fetch_one(&mut *snapshot).await?;
    Ok(RunTotals {
        runs: row.0,
        steps: row.1,
        critical: row.2,
        warning: row.3,
        failed: row.4,
        running: row.5,
        cost_nano_usd: row.6.map(NanoUsd),
        unpriced_steps: row.7,
    })
}

/// How many runs of each severity began in each of `buckets` equal parts of `from..to`; every bucket is there.
pub async fn activity(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    from: Timestamp,
    to: Timestamp,
    buckets: u32,
) -> Result<Vec<ActivityBucket>> {
    let buckets = buckets.clamp(1, 500);
    let width_micros = ((to.micros() - from.micros()) / i64::from(buckets)).max(1);
    let mut narrowed = filter.clone();
    narrowed.window = domain::Window::Fixed {
        from: Some(from),
        to: Some(to),
    };
    let columns = format!(
        "floor((extract(epoch from run_at) * 1000000 - {}) / {width_micros})::bigint, severity, count(*)",
        from.micros()
    );
    let mut query = filter::select(&columns, project, &narrowed, to, filter::Status::Include);
    query.push(" group by 1, 2");
    let rows: Vec<(i64, i16, i64)> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut activity: Vec<ActivityBucket> = (0..i64::from(buckets))
        .map(|i| ActivityBucket {
            at: from.plus_micros(i * width_micros),
            ok: 0,
            warning: 0,
            critical: 0,
        })
        .collect();
    for (bucket, number, runs) in rows {
        // The last bucket takes what integer division leaves over.
        let bucket = usize::try_from(bucket).unwrap_or(0).min(activity.len() - 1);
        match severity(number) {
            Severity::Ok => activity[bucket].ok += runs,
            Severity::Warning => activity[bucket].warning += runs,
            Severity::Critical => activity[bucket].critical += runs,
        }
    }
    Ok(activity)
}

/// The runs listed right beside one, whatever a filter shows.
pub async fn neighbours(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Neighbours> {
    let row = sqlx::query!(
        "select
           (select n.run_id from runs n where n.project_id = $1 and (n.run_at, n.run_id) > (k.run_at, k.run_id)
            order by n.run_at, n.run_id limit 1) as newer,
           (select o.run_id from runs o where o.project_id = $1 and (o.run_at, o.run_id) < (k.run_at, k.run_id)
            order by o.run_at desc, o.run_id desc limit 1) as older
         from run_keys k where k.project_id = $1 and k.run_id = $2",
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

/// Values that the latest 2,000 runs have, most frequent first.
pub async fn facets(snapshot: &mut Snapshot, project: ProjectId) -> Result<Facets> {
    let rows = sqlx::query!(
        "with recent as (
           select models, key_label, environment, release, step_names from runs
           where project_id = $1 order by run_at desc, run_id desc limit 2000
         ), named as (
           select 'model' as facet, unnest(models) as value from recent
           union all select 'key', key_label from recent
           union all select 'environment', environment from recent
           union all select 'release', release from recent
           union all select 'step', unnest(step_names) from recent
         ), counted as (
           select facet, value, row_number() over (partition by facet order by count(*) desc, value) as place
           from named where value <> '' group by facet, value
         )
         select facet as \"facet!\", value as \"value!\" from counted where place <= 50 order by facet, place",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut facets = Facets::default();
    for row in rows {
        match row.facet.as_str() {
            "model" => facets.models.push(row.value),
            "key" => facets.keys.push(row.value),
            "environment" => facets.environments.push(row.value),
            "release" => facets.releases.push(row.value),
            _ => facets.steps.push(row.value),
        }
    }
    Ok(facets)
}

/// `<microseconds>.<run id>`: the last row of a page.
fn write_cursor(run: &RunSummary) -> String {
    format!("{}.{}", run.filed_at.micros(), run.run_id)
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
