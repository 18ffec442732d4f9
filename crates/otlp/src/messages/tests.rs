use serde_json::{Map, Value, json};

use super::*;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What a conversation with a tool comes to, whoever wrote it down.
fn expected() -> (Value, Value) {
    let call = json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]);
    let asked = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rain in Bonn?"},
        {"role": "assistant", "content": null, "tool_calls": call},
        {"role": "tool", "content": "wet", "tool_call_id": "c1"},
    ]});
    (asked, json!("Yes, take a coat."))
}

#[test]
fn every_dialect_tells_the_same_conversation() {
    let check = |dialect: &str, attributes: Value, events: Value| {
        let attributes = map(attributes);
        let events: Vec<(String, Map<String, Value>)> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (event[0].as_str().unwrap().to_owned(), map(event[1].clone())))
            .collect();
        let events: Vec<Event<'_>> = events
            .iter()
            .map(|(name, attributes)| Event { name, attributes })
            .collect();
        let said = said(&attributes, &events);
        let asked: Value = serde_json::from_str(&request(&said.asked, said.tools).unwrap()).unwrap();
        let (expected_asked, expected_answer) = expected();
        assert_eq!(asked, expected_asked, "{dialect}");
        assert_eq!(json!(answer(&said.answered)), expected_answer, "{dialect}");
    };
    let parts = json!([
        {"role": "user", "parts": [{"type": "text", "content": "Rain in Bonn?"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": "{\"city\":\"Bonn\"}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "wet"}]},
    ]);
    let answered = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Yes, take a coat."}], "finish_reason": "stop"}]);
    let instructions = json!([{"type": "text", "content": "Be brief."}]);
    check(
        "semantic conventions since 1.37",
        json!({
            "gen_ai.system_instructions": instructions.to_string(),
            "gen_ai.input.messages": parts.to_string(),
            "gen_ai.output.messages": answered.to_string(),
        }),
        json!([]),
    );
    check(
        "the event with details",
        json!({}),
        json!([["gen_ai.client.inference.operation.details", {
            "gen_ai.system_instructions": instructions,
            "gen_ai.input.messages": parts,
            "gen_ai.output.messages": answered,
        }]]),
    );
    check(
        "events before 1.37",
        json!({}),
        json!([
            ["gen_ai.system.message", {"content": "Be brief."}],
            ["gen_ai.user.message", {"content": "Rain in Bonn?"}],
            ["gen_ai.assistant.message", {"tool_calls": "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Bonn\\\"}\"}}]"}],
            ["gen_ai.tool.message", {"content": "wet", "id": "c1"}],
            ["gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": "{\"role\":\"assistant\",\"content\":\"Yes, take a coat.\"}"}],
        ]),
    );
    check(
        "OpenInference",
        json!({
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "Rain in Bonn?",
            "llm.input_messages.2.message.role": "assistant",
            "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "weather",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": "{\"city\":\"Bonn\"}",
            "llm.input_messages.3.message.role": "tool",
            "llm.input_messages.3.message.content": "wet",
            "llm.input_messages.3.message.tool_call_id": "c1",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Yes, take a coat.",
        }),
        json!([]),
    );
    check(
        "OpenLLMetry, flat",
        json!({
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "[{\"type\":\"text\",\"text\":\"Rain in Bonn?\"}]",
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "c1",
            "gen_ai.prompt.2.tool_calls.0.name": "weather",
            "gen_ai.prompt.2.tool_calls.0.arguments": "{\"city\":\"Bonn\"}",
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.content": "wet",
            "gen_ai.prompt.3.tool_call_id": "c1",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Yes, take a coat.",
            "gen_ai.completion.0.finish_reason": "stop",
        }),
        json!([]),
    );
    check(
        "the Vercel AI SDK",
        json!({
            "ai.prompt.messages": json!([
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Rain in Bonn?"}]},
                {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Bonn"}}]},
                {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "toolName": "weather", "output": {"type": "text", "value": "wet"}}]},
            ]).to_string(),
            "ai.response.text": "Yes, take a coat.",
        }),
        json!([]),
    );
    let chat = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rain in Bonn?"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]},
        {"role": "tool", "content": "wet", "tool_call_id": "c1"},
    ]);
    check(
        "Langfuse",
        json!({
            "langfuse.observation.input": chat.to_string(),
            "langfuse.observation.output": "{\"role\":\"assistant\",\"content\":\"Yes, take a coat.\"}",
        }),
        json!([]),
    );
    check(
        "TraceRoot",
        json!({
            "traceroot.span.input": json!({"model": "m", "messages": chat}).to_string(),
            "traceroot.span.output": "[{\"role\":\"assistant\",\"content\":\"Yes, take a coat.\"}]",
        }),
        json!([]),
    );
    check(
        "OpenLIT",
        json!({}),
        json!([
            ["gen_ai.content.prompt", {"gen_ai.prompt": chat.to_string()}],
            ["gen_ai.content.completion", {"gen_ai.completion": "Yes, take a coat."}],
        ]),
    );
    check(
        "before 1.27",
        json!({
            "gen_ai.prompt": chat.to_string(),
            "gen_ai.completion": "[{\"role\":\"assistant\",\"content\":\"Yes, take a coat.\"}]",
        }),
        json!([]),
    );
}

#[test]
fn an_answer_that_calls_a_tool_is_a_message() {
    let attributes = map(json!({
        "ai.response.text": "",
        "ai.response.toolCalls": "[{\"toolCallId\":\"c1\",\"toolName\":\"weather\",\"input\":\"{}\"}]",
    }));
    let said = said(&attributes, &[]);
    let answer: Value = serde_json::from_str(&answer(&said.answered).unwrap()).unwrap();
    let call = json!([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]);
    assert_eq!(
        answer,
        json!({"role": "assistant", "content": null, "tool_calls": call})
    );
}

#[test]
fn a_prompt_with_its_system_text_is_a_conversation() {
    let attributes = map(json!({"ai.prompt": "{\"system\":\"Be brief.\",\"prompt\":\"Rain?\"}"}));
    let said = said(&attributes, &[]);
    let asked: Value = serde_json::from_str(&request(&said.asked, said.tools).unwrap()).unwrap();
    let expected = json!({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"}]});
    assert_eq!(asked, expected);
}

#[test]
fn media_are_named_and_not_kept_as_text() {
    let image = format!("data:image/png;base64,{}", "QUJD".repeat(1_000));
    let check = |part: Value, kind: &str| {
        let message = Message::read(&json!({"role": "user", "parts": [part]}), "user").unwrap();
        let json = message.to_json();
        assert_eq!(json["content"][0]["type"], kind, "{json}");
        let text = json.to_string();
        assert!(!text.contains("QUJDQUJD") && text.contains("bytes)"), "{text}");
    };
    check(
        json!({"type": "image_url", "image_url": {"url": image}}),
        "image_url",
    );
    check(
        json!({"type": "blob", "modality": "image", "content": "QUJD".repeat(1_000)}),
        "image",
    );
    check(
        json!({"type": "blob", "modality": "audio", "content": "QUJD".repeat(1_000)}),
        "file",
    );
    check(
        json!({"type": "image", "image": {"image": {"url": image}}}),
        "image",
    );
}

#[test]
fn declared_tools_are_in_one_form() {
    let expected = json!([{"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}}}]);
    let check = |declared: Value| assert_eq!(json!(tools(&declared)), expected, "{declared}");
    check(expected.clone());
    check(json!(expected.to_string()));
    check(json!([{"name": "weather", "description": "d", "parameters": "{\"type\":\"object\"}"}]));
    check(json!([
        "{\"type\":\"function\",\"name\":\"weather\",\"description\":\"d\",\"inputSchema\":{\"type\":\"object\"}}"
    ]));
    check(json!({"0": {"tool": {"json_schema": expected[0].to_string()}}}));
}
