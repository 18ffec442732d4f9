//! `GET /api/ledger`: what became of everything received. `GET /api/ledger/usage-shapes`: usage objects that were not
//! understood. `GET /api/ledger/stated-costs`: what was computed beside what was stated.

use axum::Json;
use axum::extract::State;
use domain::{LedgerMinute, StatedCost, Timestamp, UsageShape};
use engine::pricing;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{Bounded, Params, Reader};
use crate::clock;
use crate::error::{HttpResult, ReadErrors};
use crate::state::AppState;

/// Without `from`, the ledger of the last 24 hours.
const DEFAULT_WINDOW_MICROS: i64 = 24 * 3_600 * 1_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerParams {
    /// First minute; 24 hours ago where it is not given.
    from: Option<Timestamp>,
    /// First minute after.
    to: Option<Timestamp>,
    /// How many minutes of how many keys.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<1_440, { storage::ledger::MAX_MINUTES }>,
}

/// Newest minute first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ledger {
    items: Vec<LedgerMinute>,
}

/// What became of everything received, per key and minute
#[utoipa::path(get, path = "/api/ledger", operation_id = "ledger", params(LedgerParams, Reader),
    responses((status = 200, description = "The accounts", body = inline(Ledger)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<LedgerParams>,
) -> HttpResult<Json<Ledger>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let now = clock::now();
    let from = params
        .from
        .unwrap_or_else(|| now.plus_micros(-DEFAULT_WINDOW_MICROS));
    // To the end of time: the minute that is running counts.
    let to = params.to.unwrap_or(Timestamp::from_micros(i64::MAX));
    let Bounded(limit) = params.limit;
    let items = storage::ledger::minutes(&mut snapshot, caller.project_id, from, to, limit).await?;
    Ok(Json(Ledger { items }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShapeParams {
    /// Steps that began at or after it; 24 hours ago where it is not given.
    from: Option<Timestamp>,
    /// Steps that began before it.
    to: Option<Timestamp>,
    /// How many shapes.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<100, { storage::ledger::MAX_SHAPES }>,
}

/// The most frequent first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageShapes {
    items: Vec<UsageShape>,
}

/// Usage objects that were not understood, by shape and model
#[utoipa::path(get, path = "/api/ledger/usage-shapes", operation_id = "usage_shapes", params(ShapeParams, Reader),
    responses((status = 200, description = "The shapes", body = inline(UsageShapes)), ReadErrors))]
pub(crate) async fn usage_shapes(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<ShapeParams>,
) -> HttpResult<Json<UsageShapes>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let from = params
        .from
        .unwrap_or_else(|| clock::now().plus_micros(-DEFAULT_WINDOW_MICROS));
    let to = params.to.unwrap_or(Timestamp::from_micros(i64::MAX));
    let Bounded(limit) = params.limit;
    let items = storage::ledger::usage_shapes(&mut snapshot, caller.project_id, from, to, limit).await?;
    Ok(Json(UsageShapes { items }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatedParams {
    /// Calls that began at or after it; 24 hours ago where it is not given.
    from: Option<Timestamp>,
    /// Calls that began before it.
    to: Option<Timestamp>,
    /// How many models.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<100, { storage::ledger::MAX_STATED }>,
}

/// Those furthest apart first. Of very many calls the latest 50,000 are compared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatedCosts {
    items: Vec<ComparedCost>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ComparedCost {
    #[serde(flatten)]
    costs: StatedCost,
    /// By how many thousandths the stated cost is above (or, negative, below) the computed one; null where it is within
    /// one per cent.
    drift_permille: Option<i64>,
}

/// What calls cost by our prices, beside what the client, a gateway or the provider said they cost
#[utoipa::path(get, path = "/api/ledger/stated-costs", operation_id = "stated_costs", params(StatedParams, Reader),
    responses((status = 200, description = "By model and provider", body = inline(StatedCosts)), ReadErrors))]
pub(crate) async fn stated_costs(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<StatedParams>,
) -> HttpResult<Json<StatedCosts>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let from = params
        .from
        .unwrap_or_else(|| clock::now().plus_micros(-DEFAULT_WINDOW_MICROS));
    let to = params.to.unwrap_or(Timestamp::from_micros(i64::MAX));
    let Bounded(limit) = params.limit;
    let found = storage::ledger::stated_costs(&mut snapshot, caller.project_id, from, to, limit).await?;
    let items = found
        .into_iter()
        .map(|costs| ComparedCost {
            drift_permille: pricing::drift(costs.computed_nano_usd, costs.stated_nano_usd),
            costs,
        })
        .collect();
    Ok(Json(StatedCosts { items }))
}
