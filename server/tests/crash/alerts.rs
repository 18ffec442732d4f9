//! An alert that is committed is delivered, whoever dies in between.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::program::{Folder, Server};
use crate::{TIMEOUT, free_addr};

fn serve(folder: &Folder, addr: &str) -> Server {
    block_in_place(|| {
        let environment = [("PLUMBLINE_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")];
        let mut server = folder.start_serving(&["--addr", addr], &environment);
        server.wait_until_ready();
        server
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_commit_and_delivery_loses_no_alert() {
    // Another address of this machine: a free port may be the same twice.
    let (folder, addr) = (Folder::new(), free_addr());
    let receiver = addr.replace("127.0.0.1", "127.0.0.2");
    let mut server = serve(&folder, &addr);
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{addr}{path}");
    let settings = json!({ "url": format!("http://{receiver}/hook") });
    let connect = client
        .put(url("/api/settings/integrations/webhook"))
        .json(&settings);
    let connected = connect.send().await.unwrap();
    let (status, answer) = (connected.status(), connected.text().await.unwrap());
    assert_eq!(status, 200, "{answer}");
    // Nobody listens there yet.
    for n in 0..3 {
        let step = json!({
            "run_id": format!("r{n}"), "step_id": "s1", "step_name": format!("step-{n}"), "model": "m", "prompt": "p",
            "output_code": "o", "latency_ms": 640, "status_success": false, "error": "boom"
        });
        let stored = client.post(url("/ingest")).json(&step).send().await.unwrap();
        assert_eq!(stored.status(), 200);
    }
    server.kill();
    let listener = TcpListener::bind(&receiver).await.unwrap();
    let (sender, mut got) = mpsc::channel(100);
    let take = post(move |body: String| {
        sender.try_send(body).ok();
        async { "ok" }
    });
    let router = Router::new().route("/hook", take);
    tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let mut server = serve(&folder, &addr);
    let mut told = Vec::new();
    for _ in 0..3 {
        let body = timeout(TIMEOUT, got.recv()).await.unwrap().unwrap();
        told.push(serde_json::from_str::<Value>(&body).unwrap());
    }
    let runs: Vec<&Value> = told.iter().map(|told| &told["subject"]["run_id"]).collect();
    let mut sorted = runs.clone();
    sorted.sort_by_key(|run| run.to_string());
    assert_eq!(sorted, ["r0", "r1", "r2"]);
    // Once each: a stopped server has finished what it was at, and nothing waits.
    let code = block_in_place(|| server.stop());
    assert_eq!(code, Some(0), "{}", server.log());
    let more = timeout(Duration::from_millis(1), got.recv()).await;
    assert!(more.is_err(), "{more:?}");
}
