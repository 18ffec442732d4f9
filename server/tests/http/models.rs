//! Models that are asked with a project's own keys: three formats, busy and broken providers, the budget, what is recorded,
//! and that nobody sees a key.

use std::time::Duration;

use domain::{Feature, NanoUsd, Scope};
use serde_json::{Value, json};
use server::models::{Message, ModelError, Models, OwnRun, Part, Request, Role, Stop, Tool, call};
use server::outbound::StreamLimits;

use crate::alerts::put;
use crate::app::TestApp;
use crate::model_stand_in::{KEY, ModelStandIn, Say};
use crate::people::{audit_log, default_project, key, other_project};

/// A server that may call this machine.
pub(crate) async fn asking_app() -> TestApp {
    let app = TestApp::with(|config| config.allow_private_targets = "127.0.0.0/8".parse().unwrap()).await;
    app.bring_in_shipped_prices().await;
    app
}

/// Sets one provider up for everything.
pub(crate) async fn set_up(
    app: &TestApp,
    kind: &str,
    stand_in: &ModelStandIn,
    budget: Option<&str>,
) -> Value {
    let model = match kind {
        "anthropic" => "claude-haiku-4-5",
        "gemini" => "gemini-2.5-flash",
        _ => "gpt-5-mini",
    };
    let chosen = json!({ "provider": "p1", "model": model });
    let body = json!({
        "providers": [{ "id": "p1", "kind": kind, "base_url": format!("{}/v1", stand_in.origin), "api_key": KEY }],
        "uses": { "analysis": chosen, "investigation": chosen, "chat": chosen, "detectors": chosen },
        "budget_usd": budget,
    });
    let (status, saved) = put(app, "/api/settings/models", body).await;
    assert_eq!(status, 200, "{saved}");
    saved
}

pub(crate) fn own_run(run_id: &str) -> OwnRun {
    OwnRun {
        run_id: run_id.to_owned(),
        name: "plumbline-chat".to_owned(),
    }
}

fn question(text: &str) -> Request {
    Request {
        system: "Be brief.".to_owned(),
        messages: vec![Message::text(Role::User, text)],
        tools: vec![Tool {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            parameters: json!({ "type": "object", "properties": {} }),
        }],
        must_call: None,
        max_output_tokens: 500,
    }
}

async fn ask(app: &TestApp, models: &Models, run_id: &str) -> Result<server::models::Reply, ModelError> {
    let project = default_project(app).await.id;
    call(
        models,
        project,
        Feature::Chat,
        &own_run(run_id),
        &question("Hello?"),
        &|_| {},
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_streams_calls_tools_and_is_recorded() {
    for (kind, provider, header_path) in [
        ("anthropic", "anthropic", "/v1/messages"),
        ("openai", "openai", "/v1/chat/completions"),
        ("openai_compatible", "", "/v1/chat/completions"),
        (
            "gemini",
            "google",
            "/v1/models/gemini-2.5-flash:streamGenerateContent",
        ),
    ] {
        let script = vec![Say::text("Guten Tag, ✦"), Say::call("look", json!({ "at": "ü" }))];
        let stand_in = ModelStandIn::saying(script).await;
        let app = asking_app().await;
        let saved = set_up(&app, kind, &stand_in, None).await;
        assert_eq!(saved["providers"][0]["last4"], "odel");
        let heard = std::sync::Mutex::new(String::new());
        let project = default_project(&app).await.id;
        let said = call(
            &app.state.models,
            project,
            Feature::Chat,
            &own_run("own-1"),
            &question("Hello?"),
            &|text| heard.lock().unwrap().push_str(text),
        )
        .await
        .unwrap();
        assert_eq!(
            (said.text().as_str(), said.stop),
            ("Guten Tag, ✦", Stop::Done),
            "{kind}"
        );
        assert_eq!(heard.into_inner().unwrap(), "Guten Tag, ✦");
        assert_eq!(
            (said.input_tokens, said.output_tokens),
            (Some(1_000), Some(50)),
            "{kind}"
        );
        assert!(
            said.cost_nano_usd.is_some_and(|cost| cost > 0),
            "{kind}: {said:?}"
        );
        let called = ask(&app, &app.state.models, "own-1").await.unwrap();
        assert_eq!(called.stop, Stop::Calls, "{kind}");
        assert!(
            matches!(&called.parts[0], Part::Call { name, arguments, .. } if name == "look" && arguments["at"] == "ü")
        );
        // Both are steps of one run, priced like any other.
        let (_, run) = app.get("/api/runs/own-1").await;
        let steps = run["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 2, "{run:#}");
        assert_eq!(steps[0]["key"], "plumbline");
        assert_eq!(steps[0]["provider"].as_str().unwrap_or_default(), provider);
        assert_eq!(steps[0]["cost_nano_usd"].as_i64(), said.cost_nano_usd);
        let (_, texts) = app
            .get(&format!(
                "/api/runs/own-1/steps/{}/payload",
                steps[0]["step_id"].as_str().unwrap()
            ))
            .await;
        assert_eq!(texts["attributes"]["source"], "plumbline");
        // Counted by use and model; the key came along and is nowhere else.
        let (_, usage) = app.get("/api/settings/models/usage").await;
        let row = &usage["rows"][0];
        assert_eq!(
            (&row["feature"], &row["calls"]),
            (&json!("chat"), &json!(2)),
            "{usage:#}"
        );
        assert_eq!(
            (&row["input_tokens"], &row["unpriced_calls"]),
            (&json!(2_000), &json!(0))
        );
        let asked = stand_in.asked();
        assert_eq!(
            (asked[0].path.as_str(), asked[0].key.as_deref()),
            (header_path, Some(KEY))
        );
        for answer in [
            run.to_string(),
            texts.to_string(),
            usage.to_string(),
            saved.to_string(),
        ] {
            assert!(!answer.contains("canary"), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_provider_is_asked_twice_more_and_a_wrong_one_is_not() {
    let stand_in = ModelStandIn::saying(vec![
        Say::busy(429, "0"),
        Say::busy(500, "0"),
        Say::text("at last"),
    ])
    .await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &stand_in, None).await;
    let models = &app.state.models;
    assert_eq!(ask(&app, models, "r1").await.unwrap().text(), "at last");
    assert_eq!(stand_in.asked().len(), 3);
    for _ in 0..3 {
        stand_in.then(Say::busy(529, "0"));
    }
    let given_up = ask(&app, models, "r2").await.unwrap_err();
    assert!(
        given_up.to_string().contains("529: come back later"),
        "{given_up}"
    );
    assert_eq!(stand_in.asked().len(), 6);
    // One that wants too much patience is not waited for.
    stand_in.then(Say::busy(429, "3600"));
    assert!(matches!(
        ask(&app, models, "r3").await,
        Err(ModelError::Unavailable(_))
    ));
    // Nor one that wants more than the answer may take in all.
    stand_in.then(Say::busy(429, "30"));
    let hasty = models.clone().within(Duration::from_secs(20));
    assert!(matches!(
        ask(&app, &hasty, "r5").await,
        Err(ModelError::Unavailable(_))
    ));
    // A refusal that repeats the key does not give it away.
    stand_in.then(Say::Status {
        code: 401,
        headers: Vec::new(),
        body: json!({ "error": { "type": format!("authentication_error {KEY}"), "message": format!("invalid x-api-key {KEY}") } }),
    });
    let refused = ask(&app, models, "r4").await.unwrap_err().to_string();
    assert!(
        refused.contains("401") && refused.contains("check the key") && !refused.contains("canary"),
        "{refused}"
    );
    assert_eq!(stand_in.asked().len(), 9);
    let (_, run) = app.get("/api/runs/r4").await;
    assert_eq!(
        (&run["steps"][0]["status"], &run["steps"][0]["error_class"]),
        (&json!("error"), &json!("authentication_error •••"))
    );
    let (_, usage) = app.get("/api/settings/models/usage").await;
    assert_eq!(usage["rows"][0]["failed"], 4, "{usage:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_slow_silent_and_malformed_answers_have_words() {
    let stand_in = ModelStandIn::saying(vec![]).await;
    let app = asking_app().await;
    let models = app.state.models.clone().with_limits(StreamLimits {
        silence: Duration::from_millis(700),
        total: Duration::from_secs(20),
        max_bytes: 1 << 20,
    });
    for kind in ["anthropic", "openai", "gemini"] {
        set_up(&app, kind, &stand_in, None).await;
        let check = async |say: Say, expected: &str| {
            stand_in.then(say);
            let said = match ask(&app, &models, "r").await {
                Ok(reply) => reply.text(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{kind}: {said}");
        };
        check(Say::Cut("half of".to_owned()), "broke off").await;
        check(Say::Slow(Duration::from_millis(100), "late".to_owned()), "late").await;
        check(Say::Silence, "silent").await;
        check(
            Say::Raw("text/html", "<html>hello</html>".to_owned()),
            "check the provider's kind",
        )
        .await;
        check(
            Say::Raw("text/event-stream", "data: <oops>\n\n".to_owned()),
            "check the provider's kind",
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_that_never_came_cost_is_unknown_and_not_nothing() {
    let stand_in = ModelStandIn::saying(vec![Say::Silence]).await;
    let app = asking_app().await;
    let models = app.state.models.clone().with_limits(StreamLimits {
        silence: Duration::from_millis(300),
        total: Duration::from_secs(20),
        max_bytes: 1 << 20,
    });
    set_up(&app, "anthropic", &stand_in, None).await;
    assert!(ask(&app, &models, "r").await.is_err());
    let (_, usage) = app.get("/api/settings/models/usage").await;
    assert_eq!(usage["rows"][0]["unpriced_calls"], 1, "{usage:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_side_by_side_do_not_pass_the_budget() {
    let stand_in = ModelStandIn::saying(vec![]).await;
    for _ in 0..40 {
        stand_in.then(Say::Slow(Duration::from_millis(150), "ok".to_owned()));
    }
    let app = asking_app().await;
    // A call of 500 output tokens may cost about $0.003.
    set_up(&app, "anthropic", &stand_in, Some("0.02")).await;
    let asking = (0..24).map(|number| {
        let app = &app;
        async move { ask(app, &app.state.models, &format!("r{number}")).await }
    });
    let done = futures::future::join_all(asking).await;
    let refused = done
        .iter()
        .filter(|done| matches!(done, Err(ModelError::Budget { .. })))
        .count();
    let made = done.iter().filter(|done| done.is_ok()).count();
    assert_eq!((made + refused, stand_in.asked().len()), (24, made));
    assert!(made > 0 && refused > 0, "{made} {refused}");
    let (_, usage) = app.get("/api/settings/models/usage").await;
    let spent = NanoUsd::parse_decimal(usage["spent_usd"].as_str().unwrap()).unwrap();
    assert!(spent.0 <= 20_000_000, "{usage:#}");
    assert_eq!(usage["rows"][0]["not_made"], json!(refused));
    let words = done.into_iter().find_map(Result::err).unwrap().to_string();
    assert!(words.contains("budget") && words.contains("$0.0"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_not_sent() {
    let stand_in = ModelStandIn::saying(vec![]).await;
    let app = asking_app().await;
    set_up(&app, "openai", &stand_in, None).await;
    let project = default_project(&app).await.id;
    let large = question(&"x".repeat(210_000));
    let refused = call(
        &app.state.models,
        project,
        Feature::Chat,
        &own_run("r"),
        &large,
        &|_| {},
    )
    .await;
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("at most 200 kB"), "{words}");
    assert!(stand_in.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_keys_are_write_only_and_gone_when_removed() {
    let stand_in = ModelStandIn::saying(vec![Say::text("pong")]).await;
    let app = asking_app().await;
    let project = default_project(&app).await;
    set_up(&app, "anthropic", &stand_in, Some("25.00")).await;
    let (_, shown) = app.get("/api/settings/models").await;
    assert_eq!(
        (&shown["budget_usd"], &shown["max_request_bytes"]),
        (&json!("25"), &json!(200_000))
    );
    // A tiny real call, and the true answer.
    let (status, tested) = app.post("/api/settings/models/p1/test", &json!({})).await;
    assert_eq!(
        (status, &tested["ok"], &tested["answer"]),
        (200, &json!(true), &json!("pong")),
        "{tested}"
    );
    stand_in.then(Say::busy(400, "0"));
    let (_, tested) = app
        .post("/api/settings/models/p1/test?model=other", &json!({}))
        .await;
    assert!(
        tested["ok"] == false && tested["answer"].as_str().unwrap().contains("400"),
        "{tested}"
    );
    let (status, _) = app.post("/api/settings/models/nobody/test", &json!({})).await;
    assert_eq!(status, 404);
    // What is wrong is named, and what was typed is not repeated.
    let provider = |id: &str, kind: &str, url: &str, key: &str| json!({ "id": id, "kind": kind, "base_url": url, "api_key": key });
    for (body, field) in [
        (
            json!({ "providers": [provider("P 1", "anthropic", "", KEY)] }),
            "id",
        ),
        (
            json!({ "providers": [provider("p1", "anthropic", "http://10.1.2.3/v1", KEY)] }),
            "base_url",
        ),
        (
            json!({ "providers": [provider("p1", "openai_compatible", "", KEY)] }),
            "base_url",
        ),
        (
            json!({ "providers": [provider("p1", "anthropic", "https://user:pw@host/v1", KEY)] }),
            "base_url",
        ),
        (
            json!({ "providers": [provider("p1", "anthropic", "", "sk canary")] }),
            "api_key",
        ),
        (
            json!({ "providers": [], "uses": { "chat": { "provider": "p1", "model": "m" } } }),
            "uses",
        ),
        (json!({ "budget_usd": "-1" }), "budget_usd"),
        (json!({ "budget_usd": "canary" }), "budget_usd"),
        (json!({ "max_request_bytes": 5 }), "max_request_bytes"),
    ] {
        let (status, refused) = put(&app, "/api/settings/models", body).await;
        assert_eq!(
            (status, &refused["error"]["field"]),
            (400, &json!(field)),
            "{refused}"
        );
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
    // The key stays with its address, and is gone with another one.
    let again = json!({ "providers": [{ "id": "p1", "kind": "anthropic", "base_url": format!("{}/v1", stand_in.origin) }] });
    let (_, kept) = put(&app, "/api/settings/models", again).await;
    assert_eq!(
        (&kept["providers"][0]["has_key"], &kept["uses"]["chat"]),
        (&json!(true), &Value::Null)
    );
    let moved =
        json!({ "providers": [{ "id": "p1", "kind": "anthropic", "base_url": "http://127.0.0.1:9/v1" }] });
    let (_, moved) = put(&app, "/api/settings/models", moved).await;
    assert_eq!(
        (&moved["providers"][0]["has_key"], &moved["providers"][0]["last4"]),
        (&json!(false), &Value::Null)
    );
    let (_, gone) = put(&app, "/api/settings/models", json!({})).await;
    assert_eq!(gone["providers"], json!([]));
    let log = audit_log(&app, Some(&project)).await;
    let actions: Vec<&str> = log.iter().map(|row| row.action.as_str()).collect();
    assert!(
        actions.contains(&"models.change") && actions.contains(&"models.test"),
        "{actions:?}"
    );
    assert!(!format!("{log:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_has_neither_the_key_nor_the_usage() {
    let stand_in = ModelStandIn::saying(vec![]).await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &stand_in, None).await;
    ask(&app, &app.state.models, "r").await.unwrap();
    let other = other_project(&app).await;
    let theirs = key(&app, &other, &[Scope::Read, Scope::Admin]).await;
    let get = async |path: &str| {
        let request = app.client.get(app.url(path)).bearer_auth(&theirs.secret);
        crate::app::answer(request).await.1
    };
    assert_eq!(get("/api/settings/models").await["providers"], json!([]));
    assert_eq!(get("/api/settings/models/usage").await["rows"], json!([]));
    let asked = call(
        &app.state.models,
        other.id,
        Feature::Chat,
        &own_run("r"),
        &question("?"),
        &|_| {},
    )
    .await;
    assert!(matches!(asked, Err(ModelError::NotSet)));
}
