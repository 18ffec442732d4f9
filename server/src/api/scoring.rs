//! `POST /api/score`, `GET /api/thresholds`, `GET/PUT /api/settings/scoring`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use domain::{NanoUsd, ProjectId, Role, Scope};
use engine::{LimitMode, LimitSource, Limits, MetricLimit, Rules, Threshold};
use serde_json::{Map, Value, json};
use storage::audit::Entry;

use super::query::Params;
use crate::blocking::{run_blocking_if_large, text_bytes};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::ingest;
use crate::pipeline::DerivedStep;
use crate::scoring::{rules_of, score_step};
use crate::state::AppState;
use engine::rules::{POINTS, THRESHOLDS};

/// Largest body of scoring settings: every code muted and with points of its own is a few kilobytes.
const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// Scores a step as `/ingest` would, without storing it.
pub(crate) async fn score(State(state): State<AppState>, request: Request) -> HttpResult<Json<Value>> {
    let (parts, body) = request.into_parts();
    let params = Params::of(&parts)?;
    let caller = state
        .auth
        .api_caller(&parts.headers, params.get("project"), Scope::Read, Role::Viewer)
        .await?;
    let (step, extra) = ingest::read_step(&parts.headers, body, &state.body_budget).await?;
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
    let mut answer = serde_json::to_value(&score).map_err(HttpError::internal)?;
    answer["cost_source"] = json!(derived.cost_source);
    Ok(Json(answer))
}

/// The limits in force for the project's next step.
pub(crate) async fn thresholds(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Json<Value>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let scoring = state.scoring.of(caller.project_id).await?;
    let scoring = scoring.lock();
    let limits = Limits::of(&scoring.history.recent, &scoring.rules);
    Ok(Json(json!({
        "mode": scoring.rules.mode,
        "threshold": engine::limits::threshold(&scoring.history.recent, &scoring.rules),
        "metrics": {
            "latency_ms": metric(&limits.latency_ms, |ms| json!(ms)),
            "tokens": metric(&limits.tokens, |tokens| json!(tokens)),
            "cost_usd": metric(&limits.cost_nano_usd, |money: NanoUsd| json!(money.to_decimal())),
        }
    })))
}

fn metric<T: Copy>(limit: &MetricLimit<T>, word: fn(T) -> Value) -> Value {
    let source = match limit.source {
        LimitSource::Static => "static",
        LimitSource::Dynamic => "dynamic",
        LimitSource::Manual => "manual",
    };
    json!({ "limit": word(limit.limit), "source": source, "n": limit.n, "p50": limit.p50.map(word), "p95": limit.p95.map(word) })
}

/// The project's scoring settings.
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Json<Value>> {
    let caller = state.auth.reader(&headers, params.get("project")).await?;
    let scoring = state.scoring.of(caller.project_id).await?;
    let scoring = scoring.lock();
    Ok(Json(rules_to_json(&scoring.rules)))
}

/// Replaces the scoring settings: what the body leaves out goes back to its default.
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    request: Request,
) -> HttpResult<Json<Value>> {
    let (parts, body) = request.into_parts();
    let params = Params::of(&parts)?;
    let caller = state
        .auth
        .api_caller(&parts.headers, params.get("project"), Scope::Admin, Role::Admin)
        .await?;
    let body = ingest::read_json(&parts.headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_not_an_object| HttpError::invalid("body", "The body must be a JSON object"))?;
    let rules = rules_from_json(body, &Rules::default())?;
    let answer = replace_rules(&state, caller.project_id, caller.key_label, &rules).await?;
    Ok(Json(answer))
}

/// The rules that the project's next step is judged by.
pub(crate) async fn rules_in_force(state: &AppState, project: ProjectId) -> HttpResult<Rules> {
    let scoring = state.scoring.of(project).await?;
    let scoring = scoring.lock();
    Ok(scoring.rules.clone())
}

/// Stores rules, writes down who did it, and makes every process judge by them from now on. Returns them as the API
/// writes them.
pub(crate) async fn replace_rules(
    state: &AppState,
    project: ProjectId,
    actor: String,
    rules: &Rules,
) -> HttpResult<Value> {
    let stored = serde_json::to_value(rules).map_err(HttpError::internal)?;
    let answer = rules_to_json(rules);
    let entry = change_of_rules(&actor, answer.clone());
    storage::scoring::save_settings(&state.db, project, &stored, &entry, clock::now()).await?;
    state.scoring.invalidate_rules(project);
    Ok(answer)
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
            change_of_rules(&actor, rules_to_json(&rules)),
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
fn change_of_rules(actor: &str, rules: Value) -> Entry {
    Entry::new(actor, "scoring.change", "scoring", rules)
}

/// The rules as the API writes them: money in dollars.
fn rules_to_json(rules: &Rules) -> Value {
    json!({
        "enabled": rules.enabled,
        "mode": rules.mode,
        "extended": rules.extended,
        "threshold": rules.threshold,
        "limits": {
            "latency_ms": rules.limits.latency_ms,
            "tokens": rules.limits.tokens,
            "cost_usd": rules.limits.cost_nano_usd.map(NanoUsd::to_decimal),
        },
        "muted": rules.muted,
        "points": rules.points,
    })
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
