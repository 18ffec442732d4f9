//! The three ways in which providers are asked and answer: Anthropic's Messages, OpenAI's Chat Completions, Google's
//! generateContent. Each is written in one file: how a request becomes a body, and what an event of the stream means.

mod anthropic;
mod chat;
mod gemini;

use domain::ProviderKind;
use serde_json::{Value, json};

use super::error::ModelError;
use super::request::{Message, Part, Request, Role, Stop};
use crate::proxy::sse::{Event, Scanner};

/// The most parts of one answer that are kept.
const MAX_PARTS: usize = 256;

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    /// Below the provider's address, with its query.
    pub(super) path: String,
    /// Names and values; the key is the value of the one that is [`Self::key_header`].
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// Where the key goes, and what stands before it there.
    pub(super) key_header: (&'static str, &'static str),
    pub(super) body: Value,
}

/// A request in the provider's words.
pub(super) fn outgoing(kind: ProviderKind, model: &str, request: &Request) -> Outgoing {
    match kind {
        ProviderKind::Anthropic => anthropic::outgoing(model, request),
        ProviderKind::OpenAi => chat::outgoing(model, request, "max_completion_tokens"),
        ProviderKind::OpenAiCompatible => chat::outgoing(model, request, "max_tokens"),
        ProviderKind::Gemini => gemini::outgoing(model, request),
    }
}

/// What has been heard of an answer so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heard {
    parts: Vec<Growing>,
    /// The model that answers.
    pub(super) model: Option<String>,
    /// Why it stopped, and the provider's word for it.
    pub(super) stop: Option<(Stop, String)>,
    /// What the provider says was used, in its own words.
    pub(super) usage: Value,
    /// The provider broke off with an error.
    pub(super) error: Option<ProviderError>,
    /// Whether the stream said that it is at its end.
    pub(super) is_complete: bool,
}

/// What a provider says is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProviderError {
    /// Its word for it, such as `overloaded_error`.
    pub(super) class: Option<String>,
    pub(super) message: String,
}

/// A part on its way.
#[derive(Clone, Debug, PartialEq)]
enum Growing {
    Text(String),
    Call {
        id: String,
        name: String,
        /// JSON, as far as it has come.
        arguments: String,
    },
    /// Something that is not kept, such as reasoning.
    Other,
}

impl Heard {
    fn push(&mut self, part: Growing) -> Option<usize> {
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        self.parts.push(part);
        Some(self.parts.len() - 1)
    }

    /// Adds to the text that is under way, or begins one.
    fn add_text(&mut self, text: &str, on_text: &dyn Fn(&str)) {
        if text.is_empty() {
            return;
        }
        on_text(text);
        if let Some(Growing::Text(grown)) = self.parts.last_mut() {
            grown.push_str(text);
        } else {
            self.push(Growing::Text(text.to_owned()));
        }
    }

    /// Whether anything of an answer has come.
    pub(super) fn has_begun(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Texts and calls in order. A call whose arguments are no JSON object makes the answer useless.
    pub(super) fn parts(&self) -> Result<Vec<Part>, ModelError> {
        let mut parts = Vec::new();
        for part in &self.parts {
            match part {
                Growing::Text(text) => parts.push(Part::Text(text.clone())),
                Growing::Call { id, name, arguments } => {
                    let arguments = if arguments.trim().is_empty() {
                        "{}"
                    } else {
                        arguments
                    };
                    let arguments: Value = serde_json::from_str(arguments)
                        .ok()
                        .filter(Value::is_object)
                        .ok_or_else(|| {
                            ModelError::Malformed(format!(
                                "The model called {name} with arguments that are no JSON object; ask again"
                            ))
                        })?;
                    parts.push(Part::Call {
                        id: id.clone(),
                        name: name.clone(),
                        arguments,
                    });
                }
                Growing::Other => {}
            }
        }
        Ok(parts)
    }
}

/// Reads an answer from its bytes, however they are cut.
pub(super) struct Reader {
    kind: ProviderKind,
    scanner: Scanner,
    heard: Heard,
    state: State,
    unreadable: usize,
}

/// What the formats remember between events.
#[derive(Default)]
struct State {
    /// Which part a provider's index means.
    index: std::collections::BTreeMap<u64, usize>,
}

impl Reader {
    pub(super) fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            scanner: Scanner::default(),
            heard: Heard::default(),
            state: State::default(),
            unreadable: 0,
        }
    }

    /// Takes the next bytes of a stream of events.
    pub(super) fn feed(&mut self, bytes: &[u8], on_text: &dyn Fn(&str)) {
        for event in self.scanner.feed(bytes) {
            self.event(&event, on_text);
        }
    }

    /// Takes an answer that is no stream: one JSON document.
    pub(super) fn whole(&mut self, bytes: &[u8], on_text: &dyn Fn(&str)) {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => {
                self.value(&value, on_text);
                self.heard.is_complete = self.heard.error.is_none() && self.heard.stop.is_some();
            }
            Err(_) => self.unreadable += 1,
        }
    }

    fn event(&mut self, event: &Event, on_text: &dyn Fn(&str)) {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.heard.is_complete = true;
        } else if data.is_empty() {
            // Something to keep the connection open.
        } else if let Ok(value) = serde_json::from_str::<Value>(data) {
            self.value(&value, on_text);
        } else {
            self.unreadable += 1;
        }
    }

    fn value(&mut self, value: &Value, on_text: &dyn Fn(&str)) {
        if let Some(error) = error_in(value) {
            self.heard.error = Some(error);
            return;
        }
        match self.kind {
            ProviderKind::Anthropic => {
                anthropic::event(&mut self.heard, &mut self.state.index, value, on_text)
            }
            ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
                chat::event(&mut self.heard, &mut self.state.index, value, on_text);
            }
            ProviderKind::Gemini => gemini::event(&mut self.heard, value, on_text),
        }
    }

    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// What was heard, and how many events could not be read.
    pub(super) fn finish(mut self, on_text: &dyn Fn(&str)) -> (Heard, usize) {
        if let Some(event) = std::mem::take(&mut self.scanner).finish() {
            self.event(&event, on_text);
        }
        (self.heard, self.unreadable)
    }
}

/// The error that a body or an event is, in the words of any of the three.
pub(super) fn error_in(value: &Value) -> Option<ProviderError> {
    // Some gateways put it into a list.
    let value = value.get(0).unwrap_or(value);
    let error = value.get("error").filter(|error| !error.is_null())?;
    let word = |name: &str| error[name].as_str().map(str::to_owned);
    Some(ProviderError {
        class: word("type").or_else(|| word("status")).or_else(|| word("code")),
        message: word("message")
            .or_else(|| error.as_str().map(str::to_owned))
            .unwrap_or_else(|| error.to_string()),
    })
}

/// A conversation in words of our own, as it is recorded: the system's text, the messages, the names of the tools.
pub(super) fn recorded(request: &Request) -> Value {
    let messages: Vec<Value> = request.messages.iter().map(recorded_message).collect();
    let tools: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    let mut recorded = json!({ "system": request.system, "messages": messages });
    if !tools.is_empty() {
        recorded["tools"] = json!(tools);
    }
    recorded
}

fn recorded_message(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({ "role": role, "content": message.parts.iter().map(recorded_part).collect::<Vec<_>>() })
}

/// A part of a conversation as it is recorded; pictures are not.
pub(super) fn recorded_part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Call { id, name, arguments } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments })
        }
        Part::Answer {
            id, content, failed, ..
        } => json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": failed }),
        Part::Image { media_type, .. } => {
            json!({ "type": "text", "text": format!("({media_type} left out)") })
        }
    }
}

#[cfg(test)]
mod tests;
