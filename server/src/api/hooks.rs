//! `POST /hooks/github`: what GitHub tells by itself. Whose it is, its signature says: the secrets of the projects that
//! are connected to the repository are tried, a few at most.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use storage::deploys::{Applied, Change};
use storage::integrations::{self, Delivery, GITHUB, Heard, Hooked};
use utoipa::{IntoParams, ToSchema};

use super::query::Params;
use crate::blocking::run_blocking_if_large;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult};
use crate::github::connection::options_of;
use crate::github::webhook::{self, Said};
use crate::github::{WEBHOOK_SECRET, field, signature};
use crate::ingest;
use crate::state::AppState;

/// Largest body: twenty times what the events that are of use have.
const MAX_HOOK_BYTES: usize = 1024 * 1024;
/// Projects of one repository whose secrets are tried; with `project` it is one.
const MAX_PROJECTS: u32 = 8;
/// Longest id of a delivery or name of an event, in bytes.
const MAX_WORD_BYTES: usize = 100;
/// What the audit log calls it.
const ACTOR: &str = "GitHub webhook";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HookParams {
    /// Slug of the project. Without it every project that is connected to the repository, and has this secret, hears it.
    project: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HookAnswer {
    status: HookStatus,
    /// The same in words.
    #[schema(value_type = String)]
    message: &'static str,
    /// The ids of the deploys that it told of.
    deploys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HookStatus {
    /// It tells of no deploy.
    Ignored,
    /// It was heard before.
    Duplicate,
    /// What it leaves out is asked of GitHub.
    Accepted,
    /// It changed nothing.
    Unchanged,
    /// A deploy was written down or corrected.
    Recorded,
}

/// Hear a webhook of GitHub
///
/// Signed with the secret of the project's connection (`X-Hub-Signature-256`). Events that tell of a deploy:
/// `deployment`, `deployment_status`, `workflow_run`, `release`. Any other is answered 202. The same delivery twice is
/// heard once.
#[utoipa::path(post, path = "/hooks/github", operation_id = "github_webhook", security(("githubSignature" = [])),
    params(HookParams), request_body = inline(serde_json::Map<String, serde_json::Value>),
    responses((status = 200, description = "It is heard", body = HookAnswer),
        (status = 202, description = "It tells of no deploy, or of one that GitHub is asked about", body = HookAnswer),
        BodyErrors))]
pub(crate) async fn github(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(HookParams { project }): Params<HookParams>,
    body: Body,
) -> HttpResult<(StatusCode, Json<HookAnswer>)> {
    let event = word(&headers, "x-github-event")?;
    let id = word(&headers, "x-github-delivery")?;
    let signed = header(&headers, "x-hub-signature-256").ok_or_else(unsigned)?;
    let is_form = header(&headers, header::CONTENT_TYPE.as_str())
        .is_some_and(|mime| mime.starts_with("application/x-www-form-urlencoded"));
    let body = ingest::read_body(&headers, body, MAX_HOOK_BYTES, &state.body_budget).await?;
    let payload = webhook::payload(&body, is_form).ok_or_else(unreadable)?;
    let repository = run_blocking_if_large(payload.len(), || webhook::repository(&payload));
    let (db, secret) = (&state.db, WEBHOOK_SECRET);
    let candidates = match (project, repository) {
        (Some(slug), repository) => {
            let own = integrations::by_slug(db, GITHUB, secret, &slug, repository.as_deref()).await?;
            own.into_iter().collect()
        }
        (None, Some(repository)) => {
            integrations::by_remote(db, GITHUB, secret, &repository, MAX_PROJECTS).await?
        }
        (None, None) => Vec::new(),
    };
    let meant = run_blocking_if_large(body.len() * candidates.len().max(1), || {
        signed_by(&state, candidates, &body, signed)
    });
    if meant.is_empty() {
        return Err(bad_signature());
    }
    let mut answer = HookAnswer {
        status: HookStatus::Ignored,
        message: "The secret fits; deploys will be heard here",
        deploys: Vec::new(),
    };
    let now = clock::now();
    for hooked in &meant {
        let heard = hear(&state, hooked, event, id, &payload, now).await?;
        if event != "ping" && (heard.status >= answer.status || answer.deploys.is_empty()) {
            answer.status = heard.status;
            answer.message = heard.message;
        }
        answer.deploys.extend(heard.deploys);
    }
    answer.deploys.dedup();
    let status = match answer.status {
        HookStatus::Ignored if event != "ping" => StatusCode::ACCEPTED,
        HookStatus::Accepted => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(answer)))
}

/// Those of the projects whose secret signs the body. Where there is none, as long is taken as for one.
fn signed_by(state: &AppState, candidates: Vec<Hooked>, body: &[u8], signed: &str) -> Vec<Hooked> {
    if candidates.is_empty() {
        signature::is_valid("", body, signed);
        return Vec::new();
    }
    let field = field(WEBHOOK_SECRET);
    candidates
        .into_iter()
        .filter(|hooked| {
            match state.secrets.open(hooked.project_id, &field, &hooked.sealed) {
                Ok(secret) => signature::is_valid(&secret, body, signed),
                Err(cause) => {
                    tracing::warn!(project.id = %hooked.project_id, %cause, "a webhook's secret can't be used");
                    false
                }
            }
        })
        .collect()
}

/// What one project makes of it.
async fn hear(
    state: &AppState,
    hooked: &Hooked,
    event: &str,
    id: &str,
    payload: &[u8],
    now: Timestamp,
) -> HttpResult<HookAnswer> {
    let said = if event == "ping" {
        Said::Nothing("")
    } else if hooked.is_paused {
        Said::Nothing("The connection to GitHub is paused")
    } else {
        let options = options_of(&hooked.options);
        run_blocking_if_large(payload.len(), || webhook::said(event, payload, &options))
            .map_err(|_other_shape| unreadable())?
    };
    let (report, otherwise) = match said {
        Said::Deploy(report) => (Some(*report), (HookStatus::Unchanged, "It says nothing new")),
        Said::Ask => (
            None,
            (
                HookStatus::Accepted,
                "It leaves out the commit, so GitHub is asked for it",
            ),
        ),
        Said::Nothing(why) => (None, (HookStatus::Ignored, why)),
    };
    let delivery = Delivery {
        kind: GITHUB,
        id,
        event,
        asks: otherwise.0 == HookStatus::Accepted,
    };
    let project = hooked.project_id;
    let (status, message, applied) =
        match integrations::hear(&state.db, project, delivery, report, ACTOR, now).await? {
            Heard::Before => (HookStatus::Duplicate, "It was heard before", None),
            Heard::Now(Some(applied)) if applied.change != Change::Nothing => {
                (HookStatus::Recorded, "Recorded", Some(applied))
            }
            Heard::Now(applied) => (otherwise.0, otherwise.1, applied),
        };
    if status == HookStatus::Accepted {
        state.github_wake.notify_one();
    }
    Ok(HookAnswer {
        status,
        message,
        deploys: applied
            .map(|Applied { deploy_id, .. }| deploy_id)
            .into_iter()
            .collect(),
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A header that every webhook has.
fn word<'a>(headers: &'a HeaderMap, name: &'static str) -> HttpResult<&'a str> {
    header(headers, name)
        .filter(|word| !word.is_empty() && word.len() <= MAX_WORD_BYTES)
        .ok_or_else(|| HttpError::invalid(name, format!("The header {name} is missing or too long")))
}

fn unsigned() -> HttpError {
    let message =
        "The webhook is not signed: set its secret on GitHub to the one of the project's connection";
    HttpError::new(StatusCode::UNAUTHORIZED, "bad_signature", message)
}

fn bad_signature() -> HttpError {
    let message = "No project that is connected to this repository has the secret that it is signed with; compare the \
                   secret on GitHub with the one under Settings → Integrations";
    HttpError::new(StatusCode::UNAUTHORIZED, "bad_signature", message)
}

fn unreadable() -> HttpError {
    HttpError::invalid("body", "The payload of the event can't be read")
}
