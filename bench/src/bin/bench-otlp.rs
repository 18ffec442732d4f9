//! Durable spans: how many a second are acknowledged after their commit at `/v1/traces`, what decoding one costs, and
//! what that takes in memory; beside Arize Phoenix where `scripts/peers` has installed it. Prints the table of the README.
//! Afterwards it asks both what they hold.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench::otlp_load::{Load, decode_micros_a_span, send};
use bench::phoenix::Phoenix;
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
    /// Where other tools are installed.
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
    /// Seconds per row of the table.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

/// Durable spans a second that the first row must reach.
const BAR: f64 = 5_000.0;

/// The first is what a collector sends, the second what an application's exporter does.
const LOADS: [Load; 2] = [
    Load {
        name: "1,000 spans a request, 4 connections",
        connections: 4,
        spans_per_request: 1_000,
    },
    Load {
        name: "100 spans a request, 8 connections",
        connections: 8,
        spans_per_request: 100,
    },
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let time = Duration::from_secs(args.seconds);
    let protobuf = tokio::task::spawn_blocking(|| decode_micros_a_span(false)).await??;
    let json = tokio::task::spawn_blocking(|| decode_micros_a_span(true)).await??;
    println!("| `POST /v1/traces`, protobuf | durable spans/s | p50 | p99 | RSS |");
    println!("|---|---|---|---|---|");
    let (rate, held) = ours(args.binary.clone(), args.parent.clone(), time).await?;
    let (peers, parent) = (args.peers.clone(), args.parent.clone());
    let phoenix = tokio::task::spawn_blocking(move || Phoenix::start(&peers, &parent)).await??;
    let note = match phoenix {
        Some(phoenix) => beside(phoenix, time).await?,
        None => format!(
            "Arize Phoenix is not installed in {} and was left out; scripts/peers installs it.",
            args.peers.display()
        ),
    };
    println!();
    println!(
        "{held} spans acknowledged and stored. Decoding a span costs {protobuf:.1} µs of one core as protobuf, {json:.1} µs as \
         JSON. {note}"
    );
    println!("{}.", machine());
    let verdict = if rate >= BAR { "met" } else { "missed" };
    println!("Bar: {BAR:.0} durable spans/s, {verdict}.");
    Ok(())
}

/// Our rows: the rate of the first, and how many spans are held in the end.
async fn ours(binary: PathBuf, parent: PathBuf, time: Duration) -> anyhow::Result<(f64, u64)> {
    let server = tokio::task::spawn_blocking(move || Server::start(&binary, &parent)).await??;
    let mut rates = Vec::new();
    let (mut acknowledged, mut next) = (0, 0);
    for load in &LOADS {
        let url = format!("{}/v1/traces", server.origin);
        let (accepted, following) = send(&url, load, next, time).await?;
        next = following;
        acknowledged += accepted.sent.steps;
        rates.push(accepted.sent.steps_a_second());
        println!(
            "| Plumbline, {} | {:.0} | {:.1} ms | {:.1} ms | {:.0} MB |",
            load.name,
            accepted.sent.steps_a_second(),
            quantile(&accepted.sent.latencies_ms, 0.5),
            quantile(&accepted.sent.latencies_ms, 0.99),
            server.memory_mb().0
        );
    }
    let ledger: Value = reqwest::get(format!("{}/api/ledger?limit=10000", server.origin))
        .await?
        .json()
        .await?;
    let held: u64 = ledger["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|minute| minute["stored"].as_u64())
        .sum();
    ensure!(
        held == acknowledged,
        "{acknowledged} spans were acknowledged, {held} are in the ledger"
    );
    tokio::task::spawn_blocking(move || drop(server)).await?;
    let rate = rates.first().copied().context("there is no load")?;
    Ok((rate, held))
}

/// Phoenix's row, and what has to be said of it.
async fn beside(phoenix: Phoenix, time: Duration) -> anyhow::Result<String> {
    let [load, ..] = &LOADS;
    let begun = Instant::now();
    let (accepted, _) = send(&format!("{}/v1/traces", phoenix.origin), load, 0, time).await?;
    let written = phoenix.written(accepted.sent.steps).await?;
    let seconds = written.last.duration_since(begun).as_secs_f64();
    println!(
        "| Arize Phoenix, {} | {:.0} | {:.1} ms | {:.1} ms | {:.0} MB |",
        load.name,
        written.spans as f64 / seconds,
        quantile(&accepted.sent.latencies_ms, 0.5),
        quantile(&accepted.sent.latencies_ms, 0.99),
        phoenix.memory_mb().0
    );
    let note = format!(
        "Phoenix acknowledged {} spans before they were written, {:.0} a second, and turned {} requests away; {} were in its \
         SQLite {seconds:.0} s after the first was sent.",
        accepted.sent.steps,
        accepted.sent.steps_a_second(),
        accepted.turned_away,
        written.spans
    );
    tokio::task::spawn_blocking(move || drop(phoenix)).await?;
    Ok(note)
}
