//! How many values a body has, before any of them takes memory: a span of two bytes on the wire takes three hundred
//! when it is read, and 64 MiB of such would end the process.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

use super::Malformed;

/// The most values (spans, attributes, events, their values) of one request.
pub const MAX_VALUES: usize = 1_000_000;

/// How deep messages may lie in each other; prost's own limit.
const MAX_DEPTH: usize = 100;

/// What a message is, as far as its fields have to be known.
#[derive(Clone, Copy)]
enum Kind {
    Traces,
    Resource,
    OfResource,
    OfScope,
    Scope,
    Span,
    Event,
    Link,
    KeyValue,
    Value,
    Array,
    Map,
}

/// Which message a field holds, if it holds one that has values and that the decoder looks into: what it passes over may
/// be anything, and must not end the count.
fn held(kind: Kind, tag: u32) -> Option<Kind> {
    Some(match (kind, tag) {
        (Kind::Traces, 1) => Kind::OfResource,
        (Kind::OfResource, 1) => Kind::Resource,
        (Kind::OfResource, 2) => Kind::OfScope,
        (Kind::OfScope, 1) => Kind::Scope,
        (Kind::OfScope, 2) => Kind::Span,
        (Kind::Resource, 1) | (Kind::Span, 9) | (Kind::Event, 3) | (Kind::Map, 1) => Kind::KeyValue,
        (Kind::Span, 11) => Kind::Event,
        (Kind::Span, 13) => Kind::Link,
        (Kind::KeyValue, 2) | (Kind::Array, 1) => Kind::Value,
        (Kind::Value, 5) => Kind::Array,
        (Kind::Value, 6) => Kind::Map,
        _ => return None,
    })
}

/// Refuses a body with too many values. What can't be read is for the decoder to say.
pub(super) fn of_protobuf(bytes: &[u8]) -> Result<(), Malformed> {
    let mut left = MAX_VALUES;
    match count(bytes, Kind::Traces, MAX_DEPTH, &mut left) {
        Ok(()) | Err(None) => Ok(()),
        Err(Some(malformed)) => Err(malformed),
    }
}

/// Counts down. `Err(None)` is what can't be read.
fn count(mut bytes: &[u8], kind: Kind, depth: usize, left: &mut usize) -> Result<(), Option<Malformed>> {
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(unreadable)?;
        match (held(kind, tag), wire_type) {
            (Some(inner), WireType::LengthDelimited) => {
                let length = decode_varint(&mut bytes).map_err(unreadable)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let (own, rest) = bytes.split_at_checked(length).ok_or(None)?;
                *left = left.checked_sub(1).ok_or(Some(Malformed::TooManyValues))?;
                if depth == 0 {
                    return Err(None);
                }
                count(own, inner, depth - 1, left)?;
                bytes = rest;
            }
            _ => skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).map_err(unreadable)?,
        }
    }
    Ok(())
}

fn unreadable(_: DecodeError) -> Option<Malformed> {
    None
}

/// Refuses a JSON body with too many objects or lists, either of which may stand for a message, or items of lists.
pub(super) fn of_json(bytes: &[u8]) -> Result<(), Malformed> {
    let (mut objects, mut commas, mut in_string, mut at) = (0, 0, false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => objects += 1,
            b',' if !in_string => commas += 1,
            _ => {}
        }
        at += 1;
    }
    if objects > MAX_VALUES || commas > 4 * MAX_VALUES {
        return Err(Malformed::TooManyValues);
    }
    Ok(())
}

/// The messages of another signal, as far as it takes to tell them.
macro_rules! signal {
    ($name:ident, $item:ident) => {
        mod $name {
            use prost::Message;

            #[derive(Clone, PartialEq, Message)]
            pub(super) struct Data {
                #[prost(message, repeated, tag = "1")]
                of_resources: Vec<OfResource>,
            }
            #[derive(Clone, PartialEq, Message)]
            struct OfResource {
                #[prost(message, repeated, tag = "2")]
                of_scopes: Vec<OfScope>,
            }
            #[derive(Clone, PartialEq, Message)]
            struct OfScope {
                #[prost(message, repeated, tag = "2")]
                items: Vec<super::$item>,
            }

            /// Whether a body is of this signal.
            pub(super) fn is_in(bytes: &[u8]) -> bool {
                let items = |data: Data| {
                    let scopes = data.of_resources.into_iter().flat_map(|of| of.of_scopes);
                    scopes.flat_map(|of| of.items).next()
                };
                Data::decode(bytes).is_ok_and(|data| items(data).is_some_and(|item| item.is_one()))
            }
        }
    };
}

signal!(logs, LogRecord);
signal!(metrics, Metric);

/// Its severity is a number where a span's id is bytes.
#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(int32, tag = "2")]
    severity: i32,
    #[prost(fixed64, tag = "11")]
    observed: u64,
}

impl LogRecord {
    fn is_one(&self) -> bool {
        true
    }
}

/// Its name is a text where a span's id is bytes.
#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    unit: String,
}

impl Metric {
    /// The bytes of an id may happen to be a text, but none that can be read.
    fn is_one(&self) -> bool {
        !self.name.is_empty() && !self.name.contains(char::is_control)
    }
}

/// Whether a body that is no traces is what is sent to another path.
pub(super) fn other_signal(bytes: &[u8]) -> Option<Malformed> {
    // Its values are not counted, and it only makes a better word.
    const MAX_BYTES: usize = 4 * 1024 * 1024;
    if bytes.len() > MAX_BYTES {
        return None;
    }
    if logs::is_in(bytes) {
        Some(Malformed::Logs)
    } else {
        metrics::is_in(bytes).then_some(Malformed::Metrics)
    }
}
