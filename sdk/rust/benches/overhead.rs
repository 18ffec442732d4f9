//! What recording adds to a span, and what a thousand steps that wait take of memory. `cargo bench -p plumbline-sdk` prints
//! a table. A span with nobody listening and one that is recorded run in turns.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use plumbline_sdk::{SpanExt, Tracer, add_event, span};
use serde_json::{Value, json};
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::prelude::*;

const ROUNDS: usize = 15;

fn request(turns: usize) -> Value {
    let text = "What is a plumb line, and who uses one? ".repeat(5);
    let messages: Vec<Value> = (0..turns)
        .map(|turn| json!({ "role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": text }))
        .collect();
    json!({ "model": "claude-haiku-4-5", "max_tokens": 256, "messages": messages })
}

fn call(request: &Value, answer: &Value) {
    let step = span!("answer", session_id = "chat-17");
    step.set_request(request);
    step.in_scope(|| add_event("sent", json!({ "attempt": 1 })));
    step.set_answer(answer);
}

fn per_call(listener: &Dispatch, calls: u32, act: &dyn Fn()) -> Duration {
    with_default(listener, || {
        let began = Instant::now();
        for _ in 0..calls {
            act();
        }
        began.elapsed() / calls
    })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn compare(name: &str, calls: u32, act: &dyn Fn()) {
    // Every round has a tracer of its own, whose queue takes all of it; what they send is no part of a call.
    let nobody = Dispatch::new(NoSubscriber::default());
    let (mut plain, mut recorded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let tracer = Tracer::builder()
            .api_url("http://127.0.0.1:9")
            .enabled(true)
            .max_queue_steps(1_000_000)
            .max_queue_bytes(1 << 30)
            .flush_interval(Duration::from_secs(600))
            .on_warning(|_| ())
            .build();
        let listener = Dispatch::new(tracing_subscriber::registry().with(tracer.layer()));
        per_call(&listener, calls / 10 + 1, act);
        plain.push(per_call(&nobody, calls, act).as_secs_f64() * 1e6);
        recorded.push(per_call(&listener, calls, act).as_secs_f64() * 1e6);
        tracer.shutdown(Duration::ZERO);
    }
    let (plain, recorded) = (median(plain), median(recorded));
    println!("{name:<44} {plain:>9.2} µs {:>+10.2} µs", recorded - plain);
}

fn main() {
    let answer = json!({
        "id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
        "content": [{ "type": "text", "text": "A weight on a string. ".repeat(20) }],
        "usage": { "input_tokens": 900, "output_tokens": 120 }
    });
    println!("{:<44} {:>12} {:>13}", "a span", "unheard", "recorded");
    let (short, long) = (request(1), request(50));
    compare("a model call, 1 turn", 400, &|| call(&short, &answer));
    compare("a model call, 50 turns (10 kB)", 400, &|| call(&long, &answer));
    compare("a span without fields", 400, &|| drop(black_box(span!("work"))));
    compare("a span with an event", 400, &|| {
        span!("work", order = 7).in_scope(|| tracing::info!(found = 3, "searched"));
    });
}
