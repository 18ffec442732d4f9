//! Any bytes as a request of OpenTelemetry's exporters, as protobuf and as JSON: steps with ids and bounded attributes,
//! or a refusal.

#![no_main]

#[path = "../../crates/otlp/tests/mutated/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    properties::assert_properties(body);
});
