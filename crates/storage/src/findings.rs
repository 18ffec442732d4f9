//! What detectors found, and what people said of it.

use std::collections::BTreeMap;

use domain::detector::{Evidence, Finding, FindingMark, Template};
use domain::{NanoUsd, ProjectId, Timestamp, Verdict};
use serde_json::{Value, json};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot};

/// The most findings of one page.
pub const MAX_PAGE: u32 = 500;

struct FindingRow {
    finding_id: Uuid,
    detector_id: Uuid,
    detector: String,
    template: Option<String>,
    version: i32,
    run_id: String,
    run_name: String,
    summary: String,
    data: Value,
    evidence: Json<Vec<Evidence>>,
    dropped_quotes: i32,
    model: Option<String>,
    cost: Option<i64>,
    judged_in: Option<String>,
    verdict: Option<String>,
    created_at: OffsetDateTime,
}

impl From<FindingRow> for Finding {
    fn from(row: FindingRow) -> Self {
        Self {
            id: row.finding_id,
            detector_id: row.detector_id,
            detector: row.detector,
            template: row
                .template
                .as_deref()
                .and_then(Template::parse)
                .unwrap_or(Template::Blank),
            version: row.version,
            run_id: row.run_id,
            run_name: row.run_name,
            summary: row.summary,
            data: row.data,
            evidence: row.evidence.0,
            dropped_quotes: row.dropped_quotes,
            model: row.model,
            cost_nano_usd: row.cost.map(NanoUsd),
            judged_in: row.judged_in,
            feedback: row.verdict.as_deref().and_then(Verdict::parse),
            created_at: Timestamp::from_offset_date_time(row.created_at),
        }
    }
}

/// Which findings are wanted. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingFilter {
    pub detector: Option<Uuid>,
    pub run_id: Option<String>,
    pub mark: Option<FindingMark>,
    /// Found then or later.
    pub from: Option<Timestamp>,
    /// Only those that were found before the one with this id.
    pub before: Option<Uuid>,
}

/// Findings, the latest first.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &FindingFilter,
    limit: u32,
) -> Result<Vec<Finding>> {
    let rows = sqlx::query_as!(
        FindingRow,
        "select f.finding_id, f.detector_id, d.name as detector, d.definition ->> 'template' as template, f.version, f.run_id,
           coalesce((select r.name from runs r where r.project_id = f.project_id and r.run_id = f.run_id
                     order by r.partition_at limit 1), '') as \"run_name!\",
           f.summary, f.data, f.evidence as \"evidence: Json<Vec<Evidence>>\", f.dropped_quotes, f.model, f.cost, f.judged_in,
           f.verdict, f.created_at
         from findings f join detectors d on d.project_id = f.project_id and d.detector_id = f.detector_id
         where f.project_id = $1 and ($2::uuid is null or f.detector_id = $2) and ($3::text is null or f.run_id = $3)
           and ($4::uuid is null or f.finding_id < $4) and ($5::text is null or coalesce(f.verdict, 'unmarked') = $5)
           and ($6::timestamptz is null or f.created_at >= $6)
         order by f.finding_id desc limit $7",
        project.0,
        filter.detector,
        filter.run_id,
        filter.before,
        filter.mark.map(FindingMark::as_str),
        filter.from.map(Timestamp::to_offset_date_time),
        i64::from(limit.min(MAX_PAGE))
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(Finding::from).collect())
}

/// One finding.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<Finding> {
    let row = sqlx::query_as!(
        FindingRow,
        "select f.finding_id, f.detector_id, d.name as detector, d.definition ->> 'template' as template, f.version, f.run_id,
           coalesce((select r.name from runs r where r.project_id = f.project_id and r.run_id = f.run_id
                     order by r.partition_at limit 1), '') as \"run_name!\",
           f.summary, f.data, f.evidence as \"evidence: Json<Vec<Evidence>>\", f.dropped_quotes, f.model, f.cost, f.judged_in,
           f.verdict, f.created_at
         from findings f join detectors d on d.project_id = f.project_id and d.detector_id = f.detector_id
         where f.project_id = $1 and f.finding_id = $2",
        project.0,
        id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(Finding::from).ok_or(Error::NotFound)
}

/// Writes down what somebody says of a finding; `None` takes it back. The last word counts. [`Error::NotFound`] when there
/// is no such finding.
pub async fn mark(
    db: &Db,
    project: ProjectId,
    id: Uuid,
    verdict: Option<Verdict>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let run_id = sqlx::query_scalar!(
        "update findings set verdict = $3, marked_by = $4, marked_at = $5
         where project_id = $1 and finding_id = $2 returning run_id",
        project.0,
        id,
        verdict.map(Verdict::as_str),
        actor,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let details = json!({ "run_id": run_id, "verdict": verdict.map(Verdict::as_str) });
    let entry = Entry::new(actor, "finding.mark", &id.to_string(), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// How many findings people called real, and how many noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    pub real: i64,
    pub noise: i64,
    pub unmarked: i64,
}

/// What people said of the findings since `from`, by detector and version.
pub async fn marked(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
) -> Result<BTreeMap<(Uuid, i32), Marked>> {
    let rows = sqlx::query!(
        "select detector_id, version, count(*) filter (where verdict = 'real') as \"real!\",
           count(*) filter (where verdict = 'noise') as \"noise!\", count(*) filter (where verdict is null) as \"unmarked!\"
         from findings where project_id = $1 and created_at >= $2 group by detector_id, version",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let marked = Marked {
                real: row.real,
                noise: row.noise,
                unmarked: row.unmarked,
            };
            ((row.detector_id, row.version), marked)
        })
        .collect())
}
