//! What scoring remembers between starts: the project's settings and its latest steps.

use domain::{NanoUsd, ProjectId, StepKind, StepStatus, Timestamp, TokenUsage};
use serde_json::Value;

use crate::{Db, Result};

/// A project's scoring settings as JSON; `{}` before anybody changed them.
pub async fn settings(db: &Db, project: ProjectId) -> Result<Value> {
    let mut tx = db.project(project).await?;
    let settings = sqlx::query_scalar!(
        "select scoring from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(settings.unwrap_or_else(|| Value::Object(Default::default())))
}

/// Replaces a project's scoring settings.
pub async fn save_settings(db: &Db, project: ProjectId, settings: &Value, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into project_settings (project_id, scoring, updated_at) values ($1, $2, $3)
         on conflict (project_id) do update set scoring = excluded.scoring, updated_at = excluded.updated_at",
        project.0,
        settings,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// A stored step as scoring remembers it.
#[derive(Clone, Debug)]
pub struct PastStep {
    /// What it did.
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// The model that answered, else the one that was asked for.
    pub model: String,
    /// Template fingerprint.
    pub template: Vec<u8>,
    /// How it ended.
    pub status: StepStatus,
    /// Duration in milliseconds, as reported.
    pub latency_ms: Option<f64>,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// Its cost.
    pub cost: Option<NanoUsd>,
    /// Its score.
    pub score: i32,
    /// Whether it was critical.
    pub is_critical: bool,
    /// Whether the answer was a refusal (code 3018).
    pub is_refusal: bool,
}

/// The latest scored steps of a project's `runs` latest runs, in order of arrival, at most `limit`.
pub async fn recent_steps(db: &Db, project: ProjectId, runs: i64, limit: i64) -> Result<Vec<PastStep>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "with latest as (
           select run_id, run_at from runs where project_id = $1 order by run_at desc, run_id desc limit $2
         ), arrived as (
           select s.* from latest r
           join steps s on s.project_id = $1 and s.run_id = r.run_id and s.run_at = r.run_at
           where s.score is not null
           order by s.received_at desc, s.step_id desc limit $3
         )
         select a.kind, a.name, coalesce(a.model, a.request_model, '') as \"model!\",
           coalesce(a.template_fingerprint, '') as \"template!\", a.status, a.latency_ms, a.input_fresh, a.cache_read,
           a.cache_write, a.output, a.reasoning, a.cost_nano_usd, a.score as \"score!\", a.severity,
           exists (select from step_conditions c where c.project_id = $1 and c.run_id = a.run_id
             and c.step_id = a.step_id and c.run_at = a.run_at and c.code = 3018) as \"is_refusal!\"
         from arrived a order by a.received_at, a.step_id",
        project.0,
        runs,
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|s| PastStep {
            kind: StepKind::parse(&s.kind).unwrap_or(StepKind::Other),
            name: s.name,
            model: s.model,
            template: s.template,
            status: StepStatus::parse(&s.status).unwrap_or(StepStatus::Error),
            latency_ms: s.latency_ms,
            tokens: TokenUsage {
                input_fresh: s.input_fresh,
                cache_read: s.cache_read,
                cache_write: s.cache_write,
                cache_write_1h: None,
                output: s.output,
                reasoning: s.reasoning,
            },
            cost: s.cost_nano_usd.map(NanoUsd),
            score: s.score,
            is_critical: s.severity >= 2,
            is_refusal: s.is_refusal,
        })
        .collect())
}
