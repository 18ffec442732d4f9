//! OpenTelemetry over HTTP: what exporters send, and what they are answered.

use otlp::wire::{Any, AnyValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message as _;
use serde_json::{Value, json};

use crate::app::TestApp;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";
const START_NANO: u64 = 1_000_000_000;

/// An attribute.
pub(crate) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::String(value.to_owned()))
}

/// A span of trace 1: number `id` (1 to 255) in `parent` (0 for a root), begun `id` milliseconds after now.
pub(crate) fn span(id: u8, parent: u8, name: &str, attributes: Vec<KeyValue>) -> Span {
    let now_nano = u64::try_from(server::clock::now().micros()).unwrap() * 1_000;
    let start = now_nano - START_NANO + u64::from(id) * 1_000_000;
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: name.to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + 250_000_000,
        attributes,
        ..Span::default()
    }
}

/// The run of those spans.
pub(crate) fn run_id() -> String {
    "ab".repeat(16)
}

/// A call of a model, in the words of the semantic conventions.
pub(crate) fn call(id: u8, parent: u8, input: i64, output: i64) -> Span {
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        pair("gen_ai.usage.input_tokens", Any::Int(input)),
        pair("gen_ai.usage.output_tokens", Any::Int(output)),
        text(
            "gen_ai.input.messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"Rain?"}]}]"#,
        ),
        text(
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[{"type":"text","content":"Yes."}]}]"#,
        ),
    ];
    span(id, parent, "chat gpt-4o", attributes)
}

pub(crate) fn request(spans: Vec<Span>) -> TracesData {
    let resource = Resource {
        attributes: vec![
            text("service.name", "travel"),
            text("service.version", "4f2a91c"),
            text("deployment.environment.name", "production"),
        ],
    };
    TracesData {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope: None, spans }],
        }],
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: String,
    pub(crate) retry_after: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn protobuf<M: prost::Message + Default>(&self) -> M {
        assert_eq!(self.content_type, PROTOBUF);
        M::decode(self.body.as_slice()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.content_type, JSON);
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) async fn send(app: &TestApp, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = app
        .client
        .post(app.url(path))
        .header("content-type", content_type);
    finish(request.body(body)).await
}

pub(crate) async fn finish(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    Answer {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default(),
        retry_after: header("retry-after"),
        body: response.bytes().await.unwrap().to_vec(),
    }
}

/// Sends spans and asserts that all of them were kept.
pub(crate) async fn export(app: &TestApp, spans: Vec<Span>) {
    let answer = send(app, "/v1/traces", PROTOBUF, request(spans).encode_to_vec()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{:?}", answer.body);
}

/// Lets the quiet time pass after which a run of which nothing comes is complete.
pub(crate) async fn fall_quiet(app: &TestApp) {
    let later = server::clock::now().plus_micros(domain::run::QUIET_MICROS);
    server::waiting_runs::end_due(&app.state.db, &app.state.live, later, &app.shutdown)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_spans_are_a_run_with_cost() {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let agent = span(
        1,
        0,
        "invoke_agent travel",
        vec![
            text("gen_ai.operation.name", "invoke_agent"),
            text("session.id", "s-1"),
        ],
    );
    let tool = span(
        3,
        1,
        "execute_tool weather",
        vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", "weather"),
            text("gen_ai.tool.call.arguments", "{\"city\":\"Bonn\"}"),
            text("gen_ai.tool.call.result", "wet"),
            text("shop", "north"),
        ],
    );
    export(&app, vec![call(2, 1, 1_000, 100), tool, agent]).await;
    fall_quiet(&app).await;

    let (_, read) = app.get(&format!("/api/runs/{}", run_id())).await;
    let run = &read["run"];
    assert_eq!((&run["step_count"], &run["status"]), (&json!(3), &json!("ok")));
    assert_eq!(run["name"], "invoke_agent travel");
    assert_eq!(
        (&run["session_id"], &run["environment"]),
        (&json!("s-1"), &json!("production"))
    );
    assert_eq!(run["release"], "4f2a91c");
    // 1,000 tokens at $2.50 and 100 at $10 a million.
    assert_eq!(run["cost_usd"], "0.0035");
    let of = |id: u8| {
        let id = hex(id);
        read["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["step_id"] == *id)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&of(1)["kind"], &of(2)["kind"], &of(3)["kind"]),
        (&json!("agent"), &json!("llm"), &json!("tool"))
    );
    assert_eq!(of(2)["parent_step_id"], *hex(1));
    assert_eq!(
        (&of(2)["latency_ms"], &of(2)["provider"]),
        (&json!(250), &json!("openai"))
    );
    assert_eq!(of(3)["tool_name"], "weather");
    let payload = async |id: u8| {
        app.get(&format!("/api/runs/{}/steps/{}/payload", run_id(), hex(id)))
            .await
            .1
    };
    let input = payload(2).await["input"].as_str().unwrap().to_owned();
    let asked: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(asked, json!({"messages": [{"role": "user", "content": "Rain?"}]}));
    assert_eq!(payload(2).await["output"], "Yes.");
    assert_eq!(payload(3).await["output"], "wet");
    let attributes = &payload(3).await["attributes"];
    assert_eq!(
        (&attributes["shop"], &attributes["service.name"]),
        (&json!("north"), &json!("travel"))
    );
}

fn hex(id: u8) -> String {
    format!("{id:02x}").repeat(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_compressed_or_not_is_answered_in_json() {
    use std::io::Write as _;
    let app = TestApp::new().await;
    let now = server::clock::now().micros() * 1_000;
    let body = |id: &str| {
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "AB".repeat(16), "spanId": id.repeat(8), "name": "chat", "kind": 3,
            "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 1_000_000).to_string(),
            "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}}],
        }]}]}]})
        .to_string()
    };
    let answer = send(
        &app,
        "/v1/traces",
        "application/json; charset=utf-8",
        body("01").into_bytes(),
    )
    .await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(body("02").as_bytes()).unwrap();
    let packed = app
        .client
        .post(app.url("/v1/traces"))
        .header("content-type", JSON)
        .header("content-encoding", "gzip");
    let answer = finish(packed.body(gzip.finish().unwrap())).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let (_, read) = app.get(&format!("/api/runs/{}", run_id())).await;
    assert_eq!(read["run"]["step_count"], 2);
    assert_eq!(read["run"]["tokens"]["input_fresh"], 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request_is_well() {
    let app = TestApp::new().await;
    let answer = send(&app, "/v1/traces", PROTOBUF, Vec::new()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.content_type, PROTOBUF);
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_of_others_send_to_their_own_paths() {
    let app = TestApp::new().await;
    let project = crate::people::default_project(&app).await;
    let now = server::clock::now();
    let key = storage::keys::add(
        &app.state.db,
        project.id,
        "sdk",
        &[domain::Scope::Ingest],
        "test",
        now,
    )
    .await
    .unwrap()
    .secret;
    let body = |id| request(vec![call(id, 0, 1, 1)]).encode_to_vec();
    let to = |path: &str| app.client.post(app.url(path)).header("content-type", PROTOBUF);
    let langfuse = to("/api/public/otel/v1/traces").basic_auth("pk-lf-1", Some(&key));
    assert_eq!(finish(langfuse.body(body(1))).await.status, 200);
    // Where no key is needed, their own may stay.
    let theirs = to("/api/public/otel/v1/traces").basic_auth("pk-lf-1", Some("sk-lf-2"));
    assert_eq!(finish(theirs.body(Vec::<u8>::new())).await.status, 200);
    let broken = to("/api/public/otel/v1/traces").basic_auth("pk-lf-1", Some("pl_live_no"));
    assert_eq!(finish(broken.body(Vec::<u8>::new())).await.status, 401);
    let traceroot = to("/api/v1/public/traces").bearer_auth(&key);
    assert_eq!(finish(traceroot.body(body(2))).await.status, 200);
    let encoded = to("/v1/traces").header("authorization", format!("Bearer%20{key}"));
    assert_eq!(finish(encoded.body(body(3))).await.status, 200);
    let (_, read) = app.get(&format!("/api/runs/{}", run_id())).await;
    assert_eq!(
        (&read["run"]["step_count"], &read["run"]["key"]),
        (&json!(3), &json!("sdk"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_larger_than_a_batch_is_kept_whole() {
    let app = TestApp::new().await;
    let many = |n: u16| {
        let mut span = call(1, 0, 1, 1);
        span.span_id = [&[1; 6][..], &n.to_be_bytes()].concat();
        span
    };
    export(&app, (0..2_500).map(many).collect()).await;
    assert_eq!(
        app.get(&format!("/api/runs/{}", run_id())).await.1["run"]["step_count"],
        2_500
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_traces_are_dropped_where_a_project_says_so_and_counted() {
    let app = TestApp::new().await;
    let plain = |id, parent| span(id, parent, "GET /", vec![text("http.request.method", "GET")]);
    let put = |body: Value| crate::app::answer(app.client.put(app.url("/api/settings/spans")).json(&body));
    assert_eq!(
        app.get("/api/settings/spans").await.1,
        json!({"keep_plain": true})
    );
    assert_eq!(put(json!({"keep_plain": 5})).await.0, 400);
    assert_eq!(
        put(json!({"keep_plain": false})).await,
        (200, json!({"keep_plain": false}))
    );
    export(&app, vec![plain(2, 1)]).await;
    assert_eq!(app.get(&format!("/api/runs/{}", run_id())).await.0, 404);
    // What lies around a call of a model is a part of its run.
    export(&app, vec![plain(3, 4), call(4, 1, 1, 1)]).await;
    export(&app, vec![plain(1, 0)]).await;
    assert_eq!(
        app.get(&format!("/api/runs/{}", run_id())).await.1["run"]["step_count"],
        3
    );
    let (_, ledger) = app.get("/api/ledger").await;
    let items = ledger["items"].as_array().unwrap();
    let sum = |field: &str| {
        items
            .iter()
            .filter_map(|minute| minute[field].as_i64())
            .sum::<i64>()
    };
    assert_eq!((sum("received"), sum("stored")), (4, 3));
    assert!(ledger.to_string().contains("plain_span"), "{ledger}");
    assert_eq!(put(json!({"keep_plain": true})).await.0, 200);
    let mut other = plain(9, 0);
    other.trace_id = vec![0xcd; 16];
    export(&app, vec![other]).await;
    fall_quiet(&app).await;
    assert_eq!(
        app.get(&format!("/api/runs/{}", "cd".repeat(16))).await.1["run"]["status"],
        "ok"
    );
    // The form of the settings sends a box only where it is ticked.
    let browser = crate::people::Browser::new(&app);
    for (fields, keeps) in [(vec![], false), (vec![("keep_plain", "on")], true)] {
        let saved = browser.post("/p/default/settings/spans", &fields).await;
        assert_eq!(
            (saved.status, saved.location.as_str()),
            (303, "/p/default/settings?done=saved")
        );
        assert_eq!(
            app.get("/api/settings/spans").await.1,
            json!({ "keep_plain": keeps })
        );
    }
}
