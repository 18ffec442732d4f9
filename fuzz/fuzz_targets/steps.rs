//! Any bytes as the body of a step, of a batch, and as the rules of `/api/score`: a step within the limits, or a rejection
//! in words.

#![no_main]

#[allow(dead_code, reason = "a part of ingest is fuzzed here")]
#[path = "../../server/src/ingest"]
mod ingest {
    pub(crate) const MAX_BATCH_STEPS: usize = 1_000;
    pub(crate) mod field;
    pub(crate) mod native;
    pub(crate) mod rejection;

    use domain::{NewStep, Timestamp};
    use native::{Source, decode_body, decode_step, split_batch};
    use rejection::Rejection;

    fn source() -> Source {
        Source {
            received_at: Timestamp::from_micros(1_764_000_000_000_000),
            fallback_id: "fallback".to_owned(),
        }
    }

    pub(crate) fn one(body: &[u8]) -> Result<NewStep, Rejection> {
        decode_body(body, &source())
    }

    pub(crate) fn batch(body: &[u8]) -> Result<Vec<Result<NewStep, Rejection>>, Rejection> {
        let steps = split_batch(body)?;
        assert!(steps.len() <= MAX_BATCH_STEPS);
        Ok(steps.into_iter().map(|raw| decode_step(raw, &source())).collect())
    }
}

#[allow(dead_code, reason = "a part of it is fuzzed here")]
#[path = "../../server/src/step_builder.rs"]
mod step_builder;

use domain::NewStep;
use domain::id::MAX_CLIENT_ID_BYTES;
use libfuzzer_sys::fuzz_target;
use step_builder::{MAX_EVENTS, MAX_TAGS, MAX_WORD_BYTES};

fuzz_target!(|body: &[u8]| {
    if let Ok(step) = ingest::one(body) {
        holds(&step);
    }
    for step in ingest::batch(body).into_iter().flatten().flatten() {
        holds(&step);
    }
});

fn holds(step: &NewStep) {
    assert!(!step.run_id.is_empty() && step.run_id.len() <= MAX_CLIENT_ID_BYTES);
    assert!(!step.step_id.is_empty() && step.step_id.len() <= MAX_CLIENT_ID_BYTES);
    assert!(step.name.len() <= MAX_WORD_BYTES);
    assert!(step.tags.len() <= MAX_TAGS && step.events.len() <= MAX_EVENTS);
    assert!(
        !step.run_id.contains('\0') && !step.name.contains('\0'),
        "Postgres takes no NUL"
    );
}
