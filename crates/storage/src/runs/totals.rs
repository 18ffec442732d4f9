//! What stands around the list: sums, runs over time, what it can be narrowed to. From the hourly counts where those
//! tell it; otherwise from the newest runs that a search finds, and the answer says since when.

use domain::run::{ActivityBucket, Facets, RunTotals};
use domain::{NanoUsd, ProjectId, RunFilter, RunStatus, Severity, Timestamp, Window};
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::strip::Strip;
use super::{filter, severity};
use crate::hours::Parts;
use crate::{Result, Snapshot};

/// Runs that are counted one by one, where the hourly counts can't tell how many there are.
pub const MAX_COUNTED: i64 = 1_000;

/// The rows of `run_counts` that are exactly the runs of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted<'a> {
    dimension: &'static str,
    value: &'a str,
}

impl<'a> Counted<'a> {
    /// `None` when the filter is narrowed by more than one thing, or by one that is not counted.
    fn of(filter: &'a RunFilter) -> Option<Self> {
        let mut narrowed = filter.chips();
        narrowed.retain(|(name, _)| !matches!(*name, "status" | "severity"));
        let name = match narrowed.as_slice() {
            [] => {
                return Some(Self {
                    dimension: "all",
                    value: "",
                });
            }
            [(name, _)] => *name,
            _ => return None,
        };
        [
            ("key", &filter.key),
            ("environment", &filter.environment),
            ("release", &filter.release),
            ("model", &filter.model),
            ("step", &filter.step),
        ]
        .into_iter()
        .find(|(dimension, _)| *dimension == name)
        .and_then(|(dimension, value)| {
            let value = value.as_deref()?;
            Some(Self { dimension, value })
        })
    }

    /// `select <columns> from <table> where …`, open for more. The table is `run_counts`, or it and what is joined.
    fn select_from(
        self,
        columns: &str,
        table: &str,
        project: ProjectId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(format!("select {columns} from {table} where project_id = "));
        query.push_bind(project.0);
        query.push(" and dimension = ").push_bind(self.dimension);
        if self.dimension == "release" {
            query
                .push(" and starts_with(value, ")
                .push_bind(self.value.to_owned())
                .push(")");
        } else {
            query.push(" and value = ").push_bind(self.value.to_owned());
        }
        for (operator, at) in [(">=", from), ("<", to)] {
            if let Some(at) = at {
                query
                    .push(format!(" and hour {operator} "))
                    .push_bind(at.to_offset_date_time());
            }
        }
        query
    }
}

#[derive(FromRow)]
struct Sums {
    runs: i64,
    steps: i64,
    critical: i64,
    warning: i64,
    failed: i64,
    running: i64,
    cost: Option<i64>,
    unpriced: i64,
}

impl Sums {
    fn add_to(self, totals: &mut RunTotals) {
        totals.runs += self.runs;
        totals.steps = totals.steps.saturating_add(self.steps);
        totals.critical += self.critical;
        totals.warning += self.warning;
        totals.failed += self.failed;
        totals.running += self.running;
        totals.unpriced_steps = totals.unpriced_steps.saturating_add(self.unpriced);
        if let Some(cost) = self.cost {
            let sum = totals.cost_nano_usd.unwrap_or_default();
            totals.cost_nano_usd = Some(NanoUsd(sum.0.saturating_add(cost)));
        }
    }
}

/// Of runs, one by one.
const SUMS_OF_RUNS: &str = "count(*) as runs, coalesce(sum(step_count), 0)::bigint as steps, \
    count(*) filter (where severity = 2) as critical, count(*) filter (where severity = 1) as warning, \
    count(*) filter (where status = 'error') as failed, count(*) filter (where status = 'running') as running, \
    case when count(cost_nano_usd) > 0 then least(sum(cost_nano_usd), 9223372036854775807)::bigint end as cost, \
    coalesce(sum(unpriced_steps), 0)::bigint as unpriced";

/// Of hours.
const SUMS_OF_COUNTS: &str = "\
    coalesce(sum(ok_clean + ok_warning + ok_critical + error_clean + error_warning + error_critical \
      + running_clean + running_warning + running_critical), 0)::bigint as runs, \
    coalesce(sum(steps), 0)::bigint as steps, \
    coalesce(sum(ok_critical + error_critical + running_critical), 0)::bigint as critical, \
    coalesce(sum(ok_warning + error_warning + running_warning), 0)::bigint as warning, \
    coalesce(sum(error_clean + error_warning + error_critical), 0)::bigint as failed, \
    coalesce(sum(running_clean + running_warning + running_critical), 0)::bigint as running, \
    case when sum(priced_runs) > 0 then least(sum(cost_nano_usd), 9223372036854775807)::bigint end as cost, \
    coalesce(sum(unpriced_steps), 0)::bigint as unpriced";

/// Sums over everything the filter shows, its status and severity left aside.
pub async fn totals(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
) -> Result<RunTotals> {
    let Some(counted) = Counted::of(filter) else {
        return Ok(totals_of(&find(snapshot, project, filter, now).await?));
    };
    let (from, to) = filter.window.bounds(now);
    let parts = Parts::of(from, to);
    let mut totals = RunTotals::default();
    if let Some((from, to)) = parts.hours {
        let mut query = counted.select_from(SUMS_OF_COUNTS, "run_counts", project, from, to);
        let sums: Sums = query.build_query_as().fetch_one(&mut *snapshot).await?;
        sums.add_to(&mut totals);
    }
    for (from, to) in parts.ragged {
        let part = RunFilter {
            window: fixed(from, to),
            ..filter.clone()
        };
        let mut query = filter::select(SUMS_OF_RUNS, project, &part, now, filter::Status::Leave);
        let sums: Sums = query.build_query_as().fetch_one(&mut *snapshot).await?;
        sums.add_to(&mut totals);
    }
    Ok(totals)
}

fn fixed(from: Timestamp, to: Timestamp) -> Window {
    Window::Fixed {
        from: Some(from),
        to: Some(to),
    }
}

#[derive(FromRow)]
struct FoundRun {
    partition_at: OffsetDateTime,
    step_count: i32,
    unpriced_steps: i32,
    severity: i16,
    status: String,
    cost_nano_usd: Option<i64>,
}

/// The newest runs of a filter, its status and severity left aside; more than `MAX_COUNTED` when there are more.
async fn find(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
) -> Result<Vec<FoundRun>> {
    let columns = "partition_at, step_count, unpriced_steps, severity, status, cost_nano_usd";
    let most = i32::try_from(MAX_COUNTED).unwrap_or(i32::MAX).saturating_add(1);
    let mut query = filter::search(columns, project, filter, now, filter::Status::Leave, None, most);
    Ok(query.build_query_as().fetch_all(&mut *snapshot).await?)
}

fn totals_of(found: &[FoundRun]) -> RunTotals {
    let mut totals = RunTotals::default();
    for run in found {
        let is = |status: RunStatus| i64::from(run.status == status.as_str());
        Sums {
            runs: 1,
            steps: i64::from(run.step_count),
            critical: i64::from(severity(run.severity) == Severity::Critical),
            warning: i64::from(severity(run.severity) == Severity::Warning),
            failed: is(RunStatus::Error),
            running: is(RunStatus::Running),
            cost: run.cost_nano_usd,
            unpriced: i64::from(run.unpriced_steps),
        }
        .add_to(&mut totals);
    }
    if totals.runs > MAX_COUNTED {
        let first = found.iter().map(|run| run.partition_at).min();
        totals.counted_since = first.map(Timestamp::from_offset_date_time);
    }
    totals
}

/// Sums, and runs of each severity over time.
pub async fn summary(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    now: Timestamp,
    strip: Strip,
) -> Result<(RunTotals, Vec<ActivityBucket>)> {
    if let Some(counted) = Counted::of(filter) {
        let totals = totals(snapshot, project, filter, now).await?;
        let activity = counted_activity(snapshot, project, filter, counted, strip).await?;
        return Ok((totals, activity));
    }
    let found = find(snapshot, project, filter, now).await?;
    let mut activity = strip.empty();
    for run in &found {
        let at = Timestamp::from_offset_date_time(run.partition_at);
        let is_meant = filter.status.is_none_or(|status| status.as_str() == run.status)
            && filter
                .severity
                .is_none_or(|wanted| wanted == severity(run.severity))
            && (strip.from..strip.to).contains(&at);
        if is_meant {
            let bucket = (at.micros() - strip.from.micros()) / strip.width_micros();
            Strip::add(&mut activity, bucket, run.severity, 1);
        }
    }
    Ok((totals_of(&found), activity))
}

async fn counted_activity(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &RunFilter,
    counted: Counted<'_>,
    strip: Strip,
) -> Result<Vec<ActivityBucket>> {
    let bucket_of = |column: &str| {
        let (first, width) = (strip.from.micros(), strip.width_micros());
        format!("floor((extract(epoch from {column}) * 1000000 - {first}) / {width})::bigint")
    };
    let mut query = if strip.is_hourly() {
        let columns = format!("{}, s.severity, sum(s.runs)::bigint", bucket_of("hour"));
        let table = format!(
            "run_counts cross join lateral {} s (severity, runs)",
            unpivoted(filter)
        );
        counted.select_from(&columns, &table, project, Some(strip.from), Some(strip.to))
    } else {
        let narrowed = RunFilter {
            window: fixed(strip.from, strip.to),
            ..filter.clone()
        };
        let columns = format!("{}, severity, count(*)", bucket_of("partition_at"));
        filter::select(&columns, project, &narrowed, strip.to, filter::Status::Include)
    };
    query.push(" group by 1, 2");
    let rows: Vec<(i64, i16, i64)> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let mut activity = strip.empty();
    for (bucket, number, runs) in rows {
        Strip::add(&mut activity, bucket, number, runs);
    }
    Ok(activity)
}

/// The runs of an hour as rows of severity and number, those that the filter's status and severity leave.
fn unpivoted(filter: &RunFilter) -> String {
    let statuses: &[&str] = match filter.status {
        None => &["ok", "error", "running"],
        Some(RunStatus::Ok) => &["ok"],
        Some(RunStatus::Error) => &["error"],
        Some(RunStatus::Running) => &["running"],
    };
    let rows: Vec<String> = [
        (Severity::Ok, "clean"),
        (Severity::Warning, "warning"),
        (Severity::Critical, "critical"),
    ]
    .into_iter()
    .filter(|(severity, _)| filter.severity.is_none_or(|wanted| wanted == *severity))
    .map(|(severity, word)| {
        let columns: Vec<String> = statuses.iter().map(|status| format!("{status}_{word}")).collect();
        format!("({}::smallint, {})", severity as i16, columns.join(" + "))
    })
    .collect();
    format!("(values {})", rows.join(", "))
}

/// Values that runs had in the last week with any, most frequent first.
pub async fn facets(snapshot: &mut Snapshot, project: ProjectId) -> Result<Facets> {
    let rows = sqlx::query!(
        "with newest as (
           select max(hour) as hour from run_counts where project_id = $1 and dimension = 'all' and value = ''
         ), counted as (
           select dimension, value, row_number() over (partition by dimension order by sum(ok_clean + ok_warning
             + ok_critical + error_clean + error_warning + error_critical + running_clean + running_warning
             + running_critical) desc, value) as place
           from run_counts
           where project_id = $1 and hour > (select hour - interval '7 days' from newest) and value <> ''
           group by dimension, value
           having sum(ok_clean + ok_warning + ok_critical + error_clean + error_warning + error_critical
             + running_clean + running_warning + running_critical) > 0
         )
         select dimension as \"dimension!\", value as \"value!\" from counted where place <= 50 order by dimension, place",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut facets = Facets::default();
    for row in rows {
        match row.dimension.as_str() {
            "model" => facets.models.push(row.value),
            "key" => facets.keys.push(row.value),
            "environment" => facets.environments.push(row.value),
            "release" => facets.releases.push(row.value),
            _ => facets.steps.push(row.value),
        }
    }
    Ok(facets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_counted_parameter_is_told_by_the_counts() {
        let check = |query: &[(&str, &str)], expected: Option<(&str, &str)>| {
            let filter = RunFilter::from_query(query.iter().copied()).unwrap();
            let counted = Counted::of(&filter).map(|counted| (counted.dimension, counted.value));
            assert_eq!(counted, expected, "{query:?}");
        };
        check(&[("range", "24h"), ("status", "error")], Some(("all", "")));
        check(&[("model", "m"), ("severity", "critical")], Some(("model", "m")));
        check(&[("release", "9be0")], Some(("release", "9be0")));
        check(&[("model", "m"), ("key", "k")], None);
        check(&[("tag", "t")], None);
        check(&[("cost_min", "1")], None);
    }

    #[test]
    fn only_the_wanted_states_are_added_up() {
        let check = |query: &[(&str, &str)], expected: &str| {
            let filter = RunFilter::from_query(query.iter().copied()).unwrap();
            assert_eq!(unpivoted(&filter), expected);
        };
        check(
            &[("status", "error")],
            "(values (0::smallint, error_clean), (1::smallint, error_warning), (2::smallint, error_critical))",
        );
        check(
            &[("severity", "critical")],
            "(values (2::smallint, ok_critical + error_critical + running_critical))",
        );
    }
}
