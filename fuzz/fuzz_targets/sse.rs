//! Any bytes as a stream of server-sent events, whole and in chunks.
//!
//! The first bytes say how long the chunks are.

#![no_main]

#[path = "../../server/src/proxy/sse.rs"]
mod sse;

use libfuzzer_sys::fuzz_target;
use sse::{Event, Scanner};

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, stream) = input;
    let whole = events([stream]);
    let chunks = events(chunks(stream, &lengths));
    assert_eq!(whole, chunks, "how a stream is cut says nothing");
    let mut end = 0;
    for event in &whole {
        assert!(event.end > end && event.end <= stream.len(), "{event:?}");
        end = event.end;
    }

    // The middle of a stream may not have been kept: what is read after the gap was all in the stream.
    let middle = stream.len() / 2;
    let mut scanner = Scanner::default();
    scanner.feed(&stream[..middle / 2]);
    scanner.skip_to(middle);
    for event in scanner.feed(&stream[middle..]) {
        assert!(event.end > middle && event.end <= stream.len());
    }
    let _dropped = scanner.dropped_events();
});

fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut scanner = Scanner::default();
    let mut events: Vec<Event> = chunks.into_iter().flat_map(|chunk| scanner.feed(chunk)).collect();
    events.extend(scanner.finish());
    events
}

fn chunks<'a>(mut rest: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for length in lengths {
        let (chunk, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    chunks
}
