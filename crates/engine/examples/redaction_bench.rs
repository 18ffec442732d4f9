//! What redaction costs a step: `cargo run --release -p engine --example redaction_bench`.
//!
//! Prints microseconds for each step of some sizes, with every known kind looked for, and with ten own patterns as well.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

use std::hint::black_box;
use std::time::Instant;

use engine::redaction::{Hidden, Kind, OwnPattern, Redactor, Settings, Treatment};
use serde_json::json;

const ROUNDS: u32 = 500;
const SENTENCE: &str =
    "The customer writes that order 4711 of 12.5 kg has not arrived, and asks for a refund by Friday. ";

fn main() {
    let kinds = Settings {
        kinds: Kind::ALL.map(|kind| (kind, Treatment::Hash)).into(),
        own: Vec::new(),
    };
    let own = (0..10).map(|nth| OwnPattern {
        name: format!("own-{nth}"),
        pattern: format!(r"\bACME{nth}-[0-9]{{4,8}}\b"),
        treatment: Treatment::Mask,
    });
    let with_own = Settings {
        own: own.collect(),
        ..kinds.clone()
    };
    println!(
        "{:>10} {:>16} {:>24}",
        "bytes", "known kinds, µs", "and ten own patterns, µs"
    );
    for sentences in [5, 20, 100, 1_000] {
        let said = SENTENCE.repeat(sentences) + "Write to mara@acme.dev.";
        let text = json!({ "messages": [{ "role": "user", "content": said }] }).to_string();
        let cost = |settings: &Settings| {
            let redactor = Redactor::new(settings, &[7; 32]).unwrap();
            let started = Instant::now();
            for _ in 0..ROUNDS {
                black_box(redactor.text(black_box(&text), &mut Hidden::default()));
            }
            started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
        };
        println!(
            "{:>10} {:>16.1} {:>24.1}",
            text.len(),
            cost(&kinds),
            cost(&with_own)
        );
    }
}
