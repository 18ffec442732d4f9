//! What is not kept of what exporters send, and how they are told.

use otlp::wire::{ExportResponse, RpcStatus, Span};
use prost::Message as _;
use serde_json::json;

use crate::app::TestApp;
use crate::otlp::{JSON, PROTOBUF, call, finish, request, run_id, send};

#[tokio::test(flavor = "multi_thread")]
async fn spans_without_ids_are_told_and_the_others_kept() {
    let app = TestApp::new().await;
    let nameless = Span {
        trace_id: vec![0; 16],
        ..call(2, 0, 1, 1)
    };
    let body = request(vec![call(1, 0, 1, 1), nameless]);
    let answer = send(&app, "/v1/traces", PROTOBUF, body.encode_to_vec()).await;
    let partly = answer.protobuf::<ExportResponse>().partial_success.unwrap();
    assert_eq!((answer.status, partly.rejected), (200, 1));
    assert!(
        partly.error_message.contains("trace_id"),
        "{}",
        partly.error_message
    );
    let (_, ledger) = app.get("/api/ledger").await;
    let minute = &ledger["items"][0];
    assert_eq!((&minute["stored"], &minute["received"]), (&json!(1), &json!(2)));
    assert_eq!(
        app.get(&format!("/api/runs/{}", run_id())).await.1["run"]["step_count"],
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_statuses_in_the_type_of_the_request() {
    let app = TestApp::new().await;
    let check = async |content_type: &str, body: Vec<u8>, status: u16, words: &str| {
        let answer = send(&app, "/v1/traces", content_type, body).await;
        let message = if content_type == PROTOBUF {
            answer.protobuf::<RpcStatus>().message
        } else {
            answer.json()["message"].as_str().unwrap().to_owned()
        };
        assert_eq!(answer.status, status, "{message}");
        assert!(message.contains(words), "{message}");
    };
    check(PROTOBUF, b"nonsense".to_vec(), 400, "ExportTraceServiceRequest").await;
    check(JSON, b"{".to_vec(), 400, "ExportTraceServiceRequest").await;
    check(JSON, br#"{"resourceLogs":[{}]}"#.to_vec(), 400, "logs").await;
    let nameless = Span {
        trace_id: Vec::new(),
        ..call(1, 0, 1, 1)
    };
    check(
        PROTOBUF,
        request(vec![nameless]).encode_to_vec(),
        400,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    )
    .await;
    check("text/plain", b"{}".to_vec(), 415, "application/x-protobuf").await;
    check(PROTOBUF, vec![0; 64 * 1024 * 1024 + 1], 413, "64 MiB").await;

    let with = |name: &'static str, value: &'static str| {
        let request = app
            .client
            .post(app.url("/v1/traces"))
            .header("content-type", PROTOBUF);
        finish(request.header(name, value).body(Vec::<u8>::new()))
    };
    let unknown = with("authorization", "Bearer pl_live_nothing").await;
    assert_eq!((unknown.status, unknown.protobuf::<RpcStatus>().code), (401, 16));
    let unpacked = with("content-encoding", "lzma").await;
    assert_eq!(unpacked.status, 415);
    assert!(unpacked.protobuf::<RpcStatus>().message.contains("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_exporters_are_to_try_again() {
    let app = TestApp::new().await;
    app.state.db.close().await;
    let body = request(vec![call(1, 0, 1, 1)]).encode_to_vec();
    let answer = send(&app, "/v1/traces", PROTOBUF, body).await;
    assert_eq!((answer.status, answer.protobuf::<RpcStatus>().code), (503, 14));
    assert!(answer.retry_after.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused() {
    use std::io::Write as _;
    let app = TestApp::new().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let megabyte = vec![b' '; 1024 * 1024];
    for _ in 0..200 {
        gzip.write_all(&megabyte).unwrap();
    }
    let request = app
        .client
        .post(app.url("/v1/traces"))
        .header("content-type", JSON)
        .header("content-encoding", "gzip");
    let answer = finish(request.body(gzip.finish().unwrap())).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["message"].as_str().unwrap().contains("64 MiB"));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_are_turned_away_for_good() {
    let app = TestApp::new().await;
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {}]}]}]}).to_string();
    let answer = send(&app, "/v1/logs", JSON, body.into_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "2");
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "sum": {"dataPoints": [{}, {}, {}]}}]}]}]});
    let answer = send(&app, "/v1/metrics", JSON, body.to_string().into_bytes()).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedDataPoints"], "3");
    let answer = send(&app, "/v1/logs", PROTOBUF, Vec::new()).await;
    let message = answer
        .protobuf::<ExportResponse>()
        .partial_success
        .unwrap()
        .error_message;
    assert!(message.contains("OTEL_LOGS_EXPORTER=none"), "{message}");
}
