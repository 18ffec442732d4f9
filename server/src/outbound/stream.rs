//! Answers that are read while they come: models speak for minutes, so what is bounded is each silence, all of it
//! together, and its size.

use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{CallError, Outbound, TargetUrl, failure};

/// What an answer that is read as it comes may take.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// How long nothing may come, before the answer and in it.
    pub silence: Duration,
    /// How long all of it may take.
    pub total: Duration,
    pub max_bytes: usize,
}

/// An answer on its way.
#[derive(Debug)]
pub struct AnswerStream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    host: String,
    limits: StreamLimits,
    until: Instant,
    read_bytes: usize,
}

impl Outbound {
    /// Sends a request and returns once the answer begins. The request's own address is ignored, and redirects are not
    /// followed.
    pub async fn open(
        &self,
        target: &TargetUrl,
        request: Request<Bytes>,
        limits: StreamLimits,
    ) -> Result<AnswerStream, CallError> {
        let host = target.host().to_owned();
        let (mut parts, body) = request.into_parts();
        parts.uri = target.uri().clone();
        let request = Request::from_parts(parts, Full::new(body));
        let sent = if target.is_plain() {
            self.http.request(request)
        } else {
            self.https.request(request)
        };
        let until = Instant::now() + limits.total;
        let answer = timeout_at(until.min(Instant::now() + limits.silence), sent)
            .await
            .map_err(|_elapsed| silent(&host, limits))?
            .map_err(|cause| failure(&host, &cause))?;
        let (parts, body) = answer.into_parts();
        Ok(AnswerStream {
            status: parts.status,
            headers: parts.headers,
            body,
            host,
            limits,
            until,
            read_bytes: 0,
        })
    }
}

impl AnswerStream {
    /// What came next; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let at = self.until.min(Instant::now() + self.limits.silence);
            let frame = timeout_at(at, self.body.frame())
                .await
                .map_err(|_elapsed| silent(&self.host, self.limits))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_broken| CallError::Broken {
                host: self.host.clone(),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            self.read_bytes += data.len();
            if self.read_bytes > self.limits.max_bytes {
                return Err(CallError::TooLarge {
                    host: self.host.clone(),
                    limit: self.limits.max_bytes,
                });
            }
            return Ok(Some(data));
        }
    }

    /// All of it, as far as `max_bytes`: what is beyond is not read.
    pub async fn beginning(&mut self, max_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < max_bytes {
            match self.next().await {
                Ok(Some(data)) => bytes.extend_from_slice(&data),
                Ok(None) | Err(_) => break,
            }
        }
        bytes.truncate(max_bytes);
        bytes
    }
}

fn silent(host: &str, limits: StreamLimits) -> CallError {
    CallError::Silent {
        host: host.to_owned(),
        seconds: limits.silence.as_secs(),
    }
}
