//! The proxy changes nothing: what arrives at the provider and what comes back are what a direct call would have been.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::people::default_project;
use crate::upstream::{Arrived, Upstream, whole};

/// A server whose calls go to a provider of the test's.
pub(crate) async fn proxied() -> (TestApp, Upstream) {
    let upstream = Upstream::start().await;
    let origin = upstream.origin.clone();
    let app = TestApp::with(|config| {
        config.upstream_anthropic = origin.parse().unwrap();
        config.upstream_openai = origin.parse().unwrap();
        config.upstream_timeout_s = 30;
    })
    .await;
    (app, upstream)
}

/// How many calls wait on disk.
pub(crate) async fn spooled(app: &TestApp) -> usize {
    let metrics = app.client.get(app.url("/metrics")).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("plumbline_spool_records "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Returns when every call is written, also those that went to the disk first because the machine is slow.
pub(crate) async fn written(app: &TestApp) {
    app.state.recorder.settled().await;
    while spooled(app).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The only step of a run, once everything is written.
pub(crate) async fn recorded(app: &TestApp, run: &str) -> Value {
    written(app).await;
    let project = default_project(app).await;
    let steps = storage::steps::of_run(
        &mut app.state.db.snapshot(project.id).await.unwrap(),
        project.id,
        run,
        10,
    )
    .await
    .unwrap();
    assert_eq!(steps.len(), 1, "{run}: {steps:?}");
    serde_json::to_value(&steps[0]).unwrap()
}

/// The texts and attributes of the only step of a run.
pub(crate) async fn payload(app: &TestApp, run: &str) -> Value {
    let step = recorded(app, run).await;
    let id = step["step_id"].as_str().unwrap();
    app.get(&format!("/api/runs/{run}/steps/{id}/payload")).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_is_what_was_sent() {
    let (app, mut upstream) = proxied().await;
    // Odd spacing, an odd number and bytes that are no UTF-8: nothing of it may be tidied up.
    let body: &[u8] = b"{ \"model\":\"m\",\n\t\"max_tokens\": 1.0e2, \"x\":\"\xff\\u0041\" }";
    let call = app
        .client
        .post(app.url("/v1/messages?beta=true&x=%2F"))
        .header("x-api-key", "sk-ant-1")
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "a")
        .header("anthropic-beta", "b")
        .header("user-agent", "sdk/1.0")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("accept", "*/*")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .header("x-plumbline-run", "r")
        .header("x-plumbline-whatever", "1")
        .header("x-llmtrace-session", "s")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("content-type", "application/json")
        .body(body);
    let (_, arrived) = tokio::join!(call.send(), async {
        let arrived = upstream.next().await;
        let seen = (arrived.request_line().to_owned(), arrived.body.clone());
        let headers = arrived.head.clone();
        arrived.json("200 OK", "{}").await;
        (seen, headers)
    });
    let ((line, received), head) = arrived;
    assert_eq!(line, "POST /v1/messages?beta=true&x=%2F HTTP/1.1");
    assert_eq!(received, body);
    let mut headers: Vec<&str> = head.lines().skip(1).filter(|line| !line.is_empty()).collect();
    headers.sort_unstable();
    let host = format!("host: {}", upstream.origin.trim_start_matches("http://"));
    let length = format!("content-length: {}", body.len());
    let mut expected = vec![
        "accept-encoding: gzip, deflate, br, zstd",
        "accept: */*",
        "anthropic-beta: a",
        "anthropic-beta: b",
        "anthropic-version: 2023-06-01",
        &length,
        "content-type: application/json",
        &host,
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "user-agent: sdk/1.0",
        "x-api-key: sk-ant-1",
    ];
    expected.sort_unstable();
    assert_eq!(headers, expected);
}

/// Headers of an answer, sorted, without the one that speaks of the connection alone and the two that keep an answer from
/// acting as a page of this server.
fn lines(response: &reqwest::Response) -> Vec<String> {
    let mut lines: Vec<String> = response
        .headers()
        .iter()
        .filter(|(name, _)| {
            !["connection", "content-security-policy", "x-content-type-options"].contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_what_a_direct_call_gets() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(br#"{"model":"claude-x","content":[{"type":"text","text":"packed"}]}"#)
        .unwrap();
    let gzip = gzip.finish().unwrap();
    let date = "date: Sat, 21 Nov 2026 10:00:00 GMT\r\n";
    let json = "content-type: application/json\r\n";
    let limits = "request-id: req_1\r\nx-request-id: theirs\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nanthropic-ratelimit-requests-remaining: 7\r\n";
    let check = async |path: &str, answer: Vec<u8>| {
        let origin = Upstream::answering(answer).await;
        let app = TestApp::with(|config| {
            config.upstream_anthropic = origin.parse().unwrap();
            config.upstream_openai = origin.parse().unwrap();
        })
        .await;
        // The body must not be unpacked by the client: both are compared as they came.
        let client = reqwest::Client::builder()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let call = async |origin: &str| {
            let call = client.post(format!("{origin}{path}")).body("{\"model\":\"m\"}");
            let response = call.send().await.unwrap();
            let seen = (response.status(), lines(&response));
            (seen, response.bytes().await.unwrap())
        };
        assert_eq!(call(&app.origin).await, call(&origin).await, "{path}");
    };
    check(
        "/v1/messages",
        whole("200 OK", &format!("{date}{json}{limits}"), b"{ \"odd\" :1}"),
    )
    .await;
    check(
        "/v1/chat/completions",
        whole("200 OK", &format!("{date}{json}{limits}"), b"\xff\x00 no json"),
    )
    .await;
    check(
        "/v1/messages",
        whole(
            "200 OK",
            &format!("{date}{json}content-encoding: gzip\r\n"),
            &gzip,
        ),
    )
    .await;
    check(
        "/v1/messages",
        whole(
            "529 Overloaded",
            &format!("{date}{json}retry-after: 3\r\nx-should-retry: true\r\n"),
            b"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        ),
    )
    .await;
    check(
        "/v1/embeddings",
        whole(
            "302 Found",
            &format!("{date}location: https://elsewhere.example\r\n"),
            b"",
        ),
    )
    .await;
    check("/v1/responses", whole("200 OK", date, b"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_step_passes_too() {
    let (app, mut upstream) = proxied().await;
    let check = async |request: reqwest::RequestBuilder, upstream: &mut Upstream, line: &str| {
        let (answer, ()) = tokio::join!(request.send(), async {
            let arrived = upstream.next().await;
            assert_eq!(arrived.request_line(), line);
            arrived.json("200 OK", r#"{"input_tokens":3}"#).await;
        });
        assert_eq!(answer.unwrap().text().await.unwrap(), r#"{"input_tokens":3}"#);
    };
    let client = &app.client;
    for (request, line) in [
        (
            client.post(app.url("/v1/messages/count_tokens")).body("{}"),
            "POST /v1/messages/count_tokens HTTP/1.1",
        ),
        (
            client.get(app.url("/v1/models?limit=5")),
            "GET /v1/models?limit=5 HTTP/1.1",
        ),
        (
            client.get(app.url("/v1/models/gpt-x")),
            "GET /v1/models/gpt-x HTTP/1.1",
        ),
        (
            client.get(app.url("/v1/responses/r1")),
            "GET /v1/responses/r1 HTTP/1.1",
        ),
        (
            client.delete(app.url("/v1/responses/r1")),
            "DELETE /v1/responses/r1 HTTP/1.1",
        ),
        (
            client.post(app.url("/v1/responses/r1/cancel")),
            "POST /v1/responses/r1/cancel HTTP/1.1",
        ),
    ] {
        check(request, &mut upstream, line).await;
    }
    app.state.recorder.settled().await;
    assert_eq!(app.get("/api/runs").await.1["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_those_of_the_provider_that_the_headers_name() {
    let mut anthropic = Upstream::start().await;
    let mut openai = Upstream::start().await;
    let app = TestApp::with(|config| {
        config.upstream_anthropic = anthropic.origin.parse().unwrap();
        // What speaks like OpenAI may lie below a path.
        config.upstream_openai = format!("{}/openai/", openai.origin).parse().unwrap();
    })
    .await;
    let models = || app.client.get(app.url("/v1/models"));
    let answer = async |arrived: Arrived| {
        let line = arrived.request_line().to_owned();
        arrived.json("200 OK", "{}").await;
        line
    };
    let (_, line) = tokio::join!(models().header("x-api-key", "sk-ant").send(), async {
        answer(anthropic.next().await).await
    });
    assert_eq!(line, "GET /v1/models HTTP/1.1");
    let (_, line) = tokio::join!(models().bearer_auth("sk-1").send(), async {
        answer(openai.next().await).await
    });
    assert_eq!(line, "GET /openai/v1/models HTTP/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_and_are_recorded() {
    let (app, mut upstream) = proxied().await;
    let text = "lorem ipsum ".repeat(100_000);
    let prompt = json!({"model": "gpt-x", "messages": [{"role": "user", "content": text}]}).to_string();
    assert!(prompt.len() > 1_000_000);
    let call = app
        .client
        .post(app.url("/v1/chat/completions"))
        .header("x-plumbline-run", "large")
        .body(prompt.clone());
    let (answer, ()) = tokio::join!(async { call.send().await.unwrap().bytes().await }, async {
        let arrived = upstream.next().await;
        assert!(arrived.body == prompt.as_bytes());
        let body = json!({"model": "gpt-x-1", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}]});
        arrived.json("200 OK", &body.to_string()).await;
    });
    assert!(answer.unwrap().len() > 1_000_000);
    let texts = payload(&app, "large").await;
    assert!(texts["input"] == prompt.as_str() && texts["output"] == text.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_to_keep_passes_all_the_same() {
    let (app, mut upstream) = proxied().await;
    let body = vec![b' '; 33 * 1024 * 1024];
    let call = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-run", "huge")
        .body(body.clone());
    let (answer, ()) = tokio::join!(async { call.send().await.unwrap().bytes().await }, async {
        let mut arrived = upstream.next().await;
        assert!(arrived.body == body);
        arrived.begin_stream().await;
        let start =
            r#"{"type":"message_start","message":{"id":"m1","model":"claude-x","usage":{"input_tokens":9}}}"#;
        arrived
            .chunk(format!("event: message_start\ndata: {start}\n\n"))
            .await;
        let text = "x".repeat(1024 * 1024);
        for _ in 0..34 {
            let delta = format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
            );
            arrived.chunk(format!("data: {delta}\n\n")).await;
        }
        let end =
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":77}}"#;
        arrived
            .chunk(format!("data: {end}\n\ndata: {{\"type\":\"message_stop\"}}\n\n"))
            .await;
        arrived.end().await;
    });
    assert!(answer.unwrap().len() > 34 * 1024 * 1024);
    let step = recorded(&app, "huge").await;
    assert_eq!(
        (&step["model"], &step["status"]),
        (&json!("claude-x"), &json!("ok"))
    );
    assert_eq!(step["tokens"]["output"], 77, "{step}");
    let texts = payload(&app, "huge").await;
    assert_eq!((&texts["input"], &texts["output"]), (&Value::Null, &Value::Null));
    assert_eq!(texts["attributes"]["input_not_kept"], true);
    assert_eq!(texts["attributes"]["output_not_kept"], true);
    let (_, run) = app.get("/api/runs/huge").await;
    let conditions = run["steps"][0]["conditions"].as_array().unwrap();
    // Neither a blank prompt nor an empty answer: both were there.
    let judged = |code| conditions.iter().any(|condition| condition["code"] == code);
    assert!(!judged(1003) && !judged(1008), "{conditions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_can_be_asked_for_without_its_body() {
    let (app, mut upstream) = proxied().await;
    let answered = async {
        let mut arrived = upstream.next().await;
        assert!(arrived.head.starts_with("HEAD /v1/models "), "{}", arrived.head);
        arrived
            .send(b"HTTP/1.1 200 OK\r\ncontent-length: 27\r\nx-models: 3\r\n\r\n")
            .await;
    };
    let asked = app.client.head(app.url("/v1/models")).send();
    let (answer, ()) = tokio::join!(asked, answered);
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["content-length"], "27");
    assert_eq!(answer.headers()["x-models"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_waits_now() {
    let (app, mut upstream) = proxied().await;
    let figures = async || {
        let metrics = app.client.get(app.url("/metrics")).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse::<usize>().unwrap()
        };
        [
            figure("plumbline_proxy_unfinished_calls "),
            figure("plumbline_proxy_queued_calls "),
            figure("plumbline_proxy_copied_bytes "),
        ]
    };
    let body = json!({ "model": "gpt-5.2", "messages": [] });
    let asked = app
        .client
        .post(app.url("/v1/chat/completions"))
        .json(&body)
        .send();
    let answered = async {
        let mut arrived = upstream.next().await;
        let [unfinished, _, copied] = figures().await;
        assert_eq!((unfinished, copied > 0), (1, true), "a call is under way");
        arrived.send(&whole("200 OK", "", b"{}")).await;
    };
    let (answer, ()) = tokio::join!(asked, answered);
    answer.unwrap().bytes().await.unwrap();
    written(&app).await;
    assert_eq!(figures().await, [0, 0, 0]);
}
