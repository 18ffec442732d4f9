//! A provider of models that is made up: it speaks Anthropic's, OpenAI's and Google's streams, says what a test wrote down,
//! and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

pub(crate) const KEY: &str = "sk-canary-0123456789-model";

/// What comes next.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Text(String),
    /// A call of a tool.
    Call {
        name: String,
        arguments: Value,
    },
    /// An answer that is none.
    Status {
        code: u16,
        headers: Vec<(&'static str, &'static str)>,
        body: Value,
    },
    /// A text that breaks off.
    Cut(String),
    /// A text that comes after a while.
    Slow(Duration, String),
    /// Nothing, and the connection stays open.
    Silence,
    /// These bytes instead of a stream.
    Raw(&'static str, String),
}

impl Say {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn call(name: &str, arguments: Value) -> Self {
        Self::Call {
            name: name.to_owned(),
            arguments,
        }
    }

    pub(crate) fn busy(code: u16, retry_after: &'static str) -> Self {
        Self::Status {
            code,
            headers: vec![("retry-after", retry_after)],
            body: json!({ "error": { "type": "busy", "message": "come back later" } }),
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// The key that came along.
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
}

/// The provider. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ModelStandIn {
    pub(crate) origin: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Say>,
    asked: Vec<Asked>,
}

impl ModelStandIn {
    /// Says these, one after the other, and `pong` from then on.
    pub(crate) async fn saying(script: Vec<Say>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            script: script.into(),
            asked: Vec::new(),
        }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await.ok() });
        Self { origin, inner }
    }

    pub(crate) fn then(&self, say: Say) {
        self.inner.lock().unwrap().script.push_back(say);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }
}

#[derive(Clone, Copy)]
enum Format {
    Anthropic,
    Chat,
    Gemini,
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response<Body> {
    let (request, body) = request.into_parts();
    let path = request.uri.path().to_owned();
    let format = if path.ends_with("/messages") {
        Format::Anthropic
    } else if path.ends_with("/chat/completions") {
        Format::Chat
    } else {
        Format::Gemini
    };
    let header = |name: &str| {
        let value = request.headers.get(name)?.to_str().unwrap();
        Some(value.trim_start_matches("Bearer ").to_owned())
    };
    let key = header("x-api-key")
        .or_else(|| header("authorization"))
        .or_else(|| header("x-goog-api-key"));
    let body = axum::body::to_bytes(body, 4 << 20).await.unwrap();
    let say = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(Asked {
            path,
            key,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        });
        inner.script.pop_front().unwrap_or_else(|| Say::text("pong"))
    };
    match say {
        Say::Text(text) => events(streamed(format, &text, None)),
        Say::Call { name, arguments } => events(streamed(format, "", Some((&name, &arguments)))),
        Say::Cut(text) => {
            let mut pieces = streamed(format, &text, None);
            pieces.truncate(pieces.len() - 2);
            broken(pieces)
        }
        Say::Slow(wait, text) => {
            tokio::time::sleep(wait).await;
            events(streamed(format, &text, None))
        }
        Say::Silence => {
            let never = stream::pending::<Result<Bytes, std::io::Error>>();
            sse().body(Body::from_stream(never)).unwrap()
        }
        Say::Status { code, headers, body } => {
            let mut response = Response::builder().status(code);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body.to_string())).unwrap()
        }
        Say::Raw(kind, text) => Response::builder()
            .header("content-type", kind)
            .body(Body::from(text))
            .unwrap(),
    }
}

fn sse() -> axum::http::response::Builder {
    Response::builder().header("content-type", "text/event-stream")
}

/// A stream in pieces that end anywhere.
fn events(pieces: Vec<String>) -> Response<Body> {
    let bytes = pieces.concat().into_bytes();
    let cut: Vec<Result<Bytes, std::io::Error>> = bytes
        .chunks(37)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    sse().body(Body::from_stream(stream::iter(cut))).unwrap()
}

/// A stream whose connection ends before it does.
fn broken(pieces: Vec<String>) -> Response<Body> {
    let pieces = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
    let end = stream::iter([Err(std::io::Error::other("cut"))]);
    sse().body(Body::from_stream(pieces.chain(end))).unwrap()
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// The events of an answer. It used 1,000 tokens of input and 50 of output.
fn streamed(format: Format, text: &str, call: Option<(&str, &Value)>) -> Vec<String> {
    match format {
        Format::Anthropic => anthropic(text, call),
        Format::Chat => chat(text, call),
        Format::Gemini => gemini(text, call),
    }
}

fn anthropic(text: &str, call: Option<(&str, &Value)>) -> Vec<String> {
    let mut events = vec![data(&json!({
        "type": "message_start",
        "message": { "model": "claude-haiku-4-5-20251001", "usage": { "input_tokens": 1_000, "output_tokens": 1 } },
    }))];
    if let Some((name, arguments)) = call {
        events.push(data(&json!({
            "type": "content_block_start", "index": 0,
            "content_block": { "type": "tool_use", "id": "toolu_1", "name": name, "input": {} },
        })));
        let json = arguments.to_string();
        for piece in json.as_bytes().chunks(200) {
            let piece = String::from_utf8_lossy(piece).into_owned();
            events.push(data(&json!({
                "type": "content_block_delta", "index": 0,
                "delta": { "type": "input_json_delta", "partial_json": piece },
            })));
        }
    } else {
        events.push(data(&json!({
            "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" },
        })));
        events.push(data(&json!({
            "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text },
        })));
    }
    let stop = if call.is_some() { "tool_use" } else { "end_turn" };
    events.push(data(&json!({
        "type": "message_delta", "delta": { "stop_reason": stop }, "usage": { "output_tokens": 50 },
    })));
    events.push(data(&json!({ "type": "message_stop" })));
    events
}

fn chat(text: &str, call: Option<(&str, &Value)>) -> Vec<String> {
    let chunk = |delta: Value, finish: Option<&str>| {
        data(&json!({ "model": "gpt-5-mini", "choices": [{ "delta": delta, "finish_reason": finish }] }))
    };
    let mut events = Vec::new();
    if let Some((name, arguments)) = call {
        let call =
            |function: Value| json!({ "tool_calls": [{ "index": 0, "id": "call_1", "function": function }] });
        events.push(chunk(call(json!({ "name": name, "arguments": "" })), None));
        events.push(chunk(
            json!({ "tool_calls": [{ "index": 0, "function": { "arguments": arguments.to_string() } }] }),
            None,
        ));
    } else {
        events.push(chunk(json!({ "content": text }), None));
    }
    let stop = if call.is_some() { "tool_calls" } else { "stop" };
    events.push(chunk(json!({}), Some(stop)));
    events.push(data(&json!({
        "model": "gpt-5-mini", "choices": [],
        "usage": { "prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050 },
    })));
    events.push("data: [DONE]\n\n".to_owned());
    // The cut takes the last two: of a broken stream the end must not have been said.
    if call.is_none() {
        let end = events.split_off(1);
        events.push(end.concat());
        events.push(String::new());
    }
    events
}

fn gemini(text: &str, call: Option<(&str, &Value)>) -> Vec<String> {
    let part = match call {
        Some((name, arguments)) => json!({ "functionCall": { "name": name, "args": arguments } }),
        None => json!({ "text": text }),
    };
    vec![
        data(
            &json!({ "candidates": [{ "content": { "parts": [part] } }], "modelVersion": "gemini-2.5-flash" }),
        ),
        data(&json!({
            "candidates": [{ "finishReason": "STOP" }], "modelVersion": "gemini-2.5-flash",
            "usageMetadata": { "promptTokenCount": 1_000, "candidatesTokenCount": 50, "totalTokenCount": 1_050 },
        })),
        String::new(),
    ]
}
