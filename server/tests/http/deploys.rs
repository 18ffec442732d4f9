//! Deploys: recorded once however often and in whatever order they are reported, joined by the beginning of their sha,
//! and what they moved.

use serde_json::{Value, json};

use crate::app::{TestApp, answer, step};

async fn items(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, list) = app.get(&format!("/api/deploys{query}")).await;
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_reported_again_is_one_deploy() {
    let app = TestApp::new().await;
    let began = json!({
        "sha": "C4E2117A90", "environment": "production", "title": "switch summary endpoint", "status": "in_progress",
        "started_at": "2026-11-12T14:05:00Z"
    });
    let (status, deploy) = app.post("/api/deploys", &began).await;
    assert_eq!((status, &deploy["completed_at"]), (200, &Value::Null), "{deploy}");
    assert_eq!(deploy["id"], "c4e2117a90@production");
    // The end, the end again, and the beginning late.
    let done = json!({
        "sha": "c4e2117a90", "environment": "production", "pr_number": 2, "completed_at": "2026-11-12T14:12:00Z"
    });
    let (_, once) = app.post("/api/deploys", &done).await;
    for record in [&done, &began] {
        let (_, again) = app.post("/api/deploys", record).await;
        assert_eq!(again, once);
    }
    assert_eq!(
        (
            &once["status"],
            &once["title"],
            &once["started_at"],
            &once["completed_at"],
            &once["pr_number"]
        ),
        (
            &json!("success"),
            &json!("switch summary endpoint"),
            &json!("2026-11-12T14:05:00Z"),
            &json!("2026-11-12T14:12:00Z"),
            &json!(2)
        )
    );
    assert_eq!(items(&app, "").await, std::slice::from_ref(&once));
    // Another place is another deploy.
    let staging =
        json!({ "sha": "c4e2117a90", "environment": "staging", "completed_at": "2026-11-12T13:00:00Z" });
    app.post("/api/deploys", &staging).await;
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    let both = ["c4e2117a90@production", "c4e2117a90@staging"].map(Value::from);
    for query in [
        "",
        "?sha=C4E2117",
        "?sha=c4e2117a90b3c5",
        "?from=2026-11-12T13:00:00Z",
    ] {
        assert_eq!(ids(&items(&app, query).await), both, "{query}");
    }
    assert_eq!(ids(&items(&app, "?to=2026-11-12T14:12:00Z").await), both[1..]);
    assert!(items(&app, "?sha=c4e2118").await.is_empty());
    let (_, first) = app.get("/api/deploys?limit=1").await;
    let next = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        ids(&items(&app, &format!("?limit=1&cursor={next}")).await),
        both[1..]
    );
    // Forgotten once.
    let delete = || answer(app.client.delete(app.url("/api/deploys/c4e2117a90@staging")));
    assert_eq!(delete().await.0, 200);
    assert_eq!(delete().await.0, 404);
    assert_eq!(items(&app, "").await, [once]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_deploy_at_the_same_moment_lose_nothing() {
    let app = TestApp::new().await;
    let parts = [
        json!({ "title": "one" }),
        json!({ "author": "jonas" }),
        json!({ "repo": "acme/support" }),
        json!({ "branch": "main" }),
        json!({ "pr_number": 7 }),
    ];
    let sent = parts.iter().map(|part| {
        let mut record = part.clone();
        record["sha"] = json!("9be04a7");
        let app = &app;
        async move { assert_eq!(app.post("/api/deploys", &record).await.0, 200) }
    });
    futures::future::join_all(sent).await;
    let all = items(&app, "").await;
    assert_eq!(all.len(), 1);
    for part in &parts {
        for (name, value) in part.as_object().unwrap() {
            assert_eq!(&all[0][name], value, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_record_is_named() {
    let app = TestApp::new().await;
    let long = "x".repeat(501);
    for (record, field) in [
        (json!({}), "sha"),
        (json!({ "sha": "c4e211" }), "sha"),
        (json!({ "sha": "main-branch" }), "sha"),
        (json!({ "sha": 5 }), "sha"),
        (json!({ "sha": "c4e2117", "status": "done" }), "status"),
        (json!({ "sha": "c4e2117", "url": "javascript:alert(1)" }), "url"),
        (json!({ "sha": "c4e2117", "pr_number": -2 }), "pr_number"),
        (json!({ "sha": "c4e2117", "title": long }), "title"),
        (json!({ "sha": "c4e2117", "title": "a\u{0}b" }), "title"),
        (
            json!({ "sha": "c4e2117", "started_at": "yesterday" }),
            "started_at",
        ),
        (
            json!({ "sha": "c4e2117", "started_at": "2026-11-12T14:05:00Z", "completed_at": "2026-11-12T14:00:00Z" }),
            "completed_at",
        ),
        (json!([]), "body"),
    ] {
        let (status, answer) = app.post("/api/deploys", &record).await;
        assert_eq!(
            (status, &answer["error"]["field"]),
            (400, &json!(field)),
            "{record} {answer}"
        );
    }
    assert!(items(&app, "").await.is_empty());
    assert_eq!(app.get("/api/deploys/nonesuch").await.0, 404);
}

/// A call at a minute of 2026-11-20 by a release.
fn call(n: usize, minute: usize, release: &str, model: &str, cost: f64) -> Value {
    let mut call = step(&format!("run-{n}"), "s");
    call["model"] = json!(model);
    call["cost"] = json!(cost);
    call["release"] = json!(release);
    call["started_at"] = json!(format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60));
    call
}

/// 40 calls of the old release from 08:00 to 10:00, 40 of the new one from 10:10 to 12:10, when nothing is known of the
/// prices.
fn calls() -> Vec<Value> {
    let dear = |n: usize| 0.02 + 0.0001 * (n % 7) as f64;
    (0..40)
        .map(|n| {
            call(
                n,
                480 + 3 * n,
                "1111111aaaa",
                "cheap",
                0.008 + 0.0001 * (n % 5) as f64,
            )
        })
        .chain((40..80).map(|n| call(n, 610 + 3 * (n - 40), "2222222bbbb", "dear", dear(n))))
        .collect()
}

fn shipped() -> Value {
    json!({
        "id": "switch", "sha": "2222222", "title": "switch the model", "started_at": "2026-11-20T10:05:00Z",
        "completed_at": "2026-11-20T10:10:00Z"
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_says_what_it_moved_whichever_came_first() {
    for deploy_first in [true, false] {
        let app = TestApp::new().await;
        if deploy_first {
            app.post("/api/deploys", &shipped()).await;
        }
        let (status, _) = app.post("/ingest/batch", &json!({ "steps": calls() })).await;
        assert_eq!(status, 200);
        app.post("/api/deploys", &shipped()).await;
        let (status, deploy) = app.get("/api/deploys/switch").await;
        assert_eq!(status, 200, "{deploy}");
        let cost = &deploy["effects"][0];
        assert_eq!(
            (
                &cost["measure"],
                &cost["n_before"],
                &cost["n_after"],
                &cost["reading"]
            ),
            (&json!("cost_per_call"), &json!(40), &json!(40), &json!("worse")),
            "{cost}"
        );
        assert_eq!(
            (&cost["before"], &cost["after"]),
            (&json!(8_200_000), &json!(20_297_500)),
            "{cost}"
        );
        assert_eq!(
            deploy["models"],
            json!([{ "value": "cheap", "before": 40, "after": 0 }, { "value": "dear", "before": 0, "after": 40 }])
        );
        assert_eq!(deploy["steps"][0]["step"], "classify-intent");
        let first: Vec<_> = deploy["first_seen"]
            .as_array()
            .unwrap()
            .iter()
            .map(|seen| &seen["value"])
            .collect();
        assert_eq!(first, ["dear", "2222222bbbb"]);
        let releases: Vec<_> = deploy["releases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|release| (&release["release"], &release["is_this"], &release["calls"]))
            .collect();
        assert_eq!(
            releases,
            [
                (&json!("1111111aaaa"), &json!(false), &json!(40)),
                (&json!("2222222bbbb"), &json!(true), &json!(40))
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_cut_the_windows() {
    let app = TestApp::new().await;
    app.post("/ingest/batch", &json!({ "steps": calls() })).await;
    app.post("/api/deploys", &shipped()).await;
    let at = |id: &str, time: &str| json!({ "id": id, "sha": "3333333", "completed_at": time });
    app.post("/api/deploys", &at("before", "2026-11-20T09:00:00Z"))
        .await;
    app.post("/api/deploys", &at("after", "2026-11-20T11:10:00Z"))
        .await;
    let (_, deploy) = app.get("/api/deploys/switch").await;
    let cost = &deploy["effects"][0];
    // A call every three minutes: twenty in the hour before 10:00, twenty from 10:10 to 11:10.
    assert_eq!(
        (&cost["n_before"], &cost["n_after"]),
        (&json!(20), &json!(20)),
        "{cost}"
    );
}
