//! Calls to addresses that people type into settings: GitHub, and whatever else is named there. What is called may be
//! anything, so that a call reaches public addresses only, over https, follows no redirect, and ends soon and small.
//!
//! Which address that is, is looked at when it is connected to and not before: a name may lead elsewhere by then.
//! `allow_private_targets` names the private addresses that may be called all the same, also over plain http.

mod address;
mod dial;
mod resolver;
mod stream;
mod target;

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::config::Networks;
use crate::tls;
use resolver::{CheckedResolver, NotPermitted};

pub use stream::{AnswerStream, StreamLimits};
pub use target::{BadTarget, TargetUrl};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole call may take: look-up, connection, answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Header fields of an answer.
const MAX_HEADERS: usize = 100;

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    /// To public addresses, and to private ones that are allowed.
    https: Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>,
    /// To private ones that are allowed.
    http: Client<HttpConnector<CheckedResolver>, Full<Bytes>>,
    /// For what is no HTTP.
    tls: Arc<rustls::ClientConfig>,
    allowed: Arc<Networks>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer. The words are for people: they say what to do, and nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address is none that may be called.
    #[error("{0}")]
    Target(#[from] BadTarget),
    /// The name leads to private addresses only.
    #[error(
        "{host} has no public address, so it is not called; allow_private_targets (PLUMBLINE_ALLOW_PRIVATE_TARGETS) can \
         allow it"
    )]
    Private { host: String },
    #[error("{host} did not answer within {} s", CALL_TIMEOUT.as_secs())]
    TimedOut { host: String },
    /// It stopped in the middle of an answer that is read as it comes, or did not begin one.
    #[error("{host} was silent for {seconds} s, or took too long in all")]
    Silent { host: String, seconds: u64 },
    /// Its name is unknown, nothing listens there, or its certificate is not trusted.
    #[error("{host} can't be reached: {cause}")]
    Unreachable { host: String, cause: String },
    /// The connection broke, or what came is no HTTP.
    #[error("{host} broke off its answer")]
    Broken { host: String },
    #[error("{host} answered with more than {} KiB", limit / 1024)]
    TooLarge { host: String, limit: usize },
}

impl Outbound {
    /// Reaches public addresses, and those of `allowed`.
    pub fn new(allowed: Networks) -> anyhow::Result<Self> {
        Self::with(allowed, tls::client_config()?)
    }

    /// Trusts nobody but one certificate.
    #[cfg(test)]
    pub(crate) fn trusting(allowed: Networks, certificate: &[u8]) -> anyhow::Result<Self> {
        Self::with(allowed, tls::trusting(certificate)?)
    }

    fn with(allowed: Networks, tls: rustls::ClientConfig) -> anyhow::Result<Self> {
        let allowed = Arc::new(allowed);
        let connector = |only_allowed: bool| {
            let resolver = CheckedResolver::new(Arc::clone(&allowed), only_allowed);
            let mut http = HttpConnector::new_with_resolver(resolver);
            http.enforce_http(only_allowed);
            http.set_nodelay(true);
            http.set_connect_timeout(Some(CONNECT_TIMEOUT));
            http
        };
        let mut client = Client::builder(TokioExecutor::new());
        client
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(2)
            .http1_max_headers(MAX_HEADERS);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_only()
            .enable_http1()
            .wrap_connector(connector(false));
        Ok(Self {
            https: client.build(https),
            http: client.build(connector(true)),
            tls: Arc::new(tls),
            allowed,
        })
    }

    /// Reads an address that somebody typed.
    pub fn target(&self, url: &str) -> Result<TargetUrl, BadTarget> {
        TargetUrl::parse(url, &self.allowed)
    }

    /// Sends a request and reads its answer, of at most `max_bytes`. The request's own address is ignored. Redirects
    /// are answers like any other.
    pub async fn send(
        &self,
        target: &TargetUrl,
        request: Request<Bytes>,
        max_bytes: usize,
    ) -> Result<Answer, CallError> {
        let host = target.host().to_owned();
        let (mut parts, body) = request.into_parts();
        parts.uri = target.uri().clone();
        let request = Request::from_parts(parts, Full::new(body));
        let call = async {
            let sent = if target.is_plain() {
                self.http.request(request).await
            } else {
                self.https.request(request).await
            };
            let answer = sent.map_err(|cause| failure(&host, &cause))?;
            whole(&host, answer, max_bytes).await
        };
        timeout(CALL_TIMEOUT, call)
            .await
            .unwrap_or_else(|_elapsed| Err(CallError::TimedOut { host: host.clone() }))
    }
}

async fn whole(
    host: &str,
    answer: axum::http::Response<Incoming>,
    max_bytes: usize,
) -> Result<Answer, CallError> {
    let (parts, mut body) = answer.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| CallError::Broken {
            host: host.to_owned(),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max_bytes {
            return Err(CallError::TooLarge {
                host: host.to_owned(),
                limit: max_bytes,
            });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: bytes.freeze(),
    })
}

/// What a failure is in words. Those of libraries are for the log's reader; the last of them says the most.
fn failure(host: &str, cause: &ClientError) -> CallError {
    let host = host.to_owned();
    if !cause.is_connect() {
        return CallError::Broken { host };
    }
    let mut source = cause.source();
    let mut last = String::new();
    while let Some(inner) = source {
        if inner.is::<NotPermitted>() {
            return CallError::Private { host };
        }
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return CallError::TimedOut { host };
        }
        last = inner.to_string();
        source = match io.and_then(|io| io.get_ref()) {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => inner.source(),
        };
    }
    CallError::Unreachable { host, cause: last }
}

/// Whether an address may be called: a public one, or one of `allowed`.
fn is_permitted(address: IpAddr, allowed: &Networks, only_allowed: bool) -> bool {
    allowed.contains(address) || (!only_allowed && address::is_public(address))
}

#[cfg(test)]
mod tests;
