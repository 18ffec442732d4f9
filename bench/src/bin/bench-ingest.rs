//! Durable ingest: how many steps a second are acknowledged after their commit, and what that costs in memory.
//! Prints the table of the README. Afterwards it asks the server what it holds: every acknowledged step, once.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bench::{Server, machine, quantile};
use clap::Parser;
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies: the disk that is measured.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// Seconds per row of the table.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

struct Load {
    name: &'static str,
    connections: usize,
    steps_per_request: usize,
}

const LOADS: [Load; 4] = [
    Load {
        name: "`/ingest/batch`, 1,000 steps",
        connections: 4,
        steps_per_request: 1_000,
    },
    Load {
        name: "`/ingest/batch`, 100 steps",
        connections: 8,
        steps_per_request: 100,
    },
    Load {
        name: "`/ingest`, 64 connections",
        connections: 64,
        steps_per_request: 1,
    },
    Load {
        name: "`/ingest`, 1 connection",
        connections: 1,
        steps_per_request: 1,
    },
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server = tokio::task::spawn_blocking(move || Server::start(&args.binary, &args.parent)).await??;
    println!("| way in | steps/s | requests/s | p50 | p99 | server RSS |");
    println!("|---|---|---|---|---|---|");
    let mut acknowledged = 0;
    for load in &LOADS {
        acknowledged += run(&server, load, Duration::from_secs(args.seconds)).await?;
    }
    let held = stored_steps(&server.origin).await?;
    ensure!(
        held == acknowledged,
        "{acknowledged} steps were acknowledged, {held} are in the ledger"
    );
    println!();
    println!(
        "{acknowledged} steps acknowledged, {held} stored; peak RSS {:.0} MB; first start with a new private Postgres {:.1} s.",
        server.memory_mb().1,
        server.started_in.as_secs_f64()
    );
    println!("{}.", machine());
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(())
}

async fn run(server: &Server, load: &Load, time: Duration) -> anyhow::Result<u64> {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(load.connections)
        .build()?;
    let counter = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut senders = Vec::new();
    for connection in 0..load.connections {
        let (client, counter, origin) = (client.clone(), Arc::clone(&counter), server.origin.clone());
        let (steps, name) = (load.steps_per_request, load.name);
        #[expect(
            clippy::disallowed_methods,
            reason = "a load generator has no shutdown to wait for"
        )]
        senders.push(tokio::spawn(async move {
            let mut latencies_ms = Vec::new();
            let mut n = 0u64;
            while begun.elapsed() < time {
                let (url, body) = request(&origin, name, connection, n, steps);
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
    let seconds = begun.elapsed().as_secs_f64();
    latencies_ms.sort_unstable_by(f64::total_cmp);
    let stored = counter.load(Ordering::Relaxed);
    println!(
        "| {} | {:.0} | {:.0} | {:.1} ms | {:.1} ms | {:.0} MB |",
        load.name,
        stored as f64 / seconds,
        latencies_ms.len() as f64 / seconds,
        quantile(&latencies_ms, 0.5),
        quantile(&latencies_ms, 0.99),
        server.memory_mb().0
    );
    Ok(stored)
}

/// Steps as an application sends them: runs of five steps, a prompt of some hundred bytes, an answer, tokens, cost.
fn request(origin: &str, load: &str, connection: usize, n: u64, steps: usize) -> (String, String) {
    let step = |i: u64| step(&format!("{load}-{connection}-{}", i / 5), i);
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
        "classify-intent",
        "search-kb",
        "rank-passages",
        "draft-reply",
        "check-reply",
    ];
    let name = NAMES[(i % 5) as usize];
    json!({
        "run_id": run_id,
        "step_id": format!("{i}"),
        "step_name": name,
        "step_index": i % 5,
        "model": "claude-haiku-4-5",
        "provider": "anthropic",
        "environment": "production",
        "release": "9be04a7c1f",
        "prompt": format!("{{\"system\":\"You are {name} of a support desk. Answer in one short paragraph.\",\"messages\":[{{\"role\":\"user\",\"content\":\"Order {i} arrived with one keyboard instead of two. I would like my money back for the missing one, or the second keyboard.\"}}]}}"),
        "output_code": format!("Thank you for telling us about order {i}. We are sorry; the second keyboard leaves our warehouse today."),
        "input_tokens": 180 + i % 40,
        "output_tokens": 24 + i % 9,
        "latency_ms": 300 + (i * 7919) % 2500,
        "cost": 0.0003,
        "stop_reason": "end_turn",
    })
}

async fn stored_steps(origin: &str) -> anyhow::Result<u64> {
    let ledger: Value = reqwest::get(format!("{origin}/api/ledger?limit=10000"))
        .await?
        .json()
        .await?;
    let minutes = ledger["items"].as_array().cloned().unwrap_or_default();
    Ok(minutes
        .iter()
        .filter_map(|minute| minute["stored"].as_u64())
        .sum())
}
