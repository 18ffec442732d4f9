//! Server-sent events as the HTML standard parses them, from chunks of any size.
//!
//! Bytes come from a network, so nothing is assumed: CRLF, LF and CR end lines, also across chunks; a byte order mark
//! is skipped; what is not UTF-8 is replaced; an event larger than the bound is dropped, and said so.

/// Largest data of one event that is kept.
pub const MAX_EVENT_BYTES: usize = 32 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What `event:` says; empty where nothing does.
    pub name: String,
    /// The lines of `data:`, joined by line feeds.
    pub data: String,
    /// The stream's length, in bytes, up to the end of the event.
    pub end: usize,
}

/// Finds events in a stream.
#[derive(Debug, Default)]
pub struct Scanner {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    /// The line's or the event's text is no longer kept.
    too_large: bool,
    /// The line before ended with CR; a LF now belongs to it.
    after_cr: bool,
    past_first_line: bool,
    position: usize,
    dropped_events: usize,
}

impl Scanner {
    /// The events that end in these bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            if rest[0] == b'\n' {
                self.position += 1;
                rest = &rest[1..];
            }
        }
        while let Some(length) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.keep(&rest[..length]);
            let is_cr = rest[length] == b'\r';
            self.position += length + 1;
            rest = &rest[length + 1..];
            self.end_line(&mut events);
            if is_cr {
                match rest.first() {
                    Some(b'\n') => {
                        self.position += 1;
                        rest = &rest[1..];
                    }
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
        }
        self.keep(rest);
        self.position += rest.len();
        events
    }

    /// The event that was under way when the stream ended. Browsers forget it; its figures count all the same.
    pub fn finish(mut self) -> Option<Event> {
        let mut events = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut events);
        }
        self.end_event(&mut events);
        events.pop()
    }

    /// Forgets the line and the event under way: what follows begins somewhere else in the stream, and its first
    /// whole event is the next one.
    pub fn skip_to(&mut self, position: usize) {
        *self = Self {
            past_first_line: true,
            // Whatever ends next began before.
            too_large: true,
            has_data: true,
            line: vec![b':'],
            position,
            dropped_events: self.dropped_events,
            ..Self::default()
        };
    }

    /// How many events were too large to keep.
    pub fn dropped_events(&self) -> usize {
        self.dropped_events
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_large {
            if self.line.is_empty() && !bytes.is_empty() {
                // All that matters of the line is that it is not blank.
                self.line.push(b':');
            }
            return;
        }
        if self.line.len() + self.data.len() + bytes.len() > MAX_EVENT_BYTES {
            self.too_large = true;
            self.line = b"data".to_vec();
            self.data = Vec::new();
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let mut line = std::mem::take(&mut self.line);
        let text = if self.past_first_line {
            &line[..]
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
        };
        self.past_first_line = true;
        if text.is_empty() {
            self.end_event(events);
        } else {
            let colon = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
            let value = text.get(colon + 1..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &text[..colon] {
                b"data" => {
                    if self.has_data {
                        self.data.push(b'\n');
                    }
                    self.data.extend_from_slice(value);
                    self.has_data = true;
                }
                b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
                // A comment, an id, a time to wait: nothing that is metered.
                _ => {}
            }
        }
        line.clear();
        self.line = line;
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if self.too_large {
            self.dropped_events += 1;
        } else if self.has_data {
            events.push(Event {
                name,
                data: String::from_utf8(data)
                    .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()),
                end: self.position,
            });
        }
        self.has_data = false;
        self.too_large = false;
    }
}

#[cfg(test)]
#[path = "sse/tests.rs"]
mod tests;
