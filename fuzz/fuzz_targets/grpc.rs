//! Any bytes as the body of a unary call of gRPC: its one message, all of it and nothing else, or a refusal.

#![no_main]

#[path = "../../server/src/ingest/otlp/grpc/frame.rs"]
mod frame;

use bytes::Bytes;
use frame::{Message, PREFIX_BYTES, message_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|framed: &[u8]| {
    if let Ok(Message::Plain(message) | Message::Packed(message)) = message_of(Bytes::copy_from_slice(framed))
    {
        assert_eq!(message, framed[PREFIX_BYTES..]);
    }
});
