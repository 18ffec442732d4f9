//! `GET /api/cost`: what the calls of a session, a run, a key or a window cost.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{NanoUsd, Timestamp, TokenUsage};
use serde::Serialize;
use storage::cost::{CostFilter, ModelCost};

use super::query::Params;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// Calls and what they cost. What is unknown is null, never 0.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    #[serde(flatten)]
    total: Sums,
    first_call: Option<Timestamp>,
    last_call: Option<Timestamp>,
    by_model: Vec<OfModel>,
}

#[derive(Debug, Serialize)]
struct OfModel {
    model: Option<String>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Serialize)]
struct Sums {
    calls: i64,
    unpriced_calls: i64,
    /// All input: fresh, read from a cache and written to one.
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    tokens: TokenUsage,
    cost_usd: Option<String>,
    cost_nano_usd: Option<NanoUsd>,
}

impl From<&ModelCost> for Sums {
    fn from(sums: &ModelCost) -> Self {
        Self {
            calls: sums.calls,
            unpriced_calls: sums.unpriced,
            input_tokens: sums.tokens.input(),
            output_tokens: sums.tokens.output,
            tokens: sums.tokens,
            cost_usd: sums.cost.map(NanoUsd::to_decimal),
            cost_nano_usd: sums.cost,
        }
    }
}

/// The calls that all parameters leave; at least one has to be given.
pub(crate) async fn get(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Json<Cost>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let text = |name: &str| params.get(name).map(str::to_owned);
    let filter = CostFilter {
        session: text("session"),
        run: text("run"),
        user: text("user"),
        key: text("key"),
        environment: text("environment"),
        model: text("model"),
        step: text("step"),
        from: params.time("from")?,
        to: params.time("to")?,
    };
    if filter == CostFilter::default() {
        return Err(HttpError::invalid(
            "session",
            "Say which calls: session, run, user, key, environment, model, step, from or to",
        ));
    }
    let cost = storage::cost::cost(&mut snapshot, caller.project_id, &filter).await?;
    Ok(Json(Cost {
        total: Sums::from(&cost.total()),
        first_call: cost.first_call,
        last_call: cost.last_call,
        by_model: cost
            .models
            .iter()
            .map(|model| OfModel {
                model: model.model.clone(),
                sums: Sums::from(model),
            })
            .collect(),
    }))
}
