//! Any bytes as a recording for the back-test: an error, or steps that can be judged.

#![no_main]

use engine::backtest::Recording;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(recording) = Recording::decode(bytes) else {
        return;
    };
    assert!(
        recording.steps.len() <= bytes.len(),
        "few bytes must not become many steps"
    );
    assert_eq!(recording.rows().len(), recording.steps.len());
    assert_eq!(
        Recording::decode(&recording.encode()).as_ref(),
        Some(&recording),
        "what was read can be sent again"
    );
});
