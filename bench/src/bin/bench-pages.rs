//! Pages and API reads over a quarter of a year of steps, one reader at a time and over HTTP. Prints the table of the
//! README. The steps are sent once and kept below `target/`; delete the folder to send them anew.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;

use bench::stored::{self, now_micros};
use bench::{machine, volume};
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// How many steps.
    #[arg(long, default_value_t = 5_000_000)]
    steps: u64,
    /// How often each is asked for.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
}

/// What is asked for, the p95 in milliseconds that it must stay below, and the path. `{…}` is filled in.
const READS: [(&str, f64, &str); 53] = [
    ("overview, 24 hours", 50.0, "/p/default?range=24h"),
    ("overview, 7 days", 50.0, "/p/default?range=7d"),
    ("overview, 30 days", 50.0, "/p/default"),
    (
        "overview, 90 days",
        50.0,
        "/p/default?range=90d&metric=latency_p95",
    ),
    ("step, 90 days", 100.0, "/p/default/steps/search-kb?range=90d"),
    ("key, 90 days", 100.0, "/p/default/keys/prod-frontend?range=90d"),
    ("model, 90 days", 100.0, "/p/default/models/gpt-4o?range=90d"),
    ("deploys, 90 days", 100.0, "/p/default/deploys?range=90d"),
    ("one deploy", 100.0, "/p/default/deploys/release-30"),
    (
        "`/api/series`, cost by key, 90 days",
        50.0,
        "/api/series?metric=cost&by=key&bucket=1d&from={from}",
    ),
    (
        "`/api/series`, p95 by key, 90 days",
        50.0,
        "/api/series?metric=latency_p95&by=key&bucket=1d&from={from}",
    ),
    (
        "`/api/series`, p95 by model, 7 days by the hour",
        50.0,
        "/api/series?metric=latency_p95&by=model&bucket=1h&from={week}",
    ),
    ("runs, 24 hours", 50.0, "/p/default/runs"),
    (
        "runs, an hour without any",
        50.0,
        "/p/default/runs?from={none}&to={none}",
    ),
    ("runs, 30 days", 50.0, "/p/default/runs?range=30d"),
    ("runs, 90 days", 50.0, "/p/default/runs?range=90d"),
    ("runs, failed", 50.0, "/p/default/runs?range=90d&status=error"),
    (
        "runs, critical",
        50.0,
        "/p/default/runs?range=90d&severity=critical",
    ),
    ("runs, one key", 50.0, "/p/default/runs?range=90d&key=partner-api"),
    ("runs, one model", 50.0, "/p/default/runs?range=90d&model=gpt-4o"),
    (
        "runs, one release",
        50.0,
        "/p/default/runs?range=90d&release={release}",
    ),
    ("runs, one tag", 50.0, "/p/default/runs?range=90d&tag=batch-17"),
    ("runs, one user", 50.0, "/p/default/runs?range=90d&user=user-17"),
    (
        "runs, one session",
        50.0,
        "/p/default/runs?range=90d&session=sess-1700",
    ),
    (
        "runs, above a cost",
        50.0,
        "/p/default/runs?range=90d&cost_min=0.019",
    ),
    (
        "runs, slower than",
        50.0,
        "/p/default/runs?range=90d&latency_min=2400",
    ),
    (
        "runs, key and environment",
        50.0,
        "/p/default/runs?range=90d&key=partner-api&environment=dev",
    ),
    (
        "runs, model and step",
        50.0,
        "/p/default/runs?range=90d&model=gpt-4o&step=search-kb",
    ),
    (
        "runs, a pair that never met",
        50.0,
        "/p/default/runs?range=90d&step=handle-order&tag=nobody",
    ),
    (
        "runs, attribute",
        300.0,
        "/p/default/runs?range=90d&attribute=customer%3Dc17",
    ),
    (
        "runs, rare attribute",
        300.0,
        "/p/default/runs?range=90d&attribute=request_id%3Dnone",
    ),
    (
        "runs, text in problems",
        300.0,
        "/p/default/runs?range=90d&q=unexpected%20end",
    ),
    (
        "runs, text that is nowhere",
        300.0,
        "/p/default/runs?range=90d&q=zebra",
    ),
    ("runs, an id", 300.0, "/p/default/runs?range=90d&q={run}"),
    ("one run", 20.0, "/p/default/runs/{run}"),
    ("`/api/runs/{id}`", 20.0, "/api/runs/{run}"),
    ("anomalies, 30 days", 100.0, "/p/default/anomalies?range=30d"),
    (
        "anomalies, by severity",
        100.0,
        "/p/default/anomalies?range=30d&by=severity",
    ),
    (
        "anomalies of one code, by severity",
        100.0,
        "/p/default/anomalies?range=30d&by=severity&code=3010",
    ),
    (
        "anomalies of one code, 7 days",
        100.0,
        "/p/default/anomalies?by=severity&code=3010",
    ),
    (
        "anomalies, the list",
        100.0,
        "/p/default/anomalies?range=30d&show=steps&code=3010",
    ),
    ("prompts, 30 days", 100.0, "/p/default/prompts?range=30d"),
    ("sessions, 24 hours", 100.0, "/p/default/sessions"),
    ("sessions, 30 days", 100.0, "/p/default/sessions?range=30d"),
    ("sessions, 90 days", 100.0, "/p/default/sessions?range=90d"),
    ("one session", 100.0, "/p/default/sessions/sess-1700"),
    ("users, 24 hours", 100.0, "/p/default/users?range=24h"),
    ("users, 7 days", 100.0, "/p/default/users"),
    ("users, 30 days", 100.0, "/p/default/users?range=30d"),
    ("`/api/cost`, 85 days", 50.0, "/api/cost?from={from}"),
    ("`/api/cost`, a user", 50.0, "/api/cost?from={from}&user=user-17"),
    (
        "`/api/cost`, a session",
        50.0,
        "/api/cost?from={from}&session=sess-1700",
    ),
    ("`/api/runs`", 50.0, "/api/runs?limit=50"),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server = stored::serve(&args.binary, &args.parent, args.steps, &[]).await?;
    println!("| read | p50 | p95 | bar | size |");
    println!("|---|---|---|---|---|");
    let client = reqwest::Client::new();
    let run = stored::known_run(&client, &server.origin).await?;
    for (name, bar, path) in READS {
        let path = path
            .replace("{run}", run["run_id"].as_str().unwrap_or_default())
            .replace("{release}", run["release"].as_str().unwrap_or_default())
            .replace("{none}", "2020-01-01T00:00:00Z")
            .replace("{week}", &volume::days_before(now_micros()?, 7))
            .replace("{from}", &volume::days_before(now_micros()?, volume::DAYS));
        let read = stored::read(&client, &format!("{}{path}", server.origin), args.rounds).await?;
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {bar:.0} ms | {:.0} kB |",
            read.p50_ms,
            read.p95_ms,
            read.bytes as f64 / 1e3
        );
    }
    println!();
    println!(
        "{} steps in {} runs over {} days. {}.",
        args.steps,
        args.steps / 5,
        volume::DAYS,
        machine()
    );
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(())
}
