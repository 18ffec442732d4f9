//! `GET/POST /api/detectors`, `GET/PUT/DELETE /api/detectors/{id}`, `POST …/try`: what judges finished runs.

mod answer;
mod body;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use domain::detector::{Detector, DetectorDraft};
use domain::text::counted;
use domain::{NanoUsd, ProjectId, Role, Scope};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::audit::{self, Entry};
use storage::detectors;
use utoipa::ToSchema;
use uuid::Uuid;

use self::answer::{DetectorAnswer, Sums};
use self::body::{DetectorBody, read_body};
use super::query::{InPath, Params, ProjectParam, Reader};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::read_limits::HeldTurn;
use crate::state::AppState;

/// A schema of 64 KiB, a prompt of 20 kB, conditions.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Runs that a model is tried on at most: it costs, and somebody waits.
const MAX_MODEL_RUNS: usize = 10;
/// Runs that a detector is tried on at most.
const MAX_TRIED_RUNS: u32 = 200;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DetectorList {
    items: Vec<DetectorAnswer>,
}

/// The project's detectors, the oldest first
#[utoipa::path(get, path = "/api/detectors", operation_id = "detectors", params(Reader),
    responses((status = 200, description = "The detectors", body = inline(DetectorList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<DetectorList>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let stored = detectors::list(&mut snapshot, caller.project_id).await?;
    let mut items = Vec::with_capacity(stored.len());
    let sums = Sums::read(&mut snapshot, caller.project_id, None, clock::now()).await?;
    items.extend(stored.into_iter().map(|detector| sums.answer(detector)));
    Ok(Json(DetectorList { items }))
}

/// One detector
#[utoipa::path(get, path = "/api/detectors/{id}", operation_id = "detector", params(("id" = String, Path), Reader),
    responses((status = 200, description = "The detector", body = inline(DetectorAnswer)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<DetectorAnswer>> {
    answer(&state, caller.project_id, parse_id(&id)?).await.map(Json)
}

/// Make a detector
///
/// Judges runs that end from now on. Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/detectors", operation_id = "create_detector", params(ProjectParam),
    request_body = inline(DetectorBody),
    responses((status = 200, description = "The detector", body = inline(DetectorAnswer)), BodyErrors))]
pub(crate) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<DetectorAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let sent = read_sent(&state, &headers, body).await?;
    let template = sent
        .template
        .ok_or_else(|| HttpError::invalid("template", "template is missing"))?;
    let draft = sent.onto(DetectorDraft::of(template));
    let id = store_new(&state, caller.project_id, &draft, &caller.key_label).await?;
    answer(&state, caller.project_id, id).await.map(Json)
}

/// Change a detector; what is left out stays
///
/// What it judges by is another version when it is another. Needs a key with the scope `admin`, or a signed-in admin.
#[utoipa::path(put, path = "/api/detectors/{id}", operation_id = "change_detector",
    params(("id" = String, Path), ProjectParam), request_body = inline(DetectorBody),
    responses((status = 200, description = "The detector now", body = inline(DetectorAnswer)), NotFound, BodyErrors))]
pub(crate) async fn change(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    body: Body,
) -> HttpResult<Json<DetectorAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let id = parse_id(&id)?;
    let sent = read_sent(&state, &headers, body).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let stored = detectors::get(&mut snapshot, caller.project_id, id).await?;
    drop(snapshot);
    let draft = sent.onto(draft_of(stored));
    replace(&state, caller.project_id, id, &draft, &caller.key_label).await?;
    answer(&state, caller.project_id, id).await.map(Json)
}

/// Which detector is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedDetector {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    /// Always true.
    deleted: bool,
}

/// Delete a detector with its findings
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(delete, path = "/api/detectors/{id}", operation_id = "delete_detector",
    params(("id" = String, Path), ProjectParam),
    responses((status = 200, description = "It is gone", body = inline(DeletedDetector)), NotFound, ReadErrors))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
) -> HttpResult<Json<DeletedDetector>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let id = parse_id(&id)?;
    remove(&state, caller.project_id, id, &caller.key_label).await?;
    Ok(Json(DeletedDetector { id, deleted: true }))
}

/// What a detector is tried on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DetectorTrial)]
#[serde(default, deny_unknown_fields)]
struct TryBody {
    /// So many of the latest runs that have ended, 1 to 200; 50 where it is not sent.
    #[schema(minimum = 1, maximum = 200)]
    runs: Option<u32>,
    /// Ask the model, which costs: ten runs of the sample at most. Without it nothing is found of a detector that asks one.
    with_model: bool,
}

/// What a detector would have found. Nothing of it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialAnswer {
    /// Runs that were looked at.
    runs: u32,
    /// Runs for which the conditions hold.
    matching: u32,
    /// Runs of those that are in the sample.
    sampled: usize,
    /// Runs of those that were judged.
    judged: usize,
    /// What would have been found.
    items: Vec<TrialItem>,
    /// `would have found 3 in the last 50 runs`.
    sentence: String,
    /// What asking the model cost, in dollars; null where it is unknown or nobody asked.
    cost_usd: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TrialItem {
    run_id: String,
    run_name: String,
    summary: String,
}

/// Try a detector on the latest runs
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/detectors/{id}/try", operation_id = "try_detector",
    params(("id" = String, Path), ProjectParam), request_body = inline(TryBody),
    responses((status = 200, description = "What it would have found", body = inline(TrialAnswer)), NotFound, BodyErrors))]
pub(crate) async fn try_it(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    Extension(turn): Extension<HeldTurn>,
    body: Body,
) -> HttpResult<Json<TrialAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let id = parse_id(&id)?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let sent: TryBody = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The body can't be read: {cause}")))?;
    let runs = sent.runs.unwrap_or(50);
    if !(1..=MAX_TRIED_RUNS).contains(&runs) {
        return Err(HttpError::invalid(
            "runs",
            "runs must be an integer from 1 to 200",
        ));
    }
    let detector = begin_trial(&state, &caller, id, (runs, sent.with_model)).await?;
    let snapshot = state.db.snapshot(caller.project_id).await?;
    let trial = app::try_detector(snapshot, caller.project_id, &detector, runs).await?;
    let is_rule = detector.definition.template.is_rule();
    let mut answer = TrialAnswer {
        runs: trial.runs,
        matching: trial.matching,
        sampled: trial.sampled.len(),
        judged: if is_rule { trial.sampled.len() } else { 0 },
        items: Vec::new(),
        sentence: String::new(),
        cost_usd: None,
    };
    let name_of = |run_id: &str| {
        let run = trial.sampled.iter().find(|run| run.summary.run_id == run_id);
        run.map(|run| run.summary.name.clone()).unwrap_or_default()
    };
    answer
        .items
        .extend(trial.found.iter().map(|(run_id, found)| TrialItem {
            run_name: name_of(run_id),
            run_id: run_id.clone(),
            summary: found.summary.clone(),
        }));
    if !is_rule && sent.with_model {
        // Others read while a provider takes its time.
        turn.give_back();
        let mut cost = Some(NanoUsd(0));
        for run in trial.sampled.iter().take(MAX_MODEL_RUNS) {
            let judged = crate::detectors::ask(&state.judge(), caller.project_id, run, &detector).await?;
            if !judged.has_asked {
                let reason = judged.reason.unwrap_or_default();
                return Err(HttpError::new(StatusCode::CONFLICT, "not_judged", reason));
            }
            cost = cost.and_then(|cost| Some(cost.saturating_add(judged.cost?)));
            answer.judged += 1;
            answer.items.extend(judged.found.map(|found| TrialItem {
                run_id: run.summary.run_id.clone(),
                run_name: run.summary.name.clone(),
                summary: found.summary,
            }));
        }
        answer.cost_usd = cost.map(NanoUsd::to_decimal);
    }
    answer.sentence = if is_rule || sent.with_model {
        let of = if is_rule {
            i64::from(trial.runs)
        } else {
            answer.judged as i64
        };
        format!(
            "would have found {} in the last {}",
            answer.items.len(),
            counted(of, "run")
        )
    } else {
        format!(
            "would have asked the model about {} of the last {} runs",
            answer.sampled, trial.runs
        )
    };
    if trial.is_cut {
        answer
            .sentence
            .push_str("; they are so large that no more were looked at");
    }
    Ok(Json(answer))
}

/// Reads the detector and writes down who tries it, before that begins: what is asked of a model costs, however it ends.
async fn begin_trial(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    (runs, with_model): (u32, bool),
) -> HttpResult<Detector> {
    let detector = {
        let mut snapshot = state.db.snapshot(caller.project_id).await?;
        detectors::get(&mut snapshot, caller.project_id, id).await?
    };
    let asks = with_model && !detector.definition.template.is_rule();
    let details = json!({ "runs": runs, "with_model": asks });
    let entry = Entry::new(&caller.key_label, "detector.try", &id.to_string(), details);
    audit::record(&state.db, caller.project_id, &entry, clock::now()).await?;
    Ok(detector)
}

async fn admin(state: &AppState, headers: &HeaderMap, project: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, project, Scope::Admin, Role::Admin)
        .await
}

pub(crate) fn parse_id(text: &str) -> HttpResult<Uuid> {
    text.parse().map_err(|_no_uuid| HttpError::not_found("detector"))
}

async fn read_sent(state: &AppState, headers: &HeaderMap, body: Body) -> HttpResult<DetectorBody> {
    let body = ingest::read_json(headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    read_body(&body)
}

/// A stored detector as what is changed.
pub(crate) fn draft_of(detector: Detector) -> DetectorDraft {
    DetectorDraft {
        name: detector.name,
        enabled: detector.enabled,
        // It was said when it was made.
        every_run: detector.definition.conditions.is_empty(),
        definition: detector.definition,
        sample: detector.sample,
        daily_cap: detector.daily_cap,
    }
}

fn checked(draft: &DetectorDraft) -> HttpResult<()> {
    draft
        .check()
        .map_err(|error| HttpError::invalid(error.field, error.must))
}

/// Checks and stores a new detector, and has every process know of it.
pub(crate) async fn store_new(
    state: &AppState,
    project: ProjectId,
    draft: &DetectorDraft,
    actor: &str,
) -> HttpResult<Uuid> {
    checked(draft)?;
    let id = Uuid::now_v7();
    match detectors::create(&state.db, project, id, draft, actor, clock::now()).await {
        Err(storage::Error::Conflict("detectors_limit")) => {
            let message = format!("A project has at most {} detectors", detectors::MAX_DETECTORS);
            return Err(HttpError::new(StatusCode::CONFLICT, "too_many", message));
        }
        created => created?,
    }
    changed(state, project).await?;
    Ok(id)
}

/// Checks and replaces a detector, and has every process know of it.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    id: Uuid,
    draft: &DetectorDraft,
    actor: &str,
) -> HttpResult<()> {
    checked(draft)?;
    detectors::replace(&state.db, project, id, draft, actor, clock::now()).await?;
    changed(state, project).await
}

/// Deletes a detector, and has every process know of it.
pub(crate) async fn remove(state: &AppState, project: ProjectId, id: Uuid, actor: &str) -> HttpResult<()> {
    detectors::delete(&state.db, project, id, actor, clock::now()).await?;
    changed(state, project).await
}

async fn changed(state: &AppState, project: ProjectId) -> HttpResult<()> {
    state.detectors.invalidate(project);
    Ok(storage::live::notify_settings(&state.db, project).await?)
}

async fn answer(state: &AppState, project: ProjectId, id: Uuid) -> HttpResult<DetectorAnswer> {
    let mut snapshot = state.db.snapshot(project).await?;
    let detector = detectors::get(&mut snapshot, project, id).await?;
    let sums = Sums::read(&mut snapshot, project, Some(id), clock::now()).await?;
    Ok(sums.answer(detector))
}
