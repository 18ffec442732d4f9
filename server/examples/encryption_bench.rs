//! What encrypting its texts costs a step: `cargo run --release -p server --example encryption_bench`.
//!
//! Prints, for steps of some sizes, microseconds to seal a prompt and its answer, microseconds to open them again, and the
//! bytes that are stored. Texts in clear are compressed by Postgres, encrypted ones can't be.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

use std::hint::black_box;
use std::time::Instant;

use domain::{NewStep, ProjectId};
use serde_json::json;
use server::config::SecretKey;
use server::secrets::Secrets;
use storage::payloads::{Field, PayloadKey as _, TextPlace};

const ROUNDS: u32 = 2_000;
const SENTENCE: &str =
    "The customer writes that order 4711 of 12.5 kg has not arrived, and asks for a refund by Friday. ";

fn main() {
    let project = ProjectId(uuid::Uuid::from_u128(1));
    let secrets = Secrets::with_key(&SecretKey::new([7; 32]));
    let key = secrets.new_text_key(project).unwrap();
    let key = secrets.text_key(project, &key).unwrap();
    println!(
        "{:>10} {:>10} {:>10} {:>10}",
        "bytes", "seal, µs", "open, µs", "stored"
    );
    for sentences in [5, 20, 100, 1_000] {
        let step = step(&SENTENCE.repeat(sentences));
        let sealed = key.seal_step(&step).unwrap();
        let input = sealed.input.as_deref().unwrap();
        let output = sealed.output.as_deref().unwrap();
        let seal = micros(|| _ = black_box(key.seal_step(black_box(&step)).unwrap()));
        let open = micros(|| {
            for (field, sealed) in [(Field::Input, input), (Field::Output, output)] {
                let place = TextPlace {
                    run_id: &step.run_id,
                    step_id: &step.step_id,
                    field,
                };
                black_box(key.open(place, black_box(sealed)).unwrap());
            }
        });
        let bytes = 2 * SENTENCE.len() * sentences;
        println!(
            "{bytes:>10} {seal:>10.1} {open:>10.1} {:>10}",
            input.len() + output.len()
        );
    }
}

/// What one round takes.
fn micros(mut round: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        round();
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

/// A step with this prompt and as long an answer.
fn step(said: &str) -> NewStep {
    serde_json::from_value(json!({
        "run_id": "01990000-0000-7000-8000-000000000001", "step_id": "0123456789abcdef", "parent_step_id": null,
        "kind": "llm", "name": "answer", "step_index": null, "provider": null, "request_model": null, "model": null,
        "started_at": "2026-11-30T10:00:00Z", "ended_at": null, "latency_ms": 1.0, "ttft_ms": null,
        "status": "ok", "error": null, "error_class": null, "stop_reason": null, "service_tier": null,
        "max_gap_ms": null, "stream_incomplete": false, "tokens": {}, "web_searches": null,
        "reported_cost": null, "environment": null, "release": null, "session_id": null, "user_id": null,
        "tags": [], "tool_name": null, "attributes": {}, "prompt_template": null, "input": said, "output": said,
        "events": []
    }))
    .unwrap()
}
