//! Reading the ledger: what became of every received step.

use domain::{LedgerMinute, StatedCost, UsageShape};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::ApiError;

/// The most rows the ledger's page shows.
pub(crate) const LEDGER_ROWS: u32 = 500;

/// The minutes of the last `minutes` minutes, newest first, at most [`LEDGER_ROWS`].
#[server(prefix = "/ui", endpoint = "ledger/minutes", input = GetUrl)]
pub(crate) async fn ledger_minutes(slug: String, minutes: u32) -> Result<Vec<LedgerMinute>, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?;
    let to = use_page_request().now;
    let from = to.plus_micros(-i64::from(minutes) * 60_000_000);
    let mut snapshot = database()?.snapshot(project.id).await?;
    Ok(storage::ledger::minutes(&mut snapshot, project.id, from, to, LEDGER_ROWS).await?)
}

/// The usage objects of the last `minutes` minutes that were not understood.
#[server(prefix = "/ui", endpoint = "ledger/usage_shapes", input = GetUrl)]
pub(crate) async fn usage_shapes(slug: String, minutes: u32) -> Result<Vec<UsageShape>, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?;
    let now = use_page_request().now;
    let from = now.plus_micros(-i64::from(minutes) * 60_000_000);
    let to = domain::Timestamp::from_micros(i64::MAX);
    let mut snapshot = database()?.snapshot(project.id).await?;
    let limit = storage::ledger::MAX_SHAPES;
    Ok(storage::ledger::usage_shapes(&mut snapshot, project.id, from, to, limit).await?)
}

/// What the calls of the last `minutes` minutes cost by our prices, beside what was stated for them.
#[server(prefix = "/ui", endpoint = "ledger/stated_costs", input = GetUrl)]
pub(crate) async fn stated_costs(slug: String, minutes: u32) -> Result<Vec<StatedCost>, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?;
    let now = use_page_request().now;
    let from = now.plus_micros(-i64::from(minutes) * 60_000_000);
    let to = domain::Timestamp::from_micros(i64::MAX);
    let mut snapshot = database()?.snapshot(project.id).await?;
    let limit = storage::ledger::MAX_STATED;
    Ok(storage::ledger::stated_costs(&mut snapshot, project.id, from, to, limit).await?)
}
