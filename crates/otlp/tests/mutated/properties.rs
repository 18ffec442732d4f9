//! What holds of any bytes that are taken for a request of OpenTelemetry's exporters, as protobuf and as JSON: steps with
//! ids and times in their order, or a refusal. Asserted by the fuzz target `otlp`, and by `mutated.rs` of some thousand.

use domain::Timestamp;
use otlp::wire;

/// When they are received.
pub(crate) const RECEIVED_AT: Timestamp = Timestamp::from_micros(1_764_000_000_000_000);

/// Asserts all of it, and returns how many steps were read.
pub(crate) fn assert_properties(body: &[u8]) -> usize {
    let mut steps = 0;
    for data in [wire::of_protobuf(body), wire::of_json(body)]
        .into_iter()
        .flatten()
    {
        let read = otlp::read(data, RECEIVED_AT);
        assert!(
            read.spans.len() + read.without_ids <= body.len(),
            "few bytes must not become many spans"
        );
        for span in &read.spans {
            assert_eq!((span.step.run_id.len(), span.step.step_id.len()), (32, 16));
            assert!(
                span.step
                    .ended_at
                    .is_none_or(|ended_at| ended_at >= span.step.started_at)
            );
        }
        steps += read.spans.len();
    }
    for is_json in [false, true] {
        wire::log_records(body, is_json);
        wire::data_points(body, is_json);
    }
    steps
}
