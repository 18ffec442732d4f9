//! Every documented error, and whatever else can be thrown at a route: never a 5xx, nothing half-written.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use server::router::ROUTES;

use crate::app::{TestApp, answer, step};

#[tokio::test(flavor = "multi_thread")]
async fn documented_errors() {
    let app = TestApp::new().await;
    let json_type = ("content-type", "application/json");
    let check = async |request: reqwest::RequestBuilder, status: u16, code: &str, field: Option<&str>| {
        let (got, body) = answer(request).await;
        assert_eq!(
            (got, body["error"]["code"].as_str()),
            (status, Some(code)),
            "{body}"
        );
        assert_eq!(body["error"]["field"].as_str(), field, "{body}");
        assert!(
            body["error"]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(
            body["error"]["request_id"]
                .as_str()
                .is_some_and(|id| !id.is_empty())
        );
    };
    let post = |path: &str| app.client.post(app.url(path));
    for path in ["/ingest", "/ingest/batch"] {
        check(post(path).body("{}"), 415, "unsupported_type", None).await;
        check(
            post(path).header("content-type", "text/plain").body("{}"),
            415,
            "unsupported_type",
            None,
        )
        .await;
        check(
            post(path).header(json_type.0, json_type.1).body("{"),
            400,
            "invalid_json",
            None,
        )
        .await;
        check(
            post(path)
                .header(json_type.0, json_type.1)
                .header("content-encoding", "gzip")
                .body("x"),
            400,
            "unreadable_body",
            None,
        )
        .await;
        check(
            post(path)
                .header(json_type.0, json_type.1)
                .header("content-encoding", "rot13")
                .body("x"),
            415,
            "unsupported_encoding",
            None,
        )
        .await;
        let malformed = post(path).bearer_auth("pl_live_nonsense").json(&json!({}));
        check(malformed, 401, "unauthorized", None).await;
    }
    check(
        post("/ingest").json(&json!({})),
        400,
        "missing_field",
        Some("run_id"),
    )
    .await;
    let mut wrong = step("r", "s");
    wrong["latency_ms"] = json!("slow");
    check(
        post("/ingest").json(&wrong),
        400,
        "invalid_field",
        Some("latency_ms"),
    )
    .await;
    check(
        post("/ingest/batch").json(&json!({})),
        400,
        "invalid_field",
        Some("steps"),
    )
    .await;
    check(
        post("/ingest/batch").json(&json!({"steps": vec![5; 1_001]})),
        400,
        "invalid_field",
        Some("steps"),
    )
    .await;
    let get = |path: &str| app.client.get(app.url(path));
    check(get("/api/runs?limit=0"), 400, "invalid_field", Some("limit")).await;
    check(
        get("/api/runs?status=broken"),
        400,
        "invalid_field",
        Some("status"),
    )
    .await;
    check(get("/api/runs?cursor=x"), 400, "invalid_field", Some("cursor")).await;
    check(get("/api/runs?from=noon"), 400, "invalid_field", Some("from")).await;
    check(get("/api/runs/none"), 404, "not_found", None).await;
    check(get("/api/runs/none/steps/none/payload"), 404, "not_found", None).await;
    check(get("/api/none"), 404, "not_found", None).await;
    assert_eq!(
        app.get("/api/runs").await.1["items"],
        json!([]),
        "nothing of all that was stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_is_413_also_when_it_is_small_on_the_wire() {
    let app = TestApp::new().await;
    let post = || {
        app.client
            .post(app.url("/ingest"))
            .header("content-type", "application/json")
    };
    let announced = post().header("content-length", "999999999").body("x");
    // The client refuses to lie about its length, so the announcement is made by a real one.
    drop(announced);
    let big = vec![b' '; server::ingest::MAX_STEP_BYTES + 1];
    let (status, body) = answer(post().body(big.clone())).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("too_large")));
    let bomb = {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&big).unwrap();
        gzip.finish().unwrap()
    };
    assert!(bomb.len() < 100_000);
    let (status, body) = answer(post().header("content-encoding", "gzip").body(bomb)).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("too_large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_on_the_books() {
    let app = TestApp::new().await;
    app.post("/ingest", &json!({})).await;
    app.client
        .post(app.url("/ingest"))
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await
        .unwrap();
    let (_, ledger) = app.get("/api/ledger").await;
    let rejected = ledger["items"]
        .as_array()
        .unwrap()
        .iter()
        .fold((0, 0), |sum, minute| {
            let count = |reason: &str| minute["rejected"][reason].as_i64().unwrap_or(0);
            (sum.0 + count("missing_field"), sum.1 + count("invalid_json"))
        });
    assert_eq!(rejected, (1, 1), "{ledger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_too_large_to_be_summed_are_refused_by_name() {
    let app = TestApp::new().await;
    for (field, value) in [
        ("input_tokens", json!(i64::MAX)),
        ("output_tokens", json!(-1_000_000_000_001_i64)),
        ("cost", json!(9.2e9)),
        ("cost", json!(-100_001)),
    ] {
        let mut huge = step("r", "s");
        huge[field] = value;
        let (status, body) = app.post("/ingest", &huge).await;
        assert_eq!(
            (status, body["error"]["field"].as_str()),
            (400, Some(field)),
            "{body}"
        );
    }
    for i in 0..3 {
        let mut large = step("r", &format!("s{i}"));
        large["input_tokens"] = json!(1_000_000_000_000_i64);
        large["cost"] = json!(100_000);
        app.store(large).await;
    }
    assert_eq!(app.get("/api/runs/r").await.1["run"]["cost_usd"], "300000");
    assert_eq!(app.get("/p/default/runs").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_call_always_answers_in_json() {
    let app = TestApp::new().await;
    let check = async |method: reqwest::Method, path: &str, status: u16, code: &str| {
        let (got, body) = answer(app.client.request(method, app.url(path))).await;
        assert_eq!(
            (got, body["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}: {body}"
        );
    };
    check(reqwest::Method::GET, "/ingest", 405, "method_not_allowed").await;
    check(reqwest::Method::DELETE, "/api/runs", 405, "method_not_allowed").await;
    check(reqwest::Method::POST, "/ingest/", 404, "not_found").await;
    check(reqwest::Method::POST, "/ingest/none", 404, "not_found").await;
    check(reqwest::Method::GET, "/api", 404, "not_found").await;
    check(reqwest::Method::GET, "/api/runs/%ff", 400, "invalid_field").await;
    let (status, body) = app.post("/ingest/batch", &json!([[]])).await;
    assert_eq!((status, body["error"]["field"].as_str()), (400, Some("steps")));
}

/// JSON of any shape, biased towards the fields that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("2026-11-21T09:00:00Z")),
        Just(json!("\u{0}")),
    ];
    let key = prop_oneof![
        any::<String>(),
        "(run_id|step_id|step_name|model|prompt|latency_ms|cost|started_at|tags|attributes|events|steps|name|at|kind)"
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_on_any_route_is_a_server_error() {
    let app = TestApp::new().await;
    let mut routes: Vec<(&str, String)> = vec![("POST", "/ingest".into()), ("POST", "/ingest/batch".into())];
    routes.extend(
        ROUTES
            .iter()
            .map(|(method, path)| (*method, path.replace(['{', '}'], ""))),
    );
    for path in [
        "/login",
        "/setup",
        "/theme",
        "/projects",
        "/ui/runs/list",
        "/ui/keys/reveal",
        "/ui/none",
        "/live/default",
        "/p/default/runs",
    ] {
        routes.push(("POST", path.to_owned()));
    }
    let mut runner = TestRunner::default();
    let bodies = (any_json(), any_json(), any::<Vec<u8>>(), any::<String>());
    for (method, path) in &routes {
        // Most of what programs send goes to these two; with every route at their number this took minutes.
        let rounds = if path.starts_with("/ingest") { 24 } else { 4 };
        for _ in 0..rounds {
            let (value, overlay, bytes, text) = bodies.new_tree(&mut runner).unwrap().current();
            let mut near_miss = step("r", "s");
            if let (Some(near), Some(more)) = (near_miss.as_object_mut(), overlay.as_object()) {
                near.extend(more.clone());
            }
            let all: [(&str, Vec<u8>); 5] = [
                ("application/json", value.to_string().into()),
                ("application/json", near_miss.to_string().into()),
                (
                    "application/json",
                    json!({"steps": [near_miss, value]}).to_string().into(),
                ),
                ("application/json", bytes),
                ("application/x-www-form-urlencoded", text.into()),
            ];
            for (content_type, body) in all {
                let verb = if *method == "GET" {
                    reqwest::Method::GET
                } else {
                    reqwest::Method::POST
                };
                let request = app
                    .client
                    .request(verb, app.url(path))
                    .header("content-type", content_type);
                let answered = request.body(body.clone()).send().await.unwrap();
                let status = answered.status();
                // A stream of events goes on until its reader does.
                let is_stream = answered
                    .headers()
                    .get("content-type")
                    .is_some_and(|kind| kind == "text/event-stream");
                let answered = if is_stream {
                    String::new()
                } else {
                    answered.text().await.unwrap()
                };
                assert!(
                    !status.is_server_error(),
                    "{path}: {status} {answered} for {}",
                    String::from_utf8_lossy(&body)
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_on_any_read_is_a_server_error() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let odd = [
        "",
        "%00",
        "%ff",
        "'",
        "\"",
        "%",
        "-1",
        "99999999999999999999",
        "1e9",
        "\u{1F600}",
        "a%00b",
        "..%2f..",
        "null",
    ];
    let names = [
        "limit",
        "cursor",
        "status",
        "severity",
        "model",
        "key",
        "q",
        "from",
        "to",
        "range",
        "cost_min",
        "release",
        "tag",
        "attribute",
        "project",
    ];
    for name in names {
        for value in odd {
            for path in ["/api/runs", "/api/runs/r", "/api/ledger"] {
                let (status, body) = app.get(&format!("{path}?{name}={value}")).await;
                assert!(status < 500, "{path}?{name}={value}: {status} {body}");
            }
        }
        // A page takes its parameters through the same parser; two hostile values each show that it stays a page.
        for value in ["%00", "%ff%22%3E"] {
            for path in ["/p/default/runs", "/p/default/runs/r"] {
                let (status, body) = app.get(&format!("{path}?{name}={value}")).await;
                assert!(status < 500, "{path}?{name}={value}: {status} {body}");
            }
        }
    }
    for value in odd.iter().filter(|value| !value.is_empty()) {
        for path in [
            format!("/api/runs/{value}"),
            format!("/api/runs/r/steps/{value}/payload"),
            format!("/p/default/runs/{value}"),
            format!("/p/{value}/runs"),
            format!("/live/{value}"),
            format!("/{value}"),
        ] {
            let (status, body) = app.get(&path).await;
            assert!(status < 500, "{path}: {status} {body}");
        }
    }
}
