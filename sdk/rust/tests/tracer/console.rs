//! What a person sees.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use plumbline_sdk::{ConsoleExporter, Event, Exporter, Span, SpanExt, Status, Trace, Tracer, span, trace};
use serde_json::{Map, Value, json};

use crate::program::traced;

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

fn span_of(id: &str, parent: Option<&str>, name: &str, index: u32, micros: u64, attributes: Value) -> Span {
    Span {
        trace_id: "b37b73325dbd626481e0ff3e89de02c8".to_owned(),
        span_id: id.to_owned(),
        parent_span_id: parent.map(str::to_owned),
        name: name.to_owned(),
        index,
        started_at: UNIX_EPOCH,
        duration: Duration::from_micros(micros),
        attributes: fields(attributes),
        events: Vec::new(),
        status: Status::Ok,
    }
}

/// A trace as it ends: children first.
fn example() -> Arc<Trace> {
    let mut reasoning = span_of(
        "2",
        Some("1"),
        "reasoning",
        1,
        10_840,
        json!({ "model": "gpt-4", "temperature": 0.7 }),
    );
    reasoning.events.push(Event {
        name: "reasoning_complete".to_owned(),
        at: UNIX_EPOCH,
        attributes: fields(json!({ "thought_count": 3 })),
    });
    let mut tool = span_of(
        "3",
        Some("1"),
        "tool_execution",
        2,
        950,
        json!({ "tool": "web_search" }),
    );
    tool.status = Status::Error("tool_not_found:\n\u{1b}[31mweb_search".to_owned());
    tool.events.push(Event {
        name: "tool_not_found".to_owned(),
        at: UNIX_EPOCH,
        attributes: Map::new(),
    });
    let response = span_of(
        "4",
        Some("1"),
        "response_generation",
        3,
        2_980_000,
        json!({ "text": "x".repeat(300) }),
    );
    let root = span_of(
        "1",
        Some("in another process"),
        "agent.handle_message",
        0,
        3_000_000,
        json!({}),
    );
    Arc::new(Trace {
        trace_id: "b37b73325dbd626481e0ff3e89de02c8".to_owned(),
        created_at: UNIX_EPOCH,
        metadata: fields(json!({ "release": "abc" })),
        // In no order of theirs.
        spans: vec![response, tool, reasoning, root],
    })
}

fn printed(exporter: impl FnOnce(ConsoleExporter) -> ConsoleExporter) -> String {
    let screen = Screen::default();
    exporter(ConsoleExporter::to(screen.clone()))
        .export(&example())
        .unwrap();
    screen.text()
}

#[test]
fn a_trace_is_printed_as_a_tree() {
    let shown = printed(|console| console);
    assert_eq!(shown, include_str!("console/plain.txt"));
}

#[test]
fn a_trace_is_printed_with_everything_that_is_known_of_it() {
    let shown = printed(|console| console.verbose(true));
    assert_eq!(shown, include_str!("console/verbose.txt"));
}

#[test]
fn colours_change_no_word() {
    let coloured = printed(|console| console.color(true));
    assert!(
        coloured.starts_with("\u{1b}[1m\u{1b}[36mTrace: b37b73325dbd626481e0ff3e89de02c8\u{1b}[0m\n"),
        "{coloured}"
    );
    let mut plain = coloured;
    for code in ["[1m", "[36m", "[32m", "[31m", "[0m"] {
        plain = plain.replace(&format!("\u{1b}{code}"), "");
    }
    assert_eq!(plain, include_str!("console/plain.txt"));
}

#[test]
fn a_program_is_printed_when_its_trace_ends() {
    let screen = Screen::default();
    let tracer = Tracer::builder()
        .send(false)
        .enabled(true)
        .exporter(ConsoleExporter::to(screen.clone()).verbose(true))
        .build();
    traced(&tracer, || {
        trace!("agent.handle_message").in_scope(|| {
            let reasoning = span!("reasoning", model = "gpt-4", temperature = 0.7);
            reasoning.add_event("reasoning_complete", json!({ "thought_count": 3 }));
            reasoning.in_scope(|| span!("tool_execution", tool = "web_search").fail("not found"));
            assert_eq!(screen.text(), "", "it has not ended");
        });
    });
    let shown = screen.text();
    // How long it took and which id it has is different each time; so is where this runs.
    let masked: Vec<String> = shown
        .lines()
        .filter(|line| !line.starts_with("Metadata: "))
        .map(
            |line| match (line.split_once(" ("), line.starts_with("Trace: ")) {
                (_, true) => "Trace: …".to_owned(),
                (Some((name, rest)), _) => format!("{name} (…) {}", rest.split_once(") ").unwrap().1),
                _ => line.to_owned(),
            },
        )
        .collect();
    assert_eq!(
        masked,
        [
            "Trace: …",
            "▸ agent.handle_message (…) ✓",
            "  ▸ reasoning (…) ✓",
            "    Attributes: {model: \"gpt-4\", temperature: 0.7}",
            "    • reasoning_complete",
            "      {thought_count: 3}",
            "    ▸ tool_execution (…) ✗",
            "      Error: not found",
            "      Attributes: {tool: \"web_search\"}",
        ]
    );
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_screen_that_is_gone_is_an_error_and_no_panic() {
    let error = ConsoleExporter::to(Closed).export(&example()).unwrap_err();
    assert!(error.to_string().contains("could not be printed"), "{error}");
}
