//! `POST /ingest` and `POST /ingest/batch`: authenticate, decode, submit, answer once the transaction has committed.

mod field;
mod native;
pub(crate) mod otlp;
mod rejection;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Router, middleware};
use domain::{NewStep, Scope, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tower_http::decompression::RequestDecompressionLayer;
use utoipa::{IntoParams, OpenApi, ToSchema};

pub(crate) use self::otlp::{containers_last, in_parts, step_of_record, step_of_span};
use native::Source;
pub(crate) use native::StepBody;
use rejection::Rejection;

use crate::blocking::run_blocking_if_large;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, unknown_route};
use crate::pipeline::{Received, Submission};
use crate::request_body::{self, BodyBudget, MAX_BATCH_BYTES};
use crate::state::AppState;

/// Largest body of one step, decompressed.
pub const MAX_STEP_BYTES: usize = 32 * 1024 * 1024;
pub const MAX_BATCH_STEPS: usize = 1_000;

/// Most events of all steps of a batch.
const MAX_BATCH_EVENTS: usize = 20_000;

/// The ways in.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/ingest", post(ingest_one))
        .route("/ingest/batch", post(ingest_batch))
        .route("/ingest/", any(unknown_route))
        .route("/ingest/{*unknown}", any(unknown_route))
        .layer(RequestDecompressionLayer::new())
        .merge(
            otlp::routes()
                .layer(RequestDecompressionLayer::new())
                .layer(middleware::map_request(otlp::within_packed_limit)),
        )
        .layer(middleware::map_request(canonical_encoding))
        .layer(middleware::map_response(plain_unsupported_encoding))
}

/// What the routes that programs call say of themselves.
#[derive(OpenApi)]
#[openapi(paths(ingest_one, ingest_batch), tags((name = "ingest")))]
pub(crate) struct Documented;

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `fallback_id` reads it")]
struct IdempotencyKey {
    /// Makes a step without id safe to retry.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// Where a step is now.
#[derive(Debug, Serialize, ToSchema)]
struct StepAnswer {
    /// The step's id within its run.
    trace_id: String,
    run_id: String,
    status: StepOutcome,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StepOutcome {
    Stored,
    /// It was there already.
    Duplicate,
}

/// Store one step; answered after the commit
#[utoipa::path(post, path = "/ingest", operation_id = "ingest_step", tag = "ingest", security(("key" = []), ()),
    params(IdempotencyKey),
    request_body = StepBody,
    responses((status = 200, description = "It is on disk", body = inline(StepAnswer)), BodyErrors))]
async fn ingest_one(State(state): State<AppState>, request: Request) -> HttpResult<Json<StepAnswer>> {
    let (parts, body) = request.into_parts();
    let caller = state.auth.key_actor(&parts.headers, Scope::Ingest).await?;
    state.key_limits.admit(&caller)?;
    request_body::require_json(&parts.headers)?;
    let (bytes, _budget) =
        request_body::read(&parts.headers, body, MAX_STEP_BYTES, &state.body_budget).await?;
    let received_at = clock::now();
    let source = Source {
        received_at,
        fallback_id: fallback_id(&parts.headers, 0),
    };
    let decoded = run_blocking_if_large(bytes.len(), || native::decode_body(&bytes, &source));
    drop(bytes);
    match decoded {
        Ok(step) => {
            let (step_id, run_id) = (step.step_id.clone(), step.run_id.clone());
            let submission = Submission::new(&caller, received_at, vec![step], vec![]);
            let received = state.pipeline.submit(submission).await?;
            let status = match received.first() {
                Some(Received::Duplicate) => StepOutcome::Duplicate,
                _ => StepOutcome::Stored,
            };
            Ok(Json(StepAnswer {
                trace_id: step_id,
                run_id,
                status,
            }))
        }
        Err(rejection) => {
            state
                .pipeline
                .record_rejections(&caller, received_at, vec![rejection.reason; rejection.steps])
                .await;
            Err(rejection.into())
        }
    }
}

/// Several steps.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described here; `native::split_batch` reads it")]
struct BatchBody {
    #[schema(max_items = 1000)]
    steps: Vec<StepBody>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    #[schema(value_type = u64)]
    stored: usize,
    /// Steps that were there already.
    #[schema(value_type = u64)]
    duplicate: usize,
    rejected: Vec<RejectedStep>,
}

/// A step that was not kept.
#[derive(Debug, Serialize, ToSchema)]
struct RejectedStep {
    /// Its place in `steps`, from 0.
    #[schema(value_type = u64)]
    index: usize,
    /// The field, where one is to blame.
    field: Option<String>,
    message: String,
}

/// Store up to 1,000 steps; good ones are kept, bad ones named
#[utoipa::path(post, path = "/ingest/batch", operation_id = "ingest_batch", tag = "ingest", security(("key" = []), ()),
    params(IdempotencyKey),
    request_body = inline(BatchBody),
    responses((status = 200, description = "What was kept is on disk", body = inline(BatchAnswer)), BodyErrors))]
async fn ingest_batch(State(state): State<AppState>, request: Request) -> HttpResult<Json<BatchAnswer>> {
    let (parts, body) = request.into_parts();
    let caller = state.auth.key_actor(&parts.headers, Scope::Ingest).await?;
    state.key_limits.admit(&caller)?;
    request_body::require_json(&parts.headers)?;
    let (bytes, _budget) =
        request_body::read(&parts.headers, body, MAX_BATCH_BYTES, &state.body_budget).await?;
    let received_at = clock::now();
    let decoded = run_blocking_if_large(bytes.len(), || decode_batch(&bytes, &parts.headers, received_at));
    drop(bytes);
    let Batch {
        steps,
        rejected,
        reasons,
    } = match decoded {
        Ok(batch) => batch,
        Err(rejection) => {
            state
                .pipeline
                .record_rejections(&caller, received_at, vec![rejection.reason; rejection.steps])
                .await;
            return Err(rejection.into());
        }
    };
    let received = state
        .pipeline
        .submit(Submission::new(&caller, received_at, steps, reasons))
        .await?;
    let duplicate = received
        .iter()
        .filter(|r| matches!(r, Received::Duplicate))
        .count();
    let stored = received.len() - duplicate;
    Ok(Json(BatchAnswer {
        stored,
        duplicate,
        rejected,
    }))
}

/// A batch as it was sent: steps that are accepted, and what to answer and to count for those that are not.
struct Batch {
    steps: Vec<NewStep>,
    rejected: Vec<RejectedStep>,
    reasons: Vec<&'static str>,
}

fn decode_batch(bytes: &[u8], headers: &HeaderMap, received_at: Timestamp) -> Result<Batch, Rejection> {
    let raw_steps = native::split_batch(bytes)?;
    let mut steps = Vec::with_capacity(raw_steps.len());
    let mut rejected = Vec::new();
    let mut reasons = Vec::new();
    let mut events = 0;
    for (index, raw) in raw_steps.iter().enumerate() {
        let source = Source {
            received_at,
            fallback_id: fallback_id(headers, index),
        };
        match native::decode_step(raw, &source) {
            Ok(step) if events + step.events.len() > MAX_BATCH_EVENTS => {
                reasons.push("too_many_events");
                let message =
                    format!("a batch has at most {MAX_BATCH_EVENTS} events; send this step in another one");
                rejected.push(RejectedStep {
                    index,
                    field: Some("events".to_owned()),
                    message,
                });
            }
            Ok(step) => {
                events += step.events.len();
                steps.push(step);
            }
            Err(Rejection {
                field,
                message,
                reason,
                ..
            }) => {
                reasons.push(reason);
                rejected.push(RejectedStep {
                    index,
                    field,
                    message,
                });
            }
        }
    }
    Ok(Batch {
        steps,
        rejected,
        reasons,
    })
}

/// A body that says it is JSON, of at most `limit` bytes.
pub(crate) async fn read_json(
    headers: &HeaderMap,
    body: axum::body::Body,
    limit: usize,
    budget: &BodyBudget,
) -> HttpResult<bytes::Bytes> {
    request_body::require_json(headers)?;
    Ok(request_body::read(headers, body, limit, budget).await?.0)
}

/// A body of any type, of at most `limit` bytes.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: axum::body::Body,
    limit: usize,
    budget: &BodyBudget,
) -> HttpResult<bytes::Bytes> {
    Ok(request_body::read(headers, body, limit, budget).await?.0)
}

/// A body of `/api/score`: a step as `/ingest` takes it, and beside it the object `rules`, if there is one.
pub(crate) async fn read_step(
    headers: &HeaderMap,
    body: axum::body::Body,
    budget: &BodyBudget,
) -> HttpResult<(NewStep, Option<serde_json::Map<String, serde_json::Value>>)> {
    let bytes = read_json(headers, body, MAX_STEP_BYTES, budget).await?;
    let source = Source {
        received_at: clock::now(),
        fallback_id: fallback_id(headers, 0),
    };
    run_blocking_if_large(bytes.len(), || {
        Ok((
            native::decode_body(&bytes, &source)?,
            native::rules_of_body(&bytes)?,
        ))
    })
}

/// A step as `/ingest` takes it, from a file; what is wrong with it in words.
pub(crate) fn step_of_json(
    bytes: &[u8],
    received_at: Timestamp,
    fallback_id: &str,
) -> Result<NewStep, String> {
    let source = Source {
        received_at,
        fallback_id: fallback_id.to_owned(),
    };
    native::decode_body(bytes, &source).map_err(|rejection| rejection.message)
}

/// The id of a step that has none: the same for a retry with the same `Idempotency-Key`, otherwise a new one.
fn fallback_id(headers: &HeaderMap, index: usize) -> String {
    match headers.get("idempotency-key") {
        Some(key) if !key.is_empty() => {
            let mut hash = Sha256::new();
            hash.update(key.as_bytes());
            hash.update([0]);
            hash.update(index.to_be_bytes());
            format!("ik-{}", hex::encode(&hash.finalize()[..16]))
        }
        _ => uuid::Uuid::now_v7().to_string(),
    }
}

impl From<Rejection> for HttpError {
    fn from(rejection: Rejection) -> Self {
        Self {
            field: rejection.field,
            ..Self::new(StatusCode::BAD_REQUEST, rejection.reason, rejection.message)
        }
    }
}

/// Codings have no case, `x-gzip` is gzip, and an empty header says nothing (RFC 9110, 8.4.1).
async fn canonical_encoding(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let named = headers
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .map(str::to_ascii_lowercase);
    match named.as_deref().map(str::trim) {
        None => {}
        Some("" | "identity") => _ = headers.remove(CONTENT_ENCODING),
        Some("x-gzip") => _ = headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        Some(name) => {
            if let Ok(value) = HeaderValue::from_str(name) {
                headers.insert(CONTENT_ENCODING, value);
            }
        }
    }
    request
}

/// An encoding that can't be read is answered in our own error shape.
async fn plain_unsupported_encoding(response: Response) -> Response {
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
        && response
            .extensions()
            .get::<std::sync::Arc<crate::error::ErrorReport>>()
            .is_none()
    {
        let message = "Content-Encoding must be gzip, br, deflate, zstd or absent";
        return HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            message,
        )
        .into_response();
    }
    response
}
