//! OpenTelemetry over gRPC, as any client of gRPC sends it: framed messages in HTTP/2, the status in the trailers.

use std::io::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp::wire::{ExportResponse, Span};
use prost::Message as _;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::alerts::put;
use crate::app::TestApp;
use crate::otlp::{call, request, run_id};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What a call was answered.
#[derive(Debug)]
struct Answer {
    status: String,
    message: String,
    details: Option<String>,
    body: Vec<u8>,
}

/// The port of gRPC beside a server's other one.
async fn listen(app: &TestApp) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let served = server::serving::grpc::serve(listener, app.state.clone(), app.shutdown.clone());
    TaskTracker::new().spawn(served);
    addr
}

async fn connect(addr: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    TaskTracker::new().spawn(connection);
    sender
}

/// A message with its prefix.
fn framed(is_packed: bool, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![u8::from(is_packed)];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

async fn send(addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = hyper::Request::post(format!("http://{addr}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut sender = connect(addr).await;
    let response = sender
        .send_request(request.body(Full::from(body)).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let said = |name: &str| {
        let value = trailers.get(name).or_else(|| parts.headers.get(name));
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    Answer {
        status: said("grpc-status").unwrap(),
        message: said("grpc-message").unwrap_or_default(),
        details: said("grpc-status-details-bin"),
        body: body.to_bytes().to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_come_in_over_grpc_plain_and_packed() {
    let app = TestApp::new().await;
    let addr = listen(&app).await;
    let first = request(vec![call(1, 0, 10, 5)]).encode_to_vec();
    let answer = send(addr, TRACES, &[], framed(false, &first)).await;
    assert_eq!(
        (answer.status.as_str(), answer.body.as_slice()),
        ("0", &[0; 5][..]),
        "{answer:?}"
    );
    let nameless = Span {
        trace_id: vec![0; 16],
        ..call(3, 0, 1, 1)
    };
    let second = gzip(&request(vec![call(2, 1, 7, 3), nameless]).encode_to_vec());
    let answer = send(addr, TRACES, &[("grpc-encoding", "gzip")], framed(true, &second)).await;
    let partly = ExportResponse::decode(&answer.body[5..])
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!((answer.status.as_str(), partly.rejected), ("0", 1), "{answer:?}");
    let (_, read) = app.get(&format!("/api/runs/{}", run_id())).await;
    assert_eq!(read["run"]["step_count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_statuses_of_grpc() {
    let app = TestApp::new().await;
    let addr = listen(&app).await;
    let good = request(vec![call(1, 0, 1, 1)]).encode_to_vec();
    let bomb = gzip(&vec![0; 65 * 1024 * 1024]);
    let logs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let gzipped = ("grpc-encoding", "gzip");
    let zipped = ("grpc-encoding", "deflate");
    for (path, header, body, status, words) in [
        (
            "/grpc.health.v1.Health/Check",
            gzipped,
            framed(false, b""),
            "12",
            "TraceService",
        ),
        (
            TRACES,
            ("authorization", "Bearer pl_live_wrong"),
            framed(false, &good),
            "16",
            "",
        ),
        (
            TRACES,
            gzipped,
            framed(false, b"nonsense"),
            "3",
            "ExportTraceServiceRequest",
        ),
        (TRACES, gzipped, good.clone(), "3", "message"),
        (TRACES, gzipped, vec![0, 0], "3", "ended"),
        (TRACES, gzipped, framed(true, b"no gzip"), "3", "gzip"),
        (TRACES, zipped, framed(true, &good), "12", "gzip"),
        (TRACES, gzipped, framed(true, &bomb), "8", "64 MiB"),
        (logs, gzipped, framed(false, b""), "0", ""),
    ] {
        let answer = send(addr, path, &[header], body).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert!(answer.message.contains(words), "{path} {answer:?}");
    }
    // Another protocol is told where it belongs.
    let mut sender = connect(addr).await;
    let plain = hyper::Request::post(format!("http://{addr}/v1/traces")).body(Full::default());
    let response = sender.send_request(plain.unwrap()).await.unwrap();
    assert_eq!(response.status(), 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_too_much_is_told_when_to_come_again() {
    let app = TestApp::with(|config| config.queue_steps = 1).await;
    let addr = listen(&app).await;
    let spans = (1..=250).map(|id| call(id, 0, 1, 1)).collect();
    let body = framed(false, &request(spans).encode_to_vec());
    let calls = (0..40).map(|_| send(addr, TRACES, &[], body.clone()));
    let answers = futures::future::join_all(calls).await;
    assert!(
        answers
            .iter()
            .all(|answer| ["0", "14"].contains(&answer.status.as_str()))
    );
    assert!(answers.iter().any(|answer| answer.status == "0"), "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status == "14").unwrap();
    let details = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(refused.details.as_ref().unwrap())
        .unwrap();
    // RetryInfo of one second, at the end of the status' details.
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    assert!(details.windows(kind.len()).any(|window| window == kind));
    assert!(details.ends_with(&[0x12, 4, 0x0a, 2, 0x08, 1]), "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_keys_hold_over_grpc_too() {
    let app = TestApp::new().await;
    let addr = listen(&app).await;
    let limits = json!({ "label": "default", "month": { "requests": 1 } });
    assert_eq!(put(&app, "/api/settings/key-limits", limits).await.0, 200);
    let body = framed(false, &request(vec![call(1, 0, 1, 1)]).encode_to_vec());
    assert_eq!(send(addr, TRACES, &[], body.clone()).await.status, "0");
    let refused = send(addr, TRACES, &[], body).await;
    assert_eq!(refused.status, "8", "{refused:?}");
    assert!(
        refused.message.contains("may use 1 requests") && refused.details.is_some(),
        "{refused:?}"
    );
}
