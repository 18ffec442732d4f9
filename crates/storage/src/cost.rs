//! What calls cost, by session, run, key and whatever else narrows them. Whole hours come from the rollups, the parts
//! of an hour at the ends of a window from the steps themselves, so that any window is answered exactly.

mod parts;

use std::collections::BTreeMap;

use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage, usage};
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;

use crate::hours::{HOUR_MICROS, Parts, first_whole_day, last_whole_day};
use crate::{Result, Snapshot};

pub use parts::{UsagePart, usage_parts};

/// Which calls. Everything that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostFilter {
    pub session: Option<String>,
    pub run: Option<String>,
    pub user: Option<String>,
    /// Sent with a key of this label.
    pub key: Option<String>,
    pub environment: Option<String>,
    pub model: Option<String>,
    pub step: Option<String>,
    /// Begun then or later.
    pub from: Option<Timestamp>,
    /// Begun before.
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCost {
    /// The model; `None` for steps without one.
    pub model: Option<String>,
    pub calls: i64,
    /// How many of them have no known price.
    pub unpriced: i64,
    pub tokens: TokenUsage,
    /// Their known cost; `None` when none is.
    pub cost: Option<NanoUsd>,
}

/// Calls and what they cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// By model, the most expensive first.
    pub models: Vec<ModelCost>,
    /// When the first began. Where its step has been deleted already and its hour has not, the beginning of the hour.
    pub first_call: Option<Timestamp>,
    /// When the last began, likewise.
    pub last_call: Option<Timestamp>,
}

impl Cost {
    /// All models together.
    pub fn total(&self) -> ModelCost {
        let mut total = ModelCost::default();
        for model in &self.models {
            total.add(model);
        }
        total
    }

    fn add(&mut self, more: Cost, by_model: &mut BTreeMap<Option<String>, ModelCost>) {
        for model in more.models {
            let sum = by_model.entry(model.model.clone()).or_insert_with(|| ModelCost {
                model: model.model.clone(),
                ..ModelCost::default()
            });
            sum.add(&model);
        }
        self.first_call = [self.first_call, more.first_call].into_iter().flatten().min();
        self.last_call = self.last_call.max(more.last_call);
    }
}

impl ModelCost {
    fn add(&mut self, more: &Self) {
        self.calls = self.calls.saturating_add(more.calls);
        self.unpriced = self.unpriced.saturating_add(more.unpriced);
        self.tokens = self.tokens.plus(&more.tokens);
        let sum = usage::known_sum(self.cost.map(|cost| cost.0), more.cost.map(|cost| cost.0));
        self.cost = sum.map(NanoUsd);
    }
}

/// Adds up the calls that a filter leaves.
pub async fn cost(snapshot: &mut Snapshot, project: ProjectId, filter: &CostFilter) -> Result<Cost> {
    let mut cost = Cost::default();
    let mut by_model = BTreeMap::new();
    if filter.session.is_some() || filter.run.is_some() || filter.user.is_some() {
        let found = from_steps(snapshot, project, filter, filter.from, filter.to).await?;
        cost.add(found, &mut by_model);
    } else {
        let parts = Parts::of(filter.from, filter.to);
        for (from, to) in parts.ragged {
            let found = from_steps(snapshot, project, filter, Some(from), Some(to)).await?;
            cost.add(found, &mut by_model);
        }
        if let Some((from, to)) = parts.hours {
            let mut found = from_rollups(snapshot, project, filter, from, to).await?;
            found.first_call =
                first_moment(snapshot, project, filter, found.first_call, cost.first_call).await?;
            found.last_call = last_moment(snapshot, project, filter, found.last_call, cost.last_call).await?;
            cost.add(found, &mut by_model);
        }
    }
    cost.models = by_model.into_values().collect();
    cost.models
        .sort_by(|a, b| b.cost.cmp(&a.cost).then(b.calls.cmp(&a.calls)));
    Ok(cost)
}

#[derive(FromRow)]
struct Row {
    model: Option<String>,
    calls: i64,
    unpriced: i64,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    cost: Option<i64>,
    first: Option<OffsetDateTime>,
    last: Option<OffsetDateTime>,
}

impl From<Vec<Row>> for Cost {
    fn from(rows: Vec<Row>) -> Self {
        let time = |at: Option<OffsetDateTime>| at.map(Timestamp::from_offset_date_time);
        Self {
            first_call: rows.iter().filter_map(|row| time(row.first)).min(),
            last_call: rows.iter().filter_map(|row| time(row.last)).max(),
            models: rows
                .into_iter()
                .map(|row| ModelCost {
                    model: row.model,
                    calls: row.calls,
                    unpriced: row.unpriced,
                    tokens: TokenUsage {
                        input_fresh: row.input_fresh,
                        cache_read: row.cache_read,
                        cache_write: row.cache_write,
                        cache_write_1h: None,
                        output: row.output,
                        reasoning: row.reasoning,
                    },
                    cost: row.cost.map(NanoUsd),
                })
                .collect(),
        }
    }
}

/// Sums of the buckets and the cost, held at the limits of their type; null where nothing is known.
fn sums() -> String {
    let sum = |(column, name): (&str, &str)| {
        format!(
            "case when sum({column}) is not null then \
             least(greatest(sum({column}), -9223372036854775808), 9223372036854775807)::bigint end as {name}"
        )
    };
    [
        ("input_fresh", "input_fresh"),
        ("cache_read", "cache_read"),
        ("cache_write", "cache_write"),
        ("output", "output"),
        ("reasoning", "reasoning"),
        ("cost_nano_usd", "cost"),
    ]
    .map(sum)
    .join(", ")
}

async fn from_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Cost> {
    let columns = format!(
        "model, count(*) as calls, count(*) filter (where cost_source = 'unknown') as unpriced, {}, \
         min(started_at) as first, max(started_at) as last",
        sums()
    );
    let mut query = steps(&columns, project, filter, from, to);
    query.push(" group by model");
    let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    Ok(rows.into())
}

/// `select <columns> from steps where …`, open for more.
fn steps(
    columns: &str,
    project: ProjectId,
    filter: &CostFilter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> QueryBuilder<Postgres> {
    steps_of("steps", columns, project, filter, from, to)
}

/// The same from the steps and what is joined to them.
fn steps_of(
    table: &str,
    columns: &str,
    project: ProjectId,
    filter: &CostFilter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("select {columns} from {table} where project_id = "));
    query.push_bind(project.0);
    if let Some(run) = &filter.run {
        query.push(" and run_id = ").push_bind(run.clone());
        // Names the partitions.
        query
            .push(" and partition_at = any (array(select partition_at from runs where project_id = ")
            .push_bind(project.0)
            .push(" and run_id = ")
            .push_bind(run.clone())
            .push("))");
    }
    for (column, value) in [("session_id", &filter.session), ("user_id", &filter.user)]
        .into_iter()
        .chain(shared(filter, "name"))
    {
        if let Some(value) = value {
            query.push(format!(" and {column} = ")).push_bind(value.clone());
        }
    }
    between(&mut query, "started_at", from, to);
    query
}

/// What both steps and rollups can be narrowed by.
fn shared<'a>(filter: &'a CostFilter, name: &'static str) -> [(&'static str, &'a Option<String>); 4] {
    [
        ("key_label", &filter.key),
        ("environment", &filter.environment),
        ("model", &filter.model),
        (name, &filter.step),
    ]
}

fn between(query: &mut QueryBuilder<Postgres>, column: &str, from: Option<Timestamp>, to: Option<Timestamp>) {
    for (operator, at) in [(">=", from), ("<", to)] {
        if let Some(at) = at {
            query
                .push(format!(" and {column} {operator} "))
                .push_bind(at.to_offset_date_time());
        }
    }
}

/// A table of sums, its column of time and those of a row's first and last hour, and which part of a window it tells.
type Source = (
    &'static str,
    (&'static str, &'static str, &'static str),
    Option<Timestamp>,
    Option<Timestamp>,
);

/// Whole days, and the hours before and after them.
fn sources(from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<Source> {
    let hours = |from, to| ("rollups", ("hour", "hour", "hour"), from, to);
    let (first, last) = (from.map(first_whole_day), to.map(last_whole_day));
    if let (Some(first), Some(last)) = (first, last)
        && first >= last
    {
        return vec![hours(from, to)];
    }
    let mut sources = vec![("rollup_days", ("day", "first_hour", "last_hour"), first, last)];
    sources.extend(
        from.zip(first)
            .map(|(from, first)| hours(Some(from), Some(first))),
    );
    sources.extend(last.zip(to).map(|(last, to)| hours(Some(last), Some(to))));
    sources
}

async fn from_rollups(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Cost> {
    let mut query = QueryBuilder::new(format!(
        "select model, least(sum(calls), 9223372036854775807)::bigint as calls, \
         least(sum(unpriced), 9223372036854775807)::bigint as unpriced, {}, \
         min(first) as first, max(last) as last from (",
        sums()
    ));
    for (i, (table, hours, from, to)) in sources(from, to).into_iter().enumerate() {
        let (column, first, last) = hours;
        query.push(if i == 0 { "" } else { " union all " });
        query.push(format!(
            "select model, calls, unpriced, input_fresh, cache_read, cache_write, output, reasoning, cost_nano_usd, \
             {first} as first, {last} as last from {table} where project_id = "
        ));
        query.push_bind(project.0);
        for (column, value) in shared(filter, "step_name") {
            if let Some(value) = value {
                query.push(format!(" and {column} = ")).push_bind(value.clone());
            }
        }
        between(&mut query, column, from, to);
    }
    query.push(") summed group by model");
    let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    Ok(rows.into())
}

/// When the first call of the hours began. Which moment of its hour it was, only the steps know; they are not asked where
/// the part of an hour before has a call.
async fn first_moment(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
    hour: Option<Timestamp>,
    ragged: Option<Timestamp>,
) -> Result<Option<Timestamp>> {
    match hour {
        Some(hour) if ragged.is_none_or(|at| at >= hour) => {
            let found = within(snapshot, project, filter, "min(started_at)", hour).await?;
            Ok(Some(found.map_or(hour, Timestamp::from_offset_date_time)))
        }
        _ => Ok(hour),
    }
}

/// When the last one began, likewise.
async fn last_moment(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
    hour: Option<Timestamp>,
    ragged: Option<Timestamp>,
) -> Result<Option<Timestamp>> {
    match hour {
        Some(hour) if ragged.is_none_or(|at| at < hour) => {
            let found = within(snapshot, project, filter, "max(started_at)", hour).await?;
            Ok(Some(found.map_or(hour, Timestamp::from_offset_date_time)))
        }
        _ => Ok(hour),
    }
}

async fn within(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &CostFilter,
    column: &str,
    hour: Timestamp,
) -> Result<Option<OffsetDateTime>> {
    let mut query = steps(
        column,
        project,
        filter,
        Some(hour),
        Some(hour.plus_micros(HOUR_MICROS)),
    );
    Ok(query.build_query_scalar().fetch_one(&mut *snapshot).await?)
}
