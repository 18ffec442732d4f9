//! Sessions and users are their runs added up: in lists, alone, page by page, and as a conversation.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::app::{TestApp, step};

/// A step of one of few runs, sessions and users.
fn any_step() -> impl Strategy<Value = Value> {
    (
        0..9u8,
        0..20u8,
        prop::option::of(0..3u8),
        prop::option::of(0..3u8),
        prop::option::of(0..4_000_000u32),
        prop::sample::select(vec!["llm", "tool", "embedding"]),
        any::<bool>(),
    )
        .prop_map(|(run, id, session, user, cost, kind, success)| {
            let mut one = step(&format!("run-{run}"), &format!("s{id}"));
            one["session_id"] = json!(session.map(|session| format!("session {session}/ü")));
            one["user_id"] = json!(user.map(|user| format!("u.{user}")));
            one["cost"] = json!(cost.map(|cost| f64::from(cost) / 1e6));
            one["kind"] = json!(kind);
            one["status_success"] = json!(success);
            one
        })
}

/// What a list shows of each group, worked out from the runs.
fn counted(runs: &[Value], by: &str) -> BTreeMap<String, Value> {
    let mut groups: BTreeMap<String, Value> = BTreeMap::new();
    for run in runs {
        let Some(id) = run[by].as_str() else { continue };
        let group = groups.entry(id.to_owned()).or_insert_with(|| {
            json!({ "runs": 0, "failed_runs": 0, "steps": 0, "errors": 0, "unpriced_steps": 0, "cost_nano_usd": null })
        });
        let mut add = |name: &str, more: i64| group[name] = json!(group[name].as_i64().unwrap_or(0) + more);
        add("runs", 1);
        add("failed_runs", i64::from(run["status"] == "error"));
        add("steps", run["step_count"].as_i64().unwrap());
        add("errors", run["error_count"].as_i64().unwrap());
        add("unpriced_steps", run["unpriced_steps"].as_i64().unwrap());
        if let Some(cost) = run["cost_nano_usd"].as_i64() {
            add("cost_nano_usd", cost);
        }
    }
    groups
}

fn shown(list: &Value) -> BTreeMap<String, Value> {
    let figures = [
        "runs",
        "failed_runs",
        "steps",
        "errors",
        "unpriced_steps",
        "cost_nano_usd",
    ];
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let figures = figures.map(|name| (name.to_owned(), group[name].clone()));
            (
                group["id"].as_str().unwrap().to_owned(),
                Value::from_iter(figures),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_equal_a_recount_of_their_runs() {
    let app = TestApp::new().await;
    let mut random = TestRunner::deterministic();
    let steps = prop::collection::vec(any_step(), 120);
    for _ in 0..3 {
        let steps = steps.new_tree(&mut random).unwrap().current();
        let (status, answer) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!(status, 200, "{answer}");
        let (_, runs) = app.get("/api/runs?limit=500").await;
        let runs = runs["items"].as_array().unwrap();
        for (path, by) in [("/api/sessions", "session_id"), ("/api/users", "user_id")] {
            let (status, list) = app.get(&format!("{path}?limit=500")).await;
            assert_eq!(status, 200, "{list}");
            assert_eq!(shown(&list), counted(runs, by), "{path}");
            for group in list["items"].as_array().unwrap() {
                let id = group["id"].as_str().unwrap();
                let (status, alone) = app
                    .get(&format!("{path}/{}", domain::filter::percent_encode(id)))
                    .await;
                assert_eq!((status, &alone["group"]), (200, group), "{path} {id}");
                assert_eq!(
                    alone["runs"].as_array().map(Vec::len),
                    group["runs"].as_u64().map(|runs| runs as usize)
                );
            }
        }
    }
    // Calls of models are counted with the steps, and compared with them.
    let project = crate::people::default_project(&app).await.id;
    let now = server::clock::now();
    let recount = storage::recount::recount(&app.state.db, project, now, |_| true)
        .await
        .unwrap();
    assert_eq!(recount.wrong_runs, Vec::<String>::new());
}

/// The list of sessions draws each run; that of users draws none, and says since when each is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_the_list_has_a_mark_for_each_of_its_runs() {
    let app = TestApp::new().await;
    three_sessions(&app).await;
    let page = async |path: &str| {
        let page = app.client.get(app.url(path)).send().await.unwrap();
        page.text().await.unwrap()
    };
    let sessions = page("/p/default/sessions").await;
    assert_eq!(
        sessions.matches(r#"aria-label="2 runs""#).count(),
        1,
        "{sessions}"
    );
    assert_eq!(sessions.matches(r#"aria-label="1 run""#).count(), 2, "{sessions}");
    assert!(
        sessions.contains(r#"class="b-critical""#),
        "a2 failed: {sessions}"
    );
    let users = page("/p/default/users").await;
    assert!(users.contains("u-1") && !users.contains("b-critical"), "{users}");
}

/// Three sessions of two users; the first asks twice and fails once.
async fn three_sessions(app: &TestApp) {
    let said = |text: &str| {
        json!({ "system": "Help customers", "messages": [
            { "role": "user", "content": "Hello" }, { "role": "assistant", "content": "Yes?" },
            { "role": "user", "content": text }
        ] })
        .to_string()
    };
    let mut at = 0;
    for (run, session, user, cost, prompt, answer, success) in [
        (
            "a1",
            "s-a",
            "u-1",
            0.05,
            said("Where is my order?"),
            "It is on its way.",
            true,
        ),
        (
            "a2",
            "s-a",
            "u-1",
            0.01,
            said("And when does it come?"),
            "half an ans",
            false,
        ),
        (
            "b1",
            "s-b",
            "u-1",
            0.02,
            "Thanks".to_owned(),
            "You are welcome",
            true,
        ),
        ("c1", "s-c", "u-2", 0.07, "Refund".to_owned(), "Done", true),
    ] {
        let mut one = step(run, "s");
        one["session_id"] = json!(session);
        one["user_id"] = json!(user);
        one["cost"] = json!(cost);
        one["model"] = json!("private-7b");
        one["prompt"] = json!(prompt);
        one["output_code"] = json!(answer);
        one["status_success"] = json!(success);
        one["started_at"] = json!(
            server::clock::now()
                .plus_micros((at - 600) * 1_000_000)
                .to_string()
        );
        at += 60;
        app.store(one).await;
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|group| group["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_ordered_narrowed_and_paged() {
    let app = TestApp::new().await;
    three_sessions(&app).await;
    for (path, expected) in [
        ("/api/sessions", vec!["s-c", "s-b", "s-a"]),
        ("/api/sessions?order=cost", vec!["s-c", "s-a", "s-b"]),
        ("/api/sessions?user=u-1", vec!["s-b", "s-a"]),
        ("/api/sessions?status=error", vec!["s-a"]),
        ("/api/sessions?status=ok", vec!["s-c", "s-b"]),
        ("/api/sessions?status=running", vec![]),
        ("/api/users?status=error&order=latest", vec!["u-1"]),
        ("/api/sessions?cost_min=0.06", vec!["s-c"]),
        ("/api/sessions?to=2020-01-01T00:00:00Z", vec![]),
        ("/api/users", vec!["u-1", "u-2"]),
        ("/api/users?order=latest", vec!["u-2", "u-1"]),
    ] {
        let (status, list) = app.get(path).await;
        assert_eq!((status, ids(&list)), (200, expected), "{path}");
    }
    for order in ["latest", "cost", "latest&status=ok", "cost&status=ok"] {
        let (_, whole) = app.get(&format!("/api/sessions?order={order}")).await;
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let (_, page) = app
                .get(&format!("/api/sessions?limit=1&order={order}&cursor={cursor}"))
                .await;
            paged.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            cursor = next.to_owned();
        }
        assert_eq!(Value::from(paged), whole["items"], "{order}");
    }
    for (path, field) in [
        ("/api/sessions?attribute=a%3Db", "attribute"),
        ("/api/users?cursor=nonsense", "cursor"),
        ("/api/users?order=alphabet", "order"),
    ] {
        let (status, answer) = app.get(path).await;
        assert_eq!(
            (status, &answer["error"]["field"]),
            (400, &json!(field)),
            "{path}"
        );
    }
    assert_eq!(app.get("/api/sessions/nobody").await.0, 404);
    let (_, user) = app.get("/api/users/u-1").await;
    assert_eq!(
        (
            &user["group"]["sessions"],
            &user["group"]["calls"],
            &user["group"]["failed_runs"]
        ),
        (&json!(2), &json!(3), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_conversation() {
    let app = TestApp::new().await;
    three_sessions(&app).await;
    let page = app
        .client
        .get(app.url("/p/default/sessions/s-a"))
        .send()
        .await
        .unwrap();
    let html = page.text().await.unwrap();
    let mut from = 0;
    // In the order of time: what was asked last, what came of it, and what it had cost by then.
    for expected in [
        "1 of 2 runs failed",
        "Where is my order?",
        "It is on its way.",
        "so far",
        "And when does it come?",
        "no answer, the run failed",
    ] {
        let place = html[from..].find(expected);
        from += place.unwrap_or_else(|| panic!("{expected} is not where it should be"));
    }
    assert!(
        !html.contains("half an ans"),
        "what a failed run said is no answer"
    );
    assert!(
        !html.contains("Help customers"),
        "instructions are not what was asked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_carries_the_cost_is_told_of_all_however_the_list_is_narrowed() {
    let app = TestApp::new().await;
    for (run, user, cost, succeeded) in [("a", "u-1", 0.3, true), ("b", "u-2", 0.1, false)] {
        let mut one = step(run, "s1");
        one["user_id"] = json!(user);
        one["cost"] = json!(cost);
        one["status_success"] = json!(succeeded);
        app.store(one).await;
    }
    for query in ["", "?status=error", "?order=latest"] {
        let page = app.client.get(app.url(&format!("/p/default/users{query}")));
        let page = page.send().await.unwrap().text().await.unwrap();
        assert!(page.contains(" carries 75"), "{query}");
        assert!(page.contains(" of what 2 users cost"), "{query}");
    }
}
