//! OpenAI's old Completions: text in, text out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chat::describe;
use super::json::{append, keep, parse};
use super::{Event, Meter, Reading};

/// More choices than any answer has.
const MAX_CHOICES: usize = 10_000;

pub(super) fn whole(body: &[u8]) -> Reading {
    let Some(answer) = parse(body) else {
        return Reading::default();
    };
    let mut stream = Stream::default();
    stream.take(&answer);
    Reading {
        is_complete: true,
        ..Box::new(stream).finish()
    }
}

#[derive(Default)]
pub(super) struct Stream {
    reading: Reading,
    texts: BTreeMap<u64, String>,
}

impl Stream {
    fn take(&mut self, chunk: &Value) -> bool {
        describe(&mut self.reading, chunk);
        let mut has_content = false;
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            if index == 0 {
                keep(&mut self.reading.stop_reason, choice, "finish_reason");
            }
            if self.texts.len() < MAX_CHOICES {
                has_content |= append(self.texts.entry(index).or_default(), choice, "text");
            }
        }
        has_content
    }
}

impl Meter for Stream {
    fn event(&mut self, event: &Event) -> bool {
        if event.data.trim() == "[DONE]" {
            self.reading.is_complete = true;
            return false;
        }
        parse(event.data.as_bytes()).is_some_and(|chunk| self.take(&chunk))
    }

    fn finish(self: Box<Self>) -> Reading {
        let texts: Vec<String> = self.texts.into_values().collect();
        let output = match texts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            many => Some(json!(many).to_string()),
        };
        Reading {
            output: output.filter(|text| !text.is_empty()),
            ..self.reading
        }
    }
}
