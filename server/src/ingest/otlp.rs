//! OpenTelemetry over HTTP (over gRPC in `grpc.rs`): `POST /v1/traces`, in protobuf and JSON, and the paths where the SDKs of others send the
//! same. Exporters read nothing but OTLP's own words: every answer below these paths is in them, and in the type of
//! what was sent.

mod answer;
mod chunks;
mod credentials;
pub(crate) mod grpc;
mod plain;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use domain::{Scope, Timestamp};
use http_body_util::Limited;
use otlp::wire::{self, Malformed};
use utoipa::OpenApi;

use crate::auth::Caller;
use crate::blocking::run_blocking_if_large;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::pipeline::Submission;
use crate::request_body::{self, MAX_BATCH_BYTES};
use crate::state::AppState;

use answer::Signal;
pub(crate) use answer::in_their_words;
use chunks::chunks;
pub(crate) use chunks::{containers_last, in_parts, step_of_record, step_of_span};

/// Where spans are sent: OpenTelemetry's own path, Langfuse's, TraceRoot's.
const TRACES: [&str; 3] = [
    "/v1/traces",
    "/api/public/otel/v1/traces",
    "/api/v1/public/traces",
];
const LOGS: [&str; 2] = ["/v1/logs", "/api/public/otel/v1/logs"];
const METRICS: [&str; 2] = ["/v1/metrics", "/api/public/otel/v1/metrics"];

/// The ways in; bodies are unpacked by who mounts them.
pub(super) fn routes() -> Router<AppState> {
    let router = at_each(Router::new(), &TRACES, &post(traces));
    let router = at_each(router, &LOGS, &post(logs));
    at_each(router, &METRICS, &post(metrics))
}

fn at_each(router: Router<AppState>, paths: &[&str], method: &MethodRouter<AppState>) -> Router<AppState> {
    paths
        .iter()
        .fold(router, |router, path| router.route(path, method.clone()))
}

/// What is read of a body before it is unpacked. A little more than of one that is not packed, so that those are refused
/// as too large.
const MAX_PACKED_BYTES: usize = MAX_BATCH_BYTES + 1024 * 1024;

/// Ends a body that is too large before it is unpacked: what it unpacks to may be nothing.
pub(super) async fn within_packed_limit(request: Request) -> Request {
    request.map(|body| Body::new(Limited::new(body, MAX_PACKED_BYTES)))
}

/// Whether a path is one of these.
fn is_ours(path: &str) -> bool {
    [&TRACES[..], &LOGS, &METRICS]
        .iter()
        .any(|paths| paths.contains(&path))
}

/// What the route says of itself.
#[derive(OpenApi)]
#[openapi(paths(traces))]
pub(crate) struct Documented;

/// How a body is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mime = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match mime.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn required(headers: &HeaderMap) -> HttpResult<Self> {
        Self::of(headers).ok_or_else(|| {
            let message = "Content-Type must be application/x-protobuf or application/json";
            HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_type", message)
        })
    }
}

/// Store spans as OpenTelemetry's exporters send them; answered after the commit
#[utoipa::path(post, path = "/v1/traces", operation_id = "export_traces", tag = "ingest",
    security(("key" = []), ()),
    request_body(content = String, content_type = "application/x-protobuf",
        description = "An `ExportTraceServiceRequest` as protobuf or, with `application/json`, as OTLP's JSON; may be compressed"),
    responses((status = 200, description = "What was kept is on disk: an `ExportTraceServiceResponse`"),
        (status = 400, description = "It can't be read; a `google.rpc.Status`, as of all failures"),
        (status = 503, description = "Nothing was written; send it again after `Retry-After` seconds")))]
async fn traces(State(state): State<AppState>, request: Request) -> HttpResult<Response> {
    let (parts, body) = request.into_parts();
    let caller = state.auth.key_actor(&parts.headers, Scope::Ingest).await?;
    state.key_limits.admit(&caller)?;
    let format = Format::required(&parts.headers)?;
    let (bytes, _budget) =
        request_body::read(&parts.headers, body, MAX_BATCH_BYTES, &state.body_budget).await?;
    let kept = keep(&state, &caller, format, bytes, clock::now()).await?;
    Ok(match kept.without_ids {
        0 => answer::all(format),
        some => answer::partly(format, Signal::Spans, some, &kept.words()),
    })
}

/// What became of a request's spans.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Those that are none, and were not kept.
    without_ids: usize,
}

impl Kept {
    /// What is said of those that were not kept.
    fn words(self) -> String {
        format!(
            "{} spans have no valid trace_id (16 bytes, not all zero) or span_id (8 bytes) and were not kept",
            self.without_ids
        )
    }
}

/// Stores the spans of a request, whichever protocol brought it. Returns after the commit.
async fn keep(
    state: &AppState,
    caller: &Caller,
    format: Format,
    bytes: Bytes,
    received_at: Timestamp,
) -> HttpResult<Kept> {
    let decoded = run_blocking_if_large(bytes.len(), || decode(format, &bytes, received_at));
    drop(bytes);
    let read = match decoded {
        Ok(read) => read,
        Err(error) => {
            let reasons = vec![error.code];
            state
                .pipeline
                .record_rejections(caller, received_at, reasons)
                .await;
            return Err(error);
        }
    };
    let without_ids = read.without_ids;
    let mut rejected = vec![WITHOUT_IDS; without_ids];
    if read.spans.is_empty() && without_ids > 0 {
        state
            .pipeline
            .record_rejections(caller, received_at, rejected)
            .await;
        return Err(HttpError::new(StatusCode::BAD_REQUEST, WITHOUT_IDS, NO_SPANS));
    }
    let (mut spans, plain) = plain::without_plain(state, caller.project_id, read.spans).await?;
    spans.sort_by_key(|span| containers_last(&span.step));
    rejected.extend(vec![plain::REASON; plain]);
    for steps in chunks(spans) {
        let submission = Submission::new(caller, received_at, steps, std::mem::take(&mut rejected));
        let submission = submission.that_may_repeat_usage().that_may_grow();
        state.pipeline.submit(submission).await?;
    }
    Ok(Kept { without_ids })
}

/// Why a span is none, in the ledger.
const WITHOUT_IDS: &str = "no_span_ids";
const NO_SPANS: &str = "No span of this request has a trace_id and a span_id. Were logs or metrics sent to the path of traces? Point only the trace exporter (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) here";

fn decode(format: Format, bytes: &[u8], received_at: Timestamp) -> HttpResult<otlp::ReadSpans> {
    let data = match format {
        Format::Protobuf => wire::of_protobuf(bytes),
        Format::Json => wire::of_json(bytes),
    };
    let bad = |code, message: String| Err(HttpError::new(StatusCode::BAD_REQUEST, code, message));
    match data {
        Ok(data) => Ok(otlp::read(data, received_at)),
        Err(Malformed::TooManyValues) => Err(HttpError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!(
                "The request has more than {} spans, or more than {} spans, attributes and events together; send \
                 smaller batches",
                wire::MAX_SPANS,
                wire::MAX_VALUES
            ),
        )),
        Err(Malformed::Logs) => bad(
            "other_signal",
            "These are logs, and this is the path of traces. Send traces here; logs are not kept".to_owned(),
        ),
        Err(Malformed::Metrics) => bad(
            "other_signal",
            "These are metrics, and this is the path of traces. Send traces here; metrics are not kept"
                .to_owned(),
        ),
        Err(Malformed::Unreadable(cause)) => bad(
            "invalid_otlp",
            format!("The body is not an ExportTraceServiceRequest in the type it names: {cause}"),
        ),
    }
}

/// What senders of logs and metrics are told.
const KEPT_ALONE: &str = "Plumbline keeps traces alone; turn this exporter off (OTEL_LOGS_EXPORTER=none, OTEL_METRICS_EXPORTER=none)";

/// Logs are turned away in a way that no exporter tries again, or shouts.
async fn logs(State(state): State<AppState>, request: Request) -> HttpResult<Response> {
    turn_away(&state, request, Signal::Logs).await
}

/// The same of metrics.
async fn metrics(State(state): State<AppState>, request: Request) -> HttpResult<Response> {
    turn_away(&state, request, Signal::Metrics).await
}

async fn turn_away(state: &AppState, request: Request, signal: Signal) -> HttpResult<Response> {
    let (parts, body) = request.into_parts();
    state.auth.key_actor(&parts.headers, Scope::Ingest).await?;
    let format = Format::required(&parts.headers)?;
    let (bytes, _budget) =
        request_body::read(&parts.headers, body, MAX_BATCH_BYTES, &state.body_budget).await?;
    let is_json = format == Format::Json;
    let count = run_blocking_if_large(bytes.len(), || match signal {
        Signal::Metrics => wire::data_points(&bytes, is_json),
        Signal::Logs | Signal::Spans => wire::log_records(&bytes, is_json),
    });
    Ok(answer::partly(format, signal, count, KEPT_ALONE))
}
