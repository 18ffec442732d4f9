//! A server with a quarter of a year of steps, which are sent once and kept below `target/`, and how long its reads take.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use reqwest::Client;
use serde_json::Value;

use crate::volume::{self, Target};
use crate::{Server, quantile};

/// Where the server of so many steps runs.
pub fn folder(parent: &Path, steps: u64) -> PathBuf {
    parent.join(format!("bench-volume-{steps}"))
}

/// Starts the server and sends what it does not have yet.
#[expect(clippy::print_stdout, reason = "sending takes minutes")]
pub async fn serve(
    binary: &Path,
    parent: &Path,
    steps: u64,
    environment: &[(&str, &str)],
) -> anyhow::Result<Server> {
    let server = start(binary, parent, steps, environment).await?;
    let filled = folder(parent, steps).join("filled");
    if filled.exists() {
        return Ok(server);
    }
    let mut secrets = Vec::new();
    for label in volume::keys() {
        let made: Value = serde_json::from_str(&server.run(&["keys", "add", label, "--json"])?)?;
        let secret = made["key"].as_str().context("no key was printed")?.to_owned();
        secrets.push((label.to_owned(), secret));
    }
    let target = Target {
        origin: server.origin.clone(),
        secrets,
    };
    let begun = Instant::now();
    let now = now_micros()?;
    volume::send(&target, steps, now).await?;
    volume::ship(&target, steps, now).await?;
    println!("{steps} steps sent in {:.0} s.", begun.elapsed().as_secs_f64());
    std::fs::write(&filled, "")?;
    Ok(server)
}

/// Starts the server as it was left.
pub async fn start(
    binary: &Path,
    parent: &Path,
    steps: u64,
    environment: &[(&str, &str)],
) -> anyhow::Result<Server> {
    let (binary, kept) = (binary.to_owned(), folder(parent, steps));
    let environment: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let start = move || {
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Server::start_in(&binary, kept, &environment, true)
    };
    tokio::task::spawn_blocking(start).await?
}

/// A run that is some hundreds of runs old.
pub async fn known_run(client: &Client, origin: &str) -> anyhow::Result<Value> {
    let runs: Value = client
        .get(format!("{origin}/api/runs?limit=400"))
        .send()
        .await?
        .json()
        .await?;
    let run = runs["items"].as_array().and_then(|runs| runs.last());
    Ok(run.context("there is no run")?.clone())
}

/// What reading something took.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    pub p50_ms: f64,
    pub p95_ms: f64,
    /// Of the last answer.
    pub bytes: usize,
}

/// Asks for something again and again, one at a time.
pub async fn read(client: &Client, url: &str, rounds: usize) -> anyhow::Result<Read> {
    let mut latencies_ms = Vec::with_capacity(rounds);
    let mut bytes = 0;
    for _ in 0..rounds {
        let begun = Instant::now();
        let answer = client.get(url).send().await?;
        ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
        bytes = answer.bytes().await?.len();
        latencies_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    latencies_ms.sort_unstable_by(f64::total_cmp);
    Ok(Read {
        p50_ms: quantile(&latencies_ms, 0.5),
        p95_ms: quantile(&latencies_ms, 0.95),
        bytes,
    })
}

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a load is as old as the clock says")]
pub fn now_micros() -> anyhow::Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros(),
    )?)
}
