//! What a call is recorded as, for each API.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::proxy::{payload, proxied, recorded};
use crate::upstream::{Upstream, whole};

/// A call to `path`, answered with `answer`; its step with its texts.
async fn step(
    app: &TestApp,
    upstream: &mut Upstream,
    path: &str,
    body: &Value,
    (status, answer): (&str, &Value),
) -> (Value, Value) {
    let run = uuid::Uuid::now_v7().to_string();
    let call = app
        .client
        .post(app.url(path))
        .header("x-plumbline-run", &run)
        .body(body.to_string());
    let (_, ()) = tokio::join!(call.send(), async {
        upstream.next().await.json(status, &answer.to_string()).await;
    });
    (recorded(app, &run).await, payload(app, &run).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_api_is_metered() {
    let (app, mut upstream) = proxied().await;
    let asked = json!({"model": "asked"});
    let anthropic = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "answered", "stop_reason": "tool_use",
        "content": [{"type": "text", "text": "Let me see"}, {"type": "tool_use", "id": "t1", "name": "get", "input": {"a": 1}}],
        "usage": {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 40,
            "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 25},
            "server_tool_use": {"web_search_requests": 2}, "service_tier": "priority", "new_field": {"x": 1}}
    });
    let (seen, texts) = step(
        &app,
        &mut upstream,
        "/v1/messages",
        &asked,
        ("200 OK", &anthropic),
    )
    .await;
    assert_eq!(seen["name"], "messages");
    assert_eq!(
        (&seen["kind"], &seen["provider"]),
        (&json!("llm"), &json!("anthropic"))
    );
    assert_eq!(
        (&seen["model"], &seen["request_model"]),
        (&json!("answered"), &json!("asked"))
    );
    let tokens = json!({"input_fresh": 10, "cache_read": 30, "cache_write": 40, "cache_write_1h": 25, "output": 20, "reasoning": null});
    assert_eq!(seen["tokens"], tokens);
    assert_eq!(
        (&seen["stop_reason"], &seen["service_tier"]),
        (&json!("tool_use"), &json!("priority"))
    );
    assert_eq!(
        (&seen["web_searches"], &seen["ttft_ms"]),
        (&json!(2), &Value::Null)
    );
    let output: Value = serde_json::from_str(texts["output"].as_str().unwrap()).unwrap();
    assert_eq!(
        output,
        json!({"role": "assistant", "content": anthropic["content"]})
    );
    assert_eq!(texts["attributes"]["gen_ai.response.id"], "msg_1");
    assert_eq!(texts["attributes"]["http.response.status_code"], 200);

    let chat = json!({
        "id": "c1", "model": "asked", "service_tier": "flex",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi", "refusal": null, "annotations": []}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 30}}
    });
    let (seen, texts) = step(
        &app,
        &mut upstream,
        "/v1/chat/completions",
        &asked,
        ("200 OK", &chat),
    )
    .await;
    assert_eq!(
        (&seen["name"], &seen["request_model"]),
        (&json!("chat.completions"), &Value::Null)
    );
    assert_eq!(seen["service_tier"], "flex");
    assert_eq!(
        (
            &seen["tokens"]["input_fresh"],
            &seen["tokens"]["cache_read"],
            &seen["tokens"]["output"],
            &seen["tokens"]["reasoning"]
        ),
        (&json!(40), &json!(60), &json!(50), &json!(30))
    );
    assert_eq!(texts["output"], "Hi");

    let responses = json!({
        "id": "resp_1", "model": "asked", "status": "completed", "error": null,
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "Hi "}, {"type": "output_text", "text": "there"}]}
        ],
        "usage": {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12, "output_tokens_details": {"reasoning_tokens": 1}}
    });
    let (seen, texts) = step(
        &app,
        &mut upstream,
        "/v1/responses",
        &asked,
        ("200 OK", &responses),
    )
    .await;
    assert_eq!(
        (&seen["name"], &seen["stop_reason"]),
        (&json!("responses"), &json!("completed"))
    );
    assert_eq!(
        (&seen["tokens"]["output"], &texts["output"]),
        (&json!(4), &json!("Hi there"))
    );

    let completion = json!({"model": "asked", "choices": [{"text": "old", "index": 0, "finish_reason": "length"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
    let (seen, texts) = step(
        &app,
        &mut upstream,
        "/v1/completions",
        &asked,
        ("200 OK", &completion),
    )
    .await;
    assert_eq!(
        (&seen["name"], &seen["stop_reason"]),
        (&json!("completions"), &json!("length"))
    );
    assert_eq!(texts["output"], "old");

    let embedding = json!({"object": "list", "model": "embed", "data": [{"index": 0, "embedding": [0.1, 0.2, 0.3]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}});
    let (seen, texts) = step(
        &app,
        &mut upstream,
        "/v1/embeddings",
        &asked,
        ("200 OK", &embedding),
    )
    .await;
    assert_eq!(
        (&seen["name"], &seen["kind"]),
        (&json!("embeddings"), &json!("embedding"))
    );
    assert_eq!(
        (&seen["tokens"]["input_fresh"], &texts["output"]),
        (&json!(5), &Value::Null)
    );
    assert_eq!(texts["attributes"]["gen_ai.embeddings.dimension.count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tier_is_the_answers_or_the_one_that_was_asked_for() {
    let (app, mut upstream) = proxied().await;
    app.bring_in_shipped_prices().await;
    let mut check = async |asked: Value, answered: Value, expected: Value| {
        let body = json!({"model": "gpt-5", "service_tier": asked});
        let answer = json!({"model": "gpt-5", "service_tier": answered, "choices": [],
            "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}});
        let path = "/v1/chat/completions";
        let (seen, _) = step(&app, &mut upstream, path, &body, ("200 OK", &answer)).await;
        assert_eq!(seen["service_tier"], expected, "{asked} {answered}");
        seen["cost_nano_usd"].as_i64().unwrap()
    };
    let ordinary = check(json!("auto"), Value::Null, Value::Null).await;
    let flex = check(json!("flex"), Value::Null, json!("flex")).await;
    assert!(flex < ordinary, "{flex} {ordinary}");
    let served = check(json!("flex"), json!("default"), json!("default")).await;
    assert_eq!(served, ordinary);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_steps_in_the_providers_words() {
    let (app, mut upstream) = proxied().await;
    let check = async |path: &str, status: &str, answer: Value, class: &str, upstream: &mut Upstream| {
        let (seen, _) = step(&app, upstream, path, &json!({"model": "m"}), (status, &answer)).await;
        assert_eq!(
            (&seen["status"], &seen["error_class"]),
            (&json!("error"), &json!(class)),
            "{seen}"
        );
        seen["error"].as_str().unwrap().to_owned()
    };
    let error = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    let text = check(
        "/v1/messages",
        "429 Too Many Requests",
        error,
        "rate_limit_error",
        &mut upstream,
    )
    .await;
    assert_eq!(text, "slow down");
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    check(
        "/v1/messages",
        "529 Overloaded",
        error,
        "overloaded_error",
        &mut upstream,
    )
    .await;
    let error = json!({"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}});
    check(
        "/v1/chat/completions",
        "404 Not Found",
        error,
        "invalid_request_error",
        &mut upstream,
    )
    .await;
    let text = check(
        "/v1/responses",
        "502 Bad Gateway",
        json!("<html>"),
        "http_502",
        &mut upstream,
    )
    .await;
    assert!(text.contains("<html>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_say_where_a_step_belongs() {
    let (app, mut upstream) = proxied().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = app
        .client
        .post(app.url("/v1/messages"))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("x-plumbline-step", "classify")
        .header("x-plumbline-session", "s1")
        .header("x-plumbline-user", "u1")
        .header("x-plumbline-environment", "staging")
        .header("x-plumbline-release", "abc123")
        .body("{\"model\":\"m\"}");
    let (_, ()) = tokio::join!(call.send(), async {
        upstream.next().await.json("200 OK", "{}").await
    });
    let step = recorded(&app, trace).await;
    assert_eq!(
        (&step["parent_step_id"], &step["name"]),
        (&json!("00f067aa0ba902b7"), &json!("classify"))
    );
    assert_eq!(
        (&step["environment"], &step["release"]),
        (&json!("staging"), &json!("abc123"))
    );
    let (_, run) = app.get(&format!("/api/runs/{trace}")).await;
    assert_eq!(
        (&run["run"]["session_id"], &run["run"]["user_id"]),
        (&json!("s1"), &json!("u1"))
    );

    let call = app.client.post(app.url("/v1/messages")).body("{\"model\":\"m\"}");
    let (_, ()) = tokio::join!(call.send(), async {
        upstream.next().await.json("200 OK", "{}").await
    });
    app.state.recorder.settled().await;
    let (_, runs) = app.get("/api/runs").await;
    assert_eq!(
        runs["items"].as_array().unwrap().len(),
        2,
        "a call without a run is one of its own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_answers_are_metered() {
    let plain = json!({"model": "claude-x", "content": [{"type": "text", "text": "packed"}], "usage": {"input_tokens": 1, "output_tokens": 2}}).to_string();
    let gzip = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(plain.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let deflate = {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(plain.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let brotli = {
        let mut packer = brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 20);
        packer.write_all(plain.as_bytes()).unwrap();
        packer.into_inner()
    };
    let zstd = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    for (coding, packed) in [
        ("gzip", gzip),
        ("deflate", deflate),
        ("br", brotli),
        ("zstd", zstd),
    ] {
        let headers = format!("content-type: application/json\r\ncontent-encoding: {coding}\r\n");
        let origin = Upstream::answering(whole("200 OK", &headers, &packed)).await;
        let app = TestApp::with(|config| config.upstream_anthropic = origin.parse().unwrap()).await;
        let client = reqwest::Client::builder().no_gzip().build().unwrap();
        let answer = client
            .post(app.url("/v1/messages"))
            .header("accept-encoding", coding)
            .header("x-plumbline-run", "r")
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["content-encoding"], coding);
        assert!(answer.bytes().await.unwrap() == packed, "{coding} was touched");
        assert_eq!(recorded(&app, "r").await["tokens"]["output"], 2, "{coding}");
        assert_eq!(payload(&app, "r").await["output"], "packed", "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_passes_and_is_kept_as_it_is() {
    let (app, mut upstream) = proxied().await;
    let call = app
        .client
        .post(app.url("/v1/chat/completions"))
        .header("x-plumbline-run", "r")
        .body(&b"\x00\xffnot json"[..]);
    let (answer, ()) = tokio::join!(call.send(), async {
        let arrived = upstream.next().await;
        assert_eq!(arrived.body, b"\x00\xffnot json");
        arrived.json("200 OK", "neither").await;
    });
    assert_eq!(answer.unwrap().text().await.unwrap(), "neither");
    let texts = payload(&app, "r").await;
    assert_eq!(texts["input"], "\u{fffd}\u{fffd}not json");
    let step = recorded(&app, "r").await;
    assert_eq!((&step["status"], &step["model"]), (&json!("ok"), &Value::Null));
}
