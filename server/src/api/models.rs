//! `GET/PUT /api/settings/models`, `POST …/{id}/test`, `GET …/usage`: the models that Plumbline itself asks.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{Feature, ModelChoice, NanoUsd, ProjectId, ProviderKind, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::Snapshot;
use utoipa::{IntoParams, ToSchema};

use super::query::{InPath, Params, ProjectParam, Reader};
use crate::alerts::SecretText;
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::models::month_of;
use crate::models::settings::{ModelsDraft, ProviderDraft, SaveError, save as save_draft};
use crate::models::test::{Tested, test as test_provider};
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 64 * 1024;

/// A provider, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderAnswer {
    id: String,
    kind: ProviderKind,
    /// Where it is called, where that is not the kind's own address.
    base_url: Option<String>,
    /// The last characters of the key; `null` without one, and of a short one.
    last4: Option<String>,
    has_key: bool,
    key_set_at: Option<Timestamp>,
    key_set_by: Option<String>,
    tested_at: Option<Timestamp>,
    /// What the last test was answered.
    tested: Option<ModelTestAnswer>,
}

/// What a test was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelTestAnswer {
    ok: bool,
    /// The model's own words, or why there are none.
    answer: String,
    model: String,
    latency_ms: i64,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    /// Dollars; a decimal text. `null` when it is unknown.
    cost_usd: Option<String>,
}

impl From<Tested> for ModelTestAnswer {
    fn from(tested: Tested) -> Self {
        Self {
            ok: tested.ok,
            answer: tested.answer,
            model: tested.model,
            latency_ms: tested.latency_ms,
            input_tokens: tested.input_tokens,
            output_tokens: tested.output_tokens,
            cost_usd: tested.cost_nano_usd.map(NanoUsd::to_decimal),
        }
    }
}

/// Which model is for what; `null` where none is.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct UsesAnswer {
    analysis: Option<ModelChoice>,
    investigation: Option<ModelChoice>,
    chat: Option<ModelChoice>,
    detectors: Option<ModelChoice>,
}

/// What is set, and what of the budget is spent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelsAnswer {
    providers: Vec<ProviderAnswer>,
    uses: UsesAnswer,
    /// What all calls of a month may cost, in dollars; a decimal text. `null` is no limit.
    budget_usd: Option<String>,
    /// What this month's calls cost, with what those under way may cost.
    spent_usd: String,
    /// The largest request that is sent, in bytes.
    max_request_bytes: i32,
}

async fn answer(snapshot: &mut Snapshot, project: ProjectId) -> HttpResult<ModelsAnswer> {
    let settings = storage::models::settings(snapshot, project).await?;
    let now = clock::now();
    let spent = storage::models::spent(snapshot, project, &month_of(now), now).await?;
    let mut uses = UsesAnswer::default();
    for (feature, choice) in settings.uses {
        *match feature {
            Feature::Analysis => &mut uses.analysis,
            Feature::Investigation => &mut uses.investigation,
            Feature::Chat => &mut uses.chat,
            Feature::Detectors => &mut uses.detectors,
        } = Some(choice);
    }
    Ok(ModelsAnswer {
        providers: settings
            .providers
            .into_iter()
            .map(|provider| ProviderAnswer {
                id: provider.provider_id,
                kind: provider.kind,
                base_url: provider.base_url,
                last4: provider.key_shown,
                has_key: provider.has_key,
                key_set_at: provider.key_set_at,
                key_set_by: provider.key_set_by,
                tested_at: provider.tested_at,
                tested: provider
                    .tested
                    .and_then(|tested| serde_json::from_value::<Tested>(tested).ok())
                    .map(ModelTestAnswer::from),
            })
            .collect(),
        uses,
        budget_usd: settings.budget.map(NanoUsd::to_decimal),
        spent_usd: spent.to_decimal(),
        max_request_bytes: settings.max_request_bytes,
    })
}

/// The models that Plumbline asks with the project's keys
#[utoipa::path(get, path = "/api/settings/models", operation_id = "models", params(Reader),
    responses((status = 200, description = "Providers, uses and the budget; never a key", body = ModelsAnswer), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<ModelsAnswer>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    Ok(Json(answer(&mut snapshot, caller.project_id).await?))
}

/// A provider as it is to be. What was answered of it beside these is ignored.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ProviderBody {
    /// A word of a-z, 0-9 and `-` that you choose.
    id: String,
    kind: ProviderKind,
    /// With its version, such as `http://10.2.0.14:8000/v1`. Only `openai_compatible` needs one.
    #[serde(default)]
    base_url: Option<String>,
    /// Stored encrypted and never answered. Left out, the stored one stays, unless kind or address change.
    #[serde(default)]
    api_key: Option<String>,
}

/// The settings of models. What is left out is gone: a provider that is not named loses its key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelsBody {
    #[serde(default)]
    providers: Vec<ProviderBody>,
    /// By use: `analysis`, `investigation`, `chat`, `detectors`.
    #[serde(default)]
    #[schema(value_type = Object)]
    uses: BTreeMap<Feature, Option<ModelChoice>>,
    /// What all calls of a month may cost, in dollars; a number or a decimal text. `null` is no limit.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    budget_usd: Option<Dollars>,
    /// The largest request that is sent, 10000 to 2000000 bytes; 200000 unless it is said.
    #[serde(default)]
    max_request_bytes: Option<i32>,
}

/// Dollars as a number or a text, read exactly.
#[derive(Deserialize)]
#[serde(untagged)]
enum Dollars {
    Number(serde_json::Number),
    Text(String),
}

impl Dollars {
    fn nano_usd(&self) -> HttpResult<NanoUsd> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        };
        NanoUsd::parse_decimal(&text)
            .ok_or_else(|| HttpError::invalid("budget_usd", "budget_usd is dollars, such as 25 or \"25.00\""))
    }
}

impl ModelsBody {
    fn draft(self) -> HttpResult<ModelsDraft> {
        Ok(ModelsDraft {
            providers: self
                .providers
                .into_iter()
                .map(|provider| ProviderDraft {
                    id: provider.id,
                    kind: provider.kind,
                    base_url: provider.base_url,
                    api_key: provider.api_key.map(SecretText),
                })
                .collect(),
            uses: self
                .uses
                .into_iter()
                .filter_map(|(feature, choice)| Some((feature, choice?)))
                .collect(),
            budget: self.budget_usd.map(|budget| budget.nano_usd()).transpose()?,
            max_request_bytes: self.max_request_bytes,
        })
    }
}

/// Replace the providers, the models and the budget
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project. A key of a provider stays until its provider
/// is left out, or is another one by kind or address.
#[utoipa::path(put, path = "/api/settings/models", operation_id = "save_models", params(ProjectParam),
    request_body = inline(ModelsBody),
    responses((status = 200, description = "The settings now", body = ModelsAnswer), BodyErrors))]
pub(crate) async fn save(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<ModelsAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let mut reader = serde_json::Deserializer::from_slice(&body);
    let sent: ModelsBody = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        // What serde says may quote the value, which may be a key.
        let message = if error.inner().is_data() {
            format!("{field} is no field of this body, or of another type")
        } else {
            "The body is no JSON".to_owned()
        };
        HttpError::invalid(field, message)
    })?;
    replace(&state, caller.project_id, &sent.draft()?, &caller.key_label).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    Ok(Json(answer(&mut snapshot, caller.project_id).await?))
}

/// Stores what is set.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    draft: &ModelsDraft,
    actor: &str,
) -> HttpResult<()> {
    let saved = save_draft(&state.db, &state.secrets, &state.outbound, project, draft, actor).await;
    saved.map_err(|error| match error {
        SaveError::Wrong(wrong) => HttpError {
            code: wrong.code,
            ..HttpError::invalid(wrong.field, wrong.message)
        },
        SaveError::Randomness(cause) => HttpError::internal(cause),
        SaveError::Database(cause) => cause.into(),
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ProviderInPath {
    /// The provider's id.
    id: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TestParams {
    /// Which model; without it one that is in use.
    model: Option<String>,
}

/// Make one tiny real call now, and say what was answered
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/settings/models/{id}/test", operation_id = "test_model_provider",
    params(ProviderInPath, TestParams, ProjectParam),
    responses((status = 200, description = "What was answered", body = ModelTestAnswer), NotFound, ReadErrors))]
pub(crate) async fn test(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(ProviderInPath { id }): InPath<ProviderInPath>,
    Params(TestParams { model }): Params<TestParams>,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<ModelTestAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let actor = &caller.key_label;
    let tested = test_provider(&state.models, caller.project_id, &id, model.as_deref(), actor).await?;
    let tested = tested.ok_or_else(|| {
        HttpError::invalid(
            "model",
            "model is missing: none of this provider is in use, so name one",
        )
    })?;
    Ok(Json(tested.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParams {
    /// `YYYY-MM`, UTC; this month without it.
    month: Option<String>,
}

/// What a month's calls came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelUsageAnswer {
    month: String,
    /// The months in which there were calls, newest first.
    months: Vec<String>,
    /// By use and model, what cost most first.
    rows: Vec<ModelUsageRow>,
    /// Of all calls whose cost is known, with what those under way may cost.
    spent_usd: String,
    budget_usd: Option<String>,
}

/// The calls of one use to one model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelUsageRow {
    feature: Feature,
    provider: String,
    model: String,
    calls: i64,
    failed: i64,
    /// Those for which the budget left no room.
    not_made: i64,
    input_tokens: i64,
    output_tokens: i64,
    /// Of the calls whose cost is known.
    cost_usd: String,
    /// Calls whose cost is unknown.
    unpriced_calls: i64,
}

/// What Plumbline's own calls came to in a month, by use and model
#[utoipa::path(get, path = "/api/settings/models/usage", operation_id = "model_usage", params(UsageParams, Reader),
    responses((status = 200, description = "Calls, tokens and costs", body = ModelUsageAnswer), ReadErrors))]
pub(crate) async fn usage(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(UsageParams { month }): Params<UsageParams>,
) -> HttpResult<Json<ModelUsageAnswer>> {
    let month = month.unwrap_or_else(|| month_of(clock::now()));
    if !is_month(&month) {
        return Err(HttpError::invalid("month", "month must look like 2026-11"));
    }
    let project = caller.project_id;
    let mut snapshot = state.db.snapshot(project).await?;
    let rows = storage::models::usage(&mut snapshot, project, &month).await?;
    let months = storage::models::months(&mut snapshot, project).await?;
    let spent = storage::models::spent(&mut snapshot, project, &month, clock::now()).await?;
    let settings = storage::models::settings(&mut snapshot, project).await?;
    Ok(Json(ModelUsageAnswer {
        month,
        months,
        rows: rows
            .into_iter()
            .map(|row| ModelUsageRow {
                feature: row.feature,
                provider: row.provider_id,
                model: row.model,
                calls: row.calls,
                failed: row.failed,
                not_made: row.not_made,
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cost_usd: row.cost.to_decimal(),
                unpriced_calls: row.unpriced_calls,
            })
            .collect(),
        spent_usd: spent.to_decimal(),
        budget_usd: settings.budget.map(NanoUsd::to_decimal),
    }))
}

fn is_month(text: &str) -> bool {
    text.len() == 7
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
