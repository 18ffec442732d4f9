//! What scoring costs: durable ingest with scoring on and with scoring off, in turns on one server, so that a slow
//! moment of the machine hits both. Prints the table of the README and the loss, of which the bar is 15 %.
//!
//! "Off" is the project setting `"enabled": false`: steps are stored and counted as ever and have no score.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use bench::ingest_load::{Load, send};
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
    /// Seconds per measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Rounds, each with scoring on and off.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Fail when more than this many percent are lost.
    #[arg(long)]
    at_most: Option<f64>,
}

const LOADS: [Load; 2] = [
    Load {
        name: "`/ingest/batch`, 1,000 steps",
        connections: 4,
        steps_per_request: 1_000,
    },
    Load {
        name: "`/ingest`, 64 connections",
        connections: 64,
        steps_per_request: 1,
    },
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (binary, parent) = (args.binary, args.parent);
    let server = tokio::task::spawn_blocking(move || Server::start(&binary, &parent)).await??;
    let time = Duration::from_secs(args.seconds);
    println!("| way in | scoring off | scoring on | lost | rounds |");
    println!("|---|---|---|---|---|");
    let mut worst = f64::NEG_INFINITY;
    for load in &LOADS {
        // The first seconds of a server are slower than all later ones and belong to neither side.
        send(&server.origin, load, "warm-up", Duration::from_secs(2)).await?;
        let mut steps_a_second = [Vec::new(), Vec::new()];
        for round in 0..args.rounds {
            // Off first, then on first: what grows with the tables hits both alike.
            let order = if round % 2 == 0 {
                [false, true]
            } else {
                [true, false]
            };
            for enabled in order {
                switch(&server.origin, enabled).await?;
                let sent = send(&server.origin, load, &format!("{round}-{enabled}"), time).await?;
                steps_a_second[usize::from(enabled)].push(sent.steps_a_second());
            }
        }
        let [off, on] = steps_a_second.map(|mut rounds| {
            rounds.sort_unstable_by(f64::total_cmp);
            quantile(&rounds, 0.5)
        });
        let lost = (1.0 - on / off) * 100.0;
        worst = worst.max(lost);
        println!(
            "| {} | {off:.0} steps/s | {on:.0} steps/s | {lost:.1} % | {} |",
            load.name, args.rounds
        );
    }
    scored_as_switched(&server.origin).await?;
    println!();
    println!(
        "Medians of {} rounds of {} s each, in turns; the bar is 15 %.",
        args.rounds, args.seconds
    );
    println!("{}.", machine());
    tokio::task::spawn_blocking(move || drop(server)).await?;
    if let Some(most) = args.at_most {
        ensure!(
            worst <= most,
            "scoring takes {worst:.1} % of the steps, at most {most} % may be lost"
        );
    }
    Ok(())
}

async fn switch(origin: &str, enabled: bool) -> anyhow::Result<()> {
    let answer = reqwest::Client::new()
        .put(format!("{origin}/api/settings/scoring"))
        .json(&json!({ "enabled": enabled }))
        .send()
        .await?;
    ensure!(
        answer.status().is_success(),
        "the settings answered {}",
        answer.status()
    );
    Ok(())
}

/// That the switch did what the table says: one step with, and one without.
async fn scored_as_switched(origin: &str) -> anyhow::Result<()> {
    let once = Load {
        name: "probe",
        connections: 1,
        steps_per_request: 1,
    };
    for enabled in [false, true] {
        switch(origin, enabled).await?;
        let round = format!("scored-{enabled}");
        send(origin, &once, &round, Duration::from_millis(200)).await?;
        let run: Value = reqwest::get(format!("{origin}/api/runs/probe-{round}-0-0"))
            .await?
            .json()
            .await?;
        let scored = run["steps"][0]["score"].is_number();
        ensure!(scored == enabled, "scoring {enabled}: {run}");
    }
    Ok(())
}
