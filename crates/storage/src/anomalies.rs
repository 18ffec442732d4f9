//! Conditions over time. Counts come from the hourly sums and are exact; only lists read steps.

mod latest;

use std::collections::BTreeMap;

use domain::anomaly::{
    BucketSpan, CellCount, CodeCount, ConditionCounts, NameCount, SeverityCount, TemplateCount,
};
use domain::{ConditionFilter, ProjectId, Timestamp};

use crate::hours::whole_days;
use crate::runs::severity;
use crate::{Result, Snapshot};

pub use latest::{any_condition, latest};

/// What conditions are counted under beside their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByName {
    Step,
    Model,
}

/// Counts the conditions of a span. Its two halves are compared with one another.
///
/// One pass over the hours, or over the days where buckets are days.
pub async fn counts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
    by: ByName,
) -> Result<ConditionCounts> {
    let buckets = span.count().max(1);
    let rows = if is_whole_days(span) {
        grouped_by_day(snapshot, project, filter, span, by).await?
    } else {
        grouped_by_hour(snapshot, project, filter, span, by).await?
    };
    let middle = span.start_of(buckets / 2);
    let mut counts = ConditionCounts {
        steps_now: calls(snapshot, project, filter, middle, span.to).await?,
        steps_before: calls(snapshot, project, filter, span.from, middle).await?,
        ..ConditionCounts::default()
    };
    let mut cells: BTreeMap<(u16, String), (i64, i64)> = BTreeMap::new();
    for row in rows {
        let bucket = row.bucket.and_then(|bucket| u32::try_from(bucket).ok());
        let code = row.code.and_then(|code| u16::try_from(code).ok());
        match (bucket, code, row.name, row.step_name, row.is_now) {
            (Some(bucket), Some(code), None, ..) => counts.by_code.push(CodeCount {
                bucket,
                code,
                count: row.count,
            }),
            (Some(bucket), None, Some(name), ..) => counts.by_name.push(NameCount {
                bucket,
                name,
                count: row.count,
            }),
            (None, Some(code), None, Some(step), Some(is_now)) => {
                let cell = cells.entry((code, step)).or_default();
                *(if is_now { &mut cell.0 } else { &mut cell.1 }) += row.count;
            }
            _ => {}
        }
    }
    counts.cells = cells
        .into_iter()
        .map(|((code, step), (now, before))| CellCount {
            code,
            step,
            now,
            before,
        })
        .collect();
    counts.by_code.sort_unstable_by_key(|c| (c.bucket, c.code));
    counts
        .by_name
        .sort_unstable_by(|a, b| (a.bucket, &a.name).cmp(&(b.bucket, &b.name)));
    Ok(counts)
}

/// Whether buckets are days of UTC, or several: then the sums of days tell all.
fn is_whole_days(span: BucketSpan) -> bool {
    span.bucket_hours.is_multiple_of(24) && span.from.day() == span.from && span.to.day() == span.to
}

/// A count of conditions by bucket and code, by bucket and name, or by code, step and half.
struct Grouped {
    bucket: Option<i32>,
    code: Option<i32>,
    is_now: Option<bool>,
    step_name: Option<String>,
    name: Option<String>,
    count: i64,
}

async fn grouped_by_day(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
    by: ByName,
) -> Result<Vec<Grouped>> {
    let (first_code, last_code) = filter.code_range();
    Ok(sqlx::query_as!(
        Grouped,
        "with found as (
           select floor(date_part('epoch', day - $2) / $4)::int as bucket, day >= $11 as is_now, step_name,
             case when $8 then model else step_name end as name, code::int as code, ok + warning + critical as count
           from condition_days
           where project_id = $1 and day >= $2 and day < $3 and code between $9::int and $10::int and code > 5
             and ($5::text is null or key_label = $5) and ($6::text is null or model = $6)
             and ($7::text is null or step_name = $7)
         )
         select bucket, code, is_now, step_name as \"step_name?\", name, sum(count)::bigint as \"count!\"
         from found group by grouping sets ((bucket, code), (bucket, name), (code, step_name, is_now))",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        bucket_seconds(span),
        filter.key,
        filter.model,
        filter.step,
        by == ByName::Model,
        i32::from(first_code),
        i32::from(last_code),
        span.start_of(span.count().max(1) / 2).to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

async fn grouped_by_hour(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
    by: ByName,
) -> Result<Vec<Grouped>> {
    let (first_code, last_code) = filter.code_range();
    Ok(sqlx::query_as!(
        Grouped,
        "with hours as (
           select floor(date_part('epoch', hour - $2) / $4)::int as bucket, hour >= $11 as is_now, step_name,
             case when $8 then coalesce(model, '') else step_name end as name, conditions
           from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and conditions <> '{}'
             and ($5::text is null or key_label = $5) and ($6::text is null or model = $6)
             and ($7::text is null or step_name = $7)
         ), found as (
           select bucket, is_now, step_name, name, key::int as code, value::bigint as count
           from hours, jsonb_each_text(conditions)
         )
         select bucket, code, is_now, step_name as \"step_name?\", name, sum(count)::bigint as \"count!\"
         from found where code between $9::int and $10::int
         group by grouping sets ((bucket, code), (bucket, name), (code, step_name, is_now))",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        bucket_seconds(span),
        filter.key,
        filter.model,
        filter.step,
        by == ByName::Model,
        i32::from(first_code),
        i32::from(last_code),
        span.start_of(span.count().max(1) / 2).to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

/// How many steps began in a span of whole hours.
async fn calls(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64> {
    let (first_day, last_day) = whole_days(from, to);
    Ok(sqlx::query_scalar!(
        "select coalesce(sum(r.calls), 0)::bigint as \"calls!\" from (
           select calls, key_label, model, step_name from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and (hour < $4 or hour >= $5)
           union all
           select calls, key_label, model, step_name from rollup_days
           where project_id = $1 and day >= $4 and day < $5
         ) r
         where ($6::text is null or r.key_label = $6) and ($7::text is null or r.model = $7)
           and ($8::text is null or r.step_name = $8)",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        first_day.to_offset_date_time(),
        last_day.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step
    )
    .fetch_one(&mut *snapshot)
    .await?)
}

/// Steps with a condition by severity, in buckets of when they began; of when their run's part began where a bucket is
/// shorter than a day.
pub async fn severities(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
) -> Result<Vec<SeverityCount>> {
    let (first_code, last_code) = filter.code_range();
    if is_whole_days(span) {
        return severities_by_day(snapshot, project, filter, span).await;
    }
    if filter.code.is_none() && filter.layer.is_none() {
        let rows = sqlx::query!(
            "select floor(date_part('epoch', partition_at - $2) / $4)::int as \"bucket!\", severity, count(*) as \"count!\"
             from steps
             where project_id = $1 and partition_at >= $2 and partition_at < $3 and severity > 0
               and ($5::text is null or key_label = $5) and ($6::text is null or model = $6)
               and ($7::text is null or name = $7)
             group by 1, 2 order by 1, 2",
            project.0,
            span.from.to_offset_date_time(),
            span.to.to_offset_date_time(),
            bucket_seconds(span),
            filter.key,
            filter.model,
            filter.step
        )
        .fetch_all(&mut *snapshot)
        .await?;
        return Ok(rows
            .into_iter()
            .map(|r| severity_count(r.bucket, r.severity, r.count))
            .collect());
    }
    let rows = sqlx::query!(
        "with meant as (
           select distinct run_id, step_id, partition_at from step_conditions
           where project_id = $1 and partition_at >= $2 and partition_at < $3 and code between $8::int and $9::int
         )
         select floor(date_part('epoch', s.partition_at - $2) / $4)::int as \"bucket!\", s.severity, count(*) as \"count!\"
         from meant m
         join steps s on s.project_id = $1 and s.run_id = m.run_id and s.step_id = m.step_id and s.partition_at = m.partition_at
         where s.partition_at >= $2 and s.partition_at < $3
           and ($5::text is null or s.key_label = $5) and ($6::text is null or s.model = $6)
           and ($7::text is null or s.name = $7)
         group by 1, 2 order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        bucket_seconds(span),
        filter.key,
        filter.model,
        filter.step,
        i32::from(first_code),
        i32::from(last_code)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| severity_count(r.bucket, r.severity, r.count))
        .collect())
}

async fn severities_by_day(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
) -> Result<Vec<SeverityCount>> {
    let (first_code, last_code) = filter.code_range();
    if first_code > last_code {
        return Ok(Vec::new());
    }
    let counted_under = filter.code.or(filter.layer.map(u16::from)).unwrap_or(0);
    let rows = sqlx::query!(
        "select floor(date_part('epoch', day - $2) / $4)::int as \"bucket!\",
           sum(warning)::bigint as \"warning!\", sum(critical)::bigint as \"critical!\"
         from condition_days
         where project_id = $1 and day >= $2 and day < $3 and code = $8::int
           and ($5::text is null or key_label = $5) and ($6::text is null or model = $6)
           and ($7::text is null or step_name = $7)
         group by 1 order by 1",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        bucket_seconds(span),
        filter.key,
        filter.model,
        filter.step,
        i32::from(counted_under)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .flat_map(|r| [(r.bucket, 1, r.warning), (r.bucket, 2, r.critical)])
        .filter(|(.., count)| *count > 0)
        .map(|(bucket, number, count)| severity_count(bucket, number, count))
        .collect())
}

fn severity_count(bucket: i32, number: i16, count: i64) -> SeverityCount {
    SeverityCount {
        bucket: u32::try_from(bucket).unwrap_or(0),
        severity: severity(number),
        count,
    }
}

/// The length of a bucket as statements divide by it.
fn bucket_seconds(span: BucketSpan) -> f64 {
    f64::from(span.bucket_hours.max(1)) * 3_600.0
}

/// One code on one step's name through time, by template: which shows since when, and with which prompt.
pub async fn templates(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
    (code, step): (u16, &str),
) -> Result<Vec<TemplateCount>> {
    let rows = sqlx::query!(
        "select floor(date_part('epoch', hour - $2) / $4)::int as \"bucket!\",
           encode(template_fingerprint, 'hex') as template, sum(calls)::bigint as \"steps!\",
           coalesce(sum((conditions ->> $8)::bigint), 0)::bigint as \"count!\"
         from rollups
         where project_id = $1 and hour >= $2 and hour < $3 and step_name = $7
           and ($5::text is null or key_label = $5) and ($6::text is null or model = $6)
         group by 1, 2 order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        bucket_seconds(span),
        filter.key,
        filter.model,
        step,
        code.to_string()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TemplateCount {
            bucket: u32::try_from(row.bucket).unwrap_or(0),
            template: row.template,
            steps: row.steps,
            count: row.count,
        })
        .collect())
}
