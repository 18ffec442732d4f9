//! Google's generateContent.
//!
//! Calls have no ids there, but a signature that has to come back with them: an id of ours is their number, a dot, and
//! the signature.

use serde_json::{Value, json};

use super::{Growing, Heard, Outgoing};
use crate::models::request::{Part, Request, Role, Stop};

pub(super) fn outgoing(model: &str, request: &Request) -> Outgoing {
    let contents: Vec<Value> = request
        .messages
        .iter()
        .map(|message| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "model",
            };
            json!({ "role": role, "parts": message.parts.iter().map(part).collect::<Vec<_>>() })
        })
        .collect();
    let mut body = json!({
        "systemInstruction": { "parts": [{ "text": request.system }] },
        "contents": contents,
        "generationConfig": { "maxOutputTokens": request.max_output_tokens },
    });
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.parameters,
            })
        });
        body["tools"] = json!([{ "functionDeclarations": tools.collect::<Vec<_>>() }]);
    }
    if let Some(name) = &request.must_call {
        body["toolConfig"] = json!({
            "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": [name] },
        });
    }
    let model = model.strip_prefix("models/").unwrap_or(model);
    let model = percent_encoding::utf8_percent_encode(model, percent_encoding::NON_ALPHANUMERIC);
    // Dots and hyphens are part of every model's name, and of no path.
    let model = model.to_string().replace("%2D", "-").replace("%2E", ".");
    Outgoing {
        path: format!("/models/{model}:streamGenerateContent?alt=sse"),
        headers: Vec::new(),
        key_header: ("x-goog-api-key", ""),
        body,
    }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "text": text }),
        Part::Call { id, name, arguments } => {
            let mut call = json!({ "functionCall": { "name": name, "args": arguments } });
            if let Some((_, signature)) = id.split_once('.') {
                call["thoughtSignature"] = signature.into();
            }
            call
        }
        Part::Answer {
            name,
            content,
            failed,
            ..
        } => {
            let key = if *failed { "error" } else { "result" };
            json!({ "functionResponse": { "name": name, "response": { key: content } } })
        }
        Part::Image { media_type, base64 } => {
            json!({ "inlineData": { "mimeType": media_type, "data": base64 } })
        }
    }
}

pub(super) fn event(heard: &mut Heard, value: &Value, on_text: &dyn Fn(&str)) {
    // An answer that is no stream of events is a list of what would be them.
    if let Value::Array(events) = value {
        events.iter().for_each(|value| event(heard, value, on_text));
        return;
    }
    if let Some(model) = value["modelVersion"].as_str() {
        heard.model = Some(model.to_owned());
    }
    if value["usageMetadata"].is_object() {
        heard.usage = value["usageMetadata"].clone();
    }
    if let Some(word) = value["promptFeedback"]["blockReason"].as_str() {
        heard.stop = Some((Stop::Refused, word.to_owned()));
        heard.is_complete = true;
    }
    let candidate = &value["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if part["thought"].as_bool() == Some(true) {
            continue;
        }
        if let Some(text) = part["text"].as_str() {
            heard.add_text(text, on_text);
        }
        if let Some(name) = part["functionCall"]["name"].as_str() {
            let number = heard.parts.len();
            let id = match part["thoughtSignature"].as_str() {
                Some(signature) => format!("call_{number}.{signature}"),
                None => format!("call_{number}"),
            };
            heard.push(Growing::Call {
                id,
                name: name.to_owned(),
                arguments: match &part["functionCall"]["args"] {
                    Value::Null => String::new(),
                    args => args.to_string(),
                },
            });
        }
    }
    if let Some(word) = candidate["finishReason"].as_str() {
        let calls = heard
            .parts
            .iter()
            .any(|part| matches!(part, Growing::Call { .. }));
        let stop = match word {
            "STOP" if calls => Stop::Calls,
            "STOP" => Stop::Done,
            "MAX_TOKENS" => Stop::Length,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => Stop::Refused,
            _ => Stop::Done,
        };
        heard.stop = Some((stop, word.to_owned()));
        heard.is_complete = true;
    }
}
