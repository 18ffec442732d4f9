//! What the receipt of a whole run is made of.

use domain::{CostSource, NanoUsd, ProjectId, Timestamp, TokenUsage, UsageDetails};
use sqlx::types::Json;

use super::StoredPrice;
use super::read::Row;
use crate::{Result, Snapshot};

/// A step that can cost something.
#[derive(Clone, Debug)]
pub struct BilledStep {
    /// When it began.
    pub started_at: Timestamp,
    /// The model that answered, else the one that was asked for.
    pub model: Option<String>,
    pub service_tier: Option<String>,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// Parts of them, and what else is billed.
    pub usage_details: UsageDetails,
    pub web_searches: Option<i64>,
    /// Its cost; `None` when unknown.
    pub cost: Option<NanoUsd>,
    /// Where that comes from.
    pub source: CostSource,
    /// The price row behind it.
    pub price_version: Option<String>,
    /// What the client or the provider said it costs.
    pub reported: Option<NanoUsd>,
}

/// At most `limit` steps of a run that can cost something, in the order in which they are filed: of a long run no more than
/// those are read.
pub async fn billed_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    limit: u32,
) -> Result<Vec<BilledStep>> {
    let rows = sqlx::query!(
        "select s.started_at, coalesce(nullif(trim(s.model), ''), s.request_model) as model, s.service_tier,
           s.input_fresh, s.cache_read, s.cache_write, s.cache_write_1h, s.output, s.reasoning,
           s.usage_details as \"usage_details: Json<UsageDetails>\", s.web_searches, s.cost_nano_usd,
           s.cost_source as \"cost_source!\", s.price_version, s.reported_cost_nano_usd
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.cost_source is not null
         order by s.partition_at, s.step_id limit $3",
        project.0,
        run_id,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| BilledStep {
            started_at: Timestamp::from_offset_date_time(row.started_at),
            model: row.model,
            service_tier: row.service_tier,
            tokens: TokenUsage {
                input_fresh: row.input_fresh,
                cache_read: row.cache_read,
                cache_write: row.cache_write,
                cache_write_1h: row.cache_write_1h,
                output: row.output,
                reasoning: row.reasoning,
            },
            usage_details: row.usage_details.map(|details| details.0).unwrap_or_default(),
            web_searches: row.web_searches,
            cost: row.cost_nano_usd.map(NanoUsd),
            source: CostSource::parse(&row.cost_source).unwrap_or(CostSource::Unknown),
            price_version: row.price_version,
            reported: row.reported_cost_nano_usd.map(NanoUsd),
        })
        .collect())
}

/// The rows with these ids that a project sees: shipped ones, and its own.
pub async fn with_ids(
    snapshot: &mut Snapshot,
    project: ProjectId,
    price_ids: &[String],
) -> Result<Vec<StoredPrice>> {
    let rows = sqlx::query_as!(
        Row,
        "select price_id, project_id, provider, model_match, model, valid_from, rates, context_window, source
         from prices where price_id = any ($2) and (project_id = $1 or project_id is null) order by price_id",
        project.0,
        price_ids
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StoredPrice::from).collect())
}
