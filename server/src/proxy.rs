//! The proxy: programs point the base URL of their provider's SDK here, and every call becomes a step.
//!
//! **Invariants:** what passes is not changed, in neither direction, but for hop-by-hop headers, our own, and the
//! request for the usage of an OpenAI stream, which neither side notices; nothing waits for recording;
//! where calls go is configuration, never part of a request.

pub mod api;
pub mod call;
pub mod capture;
pub mod decode;
pub mod exchange;
pub mod headers;
pub mod include_usage;
pub mod meter;
pub mod recorder;
pub mod refusal;
pub mod refused;
pub mod request;
pub mod request_context;
mod routes;
pub mod sse;
pub mod step;
pub mod tee_body;
pub mod unfinished;
pub mod upstream;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::FutureExt as _;

use crate::auth::credentials::Credentials;
use crate::auth::{Auth, Caller, guard};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::key_limits::KeyLimits;
use crate::metrics::Metrics;
use crate::redaction::Redaction;
use api::{Api, Provider};
use call::Call;
use exchange::{Ended, Exchange};
use include_usage::ChunkRemover;
use recorder::Recorder;
use refusal::refuse;
use refused::{Replayed, refuses_question};
use request::Sent;
use request_context::RequestContext;
use routes::Found;
use tee_body::TeeBody;
use upstream::Upstreams;

pub use routes::{ROUTES, Route, is_ours};

/// How many headers a request may have, and an answer of a provider's.
pub const MAX_HEADERS: usize = 500;

const MISPLACED: &str = "This is a Plumbline key in place of the provider's, so nothing was forwarded. Put it into the header X-Plumbline-Key, and the provider's key where its SDK puts it";

/// What a call passes on its way through.
#[derive(Clone, Copy)]
pub struct Proxy<'a> {
    pub auth: &'a Auth,
    pub key_limits: &'a KeyLimits,
    pub redaction: &'a Redaction,
    pub upstreams: &'a Upstreams,
    pub recorder: &'a Recorder,
    pub metrics: &'a Metrics,
}

/// Answers what [`is_ours`]. Nothing that touches other answers stands before it.
pub async fn respond(proxy: Proxy<'_>, request: Request) -> Response {
    let response = match routes::find(request.method(), request.uri().path()) {
        Found::Route(route) => {
            let provider = route.provider(request.headers());
            AssertUnwindSafe(answer(proxy, provider, route.api, request))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| panicked(provider, panic.as_ref()))
        }
        Found::OtherMethods(methods) => wrong_method(&request, &methods),
        Found::Nothing => unknown(&request),
    };
    let class = usize::from(response.status().as_u16() / 100);
    if let Some(counter) = proxy.metrics.responses.get(class) {
        counter.inc();
    }
    response
}

fn unknown(request: &Request) -> Response {
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    let hint = if request.uri().path().starts_with("//") {
        "; the base URL has an extra slash at its end"
    } else {
        ""
    };
    let message = format!("the proxy forwards only {}{hint}", paths.join(", "));
    let error = HttpError::new(StatusCode::NOT_FOUND, "not_found", message);
    refuse(Provider::of(request.headers()), &error)
}

fn wrong_method(request: &Request, allowed: &[&str]) -> Response {
    let message = "this route does not support this method";
    let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    let mut response = refuse(Provider::of(request.headers()), &error);
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn panicked(provider: Provider, panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let what = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = what, "the proxy panicked");
    refuse(
        provider,
        &HttpError::internal(anyhow::anyhow!("panic: {}", what.unwrap_or_default())),
    )
}

async fn answer(proxy: Proxy<'_>, provider: Provider, api: Option<Api>, request: Request) -> Response {
    match pass(proxy, provider, api, request).await {
        Ok(response) => response,
        Err(error) => {
            if error.status.is_server_error() {
                let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
                tracing::warn!(code = error.code, cause, "a call was not forwarded");
            }
            refuse(provider, &error)
        }
    }
}

async fn pass(
    proxy: Proxy<'_>,
    provider: Provider,
    api: Option<Api>,
    request: Request,
) -> HttpResult<Response> {
    let (parts, body) = request.into_parts();
    guard::one_host(&parts.headers)?;
    if headers::has_misplaced_key(&parts.uri, &parts.headers) {
        return Err(HttpError::unauthorized(MISPLACED));
    }
    let caller = proxy.auth.proxy_caller(&parts.uri, &parts.headers).await?;
    if api.is_some() {
        proxy.key_limits.admit(&caller)?;
    }
    proxy.redaction.learn(caller.project_id);
    let upstreams = proxy.upstreams;
    let upstream = upstreams.of(provider);
    let target = upstream.target(&parts.uri).ok_or_else(|| {
        let message =
            "a path with a segment `.` or `..`, or one that is not valid in a URL, is not forwarded";
        HttpError::new(StatusCode::BAD_REQUEST, "invalid_url", message)
    })?;
    upstream.note_call(clock::now());
    let mut held = proxy.recorder.held();
    let Sent { body, whole } = request::read(body, &mut held).await?;

    let asks = api.is_some_and(Api::has_usage_on_request)
        && upstream.asks_for_usage()
        && !parts.headers.contains_key(header::CONTENT_ENCODING);
    let edited = whole
        .as_ref()
        .filter(|_| asks)
        .and_then(|whole| include_usage::ask_for_usage(whole));
    let unedited = whole.clone().filter(|_| edited.is_some());
    let mut call = api.map(|api| {
        let exchange = exchange(proxy.recorder, api, caller, &parts, whole, held);
        let exchange = Exchange {
            provider: upstream.provider.clone(),
            ..exchange
        };
        Call::begin(proxy.recorder.clone(), Box::new(exchange))
    });

    let stopping = proxy.recorder.stopping();
    let send = async |body: Body, edited_length: Option<usize>| {
        let mut sent = headers::to_upstream(&parts.headers, &upstream.host, edited_length.is_some());
        if let Some(length) = edited_length
            && sent.contains_key(header::CONTENT_LENGTH)
        {
            sent.insert(header::CONTENT_LENGTH, length.into());
        }
        let mut request = axum::http::Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = target.clone();
        *request.headers_mut() = sent;
        let answered = tokio::select! {
            answered = upstreams.send(request) => answered,
            () = stopping.cancelled() => Err((Ended::Stopped, None)),
        };
        answered.map(|answer| answer.map(Replayed::new))
    };
    let mut was_edited = edited.is_some();
    let edited_length = edited.as_ref().map(Vec::len);
    let mut answered = send(edited.map_or(body, Body::from), edited_length).await;
    if let (Some(unedited), Ok(answer)) = (unedited, &mut answered)
        && refuses_question(answer, &mut proxy.recorder.held(), upstreams.idle_timeout).await
    {
        // The caller gets the answer to what they sent.
        answered = send(Body::from(unedited), None).await;
        was_edited = false;
        if answered.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            upstream.stop_asking();
        }
    }
    let answered = match answered {
        Ok(answered) => answered,
        Err((ended, cause)) => {
            if let Some(call) = &mut call {
                call.end(ended);
            }
            return Err(no_answer(ended, cause, upstreams.idle_timeout));
        }
    };
    let (head, incoming) = answered.into_parts();
    if let Some(call) = &mut call {
        call.answered(head.status, &head.headers);
    }
    let is_readable =
        call::is_event_stream(&head.headers) && !head.headers.contains_key(header::CONTENT_ENCODING);
    let remover = (was_edited && is_readable).then(ChunkRemover::default);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = head.status;
    *response.headers_mut() = headers::to_caller(&head.headers, remover.is_some());
    *response.body_mut() = Body::new(TeeBody::new(
        incoming,
        call,
        remover,
        upstreams.idle_timeout,
        stopping,
    ));
    Ok(response)
}

fn exchange(
    recorder: &Recorder,
    api: Api,
    caller: Caller,
    parts: &request::Parts,
    whole: Option<bytes::Bytes>,
    held: capture::Reservation,
) -> Exchange {
    Exchange {
        api,
        caller,
        context: RequestContext::read(&parts.headers),
        credentials: Credentials::of(&parts.uri, &parts.headers),
        step_id: uuid::Uuid::now_v7().to_string(),
        provider: String::new(),
        started_at: clock::now(),
        request: whole,
        request_encoding: parts.headers.get(header::CONTENT_ENCODING).cloned(),
        answer: None,
        ended: Ended::CallerGone,
        latency: Duration::ZERO,
        held,
        pending: recorder.pending(),
    }
}

/// The error for the caller where no answer began.
fn no_answer(
    ended: Ended,
    cause: Option<hyper_util::client::legacy::Error>,
    idle_timeout: Duration,
) -> HttpError {
    let (status, code, message) = match ended {
        Ended::TimedOut => (
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            format!(
                "the provider did not answer in time; it may take {} s to answer (upstream_timeout_s)",
                idle_timeout.as_secs()
            ),
        ),
        Ended::Stopped => (
            StatusCode::SERVICE_UNAVAILABLE,
            "server_stopped",
            "the server is shutting down; try again in a moment".to_owned(),
        ),
        Ended::Cut => (
            StatusCode::BAD_GATEWAY,
            "upstream_disconnected",
            "the provider ended the connection without an answer".to_owned(),
        ),
        Ended::Malformed => (
            StatusCode::BAD_GATEWAY,
            "upstream_malformed",
            format!("the provider's answer has an invalid head, or more than {MAX_HEADERS} headers"),
        ),
        Ended::Unreachable | Ended::Whole | Ended::CallerGone => (
            StatusCode::BAD_GATEWAY,
            "upstream_unreachable",
            "no connection to the provider; `plumbline doctor` shows the address that is configured"
                .to_owned(),
        ),
    };
    HttpError {
        cause: cause.map(anyhow::Error::new),
        ..HttpError::new(status, code, message)
    }
}
