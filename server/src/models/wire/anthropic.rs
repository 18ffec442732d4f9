//! Anthropic's Messages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Growing, Heard, Outgoing};
use crate::models::request::{Part, Request, Role, Stop};

const VERSION: &str = "2023-06-01";

pub(super) fn outgoing(model: &str, request: &Request) -> Outgoing {
    let messages: Vec<Value> = request
        .messages
        .iter()
        .map(|message| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({ "role": role, "content": message.parts.iter().map(block).collect::<Vec<_>>() })
        })
        .collect();
    let mut body = json!({
        "model": model,
        "max_tokens": request.max_output_tokens,
        "system": request.system,
        "messages": messages,
        "stream": true,
    });
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters })
        });
        body["tools"] = tools.collect();
    }
    if let Some(name) = &request.must_call {
        body["tool_choice"] = json!({ "type": "tool", "name": name });
    }
    Outgoing {
        path: "/messages".to_owned(),
        headers: vec![("anthropic-version", VERSION)],
        key_header: ("x-api-key", ""),
        body,
    }
}

fn block(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Call { id, name, arguments } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments })
        }
        Part::Answer {
            id, content, failed, ..
        } => json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": failed }),
        Part::Image { media_type, base64 } => json!({
            "type": "image",
            "source": { "type": "base64", "media_type": media_type, "data": base64 },
        }),
    }
}

pub(super) fn event(
    heard: &mut Heard,
    index: &mut BTreeMap<u64, usize>,
    value: &Value,
    on_text: &dyn Fn(&str),
) {
    match value["type"].as_str().unwrap_or_default() {
        "message_start" => begin(heard, &value["message"]),
        "content_block_start" => start_block(heard, index, value, on_text),
        "content_block_delta" => {
            let at = value["index"].as_u64().and_then(|number| index.get(&number));
            let part = at.and_then(|at| heard.parts.get_mut(*at));
            grow(part, &value["delta"], on_text);
        }
        "message_delta" => {
            heard.usage = engine::usage::merge_anthropic(&heard.usage, &value["usage"]);
            stop(heard, &value["delta"]);
        }
        "message_stop" => heard.is_complete = true,
        // An answer that is no stream.
        "message" => {
            begin(heard, value);
            for block in value["content"].as_array().into_iter().flatten() {
                start_block(heard, index, &json!({ "content_block": block }), on_text);
            }
            stop(heard, value);
        }
        _ => {}
    }
}

fn begin(heard: &mut Heard, message: &Value) {
    heard.model = message["model"].as_str().map(str::to_owned);
    heard.usage = engine::usage::merge_anthropic(&heard.usage, &message["usage"]);
}

fn start_block(heard: &mut Heard, index: &mut BTreeMap<u64, usize>, value: &Value, on_text: &dyn Fn(&str)) {
    let block = &value["content_block"];
    let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
    let part = match block["type"].as_str() {
        Some("text") => {
            let begun = text("text");
            if !begun.is_empty() {
                on_text(&begun);
            }
            Growing::Text(begun)
        }
        Some("tool_use") => Growing::Call {
            id: text("id"),
            name: text("name"),
            // Of a stream it is empty here, and comes in pieces.
            arguments: match &block["input"] {
                Value::Object(input) if !input.is_empty() => block["input"].to_string(),
                _ => String::new(),
            },
        },
        _ => Growing::Other,
    };
    let at = heard.push(part);
    if let (Some(number), Some(at)) = (value["index"].as_u64(), at) {
        index.insert(number, at);
    }
}

fn grow(part: Option<&mut Growing>, delta: &Value, on_text: &dyn Fn(&str)) {
    match (part, delta["type"].as_str()) {
        (Some(Growing::Text(grown)), Some("text_delta")) => {
            let text = delta["text"].as_str().unwrap_or_default();
            on_text(text);
            grown.push_str(text);
        }
        (Some(Growing::Call { arguments, .. }), Some("input_json_delta")) => {
            arguments.push_str(delta["partial_json"].as_str().unwrap_or_default());
        }
        _ => {}
    }
}

fn stop(heard: &mut Heard, value: &Value) {
    let Some(word) = value["stop_reason"].as_str() else {
        return;
    };
    let stop = match word {
        "tool_use" => Stop::Calls,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "refusal" => Stop::Refused,
        _ => Stop::Done,
    };
    heard.stop = Some((stop, word.to_owned()));
}
