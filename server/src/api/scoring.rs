//! `POST /api/score`, `GET /api/thresholds`, `GET/PUT /api/settings/scoring`.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{CostSource, NanoUsd, ProjectId, Role, Scope};
use engine::{LimitMode, LimitSource, Limits, MetricLimit, Rules, Score, Threshold};
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::audit::Entry;
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use super::query::{Params, ProjectParam, Reader};
use crate::blocking::{run_blocking_if_large, text_bytes};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::pipeline::DerivedStep;
use crate::scoring::{rules_of, score_step};
use crate::state::AppState;
use engine::rules::{POINTS, THRESHOLDS};

/// Largest body of scoring settings: every code muted and with points of its own is a few kilobytes.
const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// A step as `/ingest` takes it, and rules.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described; `ingest::read_step` reads it")]
struct ScoreBody {
    #[serde(flatten)]
    step: ingest::StepBody,
    /// In place of the project's settings; what is left out stays as the project has it.
    rules: Option<ScoringRules>,
}

/// The verdict on a step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verdict {
    #[serde(flatten)]
    score: Score,
    /// Where the cost comes from that was scored.
    cost_source: Option<CostSource>,
}

/// Score a step without storing it
///
/// As `/ingest` would score it as the project's next step.
#[utoipa::path(post, path = "/api/score", operation_id = "score", params(Reader), request_body = inline(ScoreBody),
    responses((status = 200, description = "The verdict", body = Verdict), BodyErrors))]
pub(crate) async fn score(
    State(state): State<AppState>,
    Reader(caller): Reader,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Json<Verdict>> {
    let (step, extra) = ingest::read_step(&headers, body, &state.body_budget).await?;
    let prices = state.prices.of(caller.project_id).await?;
    let bytes = text_bytes(&step);
    let derived = run_blocking_if_large(bytes, || DerivedStep::of(&step, &prices));
    let run = state
        .scoring
        .run_before(caller.project_id, &step, &derived)
        .await?;
    let scoring = state.scoring.of(caller.project_id).await?;
    let (history, project_rules) = {
        let scoring = scoring.lock();
        (scoring.history_for(&step, &derived), scoring.rules.clone())
    };
    let rules = match extra {
        Some(rules) => rules_from_json(rules, &project_rules)?,
        None => project_rules,
    };
    let (score, _) = run_blocking_if_large(bytes, || score_step(&step, &derived, run, &history, &rules));
    Ok(Json(Verdict {
        score,
        cost_source: derived.cost_source,
    }))
}

/// What layer 4 and the severities go by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitsInForce {
    mode: LimitMode,
    /// From how many points a step is critical.
    threshold: i32,
    metrics: LimitOfEachMetric,
}

#[derive(Debug, Serialize, ToSchema)]
struct LimitOfEachMetric {
    latency_ms: Limit<f64>,
    tokens: Limit<f64>,
    /// Dollars, as decimal texts.
    cost_usd: Limit<String>,
}

/// The limit of one metric and the sample it was learned from.
#[derive(Debug, Serialize, ToSchema)]
struct Limit<T> {
    /// A value above this fires.
    limit: T,
    source: LimitSource,
    /// How many steps the sample holds.
    n: u32,
    #[schema(schema_with = unknown_or_as_limit)]
    p50: Option<T>,
    #[schema(schema_with = unknown_or_as_limit)]
    p95: Option<T>,
}

fn unknown_or_as_limit() -> Schema {
    one_of_types([Type::Number, Type::String, Type::Null])
}

fn one_of_types<const N: usize>(types: [Type; N]) -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .into()
}

/// The limits in force for the project's next step
#[utoipa::path(get, path = "/api/thresholds", operation_id = "thresholds", params(Reader),
    responses((status = 200, description = "The limits", body = inline(LimitsInForce)), ReadErrors))]
pub(crate) async fn thresholds(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<LimitsInForce>> {
    let scoring = state.scoring.of(caller.project_id).await?;
    let scoring = scoring.lock();
    let limits = Limits::of(&scoring.history.recent, &scoring.rules);
    Ok(Json(LimitsInForce {
        mode: scoring.rules.mode,
        threshold: engine::limits::threshold(&scoring.history.recent, &scoring.rules),
        metrics: LimitOfEachMetric {
            latency_ms: written(&limits.latency_ms, |ms| ms),
            tokens: written(&limits.tokens, |tokens| tokens),
            cost_usd: written(&limits.cost_nano_usd, NanoUsd::to_decimal),
        },
    }))
}

fn written<T: Copy, W>(metric: &MetricLimit<T>, write: fn(T) -> W) -> Limit<W> {
    Limit {
        limit: write(metric.limit),
        source: metric.source,
        n: metric.n,
        p50: metric.p50.map(write),
        p95: metric.p95.map(write),
    }
}

/// A project's scoring settings: money in dollars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(default)]
#[schema(default)]
pub(crate) struct ScoringRules {
    /// Whether arriving steps are scored; while it is false they have no score.
    enabled: bool,
    mode: LimitMode,
    /// Whether the extended codes and layer 5 are on.
    extended: bool,
    /// Points from which a step is critical, 1 to 10,000, or `dynamic`.
    #[schema(schema_with = points_or_word)]
    threshold: Threshold,
    limits: ManualLimits,
    /// Codes that never fire.
    muted: BTreeSet<u16>,
    /// Points that replace a code's own, 0 to 1,000, by code.
    points: BTreeMap<u16, i32>,
}

/// Limits set by hand; null leaves a metric to the mode.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(default)]
struct ManualLimits {
    latency_ms: Option<f64>,
    tokens: Option<i64>,
    /// Dollars of one step; written as a decimal text.
    #[schema(schema_with = dollars_or_null)]
    cost_usd: Option<String>,
}

fn points_or_word() -> Schema {
    one_of_types([Type::Integer, Type::String])
}

fn dollars_or_null() -> Schema {
    one_of_types([Type::Number, Type::String, Type::Null])
}

impl Default for ScoringRules {
    fn default() -> Self {
        Self::from(&Rules::default())
    }
}

impl From<&Rules> for ScoringRules {
    fn from(rules: &Rules) -> Self {
        Self {
            enabled: rules.enabled,
            mode: rules.mode,
            extended: rules.extended,
            threshold: rules.threshold,
            limits: ManualLimits {
                latency_ms: rules.limits.latency_ms,
                tokens: rules.limits.tokens,
                cost_usd: rules.limits.cost_nano_usd.map(NanoUsd::to_decimal),
            },
            muted: rules.muted.clone(),
            points: rules.points.clone(),
        }
    }
}

/// The project's scoring settings
#[utoipa::path(get, path = "/api/settings/scoring", operation_id = "scoring_settings", params(Reader),
    responses((status = 200, description = "The settings", body = ScoringRules), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<ScoringRules>> {
    let scoring = state.scoring.of(caller.project_id).await?;
    let scoring = scoring.lock();
    Ok(Json(ScoringRules::from(&scoring.rules)))
}

/// Replace the scoring settings; what is left out goes back to its default
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/scoring", operation_id = "save_scoring_settings", params(ProjectParam),
    request_body = ScoringRules,
    responses((status = 200, description = "The settings now", body = ScoringRules), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<ScoringRules>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Admin)
        .await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_not_an_object| HttpError::invalid("body", "The body must be a JSON object"))?;
    let rules = rules_from_json(body, &Rules::default())?;
    replace_rules(&state, caller.project_id, caller.key_label, &rules).await?;
    Ok(Json(ScoringRules::from(&rules)))
}

/// The rules that the project's next step is judged by.
pub(crate) async fn rules_in_force(state: &AppState, project: ProjectId) -> HttpResult<Rules> {
    let scoring = state.scoring.of(project).await?;
    let scoring = scoring.lock();
    Ok(scoring.rules.clone())
}

/// Stores rules, writes down who did it, and makes every process judge by them from now on.
pub(crate) async fn replace_rules(
    state: &AppState,
    project: ProjectId,
    actor: String,
    rules: &Rules,
) -> HttpResult<()> {
    let stored = serde_json::to_value(rules).map_err(HttpError::internal)?;
    let entry = change_of_rules(&actor, rules);
    storage::scoring::save_settings(&state.db, project, &stored, &entry, clock::now()).await?;
    state.scoring.invalidate_rules(project);
    Ok(())
}

/// Mutes a code or lets it speak again, whatever else is changed at the same time.
pub(crate) async fn mute(
    state: &AppState,
    project: ProjectId,
    actor: String,
    code: u16,
    is_muted: bool,
) -> HttpResult<()> {
    let is_change = storage::scoring::change_settings(&state.db, project, clock::now(), |settings| {
        let mut rules = rules_of(project, settings);
        let is_change = if is_muted {
            rules.muted.insert(code)
        } else {
            rules.muted.remove(&code)
        };
        let stored = serde_json::to_value(&rules).ok().filter(|_| is_change)?;
        let action = if is_muted { "code.mute" } else { "code.unmute" };
        let details = json!({ "name": engine::codes::find(code).map(|code| code.name) });
        let entries = vec![
            change_of_rules(&actor, &rules),
            Entry::new(&actor, action, &code.to_string(), details),
        ];
        Some((stored, entries))
    })
    .await?;
    if is_change {
        state.scoring.invalidate_rules(project);
    }
    Ok(())
}

/// What the audit log says of rules that were changed: what they are from now on.
fn change_of_rules(actor: &str, rules: &Rules) -> Entry {
    Entry::new(
        actor,
        "scoring.change",
        "scoring",
        json!(ScoringRules::from(rules)),
    )
}

/// `base` with what the body sets, each value checked and named when it is wrong.
fn rules_from_json(body: Map<String, Value>, base: &Rules) -> HttpResult<Rules> {
    let mut rules = base.clone();
    for (name, value) in body {
        let wrong = |message: &str| HttpError::invalid(name.clone(), format!("{name} {message}"));
        match name.as_str() {
            "mode" => {
                rules.mode = match value.as_str() {
                    Some("dynamic") => LimitMode::Dynamic,
                    Some("manual" | "static") => LimitMode::Manual,
                    _ => return Err(wrong("must be dynamic or manual")),
                }
            }
            "enabled" => rules.enabled = value.as_bool().ok_or_else(|| wrong("must be true or false"))?,
            "extended" => rules.extended = value.as_bool().ok_or_else(|| wrong("must be true or false"))?,
            "threshold" => {
                let points = value.as_i64().and_then(|points| i32::try_from(points).ok());
                rules.threshold = match (value.as_str(), points) {
                    (Some("dynamic"), _) => Threshold::Dynamic,
                    (_, Some(points)) if THRESHOLDS.contains(&points) => Threshold::Fixed(points),
                    _ => return Err(wrong("must be dynamic or an integer from 1 to 10000")),
                }
            }
            "limits" => limits_from_json(&value, &mut rules)?,
            "muted" => {
                rules.muted =
                    serde_json::from_value(value).map_err(|_other| wrong("must be an array of codes"))?;
                if let Some(code) = rules
                    .muted
                    .iter()
                    .find(|code| engine::codes::find(**code).is_none())
                {
                    return Err(wrong(&format!("names {code}, which is no code")));
                }
            }
            "points" => {
                rules.points =
                    serde_json::from_value(value).map_err(|_other| wrong("must map codes to integers"))?;
                let unknown = rules.points.iter().find(|(code, points)| {
                    engine::codes::find(**code).is_none() || !POINTS.contains(*points)
                });
                if let Some((code, _)) = unknown {
                    return Err(wrong(&format!(
                        "has {code}: codes that exist, with 0 to 1000 points"
                    )));
                }
            }
            _ => return Err(wrong("is no setting of scoring")),
        }
    }
    Ok(rules)
}

fn limits_from_json(value: &Value, rules: &mut Rules) -> HttpResult<()> {
    let limits = value.as_object().ok_or_else(|| {
        HttpError::invalid(
            "limits",
            "limits must be an object of latency_ms, tokens, cost_usd",
        )
    })?;
    for (name, value) in limits {
        let wrong = || {
            HttpError::invalid(
                format!("limits.{name}"),
                format!("limits.{name} must be a number above 0, or null"),
            )
        };
        match name.as_str() {
            "latency_ms" => {
                rules.limits.latency_ms =
                    known(value, |v| v.as_f64().filter(|ms| *ms > 0.0)).ok_or_else(wrong)?;
            }
            "tokens" => {
                rules.limits.tokens = known(value, |v| v.as_i64().filter(|n| *n > 0)).ok_or_else(wrong)?
            }
            "cost_usd" => {
                let money = |v: &Value| {
                    let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                    NanoUsd::parse_decimal(&text).filter(|money| money.0 > 0)
                };
                rules.limits.cost_nano_usd = known(value, money).ok_or_else(wrong)?;
            }
            _ => {
                return Err(HttpError::invalid(
                    format!("limits.{name}"),
                    format!("limits.{name} is no limit"),
                ));
            }
        }
    }
    Ok(())
}

/// JSON null takes a value away; anything else must be readable, or the answer is `None`.
fn known<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() {
        Some(None)
    } else {
        read(value).map(Some)
    }
}
