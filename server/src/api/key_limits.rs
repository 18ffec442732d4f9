//! `GET/PUT /api/settings/key-limits`: what the keys of each label may use in a minute and in a month, and what they used.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::key_limit::{Amounts, KeyLimits, MostAmounts, Period};
use domain::{NanoUsd, ProjectId, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::key_limits::LimitedKey;
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 16 * 1024;

/// The limited labels of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyLimitList {
    items: Vec<LimitedLabel>,
}

/// What the keys of a label may use, and what they used.
#[derive(Debug, Serialize, ToSchema)]
struct LimitedLabel {
    label: String,
    minute: LimitsOfPeriod,
    month: LimitsOfPeriod,
    /// In the minute that is running.
    used_in_minute: UsedInPeriod,
    /// In the month that is running, UTC.
    used_in_month: UsedInPeriod,
}

/// The most of each amount; `null` is no limit.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct LimitsOfPeriod {
    /// Calls through the proxy, and requests that send steps.
    requests: Option<i64>,
    tokens: Option<i64>,
    /// Dollars; a decimal text.
    usd: Option<String>,
}

/// Amounts of a period.
#[derive(Debug, Serialize, ToSchema)]
struct UsedInPeriod {
    requests: i64,
    tokens: i64,
    /// Dollars; a decimal text.
    usd: String,
}

/// The limits of one label; without any they are taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyLimitChange {
    label: String,
    #[serde(default)]
    minute: LimitsOfPeriod,
    #[serde(default)]
    month: LimitsOfPeriod,
}

impl From<&MostAmounts> for LimitsOfPeriod {
    fn from(most: &MostAmounts) -> Self {
        Self {
            requests: most.requests,
            tokens: most.tokens,
            usd: most.cost.map(NanoUsd::to_decimal),
        }
    }
}

impl LimitsOfPeriod {
    fn most(&self) -> HttpResult<MostAmounts> {
        let usd = |text: &String| {
            NanoUsd::parse_decimal(text)
                .filter(|cost| cost.0 > 0)
                .ok_or_else(|| {
                    HttpError::invalid("usd", "usd is dollars above 0 as a decimal text, such as 5.00")
                })
        };
        let is_positive = |number: Option<i64>| number.is_none_or(|number| number > 0);
        if !is_positive(self.requests) || !is_positive(self.tokens) {
            let message = "requests and tokens are whole numbers above 0, or left out";
            return Err(HttpError::invalid("requests", message));
        }
        Ok(MostAmounts {
            requests: self.requests,
            tokens: self.tokens,
            cost: self.usd.as_ref().map(usd).transpose()?,
        })
    }
}

/// What keys may use, and what they used
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/key-limits", operation_id = "key_limits", params(ProjectParam),
    responses((status = 200, description = "The limited labels", body = KeyLimitList), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<KeyLimitList>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    Ok(Json(listed(&state, caller.project_id).await?))
}

/// Limit what the keys of a label may use; what is left out is not limited
///
/// A label that had no limits begins with what its steps used in this month. Needs a key with the scope `admin`, or a
/// signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/key-limits", operation_id = "save_key_limits", params(ProjectParam),
    request_body = KeyLimitChange,
    responses((status = 200, description = "The limited labels now", body = KeyLimitList), BodyErrors))]
pub(crate) async fn save(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<KeyLimitList>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let sent: KeyLimitChange = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The limits can't be read: {cause}")))?;
    if !storage::keys::is_label(&sent.label) {
        return Err(HttpError::invalid(
            "label",
            "label is that of a key: 1 to 100 characters",
        ));
    }
    let limits = KeyLimits {
        minute: sent.minute.most()?,
        month: sent.month.most()?,
    };
    replace(
        &state,
        caller.project_id,
        &caller.key_label,
        sent.label.trim(),
        &limits,
    )
    .await?;
    Ok(Json(listed(&state, caller.project_id).await?))
}

/// Stores limits, writes down who set them, and has this process hold them at once.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    actor: &str,
    label: &str,
    limits: &KeyLimits,
) -> storage::Result<()> {
    storage::key_limits::set(&state.db, project, label, limits, actor, clock::now()).await?;
    state.key_limits.exchange(&state.db).await
}

async fn listed(state: &AppState, project: ProjectId) -> HttpResult<KeyLimitList> {
    let now = clock::now();
    let mut snapshot = state.db.snapshot(project).await?;
    let items = storage::key_limits::list(&mut snapshot, project).await?;
    Ok(KeyLimitList {
        items: items.iter().map(|item| label(item, now)).collect(),
    })
}

fn label(item: &LimitedKey, now: Timestamp) -> LimitedLabel {
    let [minute, month] = item.used;
    let used = |period: Period, (begin, amounts): (Timestamp, Amounts)| {
        let amounts = if begin == period.begin(now) {
            amounts
        } else {
            Amounts::default()
        };
        UsedInPeriod {
            requests: amounts.requests,
            tokens: amounts.tokens,
            usd: amounts.cost.to_decimal(),
        }
    };
    LimitedLabel {
        label: item.label.clone(),
        minute: LimitsOfPeriod::from(&item.limits.minute),
        month: LimitsOfPeriod::from(&item.limits.month),
        used_in_minute: used(Period::Minute, minute),
        used_in_month: used(Period::Month, month),
    }
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
