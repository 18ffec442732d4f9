//! Anomalous steps, the latest first.

use domain::anomaly::{AnomalousStep, AnomalousSteps, BucketSpan};
use domain::condition::{Place, Sample};
use domain::{Condition, ConditionFilter, ProjectId, Timestamp};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::feedback::feedback;
use crate::runs::severity;
use crate::{Result, Snapshot};

/// The most rows one page may have.
const MAX_PAGE: u32 = 200;

/// Whether any step of the project ever had a condition.
pub async fn any_condition(snapshot: &mut Snapshot, project: ProjectId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from steps where project_id = $1 and severity > 0) as \"any!\"",
        project.0
    )
    .fetch_one(&mut *snapshot)
    .await?)
}

/// One page of the steps that began in the span, the latest first, with their conditions and what was said about those.
/// With a code or layer in the filter, the conditions it means come first. A cursor that is none begins at the top.
pub async fn latest(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
    cursor: Option<&str>,
    limit: u32,
) -> Result<AnomalousSteps> {
    let limit = limit.clamp(1, MAX_PAGE);
    let (first_code, last_code) = filter.code_range();
    let any_code = filter.code.is_none() && filter.layer.is_none();
    let before = cursor.and_then(parse_cursor);
    let (started_at, run_id, step_id) = match before {
        Some((started_at, run_id, step_id)) => (Some(started_at), run_id, step_id),
        None => (None, String::new(), String::new()),
    };
    let sql_limit = i64::from(limit) + 1;
    // Of a code that few steps have, all are looked up and sorted; otherwise the latest steps are asked for it in turn. A
    // subquery with a limit is asked for each row and not made a join.
    let rows = if !any_code && is_rare(snapshot, project, filter, span).await? {
        sqlx::query_as!(
            StepRow,
            "with meant as materialized (
               select distinct c.run_id, c.step_id, c.partition_at from step_conditions c
               where c.project_id = $1 and c.code between $7::int and $8::int
                 and c.partition_at >= $2::timestamptz - interval '1 day'
             )
             select s.run_id, s.partition_at, s.step_id, s.name, s.started_at, s.key_label,
               coalesce(s.model, s.request_model) as model, coalesce(s.score, 0) as \"score!\", s.severity,
               s.threshold
             from meant m
             join steps s on s.project_id = $1 and s.partition_at = m.partition_at and s.run_id = m.run_id
               and s.step_id = m.step_id
             where s.started_at >= $2 and s.started_at < $3 and s.severity > 0
               and ($4::text is null or s.key_label = $4) and ($5::text is null or s.model = $5)
               and ($6::text is null or s.name = $6)
               and ($9::timestamptz is null or (s.started_at, s.run_id, s.step_id) < ($9, $10, $11))
             order by s.started_at desc, s.run_id desc, s.step_id desc limit $12",
            project.0,
            span.from.to_offset_date_time(),
            span.to.to_offset_date_time(),
            filter.key,
            filter.model,
            filter.step,
            i32::from(first_code),
            i32::from(last_code),
            started_at,
            run_id,
            step_id,
            sql_limit
        )
        .fetch_all(&mut *snapshot)
        .await?
    } else {
        sqlx::query_as!(
            StepRow,
            "select s.run_id, s.partition_at, s.step_id, s.name, s.started_at, s.key_label,
               coalesce(s.model, s.request_model) as model, coalesce(s.score, 0) as \"score!\", s.severity,
               s.threshold
             from steps s
             where s.project_id = $1 and s.started_at >= $2 and s.started_at < $3 and s.severity > 0
               and ($4::text is null or s.key_label = $4) and ($5::text is null or s.model = $5)
               and ($6::text is null or s.name = $6)
               and ($7 or (select true from step_conditions c where c.project_id = s.project_id
                 and c.partition_at = s.partition_at and c.run_id = s.run_id and c.step_id = s.step_id
                 and c.code between $8::int and $9::int limit 1))
               and ($10::timestamptz is null or s.started_at <= $10)
               and ($10::timestamptz is null or (s.started_at, s.run_id, s.step_id) < ($10, $11, $12))
             order by s.started_at desc, s.run_id desc, s.step_id desc limit $13",
            project.0,
            span.from.to_offset_date_time(),
            span.to.to_offset_date_time(),
            filter.key,
            filter.model,
            filter.step,
            any_code,
            i32::from(first_code),
            i32::from(last_code),
            started_at,
            run_id,
            step_id,
            sql_limit
        )
        .fetch_all(&mut *snapshot)
        .await?
    };
    let more = rows.len() > limit as usize;
    let mut items: Vec<AnomalousStep> = rows
        .into_iter()
        .take(limit as usize)
        .map(|row| AnomalousStep {
            run_id: row.run_id,
            partition_at: Timestamp::from_offset_date_time(row.partition_at),
            step_id: row.step_id,
            name: row.name,
            started_at: Timestamp::from_offset_date_time(row.started_at),
            key_label: row.key_label,
            model: row.model,
            score: row.score,
            threshold: row.threshold,
            severity: severity(row.severity),
            conditions: Vec::new(),
            feedback: Vec::new(),
        })
        .collect();
    fill(snapshot, project, filter, &mut items).await?;
    let next_cursor = items.last().filter(|_| more).map(write_cursor);
    Ok(AnomalousSteps { items, next_cursor })
}

/// A step as lists of anomalies show it.
struct StepRow {
    run_id: String,
    partition_at: OffsetDateTime,
    step_id: String,
    name: String,
    started_at: OffsetDateTime,
    key_label: String,
    model: Option<String>,
    score: i32,
    severity: i16,
    threshold: Option<i32>,
}

/// Whether fewer than one in fifty of the steps with conditions have the meant ones, by the days of the span.
async fn is_rare(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    span: BucketSpan,
) -> Result<bool> {
    let (first_code, last_code) = filter.code_range();
    let is_rare = sqlx::query_scalar!(
        "select coalesce(sum(warning + critical) filter (where code between $4::int and $5::int), 0) * 50
           < coalesce(sum(warning + critical) filter (where code = 0), 0) as \"is_rare!\"
         from condition_days
         where project_id = $1 and day >= $2 and day < $3 and (code = 0 or code between $4::int and $5::int)",
        project.0,
        span.from.day().to_offset_date_time(),
        span.to.to_offset_date_time(),
        i32::from(first_code),
        i32::from(last_code)
    )
    .fetch_one(&mut *snapshot)
    .await?;
    Ok(is_rare)
}

/// Adds conditions and verdicts to the steps of a page.
async fn fill(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &ConditionFilter,
    items: &mut [AnomalousStep],
) -> Result<()> {
    let run_ids: Vec<&str> = items.iter().map(|step| step.run_id.as_str()).collect();
    let step_ids: Vec<&str> = items.iter().map(|step| step.step_id.as_str()).collect();
    let partition_ats: Vec<OffsetDateTime> = items
        .iter()
        .map(|step| step.partition_at.to_offset_date_time())
        .collect();
    let rows = sqlx::query!(
        "select w.nth as \"nth!\", c.step_id, c.code, c.layer, c.points, c.message, c.observed, c.expected,
           c.place as \"place: Json<Place>\", c.sample as \"sample: Json<Sample>\", f.verdict as \"verdict?\"
         from unnest($2::text[], $3::text[], $4::timestamptz[]) with ordinality as w (run_id, step_id, partition_at, nth)
         join step_conditions c on c.project_id = $1 and c.run_id = w.run_id and c.step_id = w.step_id
           and c.partition_at = w.partition_at
         left join condition_feedback f on f.project_id = $1 and f.run_id = c.run_id and f.step_id = c.step_id
           and f.code = c.code
         order by c.points desc, c.code",
        project.0,
        &run_ids as _,
        &step_ids as _,
        &partition_ats
    )
    .fetch_all(&mut *snapshot)
    .await?;
    for row in rows {
        let nth = usize::try_from(row.nth - 1).unwrap_or(usize::MAX);
        let Some(step) = items.get_mut(nth) else {
            continue;
        };
        step.feedback.extend(
            row.verdict
                .and_then(|verdict| feedback(row.step_id, row.code, &verdict)),
        );
        step.conditions.push(Condition {
            code: u16::try_from(row.code).unwrap_or(0),
            layer: u8::try_from(row.layer).unwrap_or(0),
            name: String::new(),
            points: row.points,
            message: row.message,
            observed: row.observed,
            expected: row.expected,
            place: row.place.map(|place| place.0),
            sample: row.sample.map(|sample| sample.0),
        });
    }
    for step in items {
        step.conditions
            .sort_by_key(|condition| !filter.has_code(condition.code));
    }
    Ok(())
}

/// `<microseconds>.<length of the run id>.<run id><step id>`: the last row of a page.
fn write_cursor(step: &AnomalousStep) -> String {
    format!(
        "{}.{}.{}{}",
        step.started_at.micros(),
        step.run_id.len(),
        step.run_id,
        step.step_id
    )
}

fn parse_cursor(cursor: &str) -> Option<(OffsetDateTime, String, String)> {
    let (micros, rest) = cursor.split_once('.')?;
    let (length, ids) = rest.split_once('.')?;
    let (run_id, step_id) = ids.split_at_checked(length.parse().ok()?)?;
    let at = Timestamp::from_micros(micros.parse().ok()?);
    Some((at.to_offset_date_time(), run_id.to_owned(), step_id.to_owned()))
}
