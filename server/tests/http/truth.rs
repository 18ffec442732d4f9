//! Money as it is: what providers say in their own words, by every way in, priced right or said to be unknown.

use serde_json::{Value, json};

use crate::app::{TestApp, step};
use crate::proxy::{payload, proxied, recorded};
use crate::upstream::{Arrived, Upstream, whole};

/// A call to `path` with `body`, answered as `answer` does; its step.
async fn call(
    (app, upstream): (&TestApp, &mut Upstream),
    path: &str,
    body: &Value,
    answer: impl AsyncFnOnce(Arrived),
) -> (Value, Vec<u8>) {
    let run = uuid::Uuid::now_v7().to_string();
    let call = app
        .client
        .post(app.url(path))
        .header("x-plumbline-run", &run)
        .body(body.to_string());
    let (sent, ()) = tokio::join!(call.send(), async { answer(upstream.next().await).await });
    let seen = sent.unwrap().bytes().await.unwrap().to_vec();
    (recorded(app, &run).await, seen)
}

fn codes(step: &Value) -> Vec<u64> {
    let conditions = step["conditions"].as_array().unwrap();
    conditions
        .iter()
        .map(|found| found["code"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_is_read_in_whatever_form_it_comes() {
    let (app, mut upstream) = proxied().await;
    app.bring_in_shipped_prices().await;
    let asked = json!({"model": "gpt-5", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Hi"}]});
    // A stream under another name.
    let events = "data: {\"model\":\"gpt-5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n\
        data: {\"model\":\"gpt-5\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n\
        data: [DONE]\n\n";
    for kind in ["application/json", "text/plain"] {
        let answer = whole("200 OK", &format!("content-type: {kind}\r\n"), events.as_bytes());
        let target = (&app, &mut upstream);
        let (seen, bytes) = call(
            target,
            "/v1/chat/completions",
            &asked,
            async |mut arrived: Arrived| {
                arrived.send(answer).await;
            },
        )
        .await;
        assert_eq!(bytes, events.as_bytes(), "not a byte is changed");
        assert_eq!(seen["tokens"]["input_fresh"], json!(8), "{kind}: {seen}");
        assert_eq!(codes(&seen), Vec::<u64>::new(), "{kind}: {seen}");
        assert_eq!(seen["cost_source"], json!("computed"));
    }
    // A limit, said in an event.
    let limit = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Slow down\"}}\n\n";
    let answer = whole(
        "429 Too Many Requests",
        "content-type: text/event-stream\r\n",
        limit.as_bytes(),
    );
    let asked_of_anthropic = json!({"model": "claude-opus-4-8", "stream": true, "messages": []});
    let target = (&app, &mut upstream);
    let (seen, _) = call(
        target,
        "/v1/messages",
        &asked_of_anthropic,
        async |mut arrived: Arrived| {
            arrived.send(answer).await;
        },
    )
    .await;
    assert_eq!(
        (&seen["error_class"], &seen["error"]),
        (&json!("rate_limit_error"), &json!("Slow down"))
    );
    // A gateway's own statement of the cost, for a model without a price.
    let stated = json!({"model": "nobody/knows", "choices": [{"message": {"role": "assistant", "content": "a\u{1F600}"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.000071}});
    let half = stated.to_string().replace('\u{1F600}', "\\ud83d");
    let target = (&app, &mut upstream);
    let (seen, bytes) = call(
        target,
        "/v1/chat/completions",
        &json!({"model": "nobody/knows"}),
        async |arrived: Arrived| {
            arrived.json("200 OK", &half).await;
        },
    )
    .await;
    assert_eq!(
        (&seen["cost_source"], &seen["cost_nano_usd"]),
        (&json!("reported"), &json!(71_000))
    );
    assert_eq!(bytes, half.as_bytes(), "half a character is passed on as it came");
    assert_eq!(codes(&seen), Vec::<u64>::new(), "{seen}");
    // What is queued has not been answered yet.
    let queued = json!({"id": "r1", "model": "gpt-5", "status": "queued", "background": true, "output": []});
    let target = (&app, &mut upstream);
    let background = json!({"model": "gpt-5", "background": true, "input": "Hi"});
    let (seen, _) = call(target, "/v1/responses", &background, async |arrived: Arrived| {
        arrived.json("200 OK", &queued.to_string()).await;
    })
    .await;
    assert_eq!(
        (codes(&seen), &seen["cost_source"]),
        (Vec::new(), &json!("unknown")),
        "{seen}"
    );
    // A usage object that nobody knows: kept, counted by its shape, priced by nobody.
    let odd = json!({"model": "gpt-5", "choices": [{"message": {"role": "assistant", "content": "Hi"}}],
        "usage": {"tokens_in": 3, "tokens_out": 2}});
    let target = (&app, &mut upstream);
    let (seen, _) = call(
        target,
        "/v1/chat/completions",
        &json!({"model": "gpt-5"}),
        async |arrived: Arrived| {
            arrived.json("200 OK", &odd.to_string()).await;
        },
    )
    .await;
    assert_eq!(
        (&seen["cost_source"], &seen["tokens"]["output"]),
        (&json!("unknown"), &Value::Null)
    );
    let (_, shapes) = app.get("/api/ledger/usage-shapes").await;
    assert_eq!(
        shapes["items"][0]["shape"],
        json!("tokens_in tokens_out"),
        "{shapes}"
    );
    assert_eq!(shapes["items"][0]["steps"], json!(1));
    let run = shapes["items"][0]["run_id"].as_str().unwrap();
    assert_eq!(payload(&app, run).await["attributes"]["usage"], odd["usage"]);
    let page = app
        .client
        .get(app.url("/p/default/settings/ledger"))
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("tokens_in tokens_out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_below_zero_are_scored_and_counted_nowhere() {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let fields = [
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
    ];
    for (at, field) in fields.into_iter().enumerate() {
        let mut bad = step("negative", &format!("s{at}"));
        for name in ["cost", "total_tokens"] {
            bad.as_object_mut().unwrap().remove(name);
        }
        bad["model"] = json!("claude-haiku-4-5");
        bad["provider"] = json!("anthropic");
        bad["input_tokens"] = json!(10);
        bad["output_tokens"] = json!(10);
        bad[field] = json!(-3);
        app.store(bad).await;
    }
    let mut dear = step("negative", "cost");
    dear["model"] = json!("nobody-knows");
    dear["cost"] = json!(-2.5);
    app.store(dear).await;
    let (_, run) = app.get("/api/runs/negative").await;
    for step in run["steps"].as_array().unwrap() {
        let code = if step["step_id"] == "cost" { 1006 } else { 1004 };
        assert!(codes(step).contains(&code), "{step}");
        assert_eq!(
            (&step["cost_source"], &step["cost_nano_usd"]),
            (&json!("unknown"), &Value::Null),
            "{step}"
        );
        for (bucket, tokens) in step["tokens"].as_object().unwrap() {
            assert!(
                tokens.as_i64().is_none_or(|tokens| tokens >= 0),
                "{bucket} of {step}"
            );
        }
    }
    let (_, cost) = app.get("/api/cost?run=negative").await;
    assert_eq!(cost["cost_usd"], Value::Null, "{cost}");
    assert!(
        cost["tokens"]
            .as_object()
            .unwrap()
            .values()
            .all(|tokens| tokens.as_i64().unwrap_or(0) >= 0),
        "{cost}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_conditions_decide_the_cost_and_survive_an_export() {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let mut spoken = step("spoken", "s1");
    for name in ["cost", "total_tokens", "input_tokens", "output_tokens"] {
        spoken.as_object_mut().unwrap().remove(name);
    }
    spoken["provider"] = json!("openai");
    spoken["model"] = json!("gpt-audio");
    spoken["output_code"] = json!("half \u{1F600}");
    spoken["usage"] = json!({"prompt_tokens": 17, "completion_tokens": 592, "total_tokens": 609,
        "completion_tokens_details": {"audio_tokens": 482}});
    let half = spoken.to_string().replace('\u{1F600}', "\\ud83d");
    let sent = app
        .client
        .post(app.url("/ingest"))
        .header("content-type", "application/json")
        .body(half)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
    let (_, run) = app.get("/api/runs/spoken").await;
    let seen = &run["steps"][0];
    assert_eq!(
        (&seen["cost_usd"], &seen["cost_source"]),
        (&json!("0.0319905"), &json!("computed")),
        "{seen}"
    );
    assert_eq!(seen["usage_details"]["output"]["audio"], json!(482));
    // What an export says of it, sent again, costs the same.
    let mut again = step("again", "s1");
    for name in ["cost", "total_tokens"] {
        again.as_object_mut().unwrap().remove(name);
    }
    again["provider"] = json!("openai");
    again["model"] = json!("gpt-audio");
    again["input_tokens"] = seen["tokens"]["input_fresh"].clone();
    again["output_tokens"] = seen["tokens"]["output"].clone();
    again["usage_details"] = seen["usage_details"].clone();
    app.store(again).await;
    let (_, run) = app.get("/api/runs/again").await;
    assert_eq!(run["steps"][0]["cost_usd"], json!("0.0319905"), "{run}");
}
