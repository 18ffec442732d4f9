//! Sending steps as applications do, for as long as it is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

/// A way to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Its name in the table.
    pub name: &'static str,
    /// Requests under way at once.
    pub connections: usize,
    pub steps_per_request: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Steps that were acknowledged.
    pub steps: u64,
    /// Seconds from the first request to the last answer.
    pub seconds: f64,
    /// How long each request took, in milliseconds, sorted.
    pub latencies_ms: Vec<f64>,
}

impl Sent {
    /// Acknowledged steps a second.
    pub fn steps_a_second(&self) -> f64 {
        self.steps as f64 / self.seconds
    }
}

/// Sends for `time` to the server at `origin`. Runs are named after `round`, so that no two rounds send the same step.
pub async fn send(origin: &str, load: &Load, round: &str, time: Duration) -> anyhow::Result<Sent> {
    send_changed(origin, load, round, time, |_step| {}).await
}

/// The same with something changed in each step.
pub async fn send_changed(
    origin: &str,
    load: &Load,
    round: &str,
    time: Duration,
    change: fn(&mut Value),
) -> anyhow::Result<Sent> {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(load.connections)
        .build()?;
    let counter = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut senders = Vec::new();
    for connection in 0..load.connections {
        let (client, counter, origin) = (client.clone(), Arc::clone(&counter), origin.to_owned());
        let (steps, name) = (load.steps_per_request, format!("{}-{round}", load.name));
        #[expect(
            clippy::disallowed_methods,
            reason = "a load generator has no shutdown to wait for"
        )]
        senders.push(tokio::spawn(async move {
            let mut latencies_ms = Vec::new();
            let mut n = 0u64;
            while begun.elapsed() < time {
                let (url, body) = request(&origin, &name, connection, n, steps, change);
                let sent = Instant::now();
                let answer = client
                    .post(url)
                    .header("content-type", "application/json")
                    .body(body)
                    .send()
                    .await?;
                ensure!(answer.status().is_success(), "answered {}", answer.status());
                answer.bytes().await?;
                latencies_ms.push(sent.elapsed().as_secs_f64() * 1_000.0);
                counter.fetch_add(steps as u64, Ordering::Relaxed);
                n += 1;
            }
            Ok(latencies_ms)
        }));
    }
    let mut latencies_ms: Vec<f64> = Vec::new();
    for sender in senders {
        latencies_ms.extend(sender.await??);
    }
    latencies_ms.sort_unstable_by(f64::total_cmp);
    Ok(Sent {
        steps: counter.load(Ordering::Relaxed),
        seconds: begun.elapsed().as_secs_f64(),
        latencies_ms,
    })
}

/// Steps as an application sends them: runs of five steps, a prompt of some hundred bytes, an answer, tokens, cost.
fn request(
    origin: &str,
    load: &str,
    connection: usize,
    n: u64,
    steps: usize,
    change: fn(&mut Value),
) -> (String, String) {
    let step = |i: u64| {
        let mut step = step(&format!("{load}-{connection}-{}", i / 5), i);
        change(&mut step);
        step
    };
    if steps == 1 {
        return (format!("{origin}/ingest"), step(n).to_string());
    }
    let first = n * steps as u64;
    let all: Vec<Value> = (first..first + steps as u64).map(step).collect();
    (
        format!("{origin}/ingest/batch"),
        json!({ "steps": all }).to_string(),
    )
}

fn step(run_id: &str, i: u64) -> Value {
    const NAMES: [&str; 5] = [
        "read-request",
        "search-kb",
        "rank-passages",
        "draft-reply",
        "check-reply",
    ];
    let name = NAMES[(i % 5) as usize];
    // One in twenty is asked to answer with one word and does not, so that conditions are stored as well.
    let wanted = if i % 20 == 7 {
        "Answer in one word."
    } else {
        "Answer in one short paragraph."
    };
    json!({
        "run_id": run_id,
        "step_id": format!("{i}"),
        "step_name": name,
        "step_index": i % 5,
        "model": "claude-haiku-4-5",
        "provider": "anthropic",
        "environment": "production",
        "release": "9be04a7c1f",
        "prompt": format!("{{\"system\":\"You are {name} of a support desk. {wanted}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Order {i} arrived with one keyboard instead of two. I would like my money back for the missing one, or the second keyboard.\"}}]}}"),
        "output_code": format!("Thank you for telling us about order {i}. We are sorry; the second keyboard leaves our warehouse today."),
        "input_tokens": 180 + i % 40,
        "output_tokens": 24 + i % 9,
        "latency_ms": 300 + (i * 7919) % 2500,
        "cost": 0.0003,
        "stop_reason": "end_turn",
    })
}
