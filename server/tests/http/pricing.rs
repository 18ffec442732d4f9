//! What the pipeline works out before it scores: tokens however they are reported, cost by dated prices, templates,
//! and what is in an answer that is more than text.

use domain::{ProjectId, StepSummary, Timestamp};
use serde_json::{Value, json};
use storage::prices::NewOverride;

use crate::app::{TestApp, step};
use crate::people::default_project;

/// $1, and $5 for output, a million; 10,000 tokens fit.
async fn add_price(app: &TestApp, project: ProjectId, model: &str) -> String {
    let price = NewOverride {
        provider: "anthropic".to_owned(),
        model_match: "prefix".to_owned(),
        model: model.to_owned(),
        valid_from: Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap(),
        rates: json!({"input": 1_000_000_000, "output": 5_000_000_000_i64,
            "service_tiers": {"batch": {"permille": 500}}}),
        context_window: Some(10_000),
        source: "a test".to_owned(),
    };
    let now = server::clock::now();
    storage::prices::save_override(&app.state.db, project, &price, "mara@acme.dev", now)
        .await
        .unwrap()
}

pub(crate) async fn stored(app: &TestApp, project: ProjectId, step: Value) -> StepSummary {
    let (run, id) = (
        step["run_id"].as_str().unwrap().to_owned(),
        step["step_id"].clone(),
    );
    app.store(step).await;
    let steps = storage::steps::of_run(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        &run,
        100,
    )
    .await
    .unwrap();
    steps
        .into_iter()
        .find(|stored| json!(stored.step_id) == id)
        .unwrap()
}

fn codes(step: &StepSummary) -> Vec<u16> {
    step.conditions.iter().map(|condition| condition.code).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_is_computed_where_there_is_a_price_and_the_reported_one_is_kept_beside() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let price_id = add_price(&app, project, "claude-haiku-4-5").await;
    let check = async |id: &str, change: Value, expected: (Option<&str>, &str)| {
        let mut call = step("r", id);
        call.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let found = stored(&app, project, call).await;
        let cost = found.cost_nano_usd.map(domain::NanoUsd::to_decimal);
        assert_eq!(
            (cost.as_deref(), found.cost_source.unwrap().as_str()),
            expected,
            "{change}"
        );
        let is_computed = expected.1 == "computed";
        assert_eq!(
            found.price_version,
            is_computed.then(|| price_id.clone()),
            "{change}"
        );
        found
    };
    // 48 × $1 + 11 × $5, by the million; the client said 0.0014.
    let found = check("plain", json!({}), (Some("0.000103"), "computed")).await;
    assert_eq!(found.reported_cost_nano_usd.unwrap().to_decimal(), "0.0014");
    let dated = json!({"model": "anthropic/claude-haiku-4-5-20251001"});
    check("dated", dated, (Some("0.000103"), "computed")).await;
    check(
        "batch",
        json!({"service_tier": "batch"}),
        (Some("0.0000515"), "computed"),
    )
    .await;
    // The model that answered decides, and the one that was asked for only where the answer names none.
    let answered = json!({"model": "private-7b", "request_model": "claude-haiku-4-5"});
    check("answered", answered, (Some("0.0014"), "reported")).await;
    let asked = json!({"model": " ", "request_model": "claude-haiku-4-5"});
    check("asked", asked, (Some("0.000103"), "computed")).await;
    check(
        "early",
        json!({"started_at": "2024-12-31T23:59:59Z"}),
        (Some("0.0014"), "reported"),
    )
    .await;
    check(
        "uncounted",
        json!({"output_tokens": null}),
        (Some("0.0014"), "reported"),
    )
    .await;
    check(
        "nothing",
        json!({"model": "private-7b", "cost": null}),
        (None, "unknown"),
    )
    .await;

    let (_, probe) = app.post("/api/score", &step("r", "probe")).await;
    assert_eq!(probe["cost_source"], "computed");
    let (_, run) = app.get("/api/runs/r").await;
    // Four at 0.000103, half of one, three as reported.
    assert_eq!(run["run"]["cost_usd"], "0.0045605");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_learns_of_a_new_price_within_seconds() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    let project = default_project(&app).await.id;
    for process in [&app, &other] {
        let before = stored(process, project, step("r", &uuid::Uuid::now_v7().to_string())).await;
        assert_eq!(before.price_version, None);
    }
    let price_id = add_price(&app, project, "claude-").await;
    for process in [&app, &other] {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let now = stored(process, project, step("r", &uuid::Uuid::now_v7().to_string())).await;
            if now.price_version.as_deref() == Some(price_id.as_str()) {
                break;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the process never learned of the price"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_taken_as_the_provider_or_the_instrumentation_gave_it() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let bare = |id: &str, more: Value| {
        let mut call = step("r", id);
        let call_fields = call.as_object_mut().unwrap();
        for field in ["input_tokens", "output_tokens", "cost"] {
            call_fields.remove(field);
        }
        call_fields.extend(more.as_object().unwrap().clone());
        call
    };
    let check = async |id: &str, more: Value, expected: [Option<i64>; 4]| {
        let found = stored(&app, project, bare(id, more)).await;
        let tokens = found.tokens;
        let buckets = [
            tokens.input_fresh,
            tokens.cache_read,
            tokens.cache_write,
            tokens.output,
        ];
        assert_eq!(buckets, expected, "{id}");
        found
    };
    let anthropic = json!({"input_tokens": 12, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_1h_input_tokens": 5}, "output_tokens": 35, "service_tier": "batch",
        "server_tool_use": {"web_search_requests": 2}});
    let all = [Some(12), Some(80), Some(5), Some(35)];
    let found = check("anthropic", json!({"usage": anthropic}), all).await;
    assert_eq!(
        (found.service_tier.as_deref(), found.web_searches),
        (Some("batch"), Some(2))
    );
    assert_eq!(found.tokens.cache_write_1h, Some(5));
    let openai = json!({"prompt_tokens": 97, "completion_tokens": 35, "total_tokens": 132, "cost": 0.5,
        "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 5}});
    let found = check("openai", json!({"usage": openai}), all).await;
    assert_eq!(found.reported_cost_nano_usd.unwrap().to_decimal(), "0.5");
    let otel = json!({"gen_ai.usage.input_tokens": 97, "gen_ai.usage.output_tokens": 35,
        "gen_ai.usage.cache_read.input_tokens": 80, "gen_ai.usage.cache_creation.input_tokens": 5});
    check("attributes", json!({"attributes": otel}), all).await;
    // The body's own fields win over both.
    let own = json!({"input_tokens": 3, "output_tokens": 4, "usage": anthropic, "attributes": otel});
    check("own", own, [Some(3), None, None, Some(4)]).await;
    check("none", json!({"attributes": {"colour": "red"}}), [None; 4]).await;
    check("odd", json!({"usage": {"characters": 9}}), [None; 4]).await;
    let payload = storage::steps::payload(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        "r",
        "odd",
    )
    .await
    .unwrap();
    assert_eq!(payload.attributes["usage"], json!({"characters": 9}));
    let (status, refused) = app.post("/ingest", &bare("bad", json!({"usage": [1]}))).await;
    assert_eq!((status, refused["error"]["field"].as_str()), (400, Some("usage")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_known_whatever_users_say_and_its_text_is_kept_once() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let ask = async |system: &str, user: &str, more: Value| {
        let mut call = step("r", &uuid::Uuid::now_v7().to_string());
        call["prompt"] =
            json!({"model": "m", "system": system, "messages": [{"role": "user", "content": user}]});
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        stored(&app, project, call).await.template_fingerprint
    };
    let first = ask("Classify the ticket of order 17.", "Where is it?", json!({})).await;
    assert_eq!(first.as_ref().unwrap().len(), 64);
    let same = ask(
        "Classify the ticket of order 18.",
        "Give me my money back",
        json!({}),
    )
    .await;
    assert_eq!(same, first);
    let edited = ask("Sort the ticket of order 17.", "Where is it?", json!({})).await;
    assert_ne!(edited, first);
    assert_eq!(ask("Classify it.", "x", json!({"kind": "embedding"})).await, None);
    for (fingerprint, words) in [
        (first, "Classify the ticket of order ⟨…⟩."),
        (edited, "Sort the ticket of order ⟨…⟩."),
    ] {
        let text = storage::prompts::template(
            &mut app.state.db.snapshot(project).await.unwrap(),
            project,
            &fingerprint.unwrap(),
        )
        .await
        .unwrap();
        assert!(text.canonical.contains(words), "{}", text.canonical);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_that_are_free_text_do_not_make_a_template_each() {
    let app = TestApp::new().await;
    let words = |n: usize| -> String {
        n.to_string()
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'a'))
            .collect()
    };
    let steps: Vec<Value> = (0..300)
        .map(|n| {
            let mut call = step("r", &format!("{n}"));
            call["prompt"] = json!(format!("What is {}?", words(n)));
            call
        })
        .collect();
    let (status, _) = app.post("/ingest/batch", &json!({"steps": steps})).await;
    assert_eq!(status, 200);
    let project = default_project(&app).await.id;
    let steps = storage::steps::of_run(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        "r",
        1_000,
    )
    .await
    .unwrap();
    let templates = steps
        .iter()
        .filter(|step| step.template_fingerprint.is_some())
        .count();
    assert_eq!((steps.len(), templates), (300, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_a_message_is_judged_by_what_is_in_it() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let schema = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}});
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "Answer in JSON: where is order 17?"}],
        "tools": [{"name": "look", "input_schema": schema}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let check = async |id: &str, output: Value, expected: &[u16]| {
        let mut call = step(&format!("run of {id}"), id);
        call["step_name"] = json!("look-up");
        call["prompt"] = request.clone();
        call["output_code"] = output;
        let found = codes(&stored(&app, project, call).await);
        assert_eq!(found, expected, "{id}");
    };
    let calls = |input: Value| json!({"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": input}]});
    check("a call", calls(json!({"id": 17})), &[]).await;
    check("a wrong call", calls(json!({"id": "x"})), &[2007]).await;
    let openai = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
        "function": {"name": "look", "arguments": "{}"}}]});
    check("a call without what is required", openai, &[2007]).await;
    let message = |text: &str| json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": text}]});
    check(
        "a message",
        message(r#"{"id":17,"note":"It is on its way to you."}"#),
        &[],
    )
    .await;
    check(
        "a message that breaks the schema",
        message(r#"{"note":"It is on its way to you."}"#),
        &[2007],
    )
    .await;
    check(
        "a text that breaks the schema",
        json!(r#"{"note":"It is on its way to you."}"#),
        &[2007],
    )
    .await;
    check(
        "no JSON",
        message("It is on its way to you, dear reader."),
        &[2001, 3014],
    )
    .await;
    check("nothing", json!({"role": "assistant", "content": []}), &[1003]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nearly_full_context_and_a_repeated_call_are_seen() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    add_price(&app, project, "claude-").await;
    let mut call = step("full", "s");
    call["input_tokens"] = json!(9_700);
    let found = codes(&stored(&app, project, call).await);
    assert!(found.contains(&4011), "{found:?}");
    for n in 1..=3 {
        let found = codes(&stored(&app, project, step("loop", &format!("s{n}"))).await);
        assert_eq!(found.contains(&4012), n == 3, "{n}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steps_own_band_is_that_of_its_template_and_survives_a_restart() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let call = |id: &str, system: &str, latency: i64| {
        let mut call = step("r", id);
        call["prompt"] =
            json!({"system": system, "messages": [{"role": "user", "content": format!("yes/no: {id}")}]});
        call["latency_ms"] = json!(latency);
        call
    };
    for n in 0..30 {
        app.store(call(&format!("usual {n}"), "Be brief.", 600 + n)).await;
    }
    let other = app.another_process().await;
    let slow = codes(&stored(&other, project, call("slow", "Be brief.", 60_000)).await);
    assert!(slow.contains(&5001), "{slow:?}");
    let edited = codes(&stored(&other, project, call("edited", "Be short.", 60_000)).await);
    assert!(!edited.contains(&5001) && edited.contains(&4001), "{edited:?}");
}
