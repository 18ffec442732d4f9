//! What is recorded, in AITrace's words: traces, spans, events, and the context that leads from one to the next.

use std::collections::hash_map::RandomState;
use std::fmt::{self, Write};
use std::hash::BuildHasher;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::format_rfc3339_micros;
use serde_json::{Map, Value};

/// One transaction from its beginning to its end: a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub trace_id: String,
    /// When its first span began.
    pub created_at: SystemTime,
    /// What holds for all of its spans: `environment`, `release` and what else the tracer was given.
    pub metadata: Map<String, Value>,
    /// In the order in which they ended, so that children stand before their parents.
    pub spans: Vec<Span>,
}

impl Trace {
    /// The spans whose parent is not in this trace, in the order in which they began.
    pub fn roots(&self) -> Vec<&Span> {
        self.in_order(|span| {
            !self
                .spans
                .iter()
                .any(|other| Some(&other.span_id) == span.parent_span_id.as_ref())
        })
    }

    /// The spans directly inside of one, in the order in which they began.
    pub fn children(&self, span_id: &str) -> Vec<&Span> {
        self.in_order(|span| span.parent_span_id.as_deref() == Some(span_id))
    }

    fn in_order(&self, belongs: impl Fn(&Span) -> bool) -> Vec<&Span> {
        let mut found: Vec<&Span> = self.spans.iter().filter(|span| belongs(span)).collect();
        found.sort_by_key(|span| span.index);
        found
    }
}

/// One timed operation: a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub name: String,
    /// Its place among the spans of its trace, in the order in which they began.
    pub index: u32,
    pub started_at: SystemTime,
    pub duration: Duration,
    pub attributes: Map<String, Value>,
    pub events: Vec<Event>,
    pub status: Status,
}

impl Span {
    pub fn ended_at(&self) -> SystemTime {
        self.started_at
            .checked_add(self.duration)
            .unwrap_or(self.started_at)
    }

    /// To be handed on: to another process, or to what outlives the span.
    pub fn context(&self) -> Context {
        Context {
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
        }
    }
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// With what went wrong.
    Error(String),
}

/// A point in time inside of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub at: SystemTime,
    pub attributes: Map<String, Value>,
}

/// Where in a trace something happens. It never changes, and can be sent to other processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace_id: String,
    pub span_id: String,
}

impl Context {
    /// The header `traceparent` of W3C Trace Context, for calls of other services and of Plumbline's proxy. `None` where the
    /// ids are not those that it can hold, which only ids from elsewhere are.
    pub fn traceparent(&self) -> Option<String> {
        let fits = is_id(&self.trace_id, 32) && is_id(&self.span_id, 16);
        fits.then(|| format!("00-{}-{}-01", self.trace_id, self.span_id))
    }

    /// Reads such a header. `None` where it is none.
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
        let is_one = is_hex(version, 2) && version != "ff" && is_id(trace_id, 32) && is_id(span_id, 16);
        is_one.then(|| Self {
            trace_id: trace_id.to_owned(),
            span_id: span_id.to_owned(),
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Only zeros are no id.
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

/// As RFC 3339 has it, to the microsecond. Empty for a time that it cannot say: what follows the year 9999.
pub(crate) fn time_text(at: SystemTime) -> String {
    let mut text = String::new();
    match write!(text, "{}", format_rfc3339_micros(at.max(UNIX_EPOCH))) {
        Ok(()) => text,
        Err(fmt::Error) => String::new(),
    }
}

/// A random id of 32 hexadecimal digits. The standard library seeds the keys of its hash maps from the system's source.
pub(crate) fn new_trace_id() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0_u8), random.hash_one(1_u8))
}

/// A random id of 16 hexadecimal digits.
pub(crate) fn new_span_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(2_u8))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_context_survives_a_header() {
        let context = Context {
            trace_id: new_trace_id(),
            span_id: new_span_id(),
        };
        let header = context.traceparent().unwrap();
        assert_eq!(Context::from_traceparent(&header), Some(context));
    }

    #[test]
    fn what_is_no_header_is_no_context() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        assert!(Context::from_traceparent(&format!("00-{trace}-{span}-01")).is_some());
        assert!(Context::from_traceparent(&format!("cc-{trace}-{span}-01-what-comes-later")).is_some());
        for header in [
            String::new(),
            "00".to_owned(),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}é-{span}-01", &trace[..30]),
        ] {
            assert_eq!(Context::from_traceparent(&header), None, "{header}");
        }
        let foreign = Context {
            trace_id: "ticket-4711".to_owned(),
            span_id: span.to_owned(),
        };
        assert_eq!(foreign.traceparent(), None);
    }

    #[test]
    fn ids_differ() {
        let ids: BTreeSet<String> = (0..10_000).map(|_| new_span_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| is_id(id, 16)));
        assert!(is_id(&new_trace_id(), 32));
    }
}
