//! OpenAI's Chat Completions, which many others speak too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Growing, Heard, Outgoing};
use crate::models::request::{Message, Part, Request, Role, Stop};

/// `limit_name`: what the API calls the limit of the answer. OpenAI has renamed it; others know the old name alone.
pub(super) fn outgoing(model: &str, request: &Request, limit_name: &str) -> Outgoing {
    let mut messages = vec![json!({ "role": "system", "content": request.system })];
    for message in &request.messages {
        write_message(message, &mut messages);
    }
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    body[limit_name] = request.max_output_tokens.into();
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            })
        });
        body["tools"] = tools.collect();
    }
    if let Some(name) = &request.must_call {
        body["tool_choice"] = json!({ "type": "function", "function": { "name": name } });
    }
    Outgoing {
        path: "/chat/completions".to_owned(),
        headers: Vec::new(),
        key_header: ("authorization", "Bearer "),
        body,
    }
}

fn write_message(message: &Message, into: &mut Vec<Value>) {
    let mut content = Vec::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) => content.push(json!({ "type": "text", "text": text })),
            Part::Call { id, name, arguments } => calls.push(json!({
                "id": id,
                "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() },
            })),
            // Each answer of a tool is a message of its own, before what else is said.
            Part::Answer {
                id, content, failed, ..
            } => {
                let content = if *failed {
                    format!("Error: {content}")
                } else {
                    content.clone()
                };
                into.push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
            }
            Part::Image { media_type, base64 } => content.push(json!({
                "type": "image_url",
                "image_url": { "url": format!("data:{media_type};base64,{base64}") },
            })),
        }
    }
    if content.is_empty() && calls.is_empty() {
        return;
    }
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    // Not every server takes a list where one text is meant.
    let content = match content.as_slice() {
        [] => Value::Null,
        [only] if only["type"] == "text" => only["text"].clone(),
        _ => Value::Array(content),
    };
    let mut written = json!({ "role": role, "content": content });
    if !calls.is_empty() {
        written["tool_calls"] = calls.into();
    }
    into.push(written);
}

pub(super) fn event(
    heard: &mut Heard,
    index: &mut BTreeMap<u64, usize>,
    value: &Value,
    on_text: &dyn Fn(&str),
) {
    if let Some(model) = value["model"].as_str().filter(|model| !model.is_empty()) {
        heard.model = Some(model.to_owned());
    }
    if value["usage"].is_object() {
        heard.usage = value["usage"].clone();
    }
    let choice = &value["choices"][0];
    // `message` is that of an answer that is no stream.
    let delta = if choice["delta"].is_object() {
        &choice["delta"]
    } else {
        &choice["message"]
    };
    if let Some(text) = delta["content"].as_str().or_else(|| delta["refusal"].as_str()) {
        heard.add_text(text, on_text);
    }
    for (place, call) in delta["tool_calls"].as_array().into_iter().flatten().enumerate() {
        // Some servers leave the index out.
        let number = call["index"].as_u64().unwrap_or(place as u64);
        let text = |name: &str| call["function"][name].as_str().unwrap_or_default();
        match index.get(&number).and_then(|at| heard.parts.get_mut(*at)) {
            Some(Growing::Call { arguments, name, .. }) => {
                arguments.push_str(text("arguments"));
                name.push_str(text("name"));
            }
            _ => {
                let id = call["id"]
                    .as_str()
                    .map_or_else(|| format!("call_{number}"), str::to_owned);
                let begun = Growing::Call {
                    id,
                    name: text("name").to_owned(),
                    arguments: text("arguments").to_owned(),
                };
                if let Some(at) = heard.push(begun) {
                    index.insert(number, at);
                }
            }
        }
    }
    if let Some(word) = choice["finish_reason"].as_str() {
        let stop = match word {
            "tool_calls" | "function_call" => Stop::Calls,
            "length" => Stop::Length,
            "content_filter" => Stop::Refused,
            _ => Stop::Done,
        };
        heard.stop = Some((stop, word.to_owned()));
        // Not every server sends `[DONE]`.
        heard.is_complete = true;
    }
}
