//! Conversations in whichever shape a span has them, as the one that is recorded: OpenAI's messages, which the page and
//! the rules read.

mod message;
mod sources;

use serde_json::{Map, Value, json};

pub(crate) use message::Message;
pub(crate) use sources::{Event, Said, is_said, said};

use crate::attributes::parsed;
use crate::nested::items;

/// A request as it is recorded; `None` without a message.
pub(crate) fn request(messages: &[Message], tools: Vec<Value>) -> Option<String> {
    if messages.is_empty() {
        return None;
    }
    let mut request = Map::new();
    let messages: Vec<Value> = messages.iter().map(Message::to_json).collect();
    request.insert("messages".to_owned(), messages.into());
    if !tools.is_empty() {
        request.insert("tools".to_owned(), tools.into());
    }
    Some(Value::Object(request).to_string())
}

/// An answer as it is recorded: its text where it is nothing else, otherwise the message.
pub(crate) fn answer(messages: &[Message]) -> Option<String> {
    match messages {
        [] => None,
        [one] => match one.only_text() {
            Some(text) => Some(text.to_owned()).filter(|text| !text.is_empty()),
            None => Some(one.to_json().to_string()),
        },
        many => Some(many.iter().map(Message::to_json).collect::<Value>().to_string()),
    }
}

/// Declared tools, each as OpenAI's chat declares one.
pub(crate) fn tools(declared: &Value) -> Vec<Value> {
    let declared = parsed(declared);
    items(&declared)
        .into_iter()
        .filter_map(|tool| {
            let tool = parsed(tool);
            let tool = match tool.pointer("/tool/json_schema") {
                Some(schema) => parsed(schema),
                None => tool,
            };
            if tool.get("function").is_some() || tool.get("name").is_none() {
                return tool.is_object().then_some(tool);
            }
            let schema = ["parameters", "input_schema", "inputSchema"]
                .iter()
                .find_map(|key| tool.get(*key))
                .map(parsed);
            let mut function = Map::new();
            function.insert("name".to_owned(), tool["name"].clone());
            if let Some(description) = tool.get("description") {
                function.insert("description".to_owned(), description.clone());
            }
            if let Some(schema) = schema {
                function.insert("parameters".to_owned(), schema);
            }
            Some(json!({"type": "function", "function": function}))
        })
        .collect()
}

#[cfg(test)]
#[path = "messages/tests.rs"]
mod tests;
