//! One message, whoever wrote it down.

use serde_json::{Map, Value, json};

use crate::attributes::{parsed, text};
use crate::nested::items;

/// Encoded media longer than this is not kept as text.
const MAX_INLINE_BYTES: usize = 512;

/// A message in the words of OpenAI's chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    role: String,
    /// Its parts in their order.
    parts: Vec<Part>,
    tool_calls: Vec<Value>,
    /// The call that it answers.
    tool_call_id: Option<String>,
    name: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// Anything else, as the page knows it.
    Other(Value),
}

impl Message {
    /// A message that says nothing yet.
    pub(crate) fn empty(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            ..Self::default()
        }
    }

    /// A message of text.
    pub(crate) fn of_text(role: &str, text: String) -> Self {
        Self {
            role: role.to_owned(),
            parts: vec![Part::Text(text)],
            ..Self::default()
        }
    }

    /// Reads a message in any dialect: OpenTelemetry's `parts`, OpenInference's flat `contents`, OpenLLMetry's texts
    /// with JSON in them, the Vercel AI SDK's content, the providers' own. `None` for what is none.
    pub(crate) fn read(value: &Value, default_role: &str) -> Option<Self> {
        let value = match value {
            Value::Object(map) => map
                .get("message")
                .filter(|inner| inner.is_object())
                .unwrap_or(value),
            Value::String(text) => return Some(Self::of_text(default_role, text.clone())),
            _ => return None,
        };
        let role = value.get("role").and_then(Value::as_str).unwrap_or(default_role);
        let mut message = Self {
            role: role_word(role).to_owned(),
            tool_call_id: word(value, &["tool_call_id", "id"]).filter(|_| role == "tool"),
            name: word(value, &["name"]),
            ..Self::default()
        };
        for key in ["parts", "content", "contents"] {
            if let Some(content) = value.get(key) {
                message.take_content(content);
                break;
            }
        }
        if let Some(calls) = value.get("tool_calls").or_else(|| value.get("toolCalls")) {
            let calls = parsed(calls);
            message
                .tool_calls
                .extend(items(&calls).into_iter().filter_map(call));
        }
        if let Some(name) = word(value, &["function_call_name"]) {
            let arguments = value.get("function_call_arguments_json").cloned();
            message.tool_calls.push(function(None, &name, arguments.as_ref()));
        }
        let says_something =
            !message.parts.is_empty() || !message.tool_calls.is_empty() || value.get("role").is_some();
        says_something.then_some(message)
    }

    /// Adds to it what another says: an answer whose text and calls are told apart.
    pub(crate) fn add_calls(&mut self, calls: &Value) {
        let calls = parsed(calls);
        self.tool_calls.extend(items(&calls).into_iter().filter_map(call));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tool_calls.is_empty()
    }

    fn take_content(&mut self, content: &Value) {
        match content {
            Value::Null => {}
            Value::String(text) => match parts_in(text) {
                Some(parts) => parts.iter().for_each(|part| self.take_part(part)),
                None => self.parts.push(Part::Text(text.clone())),
            },
            Value::Array(_) => items(content).into_iter().for_each(|part| self.take_part(part)),
            Value::Object(map) => {
                let numbered = items(content);
                if numbered.is_empty() && !map.is_empty() {
                    self.take_part(content);
                } else {
                    numbered.into_iter().for_each(|part| self.take_part(part));
                }
            }
            other => self.parts.push(Part::Text(other.to_string())),
        }
    }

    fn take_part(&mut self, part: &Value) {
        let part = part.get("message_content").unwrap_or(part);
        if let Value::String(text) = part {
            self.parts.push(Part::Text(text.clone()));
            return;
        }
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let said = || {
            let value = ["text", "content", "value"].iter().find_map(|key| part.get(*key));
            value.and_then(text)
        };
        match kind {
            "text" | "input_text" | "output_text" => self.parts.extend(said().map(Part::Text)),
            "reasoning" | "thinking" => {
                let thought = said().or_else(|| word(part, &["thinking"]));
                let thought = thought.map(|thought| json!({"type": "thinking", "thinking": thought}));
                self.parts.extend(thought.map(Part::Other));
            }
            "tool_call" | "tool-call" | "tool_use" | "function_call" | "server_tool_call" => {
                self.tool_calls.extend(call(part));
            }
            "tool_call_response" | "tool-result" | "tool_result" | "server_tool_call_response" => {
                self.role = "tool".to_owned();
                self.tool_call_id = word(part, &["id", "toolCallId", "tool_use_id", "call_id"]);
                let result = ["response", "result", "output", "content"];
                let result = result.iter().find_map(|key| part.get(*key));
                // The Vercel AI SDK says of which type it is.
                let result = result.map(|result| result.get("value").unwrap_or(result));
                self.parts.extend(result.and_then(text).map(Part::Text));
            }
            _ => match said().filter(|_| kind.is_empty() && part.get("image").is_none()) {
                Some(said) => self.parts.push(Part::Text(said)),
                None => self.parts.push(Part::Other(medium(part, kind))),
            },
        }
    }

    /// Its text, if it is an answer of nothing else.
    pub(crate) fn only_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] if self.tool_calls.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut message = Map::new();
        message.insert("role".to_owned(), self.role.clone().into());
        let content = match self.parts.as_slice() {
            [] => Value::Null,
            [Part::Text(text)] => text.clone().into(),
            parts => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => json!({"type": "text", "text": text}),
                    Part::Other(other) => other.clone(),
                })
                .collect(),
        };
        message.insert("content".to_owned(), content);
        if !self.tool_calls.is_empty() {
            message.insert("tool_calls".to_owned(), self.tool_calls.clone().into());
        }
        for (key, word) in [("tool_call_id", &self.tool_call_id), ("name", &self.name)] {
            if let Some(word) = word {
                message.insert(key.to_owned(), word.clone().into());
            }
        }
        Value::Object(message)
    }
}

/// Roles by other names.
fn role_word(role: &str) -> &str {
    match role {
        "human" => "user",
        "ai" | "model" => "assistant",
        "developer" => "system",
        other => other,
    }
}

fn word(value: &Value, keys: &[&str]) -> Option<String> {
    let text = keys.iter().find_map(|key| value.get(*key)?.as_str())?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Content that was written as JSON into a text.
fn parts_in(text: &str) -> Option<Vec<Value>> {
    if !text.trim_start().starts_with("[{") {
        return None;
    }
    let parts: Vec<Value> = serde_json::from_str(text).ok()?;
    parts
        .iter()
        .all(|part| part.get("type").is_some_and(Value::is_string))
        .then_some(parts)
}

/// A tool call in any dialect, as OpenAI's.
fn call(value: &Value) -> Option<Value> {
    let value = value.get("tool_call").unwrap_or(value);
    let function_of = value.get("function").filter(|function| function.is_object());
    let described = function_of.unwrap_or(value);
    let name = word(described, &["name", "toolName", "tool_name"])?;
    let id = word(value, &["id", "toolCallId", "call_id"]);
    let arguments = ["arguments", "input", "args"];
    let arguments = arguments.iter().find_map(|key| described.get(*key));
    Some(function(id, &name, arguments))
}

fn function(id: Option<String>, name: &str, arguments: Option<&Value>) -> Value {
    let arguments = arguments.and_then(text).unwrap_or_else(|| "{}".to_owned());
    let mut call = Map::new();
    if let Some(id) = id {
        call.insert("id".to_owned(), id.into());
    }
    call.insert("type".to_owned(), "function".into());
    call.insert(
        "function".to_owned(),
        json!({"name": name, "arguments": arguments}),
    );
    Value::Object(call)
}

/// An image, a file, a sound: what it is and how large, but not its bytes.
fn medium(part: &Value, kind: &str) -> Value {
    let modality = word(part, &["modality"]);
    let mut part = part.clone();
    without_bytes(&mut part);
    if let Value::Object(map) = &mut part {
        let is_image = modality.as_deref() == Some("image") || map.contains_key("image");
        let shown = match kind {
            "blob" | "uri" | "" if is_image => "image",
            "blob" | "uri" | "" => "file",
            other => other,
        };
        map.insert("type".to_owned(), shown.into());
    }
    part
}

/// Replaces encoded bytes by their number.
fn without_bytes(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MAX_INLINE_BYTES && is_encoded(text) => {
            let kind = text
                .split_once(";base64,")
                .map_or("", |(kind, _)| kind)
                .to_owned();
            *text = format!("{kind} ({} bytes)", text.len() / 4 * 3)
                .trim_start()
                .to_owned();
        }
        Value::Array(items) => items.iter_mut().for_each(without_bytes),
        Value::Object(map) => map.values_mut().for_each(without_bytes),
        _ => {}
    }
}

fn is_encoded(text: &str) -> bool {
    let beginning = text.as_bytes().iter().take(MAX_INLINE_BYTES);
    text.starts_with("data:")
        || beginning
            .into_iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte))
}
