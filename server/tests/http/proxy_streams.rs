//! Streams: every chunk is passed on as it comes, and what becomes of a call that does not reach its end.

use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::proxy::{payload, proxied, recorded};
use crate::upstream::{Arrived, Upstream};

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x-1\",\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const HELLO: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n";
const WORLD: &str = "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" world\"}}\r\n\r\n";
const END: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn chunk(delta: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"model\":\"gpt-x-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{delta}\"}},\"finish_reason\":null}}],\"usage\":null}}\n\n"
    )
}
const USAGE: &str = "data: {\"id\":\"c1\",\"model\":\"gpt-x-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Sends a streaming call and returns the answer's head and what arrived at the provider.
async fn begin(
    app: &TestApp,
    upstream: &mut Upstream,
    path: &str,
    run: &str,
    body: &str,
) -> (reqwest::Response, Arrived) {
    let call = app
        .client
        .post(app.url(path))
        .header("x-plumbline-run", run)
        .body(body.to_owned());
    let (answer, arrived) = tokio::join!(call.send(), async {
        let mut arrived = upstream.next().await;
        arrived.begin_stream().await;
        arrived
    });
    (answer.unwrap(), arrived)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chunk_is_passed_on_before_the_next_is_sent() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(
        &app,
        &mut upstream,
        "/v1/messages",
        "r",
        r#"{"model":"claude-x","stream":true}"#,
    )
    .await;
    let mut chunks = answer.bytes_stream();
    let mut all = Vec::new();
    for chunk in [
        START,
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        HELLO,
        WORLD,
        END,
    ] {
        // The next chunk is sent only after this one has come out.
        arrived.chunk(chunk).await;
        assert_eq!(chunks.next().await.unwrap().unwrap(), chunk);
        all.push(chunk);
    }
    arrived.end().await;
    assert!(chunks.next().await.is_none());
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["stop_reason"]),
        (&json!("ok"), &json!("end_turn"))
    );
    assert_eq!(
        (&step["model"], &step["request_model"]),
        (&json!("claude-x-1"), &json!("claude-x"))
    );
    assert_eq!(
        (
            &step["tokens"]["input_fresh"],
            &step["tokens"]["cache_read"],
            &step["tokens"]["output"]
        ),
        (&json!(25), &json!(7), &json!(15))
    );
    assert_eq!(step["stream_incomplete"], false);
    let (ttft, gap, latency) = (
        step["ttft_ms"].as_f64().unwrap(),
        step["max_gap_ms"].as_f64().unwrap(),
        step["latency_ms"].as_f64().unwrap(),
    );
    assert!(
        0.0 < ttft && ttft < latency && gap > 0.0 && gap < latency,
        "{step}"
    );
    let texts = payload(&app, "r").await;
    assert_eq!(texts["output"], "Hello world");
    assert_eq!(texts["input"], r#"{"model":"claude-x","stream":true}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_takes_the_call_along() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/messages", "r", "{}").await;
    let mut chunks = answer.bytes_stream();
    arrived.chunk(format!("{START}{HELLO}")).await;
    chunks.next().await.unwrap().unwrap();
    drop(chunks);
    arrived.gone().await;
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["error"]),
        (&json!("aborted"), &Value::Null)
    );
    assert_eq!(step["tokens"]["input_fresh"], 25);
    assert_eq!(payload(&app, "r").await["output"], "Hello");
    // Who presses Stop breaks nothing.
    assert_eq!(step["stream_incomplete"], false);
    let (_, run) = app.get("/api/runs/r").await;
    assert_eq!(run["steps"][0]["severity"], "ok", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_does_not_wait_for_the_head_takes_the_call_along() {
    let (app, mut upstream) = proxied().await;
    let call = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-run", "r")
        .body("{\"model\":\"m\"}")
        .send();
    let arrived = tokio::select! {
        _ = call => panic!("nothing was answered"),
        arrived = upstream.next() => arrived,
    };
    arrived.gone().await;
    assert_eq!(recorded(&app, "r").await["status"], "aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_who_goes_away_is_seen_to() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/messages", "r", "{}").await;
    arrived.chunk(format!("{START}{HELLO}")).await;
    drop(arrived);
    let mut chunks = answer.bytes_stream();
    assert_eq!(chunks.next().await.unwrap().unwrap(), format!("{START}{HELLO}"));
    assert!(chunks.next().await.unwrap().is_err(), "the cut is hidden");
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["error_class"], &step["stream_incomplete"]),
        (&json!("error"), &json!("upstream_disconnected"), &json!(true))
    );
    assert_eq!(payload(&app, "r").await["output"], "Hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_last_event_is_incomplete() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/messages", "r", "{}").await;
    arrived.chunk(format!("{START}{HELLO}")).await;
    arrived.end().await;
    answer.bytes().await.unwrap();
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["stream_incomplete"]),
        (&json!("ok"), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_a_stream_is_the_steps() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/messages", "r", "{}").await;
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    arrived.chunk(format!("{START}{error}")).await;
    arrived.end().await;
    answer.bytes().await.unwrap();
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["error"], &step["error_class"]),
        (&json!("error"), &json!("Overloaded"), &json!("overloaded_error"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_asked_for_unnoticed_by_both_sides() {
    let (app, mut upstream) = proxied().await;
    let body = r#"{"model":"gpt-x", "stream": true,"messages":[]}"#;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/chat/completions", "r", body).await;
    assert_eq!(
        String::from_utf8_lossy(&arrived.body),
        r#"{"stream_options":{"include_usage":true},"model":"gpt-x", "stream": true,"messages":[]}"#
    );
    assert_eq!(
        arrived.header("content-length"),
        Some(&*arrived.body.len().to_string())
    );
    assert_eq!(arrived.header("accept-encoding"), Some("identity"));
    let mut chunks = answer.bytes_stream();
    for word in ["Hel", "lo"] {
        arrived.chunk(chunk(word)).await;
        assert_eq!(chunks.next().await.unwrap().unwrap(), chunk(word));
    }
    // Half of the usage comes with half of what follows.
    let (first, second) = USAGE.split_at(50);
    arrived.chunk(first).await;
    arrived.chunk(format!("{second}{DONE}")).await;
    arrived.end().await;
    let mut rest = Vec::new();
    while let Some(chunk) = chunks.next().await {
        rest.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(String::from_utf8(rest).unwrap(), DONE);
    let step = recorded(&app, "r").await;
    assert_eq!(
        (
            &step["tokens"]["input_fresh"],
            &step["tokens"]["cache_read"],
            &step["tokens"]["output"]
        ),
        (&json!(6), &json!(3), &json!(4))
    );
    assert_eq!(step["stream_incomplete"], false);
    let texts = payload(&app, "r").await;
    assert_eq!(
        (&texts["input"], &texts["output"]),
        (&json!(body), &json!("Hello"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_was_asked_for_is_passed_on() {
    let (app, mut upstream) = proxied().await;
    let body = r#"{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true}}"#;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/chat/completions", "r", body).await;
    assert_eq!(arrived.body, body.as_bytes());
    let stream = [&*chunk("Hi"), USAGE, DONE].concat();
    arrived.chunk(&stream).await;
    arrived.end().await;
    assert_eq!(answer.text().await.unwrap(), stream);
    assert_eq!(recorded(&app, "r").await["tokens"]["output"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_pass_unchanged() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(
        &app,
        &mut upstream,
        "/v1/chat/completions",
        "r",
        r#"{"stream":true,"model":"gpt-x"}"#,
    )
    .await;
    let word = "x".repeat(10_000);
    let (sent, received) = tokio::join!(
        async {
            let mut sent = String::new();
            for _ in 0..1_000 {
                sent.push_str(&chunk(&word));
            }
            // Chunks that end anywhere.
            for chunk in sent.as_bytes().chunks(7_001) {
                arrived.chunk(chunk).await;
            }
            arrived.chunk(format!("{USAGE}{DONE}")).await;
            arrived.end().await;
            sent + DONE
        },
        answer.text()
    );
    assert!(received.unwrap() == sent);
    assert_eq!(recorded(&app, "r").await["tokens"]["output"], 4);
    assert_eq!(
        payload(&app, "r").await["output"].as_str().unwrap().len(),
        10_000_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_are_one_step_each() {
    let (app, upstream) = proxied().await;
    let mut upstream = upstream;
    let calls = (0..200).map(|call| {
        app.client
            .post(app.url("/v1/messages"))
            .header("x-plumbline-run", "many")
            .header("x-plumbline-step", format!("call-{call}"))
            .body("{}")
            .send()
    });
    let serving = async {
        for _ in 0..200 {
            let arrived = upstream.next().await;
            tokio_util::task::TaskTracker::new().spawn(arrived.stream(&[START, HELLO, END]));
        }
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(calls), serving);
    for answer in answers {
        assert_eq!(
            answer.unwrap().text().await.unwrap(),
            [START, HELLO, END].concat()
        );
    }
    app.state.recorder.settled().await;
    let (_, run) = app.get("/api/runs/many").await;
    assert_eq!(run["run"]["step_count"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_are_recorded_when_the_server_stops() {
    let (app, mut upstream) = proxied().await;
    let (answer, mut arrived) = begin(&app, &mut upstream, "/v1/messages", "r", "{}").await;
    arrived.chunk(format!("{START}{HELLO}")).await;
    let mut chunks = answer.bytes_stream();
    chunks.next().await.unwrap().unwrap();
    app.state.recorder.finish().await;
    assert!(chunks.next().await.unwrap().is_err());
    let step = recorded(&app, "r").await;
    assert_eq!(
        (&step["status"], &step["error_class"]),
        (&json!("error"), &json!("server_stopped"))
    );
}
