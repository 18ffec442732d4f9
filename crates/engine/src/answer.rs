//! An answer as it was recorded, taken apart: the text that is judged, the tool calls, and what the request declared
//! about both.
//!
//! An answer of text alone is recorded as that text. Any other is recorded as the JSON of one assistant message:
//! OpenAI's `{"role":"assistant","content":…,"tool_calls":[…]}`, or with an array of content blocks (Anthropic's
//! `tool_use`, OpenAI's `function_call`, OpenTelemetry's `tool_call`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::facts::ToolCall;
use crate::request::Request;

/// An answer taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<'a> {
    /// The text of the answer; `None` when nothing was recorded.
    pub text: Option<Cow<'a, str>>,
    /// Whether `text` was taken out of a message, so that places in it are not places in what was recorded.
    pub is_message: bool,
    /// Whether the message holds something that is neither text nor a call of the caller's tools: a picture, sound, what
    /// a tool of the provider did.
    pub has_other_content: bool,
    /// The JSON schema that the request declared for the text.
    pub output_schema: Option<Value>,
    calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    name: String,
    arguments: String,
    /// Shared: one tool may be called thousands of times.
    schema: Option<Arc<Value>>,
}

impl<'a> Answer<'a> {
    /// An output that no model wrote and that is what it is.
    pub fn verbatim(output: Option<&'a str>) -> Self {
        Self {
            text: output.map(Cow::Borrowed),
            ..Self::default()
        }
    }

    /// The tool calls, in their order.
    pub fn tool_calls(&self) -> Vec<ToolCall<'_>> {
        self.calls
            .iter()
            .map(|call| ToolCall {
                name: &call.name,
                arguments: &call.arguments,
                schema: call.schema.as_deref(),
            })
            .collect()
    }
}

/// Takes a recorded answer apart. `input` is the request as it was recorded, or any other prompt, which declares
/// nothing.
pub fn read<'a>(output: Option<&'a str>, input: &str) -> Answer<'a> {
    let message = output.and_then(message_of);
    let mut answer = match message {
        Some(message) => taken_apart(&message),
        None => Answer::verbatim(output),
    };
    // Most prompts declare nothing, and that is seen without parsing them.
    let may_declare = input.trim_start().starts_with('{')
        && ["format", "tools", "output_config", "responseSchema"]
            .iter()
            .any(|word| input.contains(word));
    if may_declare && let Some(request) = Request::parse(input) {
        answer.output_schema = request.formats.iter().find_map(|raw| output_schema(raw));
        if !answer.calls.is_empty() {
            declare(&mut answer.calls, request.tools);
        }
    }
    answer
}

/// The message, if an output is one: an object that says of itself that it is the assistant's.
fn message_of(output: &str) -> Option<Value> {
    let trimmed = output.trim();
    if !trimmed.starts_with('{') || !trimmed.contains("\"assistant\"") {
        return None;
    }
    let message: Value = serde_json::from_str(trimmed)
        .or_else(|_half_surrogate| serde_json::from_str(&crate::half_surrogates::replaced(trimmed)))
        .ok()?;
    let is_message = message.get("role")?.as_str()? == "assistant"
        && ["content", "tool_calls", "function_call", "parts"]
            .iter()
            .any(|key| message.get(*key).is_some());
    is_message.then_some(message)
}

fn taken_apart<'a>(message: &Value) -> Answer<'a> {
    let mut text = String::new();
    let mut calls = Vec::new();
    let content = message
        .get("content")
        .filter(|content| !content.is_null())
        .or_else(|| message.get("parts"));
    match content {
        Some(Value::String(whole)) => text.push_str(whole),
        Some(Value::Array(parts)) => parts.iter().for_each(|part| match part {
            Value::String(paragraph) => text.push_str(paragraph),
            part => read_part(part, &mut text, &mut calls),
        }),
        _ => {}
    }
    let declined = message.get("refusal").and_then(Value::as_str);
    if let Some(refusal) = declined.filter(|_| text.is_empty()) {
        text.push_str(refusal);
    }
    let spoken = message
        .get("audio")
        .and_then(|audio| audio.get("transcript")?.as_str());
    if let Some(transcript) = spoken.filter(|_| text.is_empty()) {
        text.push_str(transcript);
    }
    let listed = message.get("tool_calls").and_then(Value::as_array);
    calls.extend(listed.into_iter().flatten().filter_map(call_of));
    calls.extend(message.get("function_call").and_then(call_of));
    Answer {
        text: Some(Cow::Owned(text)),
        is_message: true,
        has_other_content: has_other_content(message, content),
        output_schema: None,
        calls,
    }
}

/// Whether there is content beside text and calls. Thinking is none: nobody is shown it.
fn has_other_content(message: &Value, content: Option<&Value>) -> bool {
    const TEXT_OR_CALL: &[&str] = &[
        "text",
        "output_text",
        "refusal",
        "thinking",
        "redacted_thinking",
        "reasoning",
        "tool_use",
        "tool_call",
        "function_call",
    ];
    // What says something about the answer, and is none.
    const ABOUT: &[&str] = &[
        "annotations",
        "citations",
        "content",
        "function_call",
        "metadata",
        "parts",
        "tool_calls",
    ];
    let is_other = |part: &Value| {
        part["type"]
            .as_str()
            .is_some_and(|kind| !TEXT_OR_CALL.contains(&kind))
    };
    let is_something = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => false,
    };
    content
        .and_then(Value::as_array)
        .is_some_and(|parts| parts.iter().any(is_other))
        || message["parts"]
            .as_array()
            .is_some_and(|parts| parts.iter().any(is_other))
        || message.as_object().into_iter().flatten().any(|(key, value)| {
            let is_about =
                ABOUT.contains(&key.as_str()) || key.starts_with("reasoning") || key.starts_with("thinking");
            !is_about && is_something(value)
        })
}

fn read_part(part: &Value, text: &mut String, calls: &mut Vec<Call>) {
    let word = |key: &str| part.get(key).and_then(Value::as_str);
    match word("type").unwrap_or("text") {
        "text" | "output_text" => text.push_str(word("text").or_else(|| word("content")).unwrap_or("")),
        "refusal" => text.push_str(word("refusal").unwrap_or("")),
        // What the provider runs itself (server_tool_use) has no schema of the caller's and ends no answer.
        "tool_use" | "tool_call" | "function_call" => calls.extend(call_of(part)),
        _ => {}
    }
}

/// A call in any of its forms: OpenAI's wraps it in `function`, Anthropic calls the arguments `input`.
fn call_of(value: &Value) -> Option<Call> {
    let call = value
        .get("function")
        .or_else(|| value.get("custom"))
        .unwrap_or(value);
    let arguments = match call.get("arguments").or_else(|| call.get("input")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(arguments) => arguments.to_string(),
    };
    Some(Call {
        name: call.get("name")?.as_str()?.to_owned(),
        arguments,
        schema: None,
    })
}

/// Gives each call the schema that the request declares for it.
fn declare(calls: &mut [Call], tools: Option<&str>) {
    let Some(Value::Array(tools)) = tools.and_then(|raw| serde_json::from_str(raw).ok()) else {
        return;
    };
    let gemini = tools
        .iter()
        .filter_map(|tool| tool.get("functionDeclarations")?.as_array())
        .flatten();
    let mut schemas: HashMap<&str, &Value> = HashMap::new();
    for tool in tools.iter().chain(gemini) {
        let function = tool.get("function").unwrap_or(tool);
        let schema = ["input_schema", "parameters", "parametersJsonSchema"]
            .iter()
            .find_map(|key| function.get(*key));
        if let (Some(name), Some(schema)) = (function.get("name").and_then(Value::as_str), schema) {
            schemas.insert(name, schema);
        }
    }
    let mut shared: HashMap<&str, Arc<Value>> = HashMap::new();
    for call in calls {
        if let Some((name, schema)) = schemas.get_key_value(call.name.as_str()) {
            let schema = shared.entry(name).or_insert_with(|| Arc::new((*schema).clone()));
            call.schema = Some(Arc::clone(schema));
        }
    }
}

/// The schema in a value that declares how to answer: chat's `response_format`, the responses API's `text`,
/// Anthropic's `output_config` and `output_format`, Gemini's `generationConfig`.
fn output_schema(raw: &str) -> Option<Value> {
    let declared: Value = serde_json::from_str(raw).ok()?;
    let format = declared.get("format").unwrap_or(&declared);
    if format.get("type").and_then(Value::as_str) == Some("json_object") {
        return Some(json!({"type": "object"}));
    }
    format
        .get("json_schema")
        .unwrap_or(format)
        .get("schema")
        .or_else(|| declared.get("responseJsonSchema"))
        .filter(|schema| schema.is_object())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_answer_apart() {
        // Expected: text, tool calls as name and arguments.
        let check = |output: &str, text: &str, calls: &[(&str, &str)]| {
            let answer = read(Some(output), "");
            assert_eq!(answer.text.as_deref(), Some(text), "{output}");
            let found = answer.tool_calls();
            let found: Vec<_> = found.iter().map(|call| (call.name, call.arguments)).collect();
            assert_eq!(found, calls, "{output}");
        };
        check("plain", "plain", &[]);
        check(r#"{"intent":"refund"}"#, r#"{"intent":"refund"}"#, &[]);
        check(r#"{"role":"assistant"}"#, r#"{"role":"assistant"}"#, &[]);
        check(
            r#"{"role":"user","content":"assistant"}"#,
            r#"{"role":"user","content":"assistant"}"#,
            &[],
        );
        check(
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"look","arguments":"{\"a\":1}"}}]}"#,
            "",
            &[("look", r#"{"a":1}"#)],
        );
        check(
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"So. "},{"type":"text","text":"Yes"},{"type":"tool_use","id":"1","name":"look","input":{"a":1}}]}"#,
            "So. Yes",
            &[("look", r#"{"a":1}"#)],
        );
        check(
            r#"{"role":"assistant","content":[{"type":"output_text","text":"A"},{"type":"function_call","name":"f","arguments":"{}"}]}"#,
            "A",
            &[("f", "{}")],
        );
        check(
            r#"{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f","arguments":{"b":2}}]}"#,
            "",
            &[("f", r#"{"b":2}"#)],
        );
        check(
            r#"{"role":"assistant","content":"","refusal":"I can't."}"#,
            "I can't.",
            &[],
        );
        assert_eq!(read(None, ""), Answer::default());
    }

    #[test]
    fn knows_what_the_request_declared() {
        let check = |request: &str, expected: Option<&str>| {
            let schema = read(Some("{}"), request).output_schema;
            assert_eq!(
                schema.map(|schema| schema.to_string()).as_deref(),
                expected,
                "{request}"
            );
        };
        let schema = r#"{"type":"object"}"#;
        check("Answer in this format: {}", None);
        check(r#"{"messages":[],"response_format":{"type":"text"}}"#, None);
        check(
            r#"{"messages":[],"response_format":{"type":"json_object"}}"#,
            Some(schema),
        );
        check(
            r#"{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}"#,
            Some(schema),
        );
        check(
            r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}}"#,
            Some(schema),
        );
        check(
            r#"{"messages":[],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#,
            Some(schema),
        );
        let call = r#"{"role":"assistant","content":[{"type":"tool_use","name":"look","input":{}}]}"#;
        let declared = |tools: &str| {
            let answer = read(Some(call), &format!(r#"{{"messages":[],"tools":{tools}}}"#));
            answer.tool_calls()[0].schema.map(Value::to_string)
        };
        let expected = Some(schema.to_owned());
        assert_eq!(
            declared(r#"[{"name":"look","input_schema":{"type":"object"}}]"#),
            expected
        );
        assert_eq!(
            declared(r#"[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#),
            expected
        );
        assert_eq!(
            declared(r#"[{"type":"function","name":"look","parameters":{"type":"object"}}]"#),
            expected
        );
        assert_eq!(
            declared(r#"[{"name":"other","input_schema":{"type":"object"}}]"#),
            None
        );
    }
}
