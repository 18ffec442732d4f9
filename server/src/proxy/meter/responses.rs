//! OpenAI's Responses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{append, error_in, keep, parse, text};
use super::tools::count_tools;
use super::usage::take_usage;
use super::{Event, Meter, Reading};

/// More items than any answer has.
const MAX_ITEMS: usize = 10_000;

pub(super) fn whole(body: &[u8]) -> Reading {
    let Some(response) = parse(body) else {
        return Reading::default();
    };
    let mut reading = Reading {
        is_complete: true,
        ..Reading::default()
    };
    describe(&mut reading, &response);
    reading
}

/// What a response says: at the start of a stream little, at its end everything.
fn describe(reading: &mut Reading, response: &Value) {
    keep(&mut reading.model, response, "model");
    keep(&mut reading.response_id, response, "id");
    keep(&mut reading.service_tier, response, "service_tier");
    if let Some(error) = error_in(&response["error"]) {
        reading.error = Some(error);
    }
    take_usage(reading, &response["usage"]);
    reading.stop_reason =
        text(&response["incomplete_details"], "reason").or_else(|| text(response, "status"));
    let items = response["output"].as_array().map_or(&[][..], Vec::as_slice);
    if !items.is_empty() {
        reading.output = output(items);
        count_tools(reading, response, items);
    }
    // Some say it in a word alone.
    if response["status"] == "failed" && reading.error.is_none() {
        reading.error = Some(super::ProviderError {
            class: Some("response_failed".to_owned()),
            message: "The response failed".to_owned(),
        });
    }
}

/// The text where there is nothing else; otherwise one assistant message with the text, the calls of functions in the
/// form of Chat Completions, and every other item as it came.
fn output(items: &[Value]) -> Option<String> {
    let mut texts = String::new();
    let mut message = Map::new();
    let (mut calls, mut others) = (Vec::new(), Vec::new());
    for item in items {
        match item["type"].as_str() {
            Some("message") => {
                for part in item["content"].as_array().into_iter().flatten() {
                    if !append(&mut texts, part, "text") && !part["refusal"].is_null() {
                        message.insert("refusal".to_owned(), part["refusal"].clone());
                    }
                }
            }
            Some("function_call") => calls.push(json!({
                "id": item["call_id"],
                "type": "function",
                "function": { "name": item["name"], "arguments": item["arguments"] },
            })),
            // Without a summary there is nothing in it to read.
            Some("reasoning") if item["summary"].as_array().is_none_or(Vec::is_empty) => {}
            _ => others.push(item.clone()),
        }
    }
    let text = (!texts.is_empty()).then_some(texts);
    if calls.is_empty() && others.is_empty() && message.is_empty() {
        return text;
    }
    message.insert("role".to_owned(), "assistant".into());
    message.insert("content".to_owned(), text.into());
    for (key, list) in [("tool_calls", calls), ("items", others)] {
        if !list.is_empty() {
            message.insert(key.to_owned(), list.into());
        }
    }
    Some(Value::Object(message).to_string())
}

#[derive(Default)]
pub(super) struct Stream {
    reading: Reading,
    /// The items as far as they have come, for a stream that ends before it says them all together.
    items: BTreeMap<u64, Item>,
    /// The response as its last event has it.
    last: Value,
}

#[derive(Default)]
struct Item {
    shell: Map<String, Value>,
    text: String,
    arguments: String,
    is_done: bool,
}

impl Meter for Stream {
    fn event(&mut self, event: &Event) -> bool {
        let Some(mut data) = parse(event.data.as_bytes()) else {
            return false;
        };
        let kind = data["type"].as_str().unwrap_or(&event.name).to_owned();
        match kind.as_str() {
            "response.created" | "response.in_progress" | "response.queued" => {
                describe(&mut self.reading, &data["response"]);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                describe(&mut self.reading, &data["response"]);
                self.reading.is_complete = true;
                self.last = data["response"].take();
            }
            "response.output_item.added" | "response.output_item.done" => {
                let is_done = kind.ends_with("done");
                if let (Some(item), Value::Object(shell)) = (self.item(&data), data["item"].take()) {
                    item.shell = shell;
                    item.is_done = is_done;
                }
            }
            "response.output_text.delta" => {
                return self
                    .item(&data)
                    .is_some_and(|item| append(&mut item.text, &data, "delta"));
            }
            "response.function_call_arguments.delta" => {
                return self
                    .item(&data)
                    .is_some_and(|item| append(&mut item.arguments, &data, "delta"));
            }
            "response.reasoning_summary_text.delta" | "response.refusal.delta" => return true,
            "error" => {
                // Either the event is the error, or it holds one.
                let error = error_in(&data["error"]).or_else(|| error_in(&data));
                self.reading.error = error.map(|error| super::ProviderError {
                    class: text(&data, "code").or(error.class.filter(|class| class != "error")),
                    ..error
                });
                self.reading.is_complete = true;
            }
            _ => {}
        }
        false
    }

    fn finish(self: Box<Self>) -> Reading {
        let mut reading = self.reading;
        // The last event may leave its items out: what the others said of them counts.
        if reading.output.is_none() {
            let items: Vec<Value> = self.items.into_values().map(Item::finish).collect();
            reading.output = output(&items);
            count_tools(&mut reading, &self.last, &items);
        }
        if !reading.is_complete {
            // `in_progress` is why it had not stopped, not why it did.
            reading.stop_reason = None;
        }
        reading
    }
}

impl Stream {
    fn item(&mut self, data: &Value) -> Option<&mut Item> {
        let index = data["output_index"].as_u64()?;
        if self.items.len() >= MAX_ITEMS && !self.items.contains_key(&index) {
            return None;
        }
        Some(self.items.entry(index).or_default())
    }
}

impl Item {
    fn finish(self) -> Value {
        let mut item = self.shell;
        if !self.is_done && !self.text.is_empty() {
            item.entry("type").or_insert_with(|| "message".into());
            item.insert("content".to_owned(), json!([{ "text": self.text }]));
        }
        if !self.is_done && !self.arguments.is_empty() {
            item.insert("arguments".to_owned(), self.arguments.into());
        }
        Value::Object(item)
    }
}
