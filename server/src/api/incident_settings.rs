//! `GET/PUT /api/settings/incidents`, and `GET /api/incidents/window`: from when on a change is an incident, and the history
//! that a browser judges by other settings.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use domain::{NanoUsd, ProjectId, Role, Scope};
use engine::incidents::daily::DailyRule;
use engine::incidents::{Metric, Minimums, Settings};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::audit::Entry;
use utoipa::{IntoParams, ToSchema};

use super::query::{Bounded, Params, ProjectParam, Reader};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// From when on a change is an incident. Parts of 1: 0.1 is 10 %.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IncidentSettings {
    /// How many incidents a week may come of nothing, over all series of the project: 0.01 to 20.
    false_incidents_a_week: f64,
    minimums: LeastChanges,
    daily: DailySettings,
    /// What opens none.
    quiet: Vec<QuietSeries>,
}

/// The smallest changes that matter.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct LeastChanges {
    /// Of cost, in dollars a day; a decimal text.
    cost_usd: String,
    /// Of cost, cost per call and output tokens, as a part of what was.
    relative: f64,
    /// Of latencies, as a part of what was.
    latency: f64,
    latency_ms: f64,
    /// Of the error rate and the anomaly rate, as a share of calls.
    rate: f64,
    /// Of the mix of shapes, as the share that moved.
    mix: f64,
}

/// The daily rule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct DailySettings {
    sigma: f64,
    /// Dollars; a decimal text.
    delta_usd: String,
}

/// A metric of a key, or of all keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuietSeries {
    #[serde(default)]
    key: Option<String>,
    metric: String,
}

impl From<&Settings> for IncidentSettings {
    fn from(settings: &Settings) -> Self {
        let least = &settings.minimums;
        Self {
            false_incidents_a_week: settings.false_incidents_a_week,
            minimums: LeastChanges {
                cost_usd: least.cost.to_decimal(),
                relative: least.relative,
                latency: least.latency,
                latency_ms: least.latency_ms,
                rate: least.rate,
                mix: least.mix,
            },
            daily: DailySettings {
                sigma: f64::from(settings.daily.sigma_hundredths) / 100.0,
                delta_usd: settings.daily.delta.to_decimal(),
            },
            quiet: settings
                .quiet
                .iter()
                .map(|(key, metric)| QuietSeries {
                    key: key.clone(),
                    metric: metric.as_str().to_owned(),
                })
                .collect(),
        }
    }
}

impl Default for IncidentSettings {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl Default for LeastChanges {
    fn default() -> Self {
        IncidentSettings::default().minimums
    }
}

impl Default for DailySettings {
    fn default() -> Self {
        IncidentSettings::default().daily
    }
}

impl IncidentSettings {
    fn settings(self) -> HttpResult<Settings> {
        let dollars = |name: &'static str, text: &str| {
            NanoUsd::parse_decimal(text).ok_or_else(|| {
                HttpError::invalid(name, format!("{name} is dollars as a decimal text, such as 1.00"))
            })
        };
        let least = self.minimums;
        let sigma = self.daily.sigma.clamp(0.0, 100.0) * 100.0;
        let quiet = self.quiet.into_iter().map(|quiet| -> HttpResult<_> {
            let metric = Metric::parse(&quiet.metric).filter(|metric| *metric != Metric::CostPerRun);
            let metric = metric
                .ok_or_else(|| HttpError::invalid("quiet", "quiet names a metric that there is not"))?;
            Ok((quiet.key.filter(|key| !key.is_empty()), metric))
        });
        let settings = Settings {
            false_incidents_a_week: self.false_incidents_a_week,
            minimums: Minimums {
                cost: dollars("cost_usd", &least.cost_usd)?,
                relative: least.relative,
                latency: least.latency,
                latency_ms: least.latency_ms,
                rate: least.rate,
                mix: least.mix,
            },
            daily: DailyRule {
                sigma_hundredths: sigma.round() as u16,
                delta: dollars("delta_usd", &self.daily.delta_usd)?,
            },
            quiet: quiet.collect::<HttpResult<_>>()?,
        };
        match settings.out_of_range() {
            Some((name, range)) => Err(HttpError::invalid(name, format!("{name} is {range}"))),
            None => Ok(settings),
        }
    }
}

/// The project's settings of incidents
#[utoipa::path(get, path = "/api/settings/incidents", operation_id = "incident_settings", params(Reader),
    responses((status = 200, description = "The settings", body = IncidentSettings), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<IncidentSettings>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let stored = storage::incidents::settings(&mut snapshot, caller.project_id).await?;
    Ok(Json(IncidentSettings::from(&Settings::stored(stored))))
}

/// Replace the settings of incidents; what is left out goes back to its default
///
/// What went on in the last ten days is judged by them within a minute. Needs a key with the scope `admin`, or a signed-in
/// admin of the project.
#[utoipa::path(put, path = "/api/settings/incidents", operation_id = "save_incident_settings", params(ProjectParam),
    request_body = IncidentSettings,
    responses((status = 200, description = "The settings now", body = IncidentSettings), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<IncidentSettings>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Admin)
        .await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let sent: IncidentSettings = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The settings can't be read: {cause}")))?;
    let settings = sent.settings()?;
    replace(&state, caller.project_id, &caller.key_label, &settings).await?;
    Ok(Json(IncidentSettings::from(&settings)))
}

/// Stores settings and writes down who set them.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    actor: &str,
    settings: &Settings,
) -> HttpResult<()> {
    let stored = serde_json::to_value(settings).map_err(HttpError::internal)?;
    let details = json!(IncidentSettings::from(settings));
    let entry = Entry::new(actor, "incidents.change", "incidents", details);
    storage::incidents::save_settings(&state.db, project, &stored, &entry, clock::now()).await?;
    Ok(())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParams {
    /// How many days.
    #[serde(default)]
    #[param(inline)]
    days: Bounded<30, 90>,
}

/// The hours of the last days as Settings → Incidents judges them
#[utoipa::path(get, path = "/api/incidents/window", operation_id = "incident_window", params(HistoryParams, Reader),
    responses(
        (status = 200, content_type = "application/octet-stream", body = inline(String),
            description = "Hourly sums, deploys and prices, with four weeks before them; the format is the page's own and \
                changes with it"),
        ReadErrors,
    ))]
pub(crate) async fn history(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(HistoryParams { days: Bounded(days) }): Params<HistoryParams>,
) -> HttpResult<Response> {
    let window = crate::incidents::window(&state.db, caller.project_id, days, clock::now())
        .await
        .map_err(HttpError::internal)?;
    let bytes = tokio::task::spawn_blocking(move || window.encode())
        .await
        .map_err(HttpError::internal)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Bytes::from(bytes)).into_response())
}
