use domain::{ProjectId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Result, Snapshot};

/// A price row as it is stored. What the rates mean is the engine's business.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredPrice {
    pub price_id: String,
    /// A project's own row, and not a shipped one.
    pub project_own: bool,
    /// Who bills it.
    pub provider: String,
    /// `exact`, `prefix` or `regex`.
    pub model_match: String,
    /// What the model's name is compared with.
    pub model: String,
    /// The moment from which it is billed so.
    pub valid_from: Timestamp,
    pub rates: Value,
    /// How many tokens fit into the model's context.
    pub context_window: Option<i64>,
    /// Where the figures come from.
    pub source: String,
}

/// The shipped rows and a project's own, ordered by id.
pub async fn of_project(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<StoredPrice>> {
    read(snapshot, project, true, true).await
}

/// The shipped rows, as every project sees them, ordered by id.
pub async fn shipped(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<StoredPrice>> {
    read(snapshot, project, true, false).await
}

/// The shipped rows, read for the server and not for a project, ordered by id.
pub async fn every_shipped(snapshot: &mut Snapshot) -> Result<Vec<StoredPrice>> {
    let rows = sqlx::query_as!(
        Row,
        "select price_id, project_id, provider, model_match, model, valid_from, rates, context_window, source
         from prices where project_id is null order by price_id"
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StoredPrice::from).collect())
}

/// A project's own rows, ordered by id.
pub async fn own(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<StoredPrice>> {
    read(snapshot, project, false, true).await
}

/// A row of the table.
pub(super) struct Row {
    pub(super) price_id: String,
    pub(super) project_id: Option<Uuid>,
    pub(super) provider: String,
    pub(super) model_match: String,
    pub(super) model: String,
    pub(super) valid_from: OffsetDateTime,
    pub(super) rates: Value,
    pub(super) context_window: Option<i64>,
    pub(super) source: String,
}

impl From<Row> for StoredPrice {
    fn from(row: Row) -> Self {
        Self {
            price_id: row.price_id,
            project_own: row.project_id.is_some(),
            provider: row.provider,
            model_match: row.model_match,
            model: row.model,
            valid_from: Timestamp::from_offset_date_time(row.valid_from),
            rates: row.rates,
            context_window: row.context_window,
            source: row.source,
        }
    }
}

async fn read(
    snapshot: &mut Snapshot,
    project: ProjectId,
    shipped: bool,
    own: bool,
) -> Result<Vec<StoredPrice>> {
    let rows = sqlx::query_as!(
        Row,
        "select price_id, project_id, provider, model_match, model, valid_from, rates, context_window, source
         from prices where (project_id is null and $2) or (project_id = $1 and $3) order by price_id",
        project.0,
        shipped,
        own
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StoredPrice::from).collect())
}

/// The row that a step's cost was computed with; `None` when there is none, or it is gone. Of two steps of one id the one
/// whose texts [`crate::steps::payload`] reads.
pub async fn behind_step(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_id: &str,
) -> Result<Option<StoredPrice>> {
    let row = sqlx::query_as!(
        Row,
        "select p.price_id, p.project_id, p.provider, p.model_match, p.model, p.valid_from, p.rates, p.context_window,
           p.source
         from (
           select s.price_version from runs k
           join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
           where k.project_id = $1 and k.run_id = $2 and s.step_id = $3
           order by s.started_at, s.step_index nulls first, s.partition_at limit 1
         ) s
         join prices p on p.price_id = s.price_version and (p.project_id = $1 or p.project_id is null)",
        project.0,
        run_id,
        step_id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(StoredPrice::from))
}
