use serde_json::json;

use super::*;

fn stream(api: Api, text: &str) -> Reading {
    read_stream(api, &[(0, text.as_bytes())])
}

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn output(reading: &Reading) -> Value {
    let text = reading.output.as_deref().unwrap_or("null");
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[test]
fn anthropic_streams() {
    let text = events(&[
        json!({"type": "message_start", "message": {"id": "m1", "model": "claude-x", "usage":
            {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1, "service_tier": "standard"}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "abc"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "brand_new_delta", "x": 1}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Look"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {"n": 1}}}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "get", "input": {}}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"a\""}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ":1}"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage":
            {"input_tokens": null, "output_tokens": 30, "server_tool_use": {"web_search_requests": 1}}}),
        json!({"type": "brand_new_event"}),
        json!({"type": "message_stop"}),
    ]);
    let reading = stream(Api::Messages, &text);
    assert_eq!(
        output(&reading),
        json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "abc"},
            {"type": "text", "text": "Look", "citations": [{"n": 1}]},
            {"type": "tool_use", "id": "t", "name": "get", "input": {"a": 1}},
        ]})
    );
    // What later events leave out is kept, what they say is not added.
    assert_eq!(
        reading.tokens,
        ReportedTokens {
            input: Some(10),
            output: Some(30),
            cache_read: Some(3),
            cache_write: Some(5),
            ..ReportedTokens::default()
        }
    );
    assert_eq!((reading.web_searches, reading.is_complete), (Some(1), true));
    assert_eq!(reading.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(reading.service_tier.as_deref(), Some("standard"));
    let first_content = text.find("thinking_delta").unwrap();
    let end = first_content + text[first_content..].find("\n\n").unwrap() + 2;
    assert_eq!(reading.first_content_end, Some(end));
}

#[test]
fn the_speed_an_answer_is_billed_by_is_its_tier() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "service_tier": "standard", "speed": "fast"});
    let whole = json!({"id": "m", "content": [], "usage": usage}).to_string();
    let streamed = events(&[
        json!({"type": "message_start", "message": {"usage": usage}}),
        json!({"type": "message_delta", "usage": {"output_tokens": 9}}),
    ]);
    let streamed = stream(Api::Messages, &streamed);
    for reading in [read_whole(Api::Messages, whole.as_bytes()), streamed.clone()] {
        assert_eq!(reading.service_tier.as_deref(), Some("fast"));
    }
    assert_eq!(
        (streamed.tokens.input, streamed.tokens.output),
        (Some(1), Some(9))
    );
}

#[test]
fn anthropic_text_is_plain() {
    let whole = json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    let reading = read_whole(Api::Messages, whole.to_string().as_bytes());
    assert_eq!(reading.output.as_deref(), Some("ab"));
}

#[test]
fn half_a_tool_call_is_kept_as_text() {
    let text = events(&[
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "get", "input": {}}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"a\""}}),
    ]);
    let reading = stream(Api::Messages, &text);
    assert_eq!(output(&reading)["content"][0]["input"], "{\"a\"");
    assert!(!reading.is_complete);
}

#[test]
fn chat_streams() {
    let delta = |delta: Value| json!({"id": "c", "model": "gpt-x", "choices": [{"index": 0, "delta": delta}], "usage": null});
    let call = |index: u64, call: Value| {
        let mut call = call;
        call["index"] = index.into();
        delta(json!({ "tool_calls": [call] }))
    };
    let mut text = events(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Let"})),
        delta(json!({"content": " me", "obfuscation": "xyz"})),
        call(
            0,
            json!({"id": "t0", "type": "function", "function": {"name": "get", "arguments": ""}}),
        ),
        call(0, json!({"function": {"arguments": "{\"a\":"}})),
        call(
            1,
            json!({"id": "t1", "type": "function", "function": {"name": "put", "arguments": "{}"}}),
        ),
        call(0, json!({"function": {"arguments": "1}"}})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, "service_tier": "default"}),
    ]);
    let reading = stream(Api::Chat, &text);
    assert!(!reading.is_complete);
    text.push_str("data: [DONE]\n\n");
    let reading = stream(Api::Chat, &text);
    assert_eq!(
        output(&reading),
        json!({"role": "assistant", "content": "Let me", "tool_calls": [
            {"id": "t0", "type": "function", "function": {"name": "get", "arguments": "{\"a\":1}"}},
            {"id": "t1", "type": "function", "function": {"name": "put", "arguments": "{}"}},
        ]})
    );
    assert_eq!((reading.tokens.input, reading.tokens.output), (Some(5), Some(6)));
    assert_eq!(reading.stop_reason.as_deref(), Some("tool_calls"));
    assert_eq!(reading.service_tier.as_deref(), Some("default"));
    assert!(reading.is_complete);
}

#[test]
fn several_choices_are_all_kept() {
    let choice =
        |index: u64, text: &str| json!({"index": index, "message": {"role": "assistant", "content": text}});
    let whole = json!({"choices": [choice(0, "a"), choice(1, "b")]});
    let reading = read_whole(Api::Chat, whole.to_string().as_bytes());
    assert_eq!(output(&reading)[1]["content"], "b");
}

#[test]
fn responses_streams() {
    let response = |status: &str| json!({"id": "r", "model": "gpt-x", "status": status, "output": []});
    let mut list = vec![
        json!({"type": "response.created", "response": response("in_progress")}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}}),
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": "lo"}),
    ];
    let cut = stream(Api::Responses, &events(&list));
    assert_eq!((cut.output.as_deref(), cut.is_complete), (Some("Hello"), false));
    assert_eq!((cut.model.as_deref(), cut.stop_reason), (Some("gpt-x"), None));
    assert!(cut.first_content_end.is_some());

    let mut done = response("completed");
    done["usage"] = json!({"input_tokens": 4, "output_tokens": 2, "total_tokens": 6});
    done["service_tier"] = "priority".into();
    done["output"] = json!([
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "call_id": "t", "name": "get", "arguments": "{}"},
    ]);
    list.push(json!({"type": "response.completed", "response": done}));
    let reading = stream(Api::Responses, &events(&list));
    let seen = output(&reading);
    assert_eq!(
        (&seen["content"], &seen["tool_calls"][0]["id"]),
        (&json!("Hello"), &json!("t"))
    );
    assert_eq!((reading.web_searches, reading.tokens.output), (Some(1), Some(2)));
    assert_eq!(reading.service_tier.as_deref(), Some("priority"));
    assert!(reading.is_complete && reading.error.is_none());

    let failed = json!({"type": "response.failed", "response":
        {"status": "failed", "error": {"code": "server_error", "message": "oh"}}});
    let reading = stream(Api::Responses, &events(&[failed]));
    let error = reading.error.unwrap();
    assert_eq!(
        (error.class.as_deref(), &*error.message),
        (Some("server_error"), "oh")
    );
    let error = json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": null});
    let error = stream(Api::Responses, &events(&[error])).error.unwrap();
    assert_eq!(
        (error.class.as_deref(), &*error.message),
        (Some("rate_limit_exceeded"), "slow")
    );
}

#[test]
fn completions_streams() {
    let text = events(&[
        json!({"model": "old", "choices": [{"index": 0, "text": "a"}]}),
        json!({"model": "old", "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}]}),
    ]) + "data: [DONE]\n\n";
    let reading = stream(Api::Completions, &text);
    assert_eq!(
        (reading.output.as_deref(), reading.is_complete),
        (Some("ab"), true)
    );
}

#[test]
fn vectors_are_counted() {
    let check = |embedding: Value, expected: Option<u64>| {
        let whole = json!({"data": [{"embedding": embedding}]});
        let reading = read_whole(Api::Embeddings, whole.to_string().as_bytes());
        let seen = reading.attributes.get("gen_ai.embeddings.dimension.count");
        assert_eq!(seen.and_then(Value::as_u64), expected, "{whole}");
    };
    check(json!([0.5, 1, 2]), Some(3));
    check(json!([]), Some(0));
    // Two numbers of four bytes.
    check(json!("AAAAAAAAAAA="), Some(2));
    check(json!(null), None);
    check(json!({}), None);
}

#[test]
fn a_hole_in_a_stream_leaves_what_its_ends_say() {
    let start =
        b"data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\"}}\n\ndata: {\"type\":\"con";
    let end = b"ck_delta\"}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let reading = read_stream(Api::Messages, &[(0, start), (5_000, end)]);
    assert_eq!(reading.model.as_deref(), Some("claude-x"));
    assert_eq!((reading.tokens.output, reading.is_complete), (Some(9), true));
}

#[test]
fn tiers_that_were_asked_for() {
    let check = |body: &str, expected: Option<&str>| {
        let requested = requested_model(body.as_bytes());
        assert_eq!(requested.service_tier.as_deref(), expected, "{body}");
    };
    check(r#"{"service_tier":"flex","model":"m"}"#, Some("flex"));
    // These leave it to the provider.
    check(r#"{"service_tier":"auto"}"#, None);
    check(r#"{"service_tier":"default"}"#, None);
    check(r#"{"service_tier":"standard_only"}"#, None);
    check(r#"{"service_tier":null}"#, None);
    check(r#"{"service_tier":7}"#, None);
}

#[test]
fn models_are_found() {
    let check = |body: &str, expected: Option<&str>| {
        assert_eq!(
            requested_model(body.as_bytes()).model.as_deref(),
            expected,
            "{body}"
        );
    };
    check(r#"{"messages":[{"x":1}],"model":"m"}"#, Some("m"));
    check(r#"{"model":""}"#, None);
    check(r#"{"model":7}"#, None);
    check(r#"{}"#, None);
    check("no json", None);
    check("", None);
}

proptest::proptest! {
    #[test]
    fn nothing_breaks_it(
        chunks in proptest::collection::vec(
            proptest::sample::select(vec![
                "{\"type\":\"", "message_start", "content_block_delta", "response.completed", "\",\"index\":", "-1", "0",
                "99999999999999999999", ",\"delta\":", "{\"text\":1}", "null", "[", "]", "{", "}", "\"choices\":", "\"usage\":",
                "data: ", "\n\n", "\n", "event: error", "\u{fffd}", "[DONE]", "\"error\":", "\"output\":", "\"", ",", ":",
            ]),
            0..60,
        ),
    ) {
        let text = chunks.concat();
        for api in [Api::Messages, Api::Chat, Api::Responses, Api::Completions, Api::Embeddings] {
            read_whole(api, text.as_bytes());
            read_stream(api, &[(0, text.as_bytes())]);
            requested_model(text.as_bytes());
        }
    }
}
