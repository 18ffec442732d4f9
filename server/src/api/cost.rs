//! `GET /api/cost`: what the calls of a session, a run, a key or a window cost.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use domain::{NanoUsd, Timestamp, TokenUsage};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::cost::{CostFilter, ModelCost, UsagePart};
use utoipa::{IntoParams, ToSchema};

use super::query::{Params, Reader};
use crate::error::{HttpError, HttpResult, ReadErrors};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CostParams {
    /// Session id.
    session: Option<String>,
    /// Run id.
    run: Option<String>,
    /// User id.
    user: Option<String>,
    /// Label of the key.
    key: Option<String>,
    environment: Option<String>,
    /// The model that answered.
    model: Option<String>,
    /// Name of the step.
    step: Option<String>,
    /// Begun then or later.
    from: Option<Timestamp>,
    /// Begun before.
    to: Option<Timestamp>,
}

impl From<CostParams> for CostFilter {
    fn from(params: CostParams) -> Self {
        Self {
            session: params.session,
            run: params.run,
            user: params.user,
            key: params.key,
            environment: params.environment,
            model: params.model,
            step: params.step,
            from: params.from,
            to: params.to,
        }
    }
}

/// Calls and what they cost. What is unknown is null, never 0.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cost {
    #[serde(flatten)]
    total: Sums,
    first_call: Option<Timestamp>,
    last_call: Option<Timestamp>,
    /// The most expensive first.
    by_model: Vec<ModelSums>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelSums {
    model: Option<String>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CostSums)]
struct Sums {
    calls: i64,
    /// Calls whose cost is unknown.
    unpriced_calls: i64,
    /// All input: fresh, read from a cache and written to one; null when it was not reported.
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    tokens: TokenUsage,
    /// What was used beside the four buckets, by name; what was not used is left out. Tokens that are contained in them:
    /// `input_audio`, `input_image`, `input_video`, `cache_read_audio`, `cache_read_image`, `output_audio`,
    /// `output_image`, `output_video`, `cache_write_1h`. Tokens beside them: `citations`. Uses that are billed by number:
    /// `web_search`, `file_search`, `code_interpreter`, `other_tool`.
    usage_parts: BTreeMap<String, i64>,
    /// The sum of what is known, in dollars, as a decimal text; null when nothing is.
    cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    cost_nano_usd: Option<NanoUsd>,
}

/// The parts of those models that `is_asked` for, added up.
fn added_up(parts: &[UsagePart], is_asked: impl Fn(Option<&str>) -> bool) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for part in parts.iter().filter(|part| is_asked(part.model.as_deref())) {
        let sum = sums.entry(part.word.clone()).or_insert(0_i64);
        *sum = sum.saturating_add(part.n);
    }
    sums
}

impl Sums {
    fn of(sums: &ModelCost, usage_parts: BTreeMap<String, i64>) -> Self {
        Self {
            usage_parts,
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

/// What calls cost, by session, run, key or window
///
/// The calls that all parameters leave; at least one beside `project` has to be given.
#[utoipa::path(get, path = "/api/cost", operation_id = "cost", params(CostParams, Reader),
    responses((status = 200, description = "The calls, all together and by model", body = inline(Cost)), ReadErrors))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<CostParams>,
) -> HttpResult<Json<Cost>> {
    let filter = CostFilter::from(params);
    if filter == CostFilter::default() {
        return Err(HttpError::invalid(
            "session",
            "Say which calls: session, run, user, key, environment, model, step, from or to",
        ));
    }
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let cost = storage::cost::cost(&mut snapshot, caller.project_id, &filter).await?;
    let parts = storage::cost::usage_parts(&mut snapshot, caller.project_id, &filter).await?;
    Ok(Json(Cost {
        total: Sums::of(&cost.total(), added_up(&parts, |_| true)),
        first_call: cost.first_call,
        last_call: cost.last_call,
        by_model: cost
            .models
            .iter()
            .map(|model| ModelSums {
                model: model.model.clone(),
                sums: Sums::of(model, added_up(&parts, |name| name == model.model.as_deref())),
            })
            .collect(),
    }))
}
