//! Answers in OTLP's words.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use otlp::wire::{ExportResponse, PartialSuccess, RpcStatus};
use prost::Message as _;
use serde_json::json;

use super::{Format, credentials, is_ours};
use crate::error::ErrorReport;
use crate::request_id::RequestId;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Spans,
    Logs,
    Metrics,
}

/// All was kept.
pub(super) fn all(format: Format) -> Response {
    success(format, None, Signal::Spans)
}

/// Some was not kept, which sending again would not change.
pub(super) fn partly(format: Format, signal: Signal, rejected: usize, message: &str) -> Response {
    let partial_success = PartialSuccess {
        rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: message.to_owned(),
    };
    success(format, Some(partial_success), signal)
}

fn success(format: Format, partial_success: Option<PartialSuccess>, signal: Signal) -> Response {
    match format {
        Format::Protobuf => written(format, ExportResponse { partial_success }.encode_to_vec()),
        Format::Json => {
            let rejected = match signal {
                Signal::Spans => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
                Signal::Metrics => "rejectedDataPoints",
            };
            let body = match partial_success {
                // 64-bit integers are strings in the JSON of protobuf.
                Some(partly) => json!({"partialSuccess": {
                    rejected: partly.rejected.to_string(), "errorMessage": partly.error_message,
                }}),
                None => json!({}),
            };
            written(format, body.to_string().into_bytes())
        }
    }
}

fn written(format: Format, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, mime(format))], body).into_response()
}

fn mime(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    })
}

/// Middleware around everything below the paths of OTLP: the key as it may be sent there, and failures as a
/// `google.rpc.Status`.
pub(crate) async fn in_their_words(mut request: Request, next: Next) -> Response {
    if !is_ours(request.uri().path()) || request.method() != Method::POST {
        return next.run(request).await;
    }
    credentials::as_bearer(request.headers_mut());
    // What is sent in a type that is unknown can be answered in any.
    let format = format_of_answer(request.headers());
    let request_id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_success() {
        return response;
    }
    let report = response.extensions_mut().remove::<Arc<ErrorReport>>();
    let id = request_id.map_or_else(String::new, |RequestId(id)| id);
    if let Some(report) = report.as_ref().filter(|_| status.is_server_error()) {
        let cause = report.cause.as_ref().map(|cause| format!("{cause:#}"));
        tracing::error!(
            request_id = id,
            status = status.as_u16(),
            code = report.code,
            cause,
            "spans were not kept"
        );
    }
    let message = match &report {
        Some(report) => report.message.clone(),
        None if status == StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than 64 MiB".to_owned(),
        None => status.canonical_reason().unwrap_or("failed").to_owned(),
    };
    let message = format!("{message} (request {id})");
    let code = rpc_code(status);
    let body = match format {
        Format::Protobuf => RpcStatus { code, message }.encode_to_vec(),
        Format::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, mime(format));
    Response::from_parts(parts, Body::from(body))
}

fn format_of_answer(headers: &HeaderMap) -> Format {
    Format::of(headers).unwrap_or(Format::Json)
}

/// The code of `google.rpc` for a status of HTTP.
pub(super) fn rpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        404 => 5,
        405 => 12,
        408 | 504 => 4,
        413 | 429 => 8,
        503 => 14,
        500.. => 13,
        _ => 3,
    }
}
