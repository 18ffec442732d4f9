//! Traces for people to read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::exporter::{ExportError, Exporter};
use crate::model::{Span, Status, Trace};
use crate::warnings::lock;

const BOLD_CYAN: &str = "\u{1b}[1m\u{1b}[36m";
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

/// Longer values are cut.
const MAX_VALUE_CHARS: usize = 200;

/// Prints each trace as a tree when it ends.
pub struct ConsoleExporter {
    verbose: bool,
    color: bool,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Default for ConsoleExporter {
    fn default() -> Self {
        Self::new()
    }
}

impl ConsoleExporter {
    /// Names, durations and statuses, on the standard output.
    pub fn new() -> Self {
        Self::to(io::stdout())
    }

    /// The same, written elsewhere.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self {
            verbose: false,
            color: false,
            out: Mutex::new(Box::new(out)),
        }
    }

    /// Whether attributes and events are shown.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }

    /// Whether to colour, as terminals do.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        if self.color {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }

    fn write_span(&self, out: &mut String, trace: &Trace, span: &Span, depth: usize) {
        let indent = "  ".repeat(depth);
        let mark = match &span.status {
            Status::Ok => self.coloured(GREEN, "✓"),
            Status::Error(_) => self.coloured(RED, "✗"),
        };
        out.push_str(&format!(
            "{indent}▸ {} ({}) {mark}\n",
            printable(&span.name),
            duration_text(span.duration)
        ));
        if let Status::Error(error) = &span.status {
            out.push_str(&format!("{indent}  Error: {}\n", printable(error)));
        }
        if self.verbose {
            if !span.attributes.is_empty() {
                out.push_str(&format!(
                    "{indent}  Attributes: {}\n",
                    attributes_text(&span.attributes)
                ));
            }
            for event in &span.events {
                out.push_str(&format!("{indent}  • {}\n", printable(&event.name)));
                if !event.attributes.is_empty() {
                    out.push_str(&format!("{indent}    {}\n", attributes_text(&event.attributes)));
                }
            }
        }
        for child in trace.children(&span.span_id) {
            self.write_span(out, trace, child, depth + 1);
        }
    }
}

impl Exporter for ConsoleExporter {
    fn export(&self, trace: &Arc<Trace>) -> Result<(), ExportError> {
        let mut text = format!(
            "{}\n",
            self.coloured(BOLD_CYAN, &format!("Trace: {}", trace.trace_id))
        );
        if self.verbose && !trace.metadata.is_empty() {
            text.push_str(&format!("Metadata: {}\n", attributes_text(&trace.metadata)));
        }
        for root in trace.roots() {
            self.write_span(&mut text, trace, root, 0);
        }
        let mut out = lock(&self.out);
        // In one piece, so that what others print stands before or behind it.
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|cause| ExportError::new(format!("a trace could not be printed: {cause}")))
    }
}

fn duration_text(duration: Duration) -> String {
    let microseconds = duration.as_micros();
    match microseconds {
        0..1_000 => format!("{microseconds}µs"),
        1_000..1_000_000 => format!("{:.2}ms", duration.as_secs_f64() * 1_000.0),
        _ => format!("{:.2}s", duration.as_secs_f64()),
    }
}

fn attributes_text(attributes: &Map<String, Value>) -> String {
    let fields: Vec<String> = attributes
        .iter()
        .map(|(name, value)| format!("{}: {}", printable(name), printable(&value.to_string())))
        .collect();
    format!("{{{}}}", fields.join(", "))
}

/// On one line, of bounded length, and without what would steer a terminal.
fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_VALUE_CHARS)
        .map(|letter| if letter.is_control() { '·' } else { letter })
        .collect();
    if text.chars().nth(MAX_VALUE_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
