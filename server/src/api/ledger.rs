//! `GET /api/ledger`: what became of everything received.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{LedgerMinute, Timestamp};
use serde::Serialize;

use super::query::Params;
use crate::clock;
use crate::error::HttpResult;
use crate::state::AppState;

/// Without `from`, the ledger of the last 24 hours.
const DEFAULT_WINDOW_MICROS: i64 = 24 * 3_600 * 1_000_000;
const DEFAULT_LIMIT: u32 = 1_440;

/// The accounts, newest minute first.
#[derive(Debug, Serialize)]
pub(crate) struct Ledger {
    items: Vec<LedgerMinute>,
}

/// The accounts per key and minute.
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Json<Ledger>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let now = clock::now();
    let from = params
        .time("from")?
        .unwrap_or_else(|| now.plus_micros(-DEFAULT_WINDOW_MICROS));
    // To the end of time: the minute that is running counts.
    let to = params.time("to")?.unwrap_or(Timestamp::from_micros(i64::MAX));
    let limit = params.limit(DEFAULT_LIMIT, storage::ledger::MAX_MINUTES)?;
    let items = storage::ledger::minutes(&mut snapshot, caller.project_id, from, to, limit).await?;
    Ok(Json(Ledger { items }))
}
