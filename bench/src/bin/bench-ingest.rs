//! Durable ingest: how many steps a second are acknowledged after their commit, and what that costs in memory.
//! Prints the table of the README. Afterwards it asks the server what it holds: every acknowledged step, once.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use bench::ingest_load::{Load, send};
use bench::{Server, machine, quantile};
use clap::Parser;
use serde_json::Value;

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
    let sent = send(&server.origin, load, "ingest", time).await?;
    println!(
        "| {} | {:.0} | {:.0} | {:.1} ms | {:.1} ms | {:.0} MB |",
        load.name,
        sent.steps_a_second(),
        sent.latencies_ms.len() as f64 / sent.seconds,
        quantile(&sent.latencies_ms, 0.5),
        quantile(&sent.latencies_ms, 0.99),
        server.memory_mb().0
    );
    Ok(sent.steps)
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
