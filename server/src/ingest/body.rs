//! Bodies: the right type, within the limit, and within what the process may hold at once.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{HttpError, HttpResult};

/// How much of all bodies together may be in memory. A burst of large bodies is answered 503 instead of taking the
/// machine down.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    kib: Arc<Semaphore>,
}

const KIB: usize = 1024;

impl BodyBudget {
    /// A budget of so many bytes; at least one body of `super::MAX_BATCH_BYTES` fits.
    pub fn new(bytes: usize) -> Self {
        Self {
            kib: Arc::new(Semaphore::new(bytes.max(super::MAX_BATCH_BYTES) / KIB)),
        }
    }
}

/// 415 unless the body says it is JSON.
pub(super) fn require_json(headers: &HeaderMap) -> HttpResult<()> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        return Ok(());
    }
    let message = "Content-Type has to be application/json";
    Err(HttpError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        message,
    ))
}

/// Reads a body of at most `limit` bytes (after decompression). The permit is held as long as the bytes are.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    budget: &BodyBudget,
) -> HttpResult<(Bytes, OwnedSemaphorePermit)> {
    let announced: Option<usize> = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut permit = take(budget, announced.unwrap_or(0))?;
    let mut held = announced.unwrap_or(0);
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(limit));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| {
            let message = "The body ended early or is not in the encoding it names";
            HttpError {
                cause: Some(cause.into()),
                ..HttpError::new(StatusCode::BAD_REQUEST, "unreadable_body", message)
            }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        if bytes.len() + data.len() > held {
            let more = (bytes.len() + data.len() - held).max(64 * KIB);
            permit.merge(take(budget, more)?);
            held += more;
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), permit))
}

fn take(budget: &BodyBudget, bytes: usize) -> HttpResult<OwnedSemaphorePermit> {
    let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
    Arc::clone(&budget.kib)
        .try_acquire_many_owned(kib)
        .map_err(|_full| {
            HttpError::overloaded("Too many large bodies are on their way in; try again in a moment")
        })
}

fn too_large(limit: usize) -> HttpError {
    let message = format!(
        "The body is larger than {} MiB after decompression",
        limit / KIB / KIB
    );
    HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}
