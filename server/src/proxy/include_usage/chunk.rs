//! Takes the chunk that only says what was used out of a stream of chat or text completions.

use bytes::Bytes;
use serde_json::Value;

use crate::proxy::sse::Scanner;

/// An event that grows beyond this is none of those that are taken out.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Passes a stream on, without the events whose `choices` is empty and whose `usage` is an object. All other bytes
/// stay as they came. An event is held back only while it may be one of those.
#[derive(Debug)]
pub struct ChunkRemover {
    /// The beginning of an event that may be the one.
    held: Vec<u8>,
    /// The event under way is none of those, so it passes as it comes.
    passes: bool,
    line_is_empty: bool,
    after_cr: bool,
    /// The CR before ended an event, and that event was taken out.
    swallow_lf: bool,
    at_event_start: bool,
}

impl Default for ChunkRemover {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            passes: false,
            line_is_empty: true,
            after_cr: false,
            swallow_lf: false,
            at_event_start: true,
        }
    }
}

impl ChunkRemover {
    /// What of the stream is to be passed on now.
    pub fn feed(&mut self, chunk: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(self.held.len() + chunk.len());
        for byte in chunk {
            self.take(*byte, &mut out);
        }
        if !self.held.is_empty() && (self.held.len() > MAX_HELD_BYTES || !may_be_usage(&self.held)) {
            self.passes = true;
            out.append(&mut self.held);
        }
        out.into()
    }

    /// What was held back when the stream ended.
    pub fn finish(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        if is_usage(&held) {
            Bytes::new()
        } else {
            held.into()
        }
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_cr) && byte == b'\n' {
            match (self.at_event_start, self.swallow_lf) {
                (true, true) => {}
                (true, false) => out.push(byte),
                (false, _) if self.passes => out.push(byte),
                (false, _) => self.held.push(byte),
            }
            return;
        }
        if self.passes {
            out.push(byte);
        } else {
            self.held.push(byte);
        }
        self.at_event_start = false;
        if !matches!(byte, b'\n' | b'\r') {
            self.line_is_empty = false;
            return;
        }
        self.after_cr = byte == b'\r';
        if self.line_is_empty {
            self.end_event(out);
        }
        self.line_is_empty = true;
    }

    fn end_event(&mut self, out: &mut Vec<u8>) {
        self.swallow_lf = !self.passes && is_usage(&self.held);
        if self.swallow_lf {
            self.held.clear();
        } else {
            out.append(&mut self.held);
        }
        self.passes = false;
        self.at_event_start = true;
    }
}

/// Whether the beginning of an event leaves open that it is the one. Inside of a string the quotes of the word would be
/// escaped, so where it is found it is a key.
fn may_be_usage(beginning: &[u8]) -> bool {
    const KEY: &[u8] = br#""choices""#;
    let Some(at) = beginning.windows(KEY.len()).position(|window| window == KEY) else {
        return true;
    };
    let mut rest = beginning[at + KEY.len()..]
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace());
    for expected in [b':', b'[', b']'] {
        match rest.next() {
            Some(byte) if *byte != expected => return false,
            Some(_) => {}
            None => return true,
        }
    }
    true
}

fn is_usage(event: &[u8]) -> bool {
    if event.is_empty() || !may_be_usage(event) {
        return false;
    }
    let mut scanner = Scanner::default();
    let Some(event) = scanner.feed(event).pop().or_else(|| scanner.finish()) else {
        return false;
    };
    let chunk: Value = serde_json::from_str(&event.data).unwrap_or_default();
    chunk["choices"].as_array().is_some_and(Vec::is_empty) && chunk["usage"].is_object()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: &str = r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}"#;

    fn streams() -> Vec<(String, String)> {
        let mut streams = Vec::new();
        for end in ["\n\n", "\r\n\r\n", "\r\r"] {
            let chunk = format!(
                "data: {{\"id\":\"c\",\"choices\":[{{\"delta\":{{\"content\":\"\\\"choices\\\":[]\"}}}}],\"usage\":null}}{end}"
            );
            let filter = format!("data: {{\"choices\": [], \"prompt_filter_results\":[]}}{end}");
            let usage = format!("{USAGE}{end}");
            let done = format!("data: [DONE]{end}");
            let ping = format!(": ping{end}");
            streams.push((
                [&*filter, &*chunk, &*ping, &*chunk, &*usage, &*done].concat(),
                [&*filter, &*chunk, &*ping, &*chunk, &*done].concat(),
            ));
            // The stream ends behind the usage, or in it.
            streams.push((format!("{chunk}{USAGE}"), chunk.clone()));
            streams.push((
                format!("{chunk}{}", &USAGE[..40]),
                format!("{chunk}{}", &USAGE[..40]),
            ));
            streams.push((format!("{end}{usage}{chunk}"), format!("{end}{chunk}")));
        }
        streams.push((String::new(), String::new()));
        streams.push(("no events at all".to_owned(), "no events at all".to_owned()));
        streams
    }

    fn pass(chunks: &[&[u8]]) -> Vec<u8> {
        let mut remover = ChunkRemover::default();
        let mut out: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| remover.feed(chunk).to_vec())
            .collect();
        out.extend_from_slice(&remover.finish());
        out
    }

    #[test]
    fn every_split_loses_the_usage_chunk_and_nothing_else() {
        for (stream, expected) in streams() {
            let bytes = stream.as_bytes();
            for at in 0..=bytes.len() {
                let out = pass(&[&bytes[..at], &bytes[at..]]);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{stream:?} cut at {at}");
            }
            let ones: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(String::from_utf8_lossy(&pass(&ones)), expected, "{stream:?}");
        }
    }

    #[test]
    fn what_cannot_be_the_one_is_not_held_back() {
        let mut remover = ChunkRemover::default();
        let beginning = br#"data: {"id":"c","choices":[{"delta":{"content":"Hel"#;
        assert_eq!(&remover.feed(beginning)[..], beginning);
        assert_eq!(&remover.feed(b"lo")[..], b"lo");
        assert_eq!(&remover.feed(b"\"}}]}\n\n")[..], b"\"}}]}\n\n");
        assert_eq!(&remover.feed(&USAGE.as_bytes()[..30])[..], b"");
        assert_eq!(&remover.feed(&USAGE.as_bytes()[30..])[..], b"");
        assert_eq!(&remover.feed(b"\n\ndata: [DONE]\n\n")[..], b"data: [DONE]\n\n");
    }

    #[test]
    fn an_endless_event_is_not_held_back() {
        let mut remover = ChunkRemover::default();
        let chunk = vec![b'x'; MAX_HELD_BYTES + 1];
        assert_eq!(remover.feed(&chunk).len(), chunk.len());
    }
}
