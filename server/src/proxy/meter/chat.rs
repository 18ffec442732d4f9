//! OpenAI's Chat Completions, and what speaks like them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{append, error_in, keep, parse, text_of};
use super::usage::take_usage;
use super::{Event, Meter, Reading};

/// More choices, and more tool calls of one, than any answer has.
const MAX_PARTS: usize = 10_000;

pub(super) fn whole(body: &[u8]) -> Reading {
    let Some(answer) = parse(body) else {
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
        fail(&mut reading, first);
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
    // Groq's streams say it in a place of their own.
    let place = [&answer["usage"], &answer["x_groq"]["usage"]];
    if let Some(usage) = place.into_iter().find(|usage| usage.is_object()) {
        take_usage(reading, usage);
    }
    if let Some(error) = error_in(&answer["error"]) {
        reading.error = Some(error);
    }
}

/// What a choice says went wrong, as gateways put it once the answer has begun.
fn fail(reading: &mut Reading, choice: &Value) {
    let error = error_in(&choice["error"]).or_else(|| {
        (choice["finish_reason"] == "error").then(|| super::ProviderError {
            class: Some("error".to_owned()),
            message: "The answer ended with an error".to_owned(),
        })
    });
    reading.error = reading.error.take().or(error);
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
    tool_calls: Vec<ToolCall>,
    /// What is neither text nor a call: pictures, sound, citations.
    others: BTreeMap<String, Vec<Value>>,
}

#[derive(Default)]
struct ToolCall {
    /// The place that its chunks name; several calls may share one.
    index: Option<u64>,
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
        let Some(chunk) = parse(event.data.as_bytes()) else {
            return false;
        };
        describe(&mut self.reading, &chunk);
        let mut has_content = false;
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            if index == 0 {
                keep(&mut self.reading.stop_reason, choice, "finish_reason");
                fail(&mut self.reading, choice);
            }
            if self.choices.len() < MAX_PARTS {
                // Some stream whole messages, some the text of the old completions.
                let delta = ["delta", "message"]
                    .iter()
                    .find_map(|key| choice.get(*key).filter(|d| d.is_object()));
                let known = self.choices.entry(index).or_default();
                has_content |= match delta {
                    Some(delta) => known.grow(delta),
                    None => append(
                        known.texts.entry("content".to_owned()).or_default(),
                        choice,
                        "text",
                    ),
                };
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
                        has_content |= self.grow_call(call["index"].as_u64(), call);
                    }
                }
                // How tools were called before there were several.
                ("function_call", call) => {
                    has_content |= self.grow_call(Some(0), &json!({ "function": call }));
                }
                ("content", Value::Array(_) | Value::Object(_)) => has_content |= self.grow_parts(value),
                ("audio", sound) if sound["transcript"].is_string() => {
                    has_content |= append(
                        self.texts.entry("content".to_owned()).or_default(),
                        sound,
                        "transcript",
                    );
                }
                (_, Value::Array(items)) if !items.is_empty() => {
                    let known = self.others.entry(key.clone()).or_default();
                    known.extend(items.iter().take(MAX_PARTS.saturating_sub(known.len())).cloned());
                    // Pieces of the thinking that is in a text beside them are no content by themselves.
                    has_content |= key == "images";
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

    /// Content as parts: Mistral's thinking beside its text, and whatever else has a text.
    fn grow_parts(&mut self, content: &Value) -> bool {
        let one = std::slice::from_ref(content);
        let parts = content.as_array().map_or(one, Vec::as_slice);
        let mut has_content = false;
        for part in parts {
            let is_thinking = matches!(part["type"].as_str(), Some("thinking" | "reasoning"));
            let place = if is_thinking {
                "reasoning_content"
            } else {
                "content"
            };
            let mut text = String::new();
            if text_of(part, &mut text) {
                self.texts.entry(place.to_owned()).or_default().push_str(&text);
                has_content = true;
            } else if part["type"].is_string() && part["type"] != "text" && !is_thinking {
                let known = self.others.entry("parts".to_owned()).or_default();
                known.extend((known.len() < MAX_PARTS).then(|| part.clone()));
                has_content = true;
            }
        }
        has_content
    }

    fn grow_call(&mut self, index: Option<u64>, call: &Value) -> bool {
        let Some(at) = self.place_of_call(index, call) else {
            return false;
        };
        let known = &mut self.tool_calls[at];
        keep(&mut known.id, call, "id");
        keep(&mut known.kind, call, "type");
        let function = &call["function"];
        // Some say the name again in every chunk.
        let is_repeated = !known.arguments.is_empty() && function["name"] == known.name.as_str();
        let named = !is_repeated && append(&mut known.name, function, "name");
        let arguments = match &function["arguments"] {
            object @ Value::Object(_) => {
                known.arguments.push_str(&object.to_string());
                true
            }
            _ => append(&mut known.arguments, function, "arguments"),
        };
        arguments || named
    }

    /// Which call a chunk belongs to: the one with its id; without an id, the last at its place, unless that is whole and
    /// the chunk begins with a name. A new id at a place that is taken is another call.
    fn place_of_call(&mut self, index: Option<u64>, call: &Value) -> Option<usize> {
        let id = call["id"].as_str().filter(|id| !id.is_empty());
        let by_id = id.and_then(|id| {
            self.tool_calls
                .iter()
                .rposition(|known| known.id.as_deref() == Some(id))
        });
        let last = self
            .tool_calls
            .iter()
            .rposition(|known| index.is_none() || known.index == index);
        let continues = |at: &usize| {
            let known = &self.tool_calls[*at];
            // What does not end like one is no object; chunks are many, and parsing each time is dear.
            let is_whole = || {
                known.arguments.trim_end().ends_with('}')
                    && serde_json::from_str::<serde::de::IgnoredAny>(&known.arguments).is_ok()
            };
            let begins = call["function"]["name"]
                .as_str()
                .is_some_and(|name| !name.is_empty());
            match id {
                Some(_) => known.id.is_none() && known.index == index,
                None => !(begins && !known.name.is_empty() && is_whole()),
            }
        };
        if let Some(at) = by_id.or_else(|| last.filter(continues)) {
            return Some(at);
        }
        if self.tool_calls.len() >= MAX_PARTS {
            return None;
        }
        self.tool_calls.push(ToolCall {
            index,
            ..ToolCall::default()
        });
        Some(self.tool_calls.len() - 1)
    }

    fn finish(self) -> Map<String, Value> {
        let mut message = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
        for (key, text) in self.texts {
            message.insert(key, text.into());
        }
        // Beside a text or calls, details of any name; without, whatever the answer is.
        let is_all = self.tool_calls.is_empty() && message.get("content").is_none_or(is_nothing);
        for (key, items) in self.others {
            if is_all || matches!(key.as_str(), "images" | "parts") {
                message.entry(key).or_insert_with(|| items.into());
            }
        }
        let mut tool_calls = self.tool_calls;
        // As they are numbered, which is not always the order in which they begin.
        tool_calls.sort_by_key(|call| call.index);
        let calls = tool_calls.into_iter().map(|call| {
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
