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
    // The sums of runs, of hours and of the parts of an hour know of them, and of nothing that was not used.
    for (query, audio) in [
        ("run=spoken", 482),
        ("model=gpt-audio", 964),
        ("from=2020-01-01T00:00:00Z", 964),
        ("from=2020-01-01T00:17:00Z", 964),
    ] {
        let (_, cost) = app.get(&format!("/api/cost?{query}")).await;
        assert_eq!(
            cost["usage_parts"],
            json!({ "output_audio": audio }),
            "{query}: {cost}"
        );
        assert_eq!(cost["by_model"][0]["usage_parts"], cost["usage_parts"], "{query}");
    }
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap();
    crate::reprice::assert_recount_agrees(&app, project.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_it_cost_stands_beside_what_we_computed() {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    // 1,000 in and 100 out of gpt-4o: $0.0035.
    let call = |id: &str, stated: f64| {
        let mut call = step("stated", id);
        for (field, value) in [
            ("provider", json!("openai")),
            ("model", json!("gpt-4o")),
            ("input_tokens", json!(1_000)),
            ("output_tokens", json!(100)),
            ("cost", json!(stated)),
        ] {
            call[field] = value;
        }
        call
    };
    app.store(call("a", 0.0035)).await;
    app.store(call("b", 0.0049)).await;
    let (_, found) = app
        .get("/api/ledger/stated-costs?from=2020-01-01T00:00:00Z")
        .await;
    let item = &found["items"][0];
    assert_eq!(
        (
            &item["model"],
            &item["calls"],
            &item["computed_nano_usd"],
            &item["stated_nano_usd"],
            &item["drift_permille"]
        ),
        (
            &json!("gpt-4o"),
            &json!(2),
            &json!(7_000_000),
            &json!(8_400_000),
            &json!(200)
        ),
        "{found}"
    );
    let get = async |path: &str| {
        let answer = app.client.get(app.url(path)).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let page = get("/p/default/settings/ledger").await;
    assert!(page.contains("Costs that were stated as well") && page.contains("+20.0 %"));
    let run = get("/p/default/runs/stated").await;
    assert!(
        run.contains("whole run, by bucket and fee") && run.contains("+20.0 % of the computed cost"),
        "the run has a receipt of its own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_answers_pass_byte_for_byte_and_are_recorded_as_they_were_meant() {
    let recorded: Vec<Value> =
        serde_json::from_str(include_str!("../../src/proxy/meter/recorded/answers.json")).unwrap();
    let (app, mut upstream) = proxied().await;
    for call_made in recorded {
        let from = call_made["from"].as_str().unwrap();
        let path = match call_made["api"].as_str().unwrap() {
            "messages" => "/v1/messages",
            "chat" => "/v1/chat/completions",
            "responses" => "/v1/responses",
            "completions" => "/v1/completions",
            _ => "/v1/embeddings",
        };
        let is_stream = call_made["is_stream"] == json!(true);
        let mut asked = json!({ "model": call_made["expect"]["model"], "stream": is_stream });
        // Asked for by the caller, so that the proxy asks for nothing and takes nothing out.
        if is_stream && path.ends_with("completions") {
            asked["stream_options"] = json!({ "include_usage": true });
        }
        let status = match call_made["status"].as_u64().unwrap() {
            200 => "200 OK".to_owned(),
            other => format!("{other} Refused"),
        };
        let kind = if is_stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        let body = call_made["body"].as_str().unwrap();
        let answer = whole(&status, &format!("content-type: {kind}\r\n"), body.as_bytes());
        let target = (&app, &mut upstream);
        let (seen, bytes) = call(target, path, &asked, async |mut arrived: Arrived| {
            arrived.send(answer).await;
        })
        .await;
        assert_eq!(bytes, body.as_bytes(), "{from}: not a byte is changed");
        let expect = &call_made["expect"];
        if expect["error"].is_string() {
            assert_eq!(
                (&seen["error_class"], &seen["error"]),
                (&expect["error_class"], &expect["error"]),
                "{from}"
            );
            continue;
        }
        for (bucket, tokens) in expect["buckets"].as_object().unwrap() {
            assert_eq!(&seen["tokens"][bucket], tokens, "{from}: {bucket} of {seen}");
        }
        if expect["text"].is_string() {
            assert!(
                !codes(&seen).contains(&1003),
                "{from}: nothing answered is empty: {seen}"
            );
        }
    }
}
