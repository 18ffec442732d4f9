//! Statements that are put together at run time: runs narrowed by any of nineteen parameters.

use domain::{ProjectId, RunFilter, RunStatus, Severity, Timestamp};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;

/// Whether a statement honours the filter's status and severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Include,
    Leave,
}

/// `select <columns> from runs where …`, open for an order and a limit.
pub(super) fn select(
    columns: &str,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
    status: Status,
) -> QueryBuilder<Postgres> {
    narrowed(&format!("select {columns}"), project, filter, now, status)
}

/// `<beginning> from runs where …`: [`select`] within another statement.
pub(super) fn narrowed(
    beginning: &str,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
    status: Status,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!(
        "{beginning} from runs where step_count > 0 and project_id = "
    ));
    query.push_bind(project.0);
    let (from, to) = filter.window.bounds(now);
    if let Some(from) = from {
        query
            .push(" and partition_at >= ")
            .push_bind(from.to_offset_date_time());
    }
    if let Some(to) = to {
        query
            .push(" and partition_at < ")
            .push_bind(to.to_offset_date_time());
    }
    if status == Status::Include {
        // The literal repeats what `runs_problem_idx` covers, so that the planner sees it may be used.
        match filter.status {
            Some(RunStatus::Ok) => _ = query.push(" and status = 'ok'"),
            Some(RunStatus::Error) => {
                _ = query.push(" and status = 'error' and (severity > 0 or status <> 'ok')")
            }
            Some(RunStatus::Running) => {
                _ = query.push(" and status = 'running' and (severity > 0 or status <> 'ok')");
            }
            None => {}
        }
        match filter.severity {
            Some(Severity::Ok) => _ = query.push(" and severity = 0"),
            Some(Severity::Warning) => {
                _ = query.push(" and severity = 1 and (severity > 0 or status <> 'ok')")
            }
            Some(Severity::Critical) => {
                _ = query.push(" and severity = 2 and (severity > 0 or status <> 'ok')")
            }
            None => {}
        }
    }
    for (column, value) in [
        ("key_label", &filter.key),
        ("environment", &filter.environment),
        ("session_id", &filter.session),
        ("user_id", &filter.user),
    ] {
        if let Some(value) = value {
            query.push(format!(" and {column} = ")).push_bind(value.clone());
        }
    }
    for (column, value) in [
        ("models", &filter.model),
        ("step_names", &filter.step),
        ("tags", &filter.tag),
    ] {
        if let Some(value) = value {
            query
                .push(format!(" and {column} @> array["))
                .push_bind(value.clone())
                .push("]");
        }
    }
    if let Some(release) = &filter.release {
        query
            .push(" and starts_with(release, ")
            .push_bind(release.clone())
            .push(")");
    }
    for (expression, operator, bound) in [
        ("cost_nano_usd", ">=", filter.cost_min.map(|cost| cost.0)),
        ("cost_nano_usd", "<=", filter.cost_max.map(|cost| cost.0)),
        (
            "extract(epoch from ended_at - started_at) * 1000",
            ">=",
            filter.latency_min_ms,
        ),
        (
            "extract(epoch from ended_at - started_at) * 1000",
            "<=",
            filter.latency_max_ms,
        ),
        (TOKENS, ">=", filter.tokens_min),
        (TOKENS, "<=", filter.tokens_max),
    ] {
        if let Some(bound) = bound {
            query
                .push(format!(" and {expression} {operator} "))
                .push_bind(bound);
        }
    }
    if let Some(text) = &filter.q {
        let pattern = format!(
            "%{}%",
            text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
        );
        query.push(" and (run_id ilike ").push_bind(pattern.clone());
        query.push(" or name ilike ").push_bind(pattern.clone());
        query.push(" or problem_text ilike ").push_bind(pattern.clone());
        query
            .push(" or problem_step_name ilike ")
            .push_bind(pattern)
            .push(")");
    }
    query
}

const TOKENS: &str = "coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) + coalesce(output, 0)";

/// Whether a filter is narrower than a window, a status and a severity: what is left then has to be searched for.
pub(super) fn is_search(filter: &RunFilter) -> bool {
    let mut narrowed = filter.chips();
    narrowed.retain(|(name, _)| !matches!(*name, "status" | "severity"));
    !narrowed.is_empty()
}

/// `select <columns> from search_runs(…)`: the newest runs that a filter leaves, `max_runs` at most.
pub(super) fn search(
    columns: &str,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
    status: Status,
    before: Option<(OffsetDateTime, String)>,
    max_runs: i32,
) -> QueryBuilder<Postgres> {
    let (from, to) = filter.window.bounds(now);
    let (before_at, before_id) = before.unzip();
    let mut query = QueryBuilder::new(format!("select {columns} from search_runs("));
    query.push_bind(Json(searched(filter, status)));
    for at in [
        from.map(Timestamp::to_offset_date_time),
        to.map(Timestamp::to_offset_date_time),
        before_at,
    ] {
        query.push(", ").push_bind(at);
    }
    query.push(", ").push_bind(before_id);
    query.push(", ").push_bind(max_runs);
    query.push(") where project_id = ").push_bind(project.0);
    query
}

/// The filter as `search_runs` reads it.
fn searched(filter: &RunFilter, status: Status) -> Map<String, Value> {
    let texts = [
        ("key", &filter.key),
        ("environment", &filter.environment),
        ("release", &filter.release),
        ("session", &filter.session),
        ("user", &filter.user),
        ("model", &filter.model),
        ("step", &filter.step),
        ("tag", &filter.tag),
        ("attribute", &filter.attribute),
        ("q", &filter.q),
    ];
    let figures = [
        ("cost_min", filter.cost_min.map(|cost| cost.0)),
        ("cost_max", filter.cost_max.map(|cost| cost.0)),
        ("latency_min", filter.latency_min_ms),
        ("latency_max", filter.latency_max_ms),
        ("tokens_min", filter.tokens_min),
        ("tokens_max", filter.tokens_max),
    ];
    let mut object = Map::new();
    for (name, text) in texts {
        object.extend(
            text.as_ref()
                .map(|text| (name.to_owned(), Value::from(text.as_str()))),
        );
    }
    for (name, figure) in figures {
        object.extend(figure.map(|figure| (name.to_owned(), Value::from(figure.to_string()))));
    }
    if status == Status::Include {
        let status = filter.status.map(|status| status.as_str().to_owned());
        let severity = filter.severity.map(|severity| (severity as i16).to_string());
        object.extend(status.map(|status| ("status".to_owned(), Value::from(status))));
        object.extend(severity.map(|severity| ("severity".to_owned(), Value::from(severity))));
    }
    object
}
