//! Calls at the edge of what the proxy takes: many headers, odd paths, texts that are not kept, a slow database.

use domain::Timestamp;
use serde_json::{Value, json};
use storage::ingest::{LedgerEntry, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::people::default_project;
use crate::proxy::{proxied, recorded, spooled, written};
use crate::upstream::{Upstream, whole};

/// Sends a request as it stands, and returns the answer as it came.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.origin.trim_start_matches("http://"))
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn many_headers(count: usize) -> String {
    (0..count).map(|n| format!("x-many-{n}: {n}\r\n")).collect()
}

async fn codes(app: &TestApp, run: &str) -> Vec<u64> {
    written(app).await;
    let (_, read) = app.get(&format!("/api/runs/{run}")).await;
    let conditions = read["steps"][0]["conditions"].as_array().unwrap();
    conditions.iter().map(|c| c["code"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_headers_pass_in_both_directions() {
    let (app, mut upstream) = proxied().await;
    let sent = request(
        "POST /v1/messages",
        &format!("{}x-plumbline-run: r\r\n", many_headers(300)),
        "{}",
    );
    let (answer, head) = tokio::join!(raw(&app, &sent), async {
        let mut arrived = upstream.next().await;
        arrived.send(whole("200 OK", &many_headers(300), b"{}")).await;
        arrived.head.clone()
    });
    assert_eq!(head.matches("x-many-").count(), 300);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(answer.matches("x-many-").count(), 300);
    assert_eq!(recorded(&app, "r").await["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_not_a_broken_connection() {
    for answer in [
        whole("200 OK", &many_headers(600), b"{}"),
        b"this is no HTTP\r\n\r\n".to_vec(),
    ] {
        let (app, mut upstream) = proxied().await;
        let call = app
            .client
            .post(app.url("/v1/chat/completions"))
            .header("x-plumbline-run", "r")
            .body("{}");
        let (got, ()) = tokio::join!(call.send(), async {
            upstream.next().await.send(&answer).await;
        });
        let got = got.unwrap();
        assert_eq!(got.status(), 502);
        let body: Value = got.json().await.unwrap();
        assert_eq!(body["error"]["code"], "upstream_malformed");
        assert_eq!(recorded(&app, "r").await["error_class"], "upstream_malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_climbs_out_of_the_upstreams() {
    let (app, mut upstream) = proxied().await;
    for path in [
        "/v1/models/..",
        "/v1/models/..%2f..%2f..%2fadmin",
        "/v1/models/%2e%2e",
        "/v1/responses/../cancel",
    ] {
        let method = if path.ends_with("cancel") { "POST" } else { "GET" };
        let answer = raw(&app, &request(&format!("{method} {path}"), "", "")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.contains("\"code\":\"invalid_url\""), "{path}: {answer}");
    }
    upstream.saw_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_to_be_asked_is_not_asked_again() {
    let (app, mut upstream) = proxied().await;
    let body = r#"{"model":"m", "stream":true}"#;
    let call = |run: &str| {
        app.client
            .post(app.url("/v1/chat/completions"))
            .header("x-plumbline-run", run)
            .body(body)
            .send()
    };
    let stream = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";
    let refusal = r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#;
    let (answer, ()) = tokio::join!(call("first"), async {
        let asked = upstream.next().await;
        assert!(asked.body.len() > body.len());
        asked.json("422 Unprocessable Entity", refusal).await;
        let again = upstream.next().await;
        assert_eq!(again.body, body.as_bytes());
        assert_eq!(again.header("content-length"), Some(&*body.len().to_string()));
        assert_ne!(again.header("accept-encoding"), Some("identity"));
        again.stream(&[stream]).await;
    });
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), stream);
    let step = recorded(&app, "first").await;
    assert_eq!(
        (&step["status"], &step["tokens"]["output"]),
        (&json!("ok"), &json!(4))
    );
    let (answer, ()) = tokio::join!(call("second"), async {
        let arrived = upstream.next().await;
        assert_eq!(arrived.body, body.as_bytes());
        arrived.stream(&[stream]).await;
    });
    assert_eq!(answer.unwrap().text().await.unwrap(), stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_by_itself_stays_refused() {
    let (app, mut upstream) = proxied().await;
    let refusal = r#"{"error":{"code":"context_length_exceeded","message":"too many tokens"}}"#;
    let call = app
        .client
        .post(app.url("/v1/chat/completions"))
        .header("x-plumbline-run", "r")
        .body(r#"{"model":"nothing", "stream":true}"#);
    let (answer, ()) = tokio::join!(call.send(), async {
        let asked = upstream.next().await;
        assert!(String::from_utf8_lossy(&asked.body).contains("include_usage"));
        asked.json("400 Bad Request", refusal).await;
    });
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.headers()["content-length"],
        refusal.len().to_string().as_str()
    );
    assert_eq!(answer.text().await.unwrap(), refusal);
    assert_eq!(recorded(&app, "r").await["error"], "too many tokens");
    // A second call would count against the caller's limits.
    upstream.saw_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_did_not_keep_is_not_judged() {
    let odd = whole(
        "200 OK",
        "content-type: application/json\r\ncontent-encoding: of-their-own\r\n",
        b"packed in a way that nobody knows",
    );
    let origin = Upstream::answering(odd).await;
    let app = TestApp::with(|config| config.upstream_openai = origin.parse().unwrap()).await;
    let body =
        json!({"model": "gpt-x", "messages": [{"role": "user", "content": "Return only a JSON object."}]});
    let call = async |run: &str, encoding: &str| {
        let call = app
            .client
            .post(app.url("/v1/chat/completions"))
            .header("x-plumbline-run", run)
            .header("content-encoding", encoding)
            .body(body.to_string());
        assert_eq!(call.send().await.unwrap().status(), 200);
        codes(&app, run).await
    };
    // 1003: the answer is empty; 1008: the prompt is blank; 2001: it is no JSON.
    for (run, encoding) in [("output", "identity"), ("both", "of-their-own")] {
        let found = call(run, encoding).await;
        assert!(
            !found.iter().any(|code| [1003, 1008, 2001].contains(code)),
            "{run}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_makes_no_duplicates() {
    const CALLS: usize = 5;
    let (app, mut upstream) = proxied().await;
    let project = default_project(&app).await;
    // Another transaction holds the ledger rows of this minute and the next.
    let mut slow = storage::ingest::begin(&app.state.db, &[project.id])
        .await
        .unwrap();
    let minute = server::clock::now().minute();
    let entry = |minute: Timestamp| LedgerEntry {
        project_id: project.id,
        minute,
        key_label: "default",
        outcome: Outcome::Stored,
        steps: 1,
    };
    let mut held = [entry(minute), entry(minute.plus_micros(60_000_000))];
    storage::ingest::add_to_ledger(&mut slow, &mut held)
        .await
        .unwrap();
    for _ in 0..CALLS {
        let call = app
            .client
            .post(app.url("/v1/messages"))
            .header("x-plumbline-run", "r")
            .body("{\"model\":\"m\"}");
        let (answer, ()) = tokio::join!(call.send(), async {
            upstream.next().await.json("200 OK", "{}").await;
        });
        assert_eq!(answer.unwrap().status(), 200);
    }
    // All of them are on disk, and some of them also on their way into the database.
    app.state.recorder.settled().await;
    let metrics = app
        .client
        .get(app.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(spooled(&app).await, CALLS, "{metrics}");
    drop(slow);
    written(&app).await;
    let (_, run) = app.get("/api/runs/r").await;
    assert_eq!(run["run"]["step_count"], CALLS);
    let (_, ledger) = app.get("/api/ledger").await;
    let minutes = ledger["items"].as_array().unwrap();
    let sum = |field: &str| {
        minutes
            .iter()
            .map(|minute| minute[field].as_u64().unwrap())
            .sum::<u64>()
    };
    let calls = CALLS as u64;
    assert_eq!(
        (sum("received"), sum("stored"), sum("duplicate")),
        (calls, calls, 0),
        "{ledger}"
    );
}
