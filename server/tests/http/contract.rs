//! What is answered is what `/api/openapi.json` says: each read route's real answer against its schema.

#[path = "contract/names.rs"]
mod names;

use std::collections::BTreeSet;

use domain::{NanoUsd, RunFilter, RunStatus, Severity, Timestamp, Window};
use jsonschema::Validator;
use serde_json::{Value, json};
use server::router::ROUTES;
use server::router::openapi::OPENAPI;
use storage::jobs::{self, NewJob};

use crate::app::{TestApp, step};
use crate::detectors::{check_detectors, put_finding};
use crate::incidents::put_incident;
use crate::people::default_project;

/// The schema of an answer, with what it refers to.
fn schema_of(document: &Value, path: &str, method: &str, status: &str) -> Validator {
    let answer = &document["paths"][path][method]["responses"][status];
    let answer = match answer["$ref"].as_str() {
        Some(name) => document.pointer(&name[1..]).unwrap(),
        None => answer,
    };
    let mut schema = json!({
        "allOf": [answer["content"]["application/json"]["schema"]],
        "components": document["components"],
    });
    assert!(
        schema["allOf"][0].is_object(),
        "{method} {path} {status} has no schema"
    );
    join(&mut schema, &document["components"]["schemas"]);
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

/// Makes one object of those that are to hold all at once, so that it can be closed.
fn join(schema: &mut Value, named: &Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(|member| join(member, named));
            let Some(Value::Array(parts)) = members.remove("allOf") else {
                return;
            };
            for mut part in parts {
                if let Some(name) = part["$ref"].as_str() {
                    part = named[name.rsplit('/').next().unwrap()].clone();
                    join(&mut part, named);
                }
                for (keyword, value) in part.as_object().unwrap().clone() {
                    match (members.get_mut(&keyword), value) {
                        (Some(Value::Object(of_all)), Value::Object(more)) => of_all.extend(more),
                        (Some(Value::Array(of_all)), Value::Array(more)) => of_all.extend(more),
                        (_, value) => _ = members.insert(keyword, value),
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| join(item, named)),
        _ => {}
    }
}

/// Forbids what the document does not name, in every object whose members it names.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            let names_members = members.get("type").is_some_and(|name| name == "object")
                && members.get("properties").is_some_and(Value::is_object);
            if names_members {
                members
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[track_caller]
pub(crate) fn check(document: &Value, (method, path, status): (&str, &str, u16), answer: &Value) {
    let schema = schema_of(document, path, method, &status.to_string());
    let wrong: Vec<String> = schema
        .iter_errors(answer)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}\n{answer:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_answered_as_the_document_says() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let app = TestApp::new().await;
    // One that says everything and is scored, one that says as little as possible, and one in a run of its own.
    let mut full = step("r", "full");
    for (field, value) in [
        ("status_success", json!(false)),
        ("error", json!("entities is null")),
        ("error_class", json!("internal")),
        ("provider", json!("anthropic")),
        ("parent_step_id", json!("least")),
        ("step_index", json!(1)),
        ("environment", json!("production")),
        ("release", json!("9be04a7c1f")),
        ("session_id", json!("s-1")),
        ("user_id", json!("u-1")),
        ("tags", json!(["vip"])),
        ("ttft_ms", json!(100)),
        ("max_gap_ms", json!(20)),
        ("stop_reason", json!("end_turn")),
        ("service_tier", json!("standard")),
        ("cache_read_tokens", json!(5)),
        ("reasoning_tokens", json!(1)),
        ("web_searches", json!(1)),
        (
            "usage_details",
            json!({
                "input": { "audio": 1, "image": 2, "video": 3 }, "cache_read": { "audio": 1 }, "output": { "image": 1 },
                "citations": 2, "tools": { "file_search": 1 }, "search_context": "low", "geography": "us",
                "smallest_input": 1, "largest_input": 2, "unpriced": ["pixels"], "unknown_shape": "a b"
            }),
        ),
        ("attributes", json!({ "http.status": 500 })),
        ("prompt_template", json!("Answer {question}")),
        ("events", json!([{ "name": "retry", "attributes": { "n": 1 } }])),
    ] {
        full[field] = value;
    }
    app.store(full).await;
    let mut least = step("r", "least");
    for field in ["cost", "output_code", "input_tokens", "output_tokens"] {
        least.as_object_mut().unwrap().remove(field);
    }
    app.store(least).await;
    app.store(step("other", "s")).await;
    let shipped = json!({
        "id": "d1", "sha": "9be04a7", "title": "switch the model", "pr_number": 2, "author": "jonas",
        "url": "https://git.example/pull/2", "environment": "production", "repo": "acme/support", "branch": "main",
        "started_at": "2026-11-20T09:00:00Z", "completed_at": "2026-11-20T09:07:00Z", "status": "success"
    });
    for deploy in [shipped, json!({ "sha": "1234567" })] {
        let (_, answer) = app.post("/api/deploys", &deploy).await;
        check(&document, ("post", "/api/deploys", 200), &answer);
    }
    let job = NewJob {
        kind: "of no binary",
        deduplicated: false,
        arguments: &json!({}),
    };
    let project = default_project(&app).await.id;
    let job_id = jobs::start(&app.state.db, project, &job, "local", server::clock::now())
        .await
        .unwrap();
    let job_url = format!("/api/jobs/{job_id}");
    put_incident(&app, project, "01890000-0000-7000-8000-000000000002", "prod").await;
    let incident_url = "/api/incidents/01890000-0000-7000-8000-000000000002";
    let id_ending = |digit| format!("01890000-0000-7000-8000-00000000000{digit}");
    let (detector, finding) = (id_ending('d'), id_ending('f'));
    put_finding(&app, project, (&detector, &finding), "found").await;
    let detector_url = format!("/api/detectors/{detector}");
    let finding_url = format!("/api/findings/{finding}");
    let github = "/api/settings/integrations/github";
    let parts = [
        json!({ "repository": "acme/support" }),
        json!({ "branch": "main" }),
    ];
    for settings in parts {
        let (status, answer) = crate::app::answer(app.client.put(app.url(github)).json(&settings)).await;
        assert_eq!(status, 200, "{answer}");
        check(&document, ("put", github, 200), &answer);
    }
    let (status, answer) = app.post(&format!("{github}/sync"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let sync = "/api/settings/integrations/github/sync";
    check(&document, ("post", sync, 200), &answer);
    // Names that nobody has: what they answer is that they can't be reached.
    for (kind, settings) in [
        (
            "slack",
            json!({ "webhook_url": "https://slack.invalid/services/x" }),
        ),
        (
            "sentry",
            json!({ "dsn": "https://key@sentry.invalid/1", "alert_level": "warning" }),
        ),
        ("webhook", json!({ "url": "https://hook.invalid/x" })),
    ] {
        let path = format!("/api/settings/integrations/{kind}");
        let (status, answer) = crate::app::answer(app.client.put(app.url(&path)).json(&settings)).await;
        assert_eq!(status, 200, "{answer}");
        check(
            &document,
            ("put", "/api/settings/integrations/{kind}", 200),
            &answer,
        );
    }
    let (status, answer) = app
        .post("/api/settings/integrations/slack/test", &json!({}))
        .await;
    assert_eq!((status, &answer["delivered"]), (200, &json!(false)), "{answer}");
    check(
        &document,
        ("post", "/api/settings/integrations/{kind}/test", 200),
        &answer,
    );
    let rules = json!({ "digest_s": 60, "only_keys": ["prod"] });
    let (status, answer) =
        crate::app::answer(app.client.put(app.url("/api/settings/alerts")).json(&rules)).await;
    assert_eq!(status, 200, "{answer}");
    check(&document, ("put", "/api/settings/alerts", 200), &answer);

    let (status, answer) = app
        .post(
            "/api/runs/r/shares",
            &json!({ "content": "removed", "expires_in_days": 1 }),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    check(&document, ("post", "/api/runs/{run_id}/shares", 200), &answer);
    let share_url = format!("/api/shares/{}", answer["share"]["id"].as_str().unwrap());
    // What is answered with JSON, and where. Inquiries have a test of their own; streams and figures are other formats.
    let reads = [
        ("/api/runs", "/api/runs?limit=1"),
        ("/api/runs/{run_id}", "/api/runs/r"),
        ("/api/sessions", "/api/sessions?limit=1"),
        ("/api/sessions/{session_id}", "/api/sessions/s-1"),
        ("/api/users", "/api/users?order=latest"),
        ("/api/users/{user_id}", "/api/users/u-1"),
        (
            "/api/runs/{run_id}/steps/{step_id}/payload",
            "/api/runs/r/steps/full/payload",
        ),
        (
            "/api/runs/{run_id}/steps/{step_id}/payload",
            "/api/runs/r/steps/least/payload",
        ),
        ("/api/runs/{run_id}/shares", "/api/runs/r/shares"),
        ("/api/shares", "/api/shares?limit=1"),
        ("/api/ledger", "/api/ledger"),
        ("/api/ledger/usage-shapes", "/api/ledger/usage-shapes"),
        ("/api/ledger/stated-costs", "/api/ledger/stated-costs"),
        ("/api/audit", "/api/audit?limit=1"),
        ("/api/audit", "/api/audit?instance=true&who=none"),
        ("/api/jobs", "/api/jobs"),
        ("/api/jobs/{job_id}", &job_url),
        ("/api/cost", "/api/cost?from=2020-01-01T00:00:00Z"),
        ("/api/cost", "/api/cost?to=2020-01-01T00:00:00Z"),
        ("/api/series", "/api/series?metric=cost_per_call"),
        ("/api/series", "/api/series?metric=latency_p95&by=model&bucket=1h"),
        ("/api/series", "/api/series?metric=calls&by=environment&bucket=5m"),
        ("/api/forecast", "/api/forecast"),
        ("/api/stats", "/api/stats"),
        ("/api/stats", "/api/stats?by=model&from=2020-01-01T00:00:00Z"),
        ("/api/stats", "/api/stats?by=environment&to=2020-01-01T00:00:00Z"),
        ("/api/deploys", "/api/deploys?limit=1"),
        ("/api/deploys/{id}", "/api/deploys/d1"),
        ("/api/deploys/{id}", "/api/deploys/1234567"),
        ("/api/detectors", "/api/detectors"),
        ("/api/detectors/{id}", &detector_url),
        ("/api/findings", "/api/findings?limit=1"),
        ("/api/findings/{id}", &finding_url),
        ("/api/incidents", "/api/incidents"),
        ("/api/incidents", "/api/incidents?direction=down"),
        ("/api/incidents/{id}", incident_url),
        ("/api/attribution", "/api/attribution?sha=9be04a7"),
        ("/api/attribution", "/api/attribution?sha=nonsense"),
        ("/api/thresholds", "/api/thresholds"),
        ("/api/settings/scoring", "/api/settings/scoring"),
        ("/api/settings/incidents", "/api/settings/incidents"),
        ("/api/settings/models", "/api/settings/models"),
        ("/api/settings/models/usage", "/api/settings/models/usage"),
        (
            "/api/settings/models/usage",
            "/api/settings/models/usage?month=2026-10",
        ),
        ("/api/runs/{run_id}/analysis", "/api/runs/r/analysis"),
        ("/api/settings/integrations", "/api/settings/integrations"),
        ("/api/settings/key-limits", "/api/settings/key-limits"),
        ("/api/settings/encryption", "/api/settings/encryption"),
        ("/api/settings/redaction", "/api/settings/redaction"),
        ("/api/settings/retention", "/api/settings/retention"),
        ("/api/settings/watcher", "/api/settings/watcher"),
        ("/api/settings/spans", "/api/settings/spans"),
        ("/api/settings/alerts", "/api/settings/alerts"),
        ("/api/alerts", "/api/alerts"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
    ];
    for (path, url) in reads {
        let (status, answer) = app.get(url).await;
        assert_eq!(status, 200, "{url}: {answer}");
        check(&document, ("get", path, 200), &answer);
    }
    let others = [
        "/api/backtest",
        "/api/incidents/window",
        "/api/runs/{run_id}/skeleton",
        "/api/live",
        "/api/users/{user_id}/export",
        "/api/incidents/{id}/investigation",
        "/api/chats",
        "/api/chats/{id}",
        "/api/openapi.json",
        "/metrics",
    ];
    for (method, path) in ROUTES {
        let is_listed = reads.iter().any(|(read, _)| read == path) || others.contains(path);
        assert!(*method != "GET" || is_listed, "{path} is not in this test");
    }

    let change = json!({ "note": "asked the provider", "confirm_deploy_id": "d1", "status": "closed" });
    let (status, answer) = app.post(&format!("{incident_url}/state"), &change).await;
    assert_eq!((status, &answer["status"]), (200, &json!("closed")), "{answer}");
    check(&document, ("post", "/api/incidents/{id}/state", 200), &answer);
    check_detectors(&app, &document, (&detector, &finding)).await;
    let (_, answer) = app
        .post("/api/runs/r/analysis", &json!({ "mode": "rules" }))
        .await;
    check(&document, ("post", "/api/runs/{run_id}/analysis", 202), &answer);
    let models = json!({
        "providers": [{ "id": "p1", "kind": "openai", "base_url": "https://models.invalid/v1", "api_key": "sk-0123456789abcd" }],
        "uses": { "chat": { "provider": "p1", "model": "m" } }, "budget_usd": 25
    });
    let (status, answer) =
        crate::app::answer(app.client.put(app.url("/api/settings/models")).json(&models)).await;
    assert_eq!((status, &answer["budget_usd"]), (200, &json!("25")), "{answer}");
    check(&document, ("put", "/api/settings/models", 200), &answer);
    // A name that nobody has.
    let (_, answer) = app.post("/api/settings/models/p1/test", &json!({})).await;
    check(
        &document,
        ("post", "/api/settings/models/{id}/test", 200),
        &answer,
    );
    let (_, answer) = app.get("/api/settings/models").await;
    check(&document, ("get", "/api/settings/models", 200), &answer);
    let (status, answer) = app.post("/api/score", &step("r", "scored")).await;
    assert_eq!(status, 200, "{answer}");
    check(&document, ("post", "/api/score", 200), &answer);
    let (_, answer) = crate::app::answer(app.client.delete(app.url(&share_url))).await;
    check(&document, ("delete", "/api/shares/{id}", 200), &answer);
    let (_, answer) = crate::app::answer(app.client.delete(app.url("/api/deploys/d1"))).await;
    check(&document, ("delete", "/api/deploys/{id}", 200), &answer);
    let (status, answer) = app.post(&format!("{job_url}/cancel"), &json!({})).await;
    assert_eq!((status, &answer["state"]), (200, &json!("cancelled")), "{answer}");
    check(&document, ("post", "/api/jobs/{job_id}/cancel", 200), &answer);
    let (_, answer) = app.post("/ingest", &step("r", "again")).await;
    check(&document, ("post", "/ingest", 200), &answer);
    let batch = json!({ "steps": [step("r", "again"), { "run_id": 5 }] });
    let (_, answer) = app.post("/ingest/batch", &batch).await;
    check(&document, ("post", "/ingest/batch", 200), &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_answered_as_the_document_says() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let app = TestApp::new().await;
    let mut error = json!({
        "allOf": [{ "$ref": "#/components/schemas/Error" }], "components": document["components"],
    });
    join(&mut error, &document["components"]["schemas"]);
    close(&mut error);
    let error = jsonschema::validator_for(&error).unwrap();
    for (status, (answered, answer)) in [
        (400, app.get("/api/runs?limit=0").await),
        (400, app.post("/ingest", &json!({ "run_id": 5 })).await),
        (404, app.get("/api/runs/nothing").await),
        (404, app.get("/api/nothing").await),
    ] {
        assert_eq!(answered, status, "{answer}");
        assert!(
            error.is_valid(&answer),
            "{:?}\n{answer:#}",
            error.iter_errors(&answer).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_document_knows_the_parameters_that_narrow_a_list() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let described: BTreeSet<&str> = document["paths"]["/api/runs"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .filter(|name| !["limit", "cursor", "project"].contains(name))
        .collect();
    let read: BTreeSet<&str> = described
        .iter()
        .copied()
        .filter(|name| {
            ["ok", "24h", "2026-11-21T09:00:00Z", "5", "a=b"]
                .iter()
                .any(|value| {
                    let filter = RunFilter::from_query([(*name, *value)]);
                    filter.is_ok_and(|filter| filter != RunFilter::default())
                })
        })
        .collect();
    assert_eq!(read, described);
    let everything = RunFilter {
        window: Window::Fixed {
            from: Some(Timestamp::from_micros(0)),
            to: Some(Timestamp::from_micros(1)),
        },
        status: Some(RunStatus::Ok),
        severity: Some(Severity::Ok),
        model: Some(String::new()),
        key: Some(String::new()),
        step: Some(String::new()),
        environment: Some(String::new()),
        release: Some(String::new()),
        session: Some(String::new()),
        user: Some(String::new()),
        tag: Some(String::new()),
        attribute: Some(String::new()),
        q: Some(String::new()),
        cost_min: Some(NanoUsd(0)),
        cost_max: Some(NanoUsd(0)),
        latency_min_ms: Some(0),
        latency_max_ms: Some(0),
        tokens_min: Some(0),
        tokens_max: Some(0),
    };
    let mut known: BTreeSet<&str> = everything.to_pairs().iter().map(|(name, _)| *name).collect();
    known.extend(["range"]);
    assert_eq!(known, described);
}
