//! The one statement that is put together at run time: a list narrowed by any of eighteen parameters.

use domain::{ProjectId, RunFilter, RunStatus, Severity, Timestamp};
use sqlx::{Postgres, QueryBuilder};

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
    let mut query = QueryBuilder::new(format!("select {columns} from runs where project_id = "));
    query.push_bind(project.0);
    let (from, to) = filter.window.bounds(now);
    if let Some(from) = from {
        query
            .push(" and run_at >= ")
            .push_bind(from.to_offset_date_time());
    }
    if let Some(to) = to {
        query.push(" and run_at < ").push_bind(to.to_offset_date_time());
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
        query.push(" or problem_text ilike ").push_bind(pattern).push(")");
    }
    query
}

const TOKENS: &str = "coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) + coalesce(output, 0)";
