//! Any bytes as a stream of server-sent events, in one piece and in many.
//!
//! The first bytes say how long the pieces are.

#![no_main]

#[path = "../../server/src/proxy/sse.rs"]
mod sse;

use libfuzzer_sys::fuzz_target;
use sse::{Event, Scanner};

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, stream) = input;
    let whole = events([stream]);
    let pieces = events(pieces(stream, &lengths));
    assert_eq!(whole, pieces, "how a stream is cut says nothing");
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

fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut scanner = Scanner::default();
    let mut events: Vec<Event> = pieces.into_iter().flat_map(|piece| scanner.feed(piece)).collect();
    events.extend(scanner.finish());
    events
}

fn pieces<'a>(mut rest: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}
