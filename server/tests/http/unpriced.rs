//! What a call costs when its price is the project's own, is not there, or does not say it.

use domain::Timestamp;
use serde_json::{Value, json};

use crate::app::{TestApp, step};
use crate::people::default_project;
use crate::pricing::stored;

/// Calls that were refused, and models that have a price, are not asked a price for.
#[tokio::test(flavor = "multi_thread")]
async fn only_models_without_a_price_are_named_with_all_their_calls() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.bring_in_shipped_prices().await;
    let uncounted = |id: &str, model: &str, more: Value| {
        let mut call = step("r", id);
        call["model"] = json!(model);
        for field in ["input_tokens", "output_tokens", "cost", "output_code"] {
            call.as_object_mut().unwrap().remove(field);
        }
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call
    };
    let refused = |class: &str| json!({"status_success": false, "error": "no", "error_class": class});
    // An unknown key, a limit: nothing was done and nothing is owed, whatever the model.
    for (id, model, class) in [
        ("401", "claude-haiku-4-5", "authentication_error"),
        ("429", "claude-haiku-4-5", "rate_limit_error"),
        ("502", "private-7b", "upstream_unreachable"),
    ] {
        let found = stored(&app, project, uncounted(id, model, refused(class))).await;
        assert_eq!((found.cost_source, found.price_version), (None, None), "{id}");
    }
    // A stream that broke off or was not counted: it may have cost something, and the model has a price.
    for (id, more) in [
        ("timeout", refused("upstream_timeout")),
        ("broken", json!({"stream_incomplete": true})),
        ("half", json!({"input_tokens": 12})),
    ] {
        let found = stored(&app, project, uncounted(id, "claude-haiku-4-5", more)).await;
        assert_eq!(found.cost_source, Some(domain::CostSource::Unknown), "{id}");
        assert!(
            found
                .price_version
                .is_some_and(|row| row.starts_with("anthropic/")),
            "{id}"
        );
    }
    let runs = async || {
        app.client
            .get(app.url("/p/default/runs"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(!runs().await.contains("without a price"));
    for (id, model) in [("a", "private-7b"), ("b", "private-7b"), ("c", "private-8b")] {
        app.store(uncounted(
            id,
            model,
            json!({"input_tokens": 5, "output_tokens": 5}),
        ))
        .await;
    }
    let text = words(&runs().await);
    assert!(
        text.contains("private-7b and 1 other model without a price: the cost of 3 calls is unknown."),
        "{text}"
    );
    let list = storage::prices::unpriced_models(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        Timestamp::from_micros(0),
        9,
    )
    .await
    .unwrap();
    let list: Vec<_> = list
        .iter()
        .map(|model| (model.model.as_str(), model.calls))
        .collect();
    assert_eq!(list, [("private-7b", 2), ("private-8b", 1)]);
    // Pricing again finds the same.
    let done = crate::reprice::repriced(&app, project, &server::reprice::Request::default()).await;
    assert_eq!((done.all.changed, done.all.unpriced_after), (0, 6), "{done:?}");
    crate::reprice::assert_recount_agrees(&app, project).await;
}

/// A page without its tags and comments.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = rest[at..].find('>').map_or("", |end| &rest[at + end + 1..]);
    }
    text + rest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_price_is_its_providers_and_keeps_what_the_shipped_one_says_besides() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.bring_in_shipped_prices().await;
    let browser = crate::people::Browser::new(&app);
    let mut fields = vec![
        ("model", "gpt-5"),
        ("input", "2.5"),
        ("output", "20"),
        ("valid_from", "2025-01-01"),
    ];
    fields.push(("provider", "openai"));
    browser.post("/p/default/settings/prices", &fields).await;
    let other = [
        ("model", "gpt-4o-mini"),
        ("input", "99"),
        ("output", "99"),
        ("provider", "groq"),
        ("valid_from", "2025-01-01"),
    ];
    browser.post("/p/default/settings/prices", &other).await;
    let check = async |id: &str, change: Value, expected: Option<&str>| {
        let mut call = step("r", id);
        call["provider"] = json!("openai");
        call["model"] = json!("gpt-5");
        call["input_tokens"] = json!(1_000);
        call["output_tokens"] = json!(1_000);
        call["cost"] = Value::Null;
        call.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let found = stored(&app, project, call).await;
        assert_eq!(
            found.cost_nano_usd.map(domain::NanoUsd::to_decimal).as_deref(),
            expected,
            "{id}"
        );
    };
    // Twice what is shipped for gpt-5, so flex is twice what is shipped for that, and a search is what it is.
    check("plain", json!({}), Some("0.0225")).await;
    check("flex", json!({"service_tier": "flex"}), Some("0.01125")).await;
    check("search", json!({"web_searches": 1}), Some("0.0325")).await;
    // The price for groq is not OpenAI's.
    check("mini", json!({"model": "gpt-4o-mini"}), Some("0.00075")).await;
    check(
        "groq",
        json!({"model": "gpt-4o-mini", "provider": "groq"}),
        Some("0.198"),
    )
    .await;
    // A tier without a listed price, and a machine of one's own, have an unknown cost.
    check(
        "no flex",
        json!({"model": "gpt-4o-mini", "service_tier": "flex"}),
        None,
    )
    .await;
    check(
        "own",
        json!({"model": "gpt-oss-120b", "provider": "ollama"}),
        None,
    )
    .await;
}
