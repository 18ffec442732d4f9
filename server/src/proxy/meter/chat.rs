//! OpenAI's Chat Completions, and what speaks like them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{append, error_in, keep};
use super::usage::take_usage;
use super::{Event, Meter, Reading};

/// More choices, and more tool calls of one, than any answer has.
const MAX_PARTS: usize = 10_000;

pub(super) fn whole(body: &[u8]) -> Reading {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Reading::default();
    };
    let mut reading = Reading {
        is_complete: true,
        ..Reading::default()
    };
    describe(&mut reading, &answer);
    let choices = answer["choices"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(first) = choices.first() {
        keep(&mut reading.stop_reason, first, "finish_reason");
    }
    let messages = choices.iter().filter_map(|choice| match &choice["message"] {
        Value::Object(message) => Some(message.clone()),
        _ => None,
    });
    reading.output = output(messages.collect());
    reading
}

/// What every answer and every chunk says about itself.
pub(super) fn describe(reading: &mut Reading, answer: &Value) {
    keep(&mut reading.model, answer, "model");
    keep(&mut reading.response_id, answer, "id");
    keep(&mut reading.service_tier, answer, "service_tier");
    take_usage(reading, &answer["usage"]);
    if let Some(error) = error_in(&answer["error"]) {
        reading.error = Some(error);
    }
}

/// The text of one message that is nothing else; otherwise the message, or the messages where several were asked for.
fn output(mut messages: Vec<Map<String, Value>>) -> Option<String> {
    for message in &mut messages {
        message.retain(|_, value| !is_nothing(value));
        message.entry("role").or_insert_with(|| Value::from("assistant"));
        // Readers expect it, and without a text it is null.
        message.entry("content").or_insert(Value::Null);
    }
    match messages.as_slice() {
        [] => None,
        [one] if one.len() == 2 => match &one["content"] {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            _ => Some(json!(one).to_string()),
        },
        [one] => Some(json!(one).to_string()),
        many => Some(json!(many).to_string()),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[derive(Default)]
pub(super) struct Stream {
    reading: Reading,
    choices: BTreeMap<u64, Choice>,
}

/// A message on its way.
#[derive(Default)]
struct Choice {
    /// What grows by chunks of text: content, refusal, what others call reasoning.
    texts: BTreeMap<String, String>,
    tool_calls: BTreeMap<u64, ToolCall>,
}

#[derive(Default)]
struct ToolCall {
    id: Option<String>,
    kind: Option<String>,
    name: String,
    arguments: String,
}

impl Meter for Stream {
    fn event(&mut self, event: &Event) -> bool {
        if event.data.trim() == "[DONE]" {
            self.reading.is_complete = true;
            return false;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else {
            return false;
        };
        describe(&mut self.reading, &chunk);
        let mut has_content = false;
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            if index == 0 {
                keep(&mut self.reading.stop_reason, choice, "finish_reason");
            }
            if self.choices.len() < MAX_PARTS {
                has_content |= self.choices.entry(index).or_default().grow(&choice["delta"]);
            }
        }
        has_content
    }

    fn finish(self: Box<Self>) -> Reading {
        let messages = self.choices.into_values().map(Choice::finish).collect();
        Reading {
            output: output(messages),
            ..self.reading
        }
    }
}

impl Choice {
    fn grow(&mut self, delta: &Value) -> bool {
        let mut has_content = false;
        for (key, value) in delta.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("role" | "obfuscation", _) => {}
                ("tool_calls", Value::Array(calls)) => {
                    for call in calls {
                        has_content |= self.grow_call(call["index"].as_u64().unwrap_or(0), call);
                    }
                }
                // How tools were called before there were several.
                ("function_call", call) => {
                    has_content |= self.grow_call(0, &json!({ "function": call }));
                }
                (_, Value::String(text)) if !text.is_empty() => {
                    self.texts.entry(key.clone()).or_default().push_str(text);
                    has_content = true;
                }
                _ => {}
            }
        }
        has_content
    }

    fn grow_call(&mut self, index: u64, call: &Value) -> bool {
        if self.tool_calls.len() >= MAX_PARTS {
            return false;
        }
        let known = self.tool_calls.entry(index).or_default();
        keep(&mut known.id, call, "id");
        keep(&mut known.kind, call, "type");
        let named = append(&mut known.name, &call["function"], "name");
        append(&mut known.arguments, &call["function"], "arguments") || named
    }

    fn finish(self) -> Map<String, Value> {
        let mut message = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
        for (key, text) in self.texts {
            message.insert(key, text.into());
        }
        let calls = self.tool_calls.into_values().map(|call| {
            json!({
                "id": call.id,
                "type": call.kind.unwrap_or_else(|| "function".to_owned()),
                "function": { "name": call.name, "arguments": call.arguments },
            })
        });
        message.insert("tool_calls".to_owned(), calls.collect());
        message
    }
}
