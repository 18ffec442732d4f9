//! Anthropic's Messages.

use std::collections::BTreeMap;

use engine::usage::merge_anthropic;
use serde_json::{Map, Value, json};

use super::json::{append, error_event, keep, parse, text, text_of};
use super::usage::take_usage;
use super::{Event, Meter, Reading};

/// More blocks than any answer has; the index of one is a number from the network.
const MAX_BLOCKS: usize = 10_000;

pub(super) fn whole(body: &[u8]) -> Reading {
    let Some(message) = parse(body) else {
        return Reading::default();
    };
    let mut reading = Reading {
        is_complete: true,
        ..Reading::default()
    };
    describe(&mut reading, &message);
    use_up(&mut reading, &message["usage"]);
    match &message["content"] {
        Value::Array(blocks) => reading.output = output(blocks),
        Value::String(text) if !text.is_empty() => reading.output = Some(text.clone()),
        _ => {}
    }
    reading
}

/// What a message says about itself, at the start of a stream or as a whole.
fn describe(reading: &mut Reading, message: &Value) {
    keep(&mut reading.model, message, "model");
    keep(&mut reading.response_id, message, "id");
    keep(&mut reading.stop_reason, message, "stop_reason");
}

fn use_up(reading: &mut Reading, usage: &Value) {
    take_usage(reading, usage);
    for detail in ["speed", "inference_geo"] {
        if let Some(word) = text(usage, detail) {
            reading.attributes.insert(detail.to_owned(), word.into());
        }
    }
}

/// Text where the blocks are nothing else, otherwise the message.
fn output(blocks: &[Value]) -> Option<String> {
    if blocks.is_empty() {
        return None;
    }
    let texts: Option<Vec<&str>> = blocks
        .iter()
        .map(|block| (block["type"] == "text").then(|| block["text"].as_str().unwrap_or_default()))
        .collect();
    Some(match texts {
        Some(texts) => texts.concat(),
        None => json!({ "role": "assistant", "content": blocks }).to_string(),
    })
}

#[derive(Default)]
pub(super) struct Stream {
    reading: Reading,
    /// Everything the stream has said about usage so far.
    usage: Value,
    blocks: BTreeMap<u64, Block>,
}

/// A block on its way: what it began as, and the texts that have grown since.
#[derive(Default)]
struct Block {
    start: Map<String, Value>,
    text: String,
    thinking: String,
    signature: String,
    partial_json: String,
    citations: Vec<Value>,
}

impl Meter for Stream {
    fn event(&mut self, event: &Event) -> bool {
        let Some(mut data) = parse(event.data.as_bytes()) else {
            return false;
        };
        match data["type"].as_str().unwrap_or(&event.name) {
            "message_start" => {
                describe(&mut self.reading, &data["message"]);
                self.usage = merge_anthropic(&self.usage, &data["message"]["usage"]);
            }
            "content_block_start" => {
                if let (Some(index), Value::Object(start)) =
                    (data["index"].as_u64(), data["content_block"].take())
                {
                    return self.begin(index, start);
                }
            }
            "content_block_delta" => {
                let block = data["index"]
                    .as_u64()
                    .and_then(|index| self.blocks.get_mut(&index));
                return block.is_some_and(|block| block.grow(&data["delta"]));
            }
            "message_delta" => {
                keep(&mut self.reading.stop_reason, &data["delta"], "stop_reason");
                self.usage = merge_anthropic(&self.usage, &data["usage"]);
            }
            "message_stop" => self.reading.is_complete = true,
            "error" => self.reading.error = error_event(&event.data),
            _ => {}
        }
        false
    }

    fn finish(mut self: Box<Self>) -> Reading {
        use_up(&mut self.reading, &self.usage);
        let blocks: Vec<Value> = self.blocks.into_values().map(Block::finish).collect();
        Reading {
            output: output(&blocks),
            ..self.reading
        }
    }
}

impl Stream {
    /// A block begins; tools are something of the answer already.
    fn begin(&mut self, index: u64, start: Map<String, Value>) -> bool {
        if self.blocks.len() >= MAX_BLOCKS {
            return false;
        }
        let has_name = start.contains_key("name");
        let mut block = Block {
            start,
            ..Block::default()
        };
        let start = Value::Object(block.start.clone());
        let has_text = append(&mut block.text, &start, "text");
        append(&mut block.thinking, &start, "thinking");
        append(&mut block.signature, &start, "signature");
        self.blocks.insert(index, block);
        has_text || has_name
    }
}

impl Block {
    fn grow(&mut self, delta: &Value) -> bool {
        match delta["type"].as_str() {
            Some("text_delta") => append(&mut self.text, delta, "text"),
            Some("thinking_delta") => append(&mut self.thinking, delta, "thinking"),
            Some("input_json_delta") => append(&mut self.partial_json, delta, "partial_json"),
            Some("signature_delta") => {
                append(&mut self.signature, delta, "signature");
                false
            }
            Some("citations_delta") => {
                self.citations.push(delta["citation"].clone());
                false
            }
            // A kind of delta that came later than this.
            _ => {
                let mut more = String::new();
                let has_text = text_of(delta, &mut more);
                self.text.push_str(&more);
                has_text
            }
        }
    }

    fn finish(self) -> Value {
        let mut block = self.start;
        for (key, grown) in [
            ("text", self.text),
            ("thinking", self.thinking),
            ("signature", self.signature),
        ] {
            if !grown.is_empty() {
                block.insert(key.to_owned(), grown.into());
            }
        }
        if !self.partial_json.is_empty() {
            // A stream that was cut leaves half an object; what there is of it is worth seeing.
            let input = serde_json::from_str(&self.partial_json).unwrap_or(Value::String(self.partial_json));
            block.insert("input".to_owned(), input);
        }
        if !self.citations.is_empty() {
            block.insert("citations".to_owned(), self.citations.into());
        }
        Value::Object(block)
    }
}
