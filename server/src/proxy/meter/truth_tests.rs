//! Streams and bodies that other tools, and this one once, read wrongly.

use serde_json::{Value, json};

use super::*;

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn chat(deltas: &[Value]) -> Reading {
    let chunks: Vec<Value> = deltas
        .iter()
        .map(|delta| json!({"model": "m", "choices": [{"index": 0, "delta": delta}]}))
        .collect();
    read_stream(
        Api::Chat,
        &[(0, format!("{}data: [DONE]\n\n", events(&chunks)).as_bytes())],
    )
}

fn message(reading: &Reading) -> Value {
    serde_json::from_str(reading.output.as_deref().unwrap()).unwrap()
}

fn calls(reading: &Reading) -> Vec<String> {
    let message = message(reading);
    let calls = message["tool_calls"].as_array().unwrap();
    calls
        .iter()
        .map(|call| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            text(&call["function"]["name"]) + &text(&call["function"]["arguments"])
        })
        .collect()
}

#[test]
fn a_stream_is_told_by_its_body() {
    assert!(looks_like_events(b"data: {}\n\n"));
    assert!(looks_like_events(b"\n: ping\n\nevent: x\n"));
    assert!(!looks_like_events(b"{\"data\": 1}"));
    assert!(!looks_like_events(b"datastore is closed"));
}

#[test]
fn parallel_calls_are_told_apart_by_their_ids() {
    let call = |id: &str, name: &str, arguments: &str| json!({"tool_calls": [{"index": 0, "id": id, "function": {"name": name, "arguments": arguments}}]});
    let whole = chat(&[
        call("a", "get_weather", "{\"c\":1}"),
        call("b", "get_time", "{}"),
        call("c", "get_name", "{}"),
    ]);
    assert_eq!(
        calls(&whole),
        ["get_weather{\"c\":1}", "get_time{}", "get_name{}"]
    );
    // In pieces, the id only at the beginning.
    let piece = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    let pieces = chat(&[
        call("a", "f", "{\"a"),
        piece("\":1}"),
        call("b", "g", ""),
        piece("{}"),
    ]);
    assert_eq!(calls(&pieces), ["f{\"a\":1}", "g{}"]);
    // The id and the name again in each piece.
    let again = chat(&[call("a", "f", "{\"a"), call("a", "f", "\":1}")]);
    assert_eq!(calls(&again), ["f{\"a\":1}"]);
    // Neither ids nor places.
    let bare = |name: &str| json!({"tool_calls": [{"function": {"name": name, "arguments": "{}"}}]});
    assert_eq!(calls(&chat(&[bare("f"), bare("g")])), ["f{}", "g{}"]);
    // Arguments that are no text.
    let object = json!({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"a": 1}}}]});
    assert_eq!(calls(&chat(&[object])), ["f{\"a\":1}"]);
}

#[test]
fn deltas_of_any_shape_are_an_answer() {
    let magistral = chat(&[
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
        json!({"content": [{"type": "text", "text": "So "}]}),
        json!({"content": "it is"}),
    ]);
    assert_eq!(
        message(&magistral),
        json!({"role": "assistant", "content": "So it is", "reasoning_content": "Hm"})
    );
    assert_eq!(
        chat(&[json!({"content": {"type": "text", "text": "Yes"}})])
            .output
            .as_deref(),
        Some("Yes")
    );
    assert_eq!(
        chat(&[json!({"audio": {"transcript": "Spoken"}})])
            .output
            .as_deref(),
        Some("Spoken")
    );
    let drawn =
        chat(&[json!({"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:"}}]})]);
    assert_eq!(message(&drawn)["images"].as_array().unwrap().len(), 1);
    let anthropic = events(&[
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "rich_delta", "content": [{"text": "Hi"}]}}),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(
        read_stream(Api::Messages, &[(0, anthropic.as_bytes())])
            .output
            .as_deref(),
        Some("Hi")
    );
}

#[test]
fn errors_in_any_dialect_have_a_class_and_a_text() {
    let check = |found: Option<ProviderError>, class: Option<&str>, message: &str| {
        let found = found.unwrap();
        assert_eq!((found.class.as_deref(), found.message.as_str()), (class, message));
    };
    let stream = |text: &str| read_stream(Api::Messages, &[(0, text.as_bytes())]).error;
    let anthropic = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}"#;
    check(
        stream(&format!("event: error\ndata: {anthropic}\n\n")),
        Some("rate_limit_error"),
        "Slow down",
    );
    check(stream("event: error\ndata: overloaded\n\n"), None, "overloaded");
    check(
        stream("event: error\ndata: {\"code\":\"busy\",\"message\":\"Later\"}\n\n"),
        Some("busy"),
        "Later",
    );
    let whole = |body: &str| read_whole(Api::Chat, body.as_bytes()).error;
    check(
        whole(r#"[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]"#),
        Some("RESOURCE_EXHAUSTED"),
        "Quota",
    );
    check(
        whole(r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#),
        Some("status_1004"),
        "login fail",
    );
    check(
        whole(r#"{"object":"error","message":"bad","type":"invalid","code":400}"#),
        Some("invalid"),
        "bad",
    );
    check(
        whole(r#"{"code":"InvalidParameter","message":"bad"}"#),
        Some("InvalidParameter"),
        "bad",
    );
    check(
        whole(
            r#"{"choices":[{"finish_reason":"error","error":{"code":"502","message":"gone"},"message":{}}]}"#,
        ),
        Some("502"),
        "gone",
    );
    let failed = |body: &str| failure_of(body.as_bytes());
    check(
        failed(r#"{"__type":"com.amazon#ThrottlingException","message":"Slow"}"#),
        Some("ThrottlingException"),
        "Slow",
    );
    check(
        failed(r#"{"detail":"Not authenticated"}"#),
        None,
        "Not authenticated",
    );
    assert_eq!(
        whole(r#"{"base_resp":{"status_code":0},"choices":[{"message":{"content":"Hi"}}]}"#),
        None
    );
}

#[test]
fn half_a_surrogate_pair_costs_one_character() {
    let whole = r#"{"model":"m","choices":[{"message":{"content":"a\ud83d"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let reading = read_whole(Api::Chat, whole.as_bytes());
    assert_eq!(reading.output.as_deref(), Some("a\u{fffd}"));
    assert_eq!(
        (reading.model.as_deref(), reading.tokens.input),
        (Some("m"), Some(3))
    );
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"b\\ude00\"}}]}\n\ndata: [DONE]\n\n";
    let reading = read_stream(Api::Chat, &[(0, stream.as_bytes())]);
    assert_eq!(reading.output.as_deref(), Some("b\u{fffd}"));
}

#[test]
fn tools_of_the_provider_are_counted_from_what_happened() {
    let search = json!({"type": "web_search_call", "status": "completed", "action": {"type": "search"}});
    let mut items: Vec<Value> = vec![search; 4];
    items.push(json!({"type": "file_search_call", "status": "completed"}));
    items.push(json!({"type": "code_interpreter_call", "container_id": "c1"}));
    items.push(json!({"type": "code_interpreter_call", "container_id": "c1"}));
    let done = items
        .iter()
        .enumerate()
        .map(|(at, item)| json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
    let last = json!({"type": "response.completed", "response": {"status": "completed", "output": [], "usage": usage}});
    let text = events(&done.chain([last]).collect::<Vec<_>>());
    let whole = json!({"status": "completed", "output": items, "usage": usage}).to_string();
    for reading in [
        read_stream(Api::Responses, &[(0, text.as_bytes())]),
        read_whole(Api::Responses, whole.as_bytes()),
    ] {
        assert_eq!((reading.web_searches, reading.tokens.input), (Some(4), Some(10)));
        let tools: Vec<_> = reading
            .usage_details
            .tools
            .iter()
            .map(|(tool, uses)| (tool.as_str(), *uses))
            .collect();
        assert_eq!(tools, [("code_interpreter", 1), ("file_search", 1)]);
    }
    let older = json!({"status": "completed", "previous_response_id": "r0", "output": [{"type": "code_interpreter_call"}]});
    let reading = read_whole(Api::Responses, older.to_string().as_bytes());
    assert!(
        !reading.usage_details.unpriced.is_empty(),
        "its session may be an older one"
    );
}

#[test]
fn what_is_queued_has_not_been_answered_and_has_not_failed() {
    let queued = json!({"id": "r", "status": "queued", "background": true, "output": [], "usage": null, "error": null});
    let reading = read_whole(Api::Responses, queued.to_string().as_bytes());
    assert_eq!(
        (reading.stop_reason.as_deref(), reading.error, reading.output),
        (Some("queued"), None, None)
    );
    let failed = json!({"id": "r", "status": "failed", "output": [], "error": null});
    assert!(
        read_whole(Api::Responses, failed.to_string().as_bytes())
            .error
            .is_some()
    );
}

#[test]
fn a_providers_own_cost_and_a_usage_nobody_knows_are_kept() {
    let answer =
        json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.000071}});
    let reading = read_whole(Api::Chat, answer.to_string().as_bytes());
    assert_eq!(reading.reported_cost, Some(domain::NanoUsd(71_000)));
    let odd = json!({"choices": [], "usage": {"tokensIn": 3, "inner": {"out": 2}}});
    let reading = read_whole(Api::Chat, odd.to_string().as_bytes());
    assert_eq!(
        reading.usage_details.unknown_shape.as_deref(),
        Some("inner.out tokensIn")
    );
    assert_eq!(reading.attributes["usage"], odd["usage"]);
    assert_eq!(reading.tokens, ReportedTokens::default());
    let groq = read_stream(
        Api::Chat,
        &[(0, b"data: {\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}}\n\n")],
    );
    assert_eq!(groq.tokens.input, Some(4));
}

#[test]
fn what_comes_last_in_a_stream_of_anthropic_counts() {
    let text = events(&[
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 8834, "output_tokens": 1}}}),
        json!({"type": "message_delta", "delta": {}, "usage":
            {"input_tokens": 18, "cache_read_input_tokens": 8831, "output_tokens": 40}}),
        json!({"type": "message_stop"}),
    ]);
    let tokens = read_stream(Api::Messages, &[(0, text.as_bytes())]).tokens;
    assert_eq!(
        (tokens.input, tokens.cache_read, tokens.output),
        (Some(18), Some(8831), Some(40))
    );
}
