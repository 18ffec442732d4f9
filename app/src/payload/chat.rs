//! Reads a prompt as a conversation: OpenAI, Anthropic and Gemini shapes, and plain lists of messages.

mod media;

use serde_json::Value;

#[cfg(any(feature = "ssr", test))]
pub(crate) use self::media::without_base64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// Standing instructions.
    System,
    /// The person, or the calling code.
    User,
    Assistant,
    /// A tool's answer.
    Tool,
    /// A role none of the above.
    Other,
}

impl Speaker {
    fn from_role(role: &str) -> Self {
        match role {
            "system" | "developer" => Self::System,
            "user" | "human" => Self::User,
            "assistant" | "model" | "ai" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::Other,
        }
    }
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    /// The model's private reasoning.
    Thinking(String),
    /// A request to call a tool, with its arguments as text.
    Call {
        /// The tool's name.
        name: String,
        /// The arguments: JSON text.
        arguments: String,
    },
    /// What a tool answered.
    Result(String),
    /// Something that can't be shown as text: an image, a file.
    Media(String),
    /// A part of unknown shape, as JSON text.
    Unknown(String),
}

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) speaker: Speaker,
    /// The role in the client's word.
    pub(crate) role: String,
    /// What is said, in order.
    pub(crate) parts: Vec<Part>,
}

/// The conversation in a prompt; `None` when the text is not one, and is to be shown as it is.
pub(crate) fn parse(text: &str) -> Option<Vec<Message>> {
    let text = text.trim_start();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let mut messages = Vec::new();
    let list = match &value {
        Value::Array(list) => list,
        Value::Object(fields) => {
            for name in [
                "system",
                "instructions",
                "systemInstruction",
                "system_instruction",
            ] {
                if let Some(system) = fields.get(name).filter(|v| !v.is_null()) {
                    push(&mut messages, "system", parts_of(system));
                }
            }
            match ["messages", "contents", "input"]
                .iter()
                .find_map(|name| fields.get(*name))
            {
                Some(Value::Array(list)) => list,
                Some(Value::String(text)) => {
                    push(&mut messages, "user", vec![Part::Text(text.clone())]);
                    return Some(messages);
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    for message in list {
        messages.push(message_of(message)?);
    }
    (!messages.is_empty()).then_some(messages)
}

/// The conversation in an answer: as in a prompt, or one message alone, as an answer that calls tools is recorded.
pub(crate) fn parse_answer(text: &str) -> Option<Vec<Message>> {
    if let Some(messages) = parse(text) {
        return Some(messages);
    }
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("role")?;
    Some(vec![message_of(&value)?])
}

fn push(messages: &mut Vec<Message>, role: &str, parts: Vec<Part>) {
    if !parts.is_empty() {
        messages.push(Message {
            speaker: Speaker::from_role(role),
            role: role.to_owned(),
            parts,
        });
    }
}

/// `None` for anything without a role or a type: then the list is not a conversation.
fn message_of(value: &Value) -> Option<Message> {
    let fields = value.as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let Some(role) = text("role") else {
        return item_of(value);
    };
    let mut parts = Vec::new();
    for name in ["reasoning_content", "content", "parts"] {
        if let Some(content) = fields.get(name) {
            parts.extend(parts_of(content));
        }
    }
    if let Some(calls) = fields.get("tool_calls").and_then(Value::as_array) {
        parts.extend(
            calls
                .iter()
                .map(|call| call_of(call.get("function").unwrap_or(call))),
        );
    }
    if let Some(call) = fields.get("function_call").filter(|v| v.is_object()) {
        parts.push(call_of(call));
    }
    let speaker = Speaker::from_role(role);
    if speaker == Speaker::Tool {
        parts = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => Part::Result(text),
                part => part,
            })
            .collect();
    }
    Some(Message {
        speaker,
        role: role.to_owned(),
        parts,
    })
}

/// An item without a role, as OpenAI's Responses API sends them.
fn item_of(value: &Value) -> Option<Message> {
    let (role, part) = match value.get("type")?.as_str()? {
        "function_call" => ("assistant", call_of(value)),
        "function_call_output" => ("tool", Part::Result(plain(value.get("output")?))),
        "reasoning" => ("assistant", Part::Thinking(plain(value.get("summary")?))),
        _ => return None,
    };
    Some(Message {
        speaker: Speaker::from_role(role),
        role: role.to_owned(),
        parts: vec![part],
    })
}

fn parts_of(content: &Value) -> Vec<Part> {
    match content {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(list) => list.iter().map(part_of).collect(),
        Value::Object(fields) => match fields.get("parts").and_then(Value::as_array) {
            Some(list) => list.iter().map(part_of).collect(),
            None => vec![part_of(content)],
        },
        other => vec![Part::Unknown(other.to_string())],
    }
}

fn part_of(part: &Value) -> Part {
    if let Some(text) = part.as_str() {
        return Part::Text(text.to_owned());
    }
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let kind = text("type").unwrap_or("");
    match kind {
        "tool_use" | "function_call" => return call_of(part),
        "tool_result" => return Part::Result(part.get("content").map(plain).unwrap_or_default()),
        "thinking" | "reasoning" => {
            if let Some(said) = text("thinking").or_else(|| text("text")) {
                return Part::Thinking(said.to_owned());
            }
        }
        "image" | "image_url" | "input_image" | "document" | "file" | "input_file" | "input_audio" => {
            let kind = kind.trim_start_matches("input_").trim_end_matches("_url");
            return Part::Media(media::words(kind, part));
        }
        _ => {}
    }
    if let Some(call) = part.get("functionCall") {
        return call_of(call);
    }
    if let Some(response) = part.get("functionResponse") {
        return Part::Result(response.get("response").map(plain).unwrap_or_default());
    }
    if let Some(data) = part.get("inlineData") {
        return Part::Media(media::words("file", data));
    }
    match text("text")
        .or_else(|| text("content"))
        .or_else(|| text("refusal"))
    {
        Some(said) => Part::Text(said.to_owned()),
        None => Part::Unknown(part.to_string()),
    }
}

fn call_of(call: &Value) -> Part {
    let arguments = ["arguments", "input", "args"]
        .iter()
        .find_map(|name| call.get(*name));
    Part::Call {
        name: call
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("unnamed")
            .to_owned(),
        arguments: arguments.map(plain).unwrap_or_default(),
    }
}

/// Text as it is, lists of text parts joined, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if !list.is_empty() && list.iter().all(|v| v.get("text").is_some()) => {
            let texts: Vec<&str> = list.iter().filter_map(|v| v["text"].as_str()).collect();
            texts.join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        let line = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Thinking(text) => format!("~{text}"),
            Part::Call { name, arguments } => format!("{name}({arguments})"),
            Part::Result(text) => format!("={text}"),
            Part::Media(kind) => format!("[{kind}]"),
            Part::Unknown(json) => format!("?{json}"),
        };
        let messages = parse(text)?;
        let lines: Vec<String> = messages
            .iter()
            .map(|m| {
                format!(
                    "{}: {}",
                    m.role,
                    m.parts.iter().map(line).collect::<Vec<_>>().join(" ")
                )
            })
            .collect();
        Some(lines.join(" | "))
    }

    #[test]
    fn conversations() {
        let check = |text: &str, expected: &str| assert_eq!(said(text).as_deref(), Some(expected), "{text}");
        check(
            r#"{"system":"Be brief","messages":[{"role":"user","content":"Hi"}]}"#,
            "system: Be brief | user: Hi",
        );
        check(
            r#"[{"role":"user","content":["a",{"type":"text","text":"b"}]}]"#,
            "user: a b",
        );
        check(
            r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"find","arguments":"{\"q\":1}"}}]},{"role":"tool","content":"none"}]}"#,
            r#"assistant: find({"q":1}) | tool: =none"#,
        );
        check(
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","name":"look","input":{"x":2}}]},{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"ok"}]},{"type":"image","source":{}}]}]"#,
            r#"assistant: ~hm look({"x":2}) | user: =ok [image]"#,
        );
        check(
            r#"{"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"model","parts":[{"text":"T"},{"functionCall":{"name":"f","args":{}}}]}]}"#,
            "system: S | model: T f({})",
        );
        check(
            r#"{"instructions":"I","input":[{"role":"user","content":[{"type":"input_text","text":"q"}]},{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"o"}]}"#,
            "system: I | user: q | assistant: f({}) | tool: =o",
        );
        check(r#"{"input":"just words"}"#, "user: just words");
        check(
            r#"[{"role":"critic","content":{"odd":true}}]"#,
            r#"critic: ?{"odd":true}"#,
        );
        check(r#"[{"role":"user"}]"#, "user: ");
    }

    #[test]
    fn an_answer_may_be_one_message() {
        let check = |text: &str, parts: Option<usize>| {
            let found = parse_answer(text).and_then(|messages| Some(messages.first()?.parts.len()));
            assert_eq!(found, parts, "{text}");
        };
        check(
            r#"{"role":"assistant","content":"so","tool_calls":[{"function":{"name":"find","arguments":"{}"}}]}"#,
            Some(2),
        );
        check(r#"[{"role":"assistant","content":"so"}]"#, Some(1));
        check(r#"{"intent":"refund"}"#, None);
        check("so", None);
    }

    #[test]
    fn everything_else_stays_text() {
        let check = |text: &str| assert_eq!(parse(text), None, "{text}");
        check("");
        check("plain words");
        check("{not json");
        check("[]");
        check("[1,2]");
        check("{}");
        check(r#"{"messages":"no"}"#.replace("messages", "message").as_str());
        check(r#"[{"id":1}]"#);
        check(&"[".repeat(100_000));
    }
}
