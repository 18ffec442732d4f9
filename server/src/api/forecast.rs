//! `GET /api/forecast`: how the month ends, for the project and by key, with and without the last deploy, beside budgets.

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use storage::Db;
use utoipa::{IntoParams, ToSchema};

use super::query::{Params, Reader};
pub(crate) use crate::answers::{ForecastItem, MonthEndAnswer};
use crate::clock;
use crate::error::{HttpResult, ReadErrors};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForecastParams {
    /// Label of a key: only its calls.
    key: Option<String>,
}

/// How the month that is running ends, UTC.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ForecastAnswer {
    pub(crate) month_from: Timestamp,
    /// When the next month begins.
    pub(crate) month_to: Timestamp,
    /// The project first, then its keys, those that spent most first.
    pub(crate) items: Vec<ForecastItem>,
    /// Always null: one answer has all of them.
    pub(crate) next_cursor: Option<String>,
}

/// How the month ends
///
/// For the project and by key, with an interval; had the last deploy that changed what a call costs not shipped; and
/// when budgets are used up.
#[utoipa::path(get, path = "/api/forecast", operation_id = "forecast", params(ForecastParams, Reader),
    responses((status = 200, description = "The forecast", body = inline(ForecastAnswer)), ReadErrors))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<ForecastParams>,
) -> HttpResult<Json<ForecastAnswer>> {
    let now = clock::now();
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let mut found = app::forecasts(&mut snapshot, caller.project_id, now).await?;
    if let Some(key) = &params.key {
        found.retain(|one| one.key.as_ref() == Some(key));
    }
    Ok(Json(ForecastAnswer {
        month_from: now.month(),
        month_to: now.next_month(),
        items: found.into_iter().map(ForecastItem::from).collect(),
        next_cursor: None,
    }))
}
