//! Any bytes as a request of OpenTelemetry's exporters, as protobuf and as JSON: steps with ids and bounded attributes,
//! or a refusal.

#![no_main]

use domain::Timestamp;
use libfuzzer_sys::fuzz_target;
use otlp::wire;

fuzz_target!(|body: &[u8]| {
    let received_at = Timestamp::from_micros(1_764_000_000_000_000);
    for data in [wire::of_protobuf(body), wire::of_json(body)]
        .into_iter()
        .flatten()
    {
        for span in otlp::read(data, received_at).spans {
            assert_eq!((span.step.run_id.len(), span.step.step_id.len()), (32, 16));
            assert!(
                span.step
                    .ended_at
                    .is_none_or(|ended_at| ended_at >= span.step.started_at)
            );
        }
    }
    for is_json in [false, true] {
        wire::log_records(body, is_json);
        wire::data_points(body, is_json);
    }
});
