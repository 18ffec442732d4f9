//! Where a span keeps what was said: the first place that has something counts.

use serde_json::{Map, Value};

use super::message::Message;
use super::tools;
use crate::attributes::parsed;
use crate::nested::{below, items};

/// An event of a span, as far as it may say something.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) attributes: &'a Map<String, Value>,
}

/// What was asked and answered.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) asked: Vec<Message>,
    pub(crate) answered: Vec<Message>,
    pub(crate) tools: Vec<Value>,
}

/// Whether an event is something said, and no point in time of its own.
pub(crate) fn is_said(event: &str) -> bool {
    role_of(event).is_some()
        || matches!(
            event,
            "gen_ai.choice"
                | "gen_ai.content.prompt"
                | "gen_ai.content.completion"
                | "gen_ai.client.inference.operation.details"
        )
}

fn role_of(event: &str) -> Option<&'static str> {
    Some(match event {
        "gen_ai.system.message" => "system",
        "gen_ai.user.message" => "user",
        "gen_ai.assistant.message" => "assistant",
        "gen_ai.tool.message" => "tool",
        _ => return None,
    })
}

/// Reads a conversation; empty for a span that has none.
pub(crate) fn said(attributes: &Map<String, Value>, events: &[Event<'_>]) -> Said {
    let details = |name: &str| {
        let of = |event: &Event<'_>| (event.name == name).then(|| event.attributes.clone());
        events.iter().find_map(of)
    };
    let details = details("gen_ai.client.inference.operation.details");
    let in_details = details.as_ref().unwrap_or(attributes);
    Said {
        asked: asked(attributes, in_details, events),
        answered: answered(attributes, in_details, events),
        tools: declared(attributes, in_details),
    }
}

type Attributes = Map<String, Value>;

fn asked(attributes: &Attributes, in_details: &Attributes, events: &[Event<'_>]) -> Vec<Message> {
    let current = |of: &Attributes| {
        let mut messages: Vec<Message> = Vec::new();
        let listed = of.get("gen_ai.input.messages").map(list).unwrap_or_default();
        if let Some(parts) = of.get("gen_ai.system_instructions") {
            let parts = parsed(parts);
            let system = match &parts {
                Value::Array(_) => serde_json::json!({"role": "system", "parts": parts}),
                other => other.clone(),
            };
            messages.extend(Message::read(&system, "system"));
        }
        messages.extend(listed);
        messages
    };
    first([
        &|| current(attributes),
        &|| current(in_details),
        &|| flat(attributes, "llm.input_messages.", "user"),
        &|| of_json(attributes, "ai.prompt.messages"),
        &|| prompt(attributes, "ai.prompt"),
        &|| flat(attributes, "gen_ai.prompt.", "user"),
        &|| {
            let of = |event: &Event<'_>| {
                let message = Value::Object(spoken(event.attributes));
                Message::read(&message, role_of(event.name)?)
            };
            events.iter().filter_map(of).collect()
        },
        &|| prompt(attributes, "gen_ai.prompt"),
        &|| in_event(events, "gen_ai.content.prompt", "gen_ai.prompt"),
        &|| prompt(attributes, "traceroot.llm.prompt"),
        &|| prompt(attributes, "langfuse.observation.input"),
        &|| prompt(attributes, "traceroot.span.input"),
        &|| prompt(attributes, "input.value"),
    ])
}

fn answered(attributes: &Attributes, in_details: &Attributes, events: &[Event<'_>]) -> Vec<Message> {
    first([
        &|| {
            attributes
                .get("gen_ai.output.messages")
                .map(list)
                .unwrap_or_default()
        },
        &|| {
            in_details
                .get("gen_ai.output.messages")
                .map(list)
                .unwrap_or_default()
        },
        &|| flat(attributes, "llm.output_messages.", "assistant"),
        &|| vercel_answer(attributes),
        &|| flat(attributes, "gen_ai.completion.", "assistant"),
        &|| {
            let of = |event: &Event<'_>| {
                let choice = Value::Object(spoken(event.attributes));
                Message::read(&choice, "assistant")
            };
            let choices = events.iter().filter(|event| event.name == "gen_ai.choice");
            choices.filter_map(of).collect()
        },
        &|| prompt(attributes, "gen_ai.completion"),
        &|| in_event(events, "gen_ai.content.completion", "gen_ai.completion"),
        &|| answer(attributes, "langfuse.observation.output"),
        &|| answer(attributes, "traceroot.span.output"),
        &|| answer(attributes, "output.value"),
    ])
}

fn declared(attributes: &Attributes, in_details: &Attributes) -> Vec<Value> {
    let named = ["gen_ai.tool.definitions", "ai.prompt.tools"];
    let named = named.iter().find_map(|key| {
        let declared = attributes.get(*key).or_else(|| in_details.get(*key))?;
        Some(tools(declared))
    });
    named
        .or_else(|| below(attributes, "llm.tools.").map(|declared| tools(&declared)))
        .or_else(|| below(attributes, "llm.request.functions.").map(|declared| tools(&declared)))
        .unwrap_or_default()
}

/// The first of several places where something is said.
fn first<const N: usize>(places: [&dyn Fn() -> Vec<Message>; N]) -> Vec<Message> {
    let mut found = places.iter().map(|read| read());
    found
        .find(|messages| messages.iter().any(|message| !message.is_empty()))
        .unwrap_or_default()
}

/// A list of messages, or JSON of one.
fn list(value: &Value) -> Vec<Message> {
    let value = parsed(value);
    let read = |item: &Value| Message::read(item, "user");
    match &value {
        Value::Array(_) => items(&value).into_iter().filter_map(read).collect(),
        other => read(other).into_iter().collect(),
    }
}

fn flat(attributes: &Attributes, prefix: &str, role: &str) -> Vec<Message> {
    let Some(nested) = below(attributes, prefix) else {
        return Vec::new();
    };
    let read = |item: &Value| Message::read(item, role);
    items(&nested).into_iter().filter_map(read).collect()
}

fn of_json(attributes: &Attributes, key: &str) -> Vec<Message> {
    attributes.get(key).map(list).unwrap_or_default()
}

fn is_conversation(value: &Value) -> bool {
    let is_message = |item: &Value| item.get("role").is_some() || item.pointer("/message/role").is_some();
    matches!(value, Value::Array(all) if !all.is_empty() && all.iter().all(is_message))
}

/// A prompt that may be a conversation: a list of messages, or an object with one and a system text. Other texts are
/// taken as they are, elsewhere.
fn prompt(attributes: &Attributes, key: &str) -> Vec<Message> {
    let Some(value) = attributes.get(key).map(parsed) else {
        return Vec::new();
    };
    if is_conversation(&value) {
        return list(&value);
    }
    let system = value.get("system").filter(|system| !system.is_null());
    let system = system.and_then(|system| {
        Message::read(
            &serde_json::json!({"role": "system", "content": system}),
            "system",
        )
    });
    let Some(messages) = value.get("messages").filter(|messages| is_conversation(messages)) else {
        let said = value.get("prompt").and_then(Value::as_str);
        let said = said.map(|said| Message::of_text("user", said.to_owned()));
        return said.map_or_else(Vec::new, |said| system.into_iter().chain([said]).collect());
    };
    system.into_iter().chain(list(messages)).collect()
}

/// An answer that may be a message: an object that says whose it is, or the body of a provider's answer.
fn answer(attributes: &Attributes, key: &str) -> Vec<Message> {
    let Some(value) = attributes.get(key).map(parsed) else {
        return Vec::new();
    };
    if is_conversation(&value) {
        return list(&value);
    }
    let is_body = value.get("type").and_then(Value::as_str) == Some("message");
    if value.get("role").is_some() || is_body {
        return Message::read(&value, "assistant").into_iter().collect();
    }
    match value.get("choices") {
        Some(choices) if is_conversation(choices) => list(choices),
        _ => Vec::new(),
    }
}

fn in_event(events: &[Event<'_>], name: &str, key: &str) -> Vec<Message> {
    let found = events.iter().find(|event| event.name == name);
    let Some(value) = found.and_then(|event| event.attributes.get(key)) else {
        return Vec::new();
    };
    let value = parsed(value);
    let role = if name.ends_with("completion") {
        "assistant"
    } else {
        "user"
    };
    if is_conversation(&value) {
        return list(&value);
    }
    Message::read(&value, role).into_iter().collect()
}

/// The attributes of an event that is a message; each of its fields may be JSON in a text.
fn spoken(attributes: &Attributes) -> Attributes {
    let whole = |key: &str, value: &Value| match key {
        "content" => value.clone(),
        _ => parsed(value),
    };
    attributes
        .iter()
        .map(|(key, value)| {
            (
                key.trim_start_matches("gen_ai.event.").to_owned(),
                whole(key, value),
            )
        })
        .collect()
}

/// The Vercel AI SDK tells an answer's text and its calls apart.
fn vercel_answer(attributes: &Attributes) -> Vec<Message> {
    let found = |keys: &[&str]| keys.iter().find_map(|key| attributes.get(*key)).cloned();
    let text = found(&[
        "ai.response.text",
        "ai.result.text",
        "ai.response.object",
        "ai.result.object",
    ]);
    let calls = found(&["ai.response.toolCalls", "ai.result.toolCalls"]);
    let mut message = match text.as_ref().and_then(crate::attributes::text) {
        Some(text) => Message::of_text("assistant", text),
        None => Message::empty("assistant"),
    };
    if let Some(calls) = calls {
        message.add_calls(&calls);
    }
    if message.is_empty() {
        Vec::new()
    } else {
        vec![message]
    }
}
