//! Bodies: the right type, within the limit, and within what the process may hold at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{HttpError, HttpResult};

/// How much of all bodies together may be in memory. A burst of large bodies is answered 503 instead of taking the
/// machine down.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    kib: Arc<Semaphore>,
}

/// Largest body of a batch, decompressed: no route takes a larger one.
pub const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

const KIB: usize = 1024;
const FIRST_PERMIT: usize = 64 * KIB;
/// How long nothing may arrive in the middle of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a whole body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);
/// How much of a body that is too large is read to be able to say so.
const MAX_DRAINED_BYTES: usize = 128 * 1024 * KIB;

impl BodyBudget {
    /// A budget of so many bytes; at least one body of [`MAX_BATCH_BYTES`] fits.
    pub fn new(bytes: usize) -> Self {
        Self {
            kib: Arc::new(Semaphore::new(bytes.max(MAX_BATCH_BYTES) / KIB)),
        }
    }
}

/// 415 unless the body says it is JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> HttpResult<()> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        return Ok(());
    }
    let message = "Content-Type must be application/json";
    Err(HttpError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        message,
    ))
}

/// Reads a body of at most `limit` bytes (after decompression). The permit grows with what has arrived, not with what
/// was announced, and is held as long as the bytes are. 408 for a body that comes too slowly.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    budget: &BodyBudget,
) -> HttpResult<(Bytes, OwnedSemaphorePermit)> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        drain(body).await;
        return Err(too_large(limit));
    }
    timeout(BODY_TIMEOUT, read_within(body, limit, budget))
        .await
        .unwrap_or_else(|_elapsed| Err(too_slow()))
}

async fn read_within(
    mut body: Body,
    limit: usize,
    budget: &BodyBudget,
) -> HttpResult<(Bytes, OwnedSemaphorePermit)> {
    let mut permit = take(budget, FIRST_PERMIT)?;
    let mut held = FIRST_PERMIT;
    let mut bytes = BytesMut::new();
    while let Some(frame) = timeout(IDLE_TIMEOUT, body.frame())
        .await
        .map_err(|_elapsed| too_slow())?
    {
        let frame = frame.map_err(unreadable)?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            drop((permit, bytes));
            drain(body).await;
            return Err(too_large(limit));
        }
        if length > held {
            let more = held.max(length - held);
            permit.merge(take(budget, more)?);
            held += more;
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), permit))
}

/// Reads on without keeping anything, within bounds: many clients look at the answer only after they have sent all.
async fn drain(mut body: Body) {
    let reading = async {
        let mut left = MAX_DRAINED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                return;
            };
            left = rest;
        }
    };
    // A client that still sends after that finds the connection closed.
    let _ended_or_not = timeout(IDLE_TIMEOUT, reading).await;
}

/// Memory for so many bytes of bodies; 503 when too much is held.
pub(crate) fn take(budget: &BodyBudget, bytes: usize) -> HttpResult<OwnedSemaphorePermit> {
    let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
    Arc::clone(&budget.kib)
        .try_acquire_many_owned(kib)
        .map_err(|_full| {
            HttpError::overloaded("Too many large bodies are on their way in; try again in a moment")
        })
}

fn unreadable(cause: axum::Error) -> HttpError {
    let message = "The body ended early or is not in the encoding it names";
    HttpError {
        cause: Some(cause.into()),
        ..HttpError::new(StatusCode::BAD_REQUEST, "unreadable_body", message)
    }
}

fn too_slow() -> HttpError {
    let message = "The body came too slowly; send it again";
    HttpError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
}

/// 413: more than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> HttpError {
    let limit = match limit / KIB {
        kib if kib < KIB => format!("{kib} KiB"),
        kib => format!("{} MiB", kib / KIB),
    };
    let message = format!("The body is larger than {limit} after decompression");
    HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_in_a_unit_that_it_fills() {
        let check = |limit: usize, said: &str| {
            let message = format!("The body is larger than {said} after decompression");
            assert_eq!(too_large(limit).message, message);
        };
        check(4 * KIB, "4 KiB");
        check(256 * KIB, "256 KiB");
        check(KIB * KIB, "1 MiB");
        check(64 * KIB * KIB, "64 MiB");
    }
}
