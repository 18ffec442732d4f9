//! OTLP's messages for traces, as protobuf and as JSON: as much of them as is read.
//!
//! Written by hand and not taken from `opentelemetry-proto`, because its JSON takes 64-bit integers as strings alone,
//! and the specification has senders write either; and because it brings the SDK along.

mod json;
mod other;
mod size;

use prost::Message;
use serde::Deserialize;

pub use other::{data_points, log_records};
pub use size::MAX_VALUES;

/// Why bytes are no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It has more than [`MAX_VALUES`] values.
    TooManyValues,
    /// What is sent to `/v1/logs`.
    Logs,
    /// What is sent to `/v1/metrics`.
    Metrics,
    /// It can't be read; the reason in words.
    Unreadable(String),
}

/// `ExportTraceServiceRequest`, which is `TracesData`, the form of files.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TracesData {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::or_default")]
    pub scope_spans: Vec<ScopeSpans>,
}

/// Who sends: a service, a host.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::or_default")]
    pub spans: Vec<Span>,
}

/// Which instrumentation made the spans.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Scope {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub name: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::or_default")]
    pub version: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "json::id")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "json::id")]
    pub span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(deserialize_with = "json::id")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "json::or_default")]
    pub name: String,
    /// Nanoseconds since 1970; 0 where it is not told.
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "json::unsigned")]
    pub start_time_unix_nano: u64,
    /// Nanoseconds since 1970; 0 while it runs.
    #[prost(fixed64, tag = "8")]
    #[serde(deserialize_with = "json::unsigned")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    #[serde(deserialize_with = "json::or_default")]
    pub attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    #[serde(deserialize_with = "json::or_default")]
    pub events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    #[serde(deserialize_with = "json::or_default")]
    pub links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// Nanoseconds since 1970; 0 where it is not told.
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "json::unsigned")]
    pub time_unix_nano: u64,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::or_default")]
    pub name: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "json::or_default")]
    pub attributes: Vec<KeyValue>,
}

/// A span of another trace that this one has to do with.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Link {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "json::id")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "json::id")]
    pub span_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "json::or_default")]
    pub message: String,
    /// 0 nothing said, 1 well, 2 failed.
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "json::small")]
    pub code: i32,
}

impl Status {
    /// The code of failure.
    pub const ERROR: i32 = 2;
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Any {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::or_default")]
    pub values: Vec<KeyValue>,
}

/// Reads a protobuf request.
pub fn of_protobuf(bytes: &[u8]) -> Result<TracesData, Malformed> {
    size::of_protobuf(bytes)?;
    match TracesData::decode(bytes) {
        Ok(data) if data.spans().nth(MAX_SPANS).is_some() => Err(Malformed::TooManyValues),
        // The messages of other signals may look like spans, but for their ids.
        Ok(data) if data.has_spans() && !data.has_ids() => match size::other_signal(bytes) {
            Some(other) => Err(other),
            None => Ok(data),
        },
        Ok(data) => Ok(data),
        Err(cause) => {
            Err(size::other_signal(bytes).unwrap_or_else(|| Malformed::Unreadable(cause.to_string())))
        }
    }
}

impl TracesData {
    fn spans(&self) -> impl Iterator<Item = &Span> {
        let scopes = self.resource_spans.iter().flat_map(|of| &of.scope_spans);
        scopes.flat_map(|of| &of.spans)
    }

    fn has_spans(&self) -> bool {
        self.spans().next().is_some()
    }

    fn has_ids(&self) -> bool {
        self.spans().any(|span| span.trace_id.len() == TRACE_ID_BYTES)
    }
}

/// The most spans of one request: each becomes a step of a kilobyte and more.
pub const MAX_SPANS: usize = 100_000;
/// How long a trace's id is.
pub(crate) const TRACE_ID_BYTES: usize = 16;
/// How long a span's id is.
pub(crate) const SPAN_ID_BYTES: usize = 8;

/// Reads a JSON request.
pub fn of_json(bytes: &[u8]) -> Result<TracesData, Malformed> {
    size::of_json(bytes)?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Malformed::Unreadable("expected a JSON object".to_owned()));
    }
    let data: TracesData =
        serde_json::from_slice(bytes).map_err(|cause| Malformed::Unreadable(cause.to_string()))?;
    if data.spans().nth(MAX_SPANS).is_some() {
        return Err(Malformed::TooManyValues);
    }
    if data.resource_spans.is_empty()
        && let Some(other) = json::other_signal(bytes)
    {
        return Err(other);
    }
    Ok(data)
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportResponse {
    /// Absent when all went well.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// What was not kept, and why. The same message for spans, log records and data points.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `google.rpc.Status`, the body of a failure.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
