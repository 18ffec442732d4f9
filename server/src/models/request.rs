//! What a model is asked and what it answers, in no provider's words.

use domain::NanoUsd;
use serde_json::Value;

/// A question to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it is told before everything else. Never holds text of a trace.
    pub system: String,
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    /// The tool that has to be called; one of `tools`.
    pub must_call: Option<String>,
    pub max_output_tokens: u32,
}

impl Request {
    /// How many of its bytes are pictures.
    pub fn image_bytes(&self) -> usize {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        parts
            .map(|part| match part {
                Part::Image { base64, .. } => base64.len(),
                _ => 0,
            })
            .sum()
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// A turn of the conversation. Answers of tools are of the user's.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

impl Message {
    /// A turn that is one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::Text(text.into())],
        }
    }
}

/// A piece of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    /// The model wants a tool called.
    Call {
        id: String,
        name: String,
        arguments: Value,
    },
    /// What the tool said.
    Answer {
        /// The call's.
        id: String,
        name: String,
        content: String,
        failed: bool,
    },
    Image {
        /// Such as `image/png`.
        media_type: String,
        base64: String,
    },
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// Its arguments as a JSON schema.
    pub parameters: Value,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It had said everything.
    Done,
    /// It waits for its tools.
    Calls,
    /// It reached `max_output_tokens`.
    Length,
    /// It does not want to, or the provider does not.
    Refused,
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Texts and calls, in order.
    pub parts: Vec<Part>,
    pub stop: Stop,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// What it cost; `None` when its price is unknown.
    pub cost_nano_usd: Option<i64>,
    /// All input tokens, cached ones too; `None` where the provider did not say.
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
}

impl Reply {
    /// Its texts, one after the other.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What it wants called: id, name, arguments.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call { id, name, arguments } => Some((id.as_str(), name.as_str(), arguments)),
            _ => None,
        })
    }

    /// What it cost.
    pub fn cost(&self) -> Option<NanoUsd> {
        self.cost_nano_usd.map(NanoUsd)
    }
}
