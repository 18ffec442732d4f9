//! OpenTelemetry over gRPC: `TraceService/Export`, and the same of logs and metrics, which are turned away. A unary call
//! of gRPC is one framed message in a request of HTTP/2 and one in its answer, with the status in the trailers; that much
//! is written by hand here instead of bringing tonic with a second router, codecs and code for four kinds of calls.

mod frame;

use std::io::Read as _;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut as _, Bytes, BytesMut};
use domain::Scope;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, Full};
use otlp::wire::{self, ExportResponse, PartialSuccess};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message;
use tokio::sync::OwnedSemaphorePermit;

use self::frame::PREFIX_BYTES;
use super::answer::rpc_code;
use super::{Format, KEPT_ALONE, Signal, credentials, keep};
use crate::blocking::run_blocking_if_large;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::request_body::{self, BodyBudget, MAX_BATCH_BYTES};
use crate::state::AppState;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// How much is unpacked at a time.
const UNPACKED_AT_ONCE: usize = 256 * 1024;
/// Of `google.rpc.Code`.
const UNIMPLEMENTED: i32 = 12;

/// The characters of a `grpc-message` that are encoded; those beyond ASCII are in any case.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// Why a call failed, in gRPC's words.
#[derive(Debug)]
struct Failure {
    code: i32,
    message: String,
    /// Seconds after which to try again; exporters do so only where this is said or the code is UNAVAILABLE.
    retry_after_seconds: Option<u32>,
}

impl Failure {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_seconds: None,
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        if error.status.is_server_error() {
            let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
            tracing::error!(
                status = error.status.as_u16(),
                code = error.code,
                cause,
                "spans were not kept"
            );
        }
        Self {
            code: rpc_code(error.status),
            message: error.message,
            retry_after_seconds: error.retry_after_seconds,
        }
    }
}

/// Answers a call. Everything but another protocol is 200 in HTTP's words.
pub(crate) async fn respond(state: &AppState, request: Request) -> Response {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|mime| mime.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        let message =
            "This port speaks gRPC: use OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or send HTTP to the other port\n";
        let mut response = Response::new(Body::from(message));
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    match export(state, request).await {
        Ok(message) => success(&message),
        Err(failure) => failed(&failure),
    }
}

async fn export(state: &AppState, request: Request) -> Result<ExportResponse, Failure> {
    let (mut parts, body) = request.into_parts();
    let signal = match parts.uri.path() {
        TRACES => Signal::Spans,
        LOGS => Signal::Logs,
        METRICS => Signal::Metrics,
        _ => {
            let message = "Plumbline has opentelemetry.proto.collector.trace.v1.TraceService/Export alone";
            return Err(Failure::new(UNIMPLEMENTED, message));
        }
    };
    credentials::as_bearer(&mut parts.headers);
    let caller = state.auth.key_actor(&parts.headers, Scope::Ingest).await?;
    if matches!(signal, Signal::Spans) {
        state.key_limits.admit(&caller)?;
    }
    let (bytes, _budget) = message_of(&parts.headers, body, &state.body_budget).await?;
    let (rejected, error_message) = match signal {
        Signal::Spans => {
            let kept = keep(state, &caller, Format::Protobuf, bytes, clock::now()).await?;
            (kept.without_ids, kept.words())
        }
        Signal::Logs => {
            let count = run_blocking_if_large(bytes.len(), || wire::log_records(&bytes, false));
            (count, KEPT_ALONE.to_owned())
        }
        Signal::Metrics => {
            let count = run_blocking_if_large(bytes.len(), || wire::data_points(&bytes, false));
            (count, KEPT_ALONE.to_owned())
        }
    };
    let partial_success = (rejected > 0).then(|| PartialSuccess {
        rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message,
    });
    Ok(ExportResponse { partial_success })
}

/// The one message of a call, unpacked, and the memory that it holds.
async fn message_of(
    headers: &HeaderMap,
    body: Body,
    budget: &BodyBudget,
) -> Result<(Bytes, OwnedSemaphorePermit), Failure> {
    let (framed, permit) = request_body::read(headers, body, MAX_BATCH_BYTES + PREFIX_BYTES, budget).await?;
    match frame::message_of(framed) {
        Ok(frame::Message::Plain(message)) => Ok((message, permit)),
        Ok(frame::Message::Packed(packed)) => {
            let encoding = headers.get("grpc-encoding").map(HeaderValue::as_bytes);
            if encoding != Some(b"gzip") {
                let message = "Messages may be compressed with gzip alone";
                return Err(Failure::new(UNIMPLEMENTED, message));
            }
            let unpacked = run_blocking_if_large(packed.len(), || unpack(&packed, permit, budget))?;
            Ok(unpacked)
        }
        Err(message) => Err(Failure::new(rpc_code(StatusCode::BAD_REQUEST), message)),
    }
}

/// Unpacks gzip. The permit grows with what has been unpacked, whatever was announced.
fn unpack(
    packed: &[u8],
    mut permit: OwnedSemaphorePermit,
    budget: &BodyBudget,
) -> HttpResult<(Bytes, OwnedSemaphorePermit)> {
    let mut decoder = MultiGzDecoder::new(packed);
    let mut bytes = BytesMut::new();
    let mut part = vec![0; UNPACKED_AT_ONCE];
    loop {
        let read = decoder.read(&mut part).map_err(|cause| HttpError {
            cause: Some(cause.into()),
            ..HttpError::new(
                StatusCode::BAD_REQUEST,
                "unreadable_body",
                "The message is no gzip",
            )
        })?;
        let Some(more) = part.get(..read).filter(|more| !more.is_empty()) else {
            return Ok((bytes.freeze(), permit));
        };
        if bytes.len() + more.len() > MAX_BATCH_BYTES {
            return Err(request_body::too_large(MAX_BATCH_BYTES));
        }
        permit.merge(request_body::take(budget, more.len())?);
        bytes.extend_from_slice(more);
    }
}

fn success(message: &ExportResponse) -> Response {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    framed.extend_from_slice(&message.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    of_grpc(response.headers_mut());
    response
}

/// A failure has no message: its status stands among the headers.
fn failed(failure: &Failure) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    of_grpc(headers);
    headers.insert("grpc-status", HeaderValue::from(failure.code));
    let message = utf8_percent_encode(&failure.message, MESSAGE).to_string();
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
    if let Some(seconds) = failure.retry_after_seconds {
        let status = DetailedStatus {
            code: failure.code,
            message: failure.message.clone(),
            details: vec![Detail {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: RetryInfo {
                    retry_delay: Some(Delay {
                        seconds: i64::from(seconds),
                    }),
                }
                .encode_to_vec(),
            }],
        };
        let details = STANDARD_NO_PAD.encode(status.encode_to_vec());
        if let Ok(details) = HeaderValue::from_str(&details) {
            headers.insert("grpc-status-details-bin", details);
        }
    }
    response
}

fn of_grpc(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
}

/// `google.rpc.Status` with what its details say.
#[derive(Clone, PartialEq, Message)]
struct DetailedStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}
