//! `GET /api/findings`, `GET /api/findings/{id}`, `POST …/feedback`: what detectors found, and what people say of it.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::detector::{Finding, FindingMark, FoundIn, Template};
use domain::{NanoUsd, ProjectId, Role, Scope, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::findings::{self, FindingFilter, MAX_PAGE};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{Bounded, InPath, Params, ProjectParam, Reader};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 4 * 1024;

/// A finding.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingAnswer {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    #[schema(value_type = String, format = "uuid")]
    detector_id: Uuid,
    /// What the detector is called.
    detector: String,
    template: Template,
    /// The version of the detector that found it.
    version: i32,
    run_id: String,
    run_name: String,
    /// One sentence.
    summary: String,
    /// What else there is to say, in the form that the detector asks for.
    #[schema(value_type = Value)]
    data: Value,
    /// What shows it: every quote occurs in the run.
    evidence: Vec<EvidenceAnswer>,
    /// Quotes of the model that did not occur and were dropped.
    dropped_quotes: i32,
    /// The model that judged; null of rules.
    model: Option<String>,
    /// What judging cost, in dollars; null of rules, and where it is unknown.
    cost_usd: Option<String>,
    /// The run of Plumbline's own in which the judgement is recorded.
    judged_in: Option<String>,
    /// What people said of it; null while nobody has.
    feedback: Option<Verdict>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FindingEvidence)]
struct EvidenceAnswer {
    step_id: String,
    /// The step's name.
    step: String,
    /// Which of its texts; null where the step itself shows it.
    text: Option<FoundIn>,
    quote: Option<String>,
    /// Where the quote stands in that text, in bytes.
    from_byte: Option<u32>,
    to_byte: Option<u32>,
}

impl From<Finding> for FindingAnswer {
    fn from(finding: Finding) -> Self {
        Self {
            id: finding.id,
            detector_id: finding.detector_id,
            detector: finding.detector,
            template: finding.template,
            version: finding.version,
            run_id: finding.run_id,
            run_name: finding.run_name,
            summary: finding.summary,
            data: finding.data,
            evidence: finding
                .evidence
                .into_iter()
                .map(|evidence| EvidenceAnswer {
                    step_id: evidence.step_id,
                    step: evidence.step,
                    text: evidence.text,
                    quote: evidence.quote,
                    from_byte: evidence.from_byte,
                    to_byte: evidence.to_byte,
                })
                .collect(),
            dropped_quotes: finding.dropped_quotes,
            model: finding.model,
            cost_usd: finding.cost_nano_usd.map(NanoUsd::to_decimal),
            judged_in: finding.judged_in,
            feedback: finding.feedback,
            created_at: finding.created_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindingParams {
    /// Only of this detector.
    #[param(value_type = Option<String>, format = "uuid")]
    detector: Option<Uuid>,
    /// Only of this run.
    run: Option<String>,
    /// Only those of which people said this.
    #[param(inline)]
    mark: Option<FindingMark>,
    /// Found then or later.
    from: Option<Timestamp>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<100, { MAX_PAGE }>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>, format = "uuid")]
    cursor: Option<Uuid>,
}

/// A page of findings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingList {
    items: Vec<FindingAnswer>,
    /// The parameter `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// What detectors found, the latest first
#[utoipa::path(get, path = "/api/findings", operation_id = "findings", params(FindingParams, Reader),
    responses((status = 200, description = "The findings", body = inline(FindingList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<FindingParams>,
) -> HttpResult<Json<FindingList>> {
    let Bounded(limit) = params.limit;
    let filter = FindingFilter {
        detector: params.detector,
        run_id: params.run,
        mark: params.mark,
        from: params.from,
        before: params.cursor,
    };
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let found = findings::list(&mut snapshot, caller.project_id, &filter, limit).await?;
    let is_full = found.len() == limit as usize;
    Ok(Json(FindingList {
        next_cursor: found
            .last()
            .filter(|_| is_full)
            .map(|finding| finding.id.to_string()),
        items: found.into_iter().map(FindingAnswer::from).collect(),
    }))
}

/// One finding
#[utoipa::path(get, path = "/api/findings/{id}", operation_id = "finding", params(("id" = String, Path), Reader),
    responses((status = 200, description = "The finding", body = inline(FindingAnswer)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<FindingAnswer>> {
    answer(&state, caller.project_id, parse_id(&id)?).await.map(Json)
}

/// What somebody says of a finding.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = FindingFeedback)]
#[serde(deny_unknown_fields)]
struct FeedbackBody {
    /// null takes it back.
    verdict: Option<Verdict>,
}

/// Say whether a finding is real or noise; the last word counts
///
/// Needs a key with the scope `deploy`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/findings/{id}/feedback", operation_id = "mark_finding",
    params(("id" = String, Path), ProjectParam), request_body = inline(FeedbackBody),
    responses((status = 200, description = "The finding now", body = inline(FindingAnswer)), NotFound, BodyErrors))]
pub(crate) async fn mark(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    body: Body,
) -> HttpResult<Json<FindingAnswer>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Deploy, Role::Member)
        .await?;
    let id = parse_id(&id)?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let sent: FeedbackBody = serde_json::from_slice(&body)
        .map_err(|_no_verdict| HttpError::invalid("verdict", "verdict must be real or noise, or null"))?;
    let project = caller.project_id;
    findings::mark(
        &state.db,
        project,
        id,
        sent.verdict,
        &caller.key_label,
        clock::now(),
    )
    .await?;
    answer(&state, project, id).await.map(Json)
}

fn parse_id(text: &str) -> HttpResult<Uuid> {
    text.parse().map_err(|_no_uuid| HttpError::not_found("finding"))
}

async fn answer(state: &AppState, project: ProjectId, id: Uuid) -> HttpResult<FindingAnswer> {
    let mut snapshot = state.db.snapshot(project).await?;
    Ok(findings::get(&mut snapshot, project, id).await?.into())
}
