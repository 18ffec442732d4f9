//! A large installation in one table: what pages take over ten million steps of a quarter of a year, what they take on disk, and
//! what retention costs ingest while it deletes a million of them. Prints the table of the README.
//!
//! The steps are those of `bench-pages`, sent once and kept below `target/`; measuring retention uses them up.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench::ingest_load::{self, Load};
use bench::stored::{self, now_micros};
use bench::{machine, quantile, volume};
use clap::Parser;
use private_postgres::{PrivatePostgres, Settings};
use serde_json::Value;

#[derive(Parser)]
struct Args {
    /// Where Postgres' programs are looked for.
    #[arg(long, env = "PATH", hide = true)]
    path: Option<std::ffi::OsString>,
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// How many steps.
    #[arg(long, default_value_t = 10_000_000)]
    steps: u64,
    /// How many of them retention deletes; 0 leaves them all, for the next run.
    #[arg(long, default_value_t = 1_000_000)]
    expire: u64,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// How long ingest in quiet is measured, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// What is asked for, the p95 in milliseconds that it must stay below, and the path. `{…}` is filled in.
const READS: [(&str, f64, &str); 17] = [
    ("overview, 7 days", 50.0, "/p/default?range=7d"),
    (
        "overview, 90 days",
        50.0,
        "/p/default?range=90d&metric=latency_p95",
    ),
    ("deploys, 90 days", 100.0, "/p/default/deploys?range=90d"),
    ("one deploy", 100.0, "/p/default/deploys/release-30"),
    ("`/api/deploys/{id}`", 100.0, "/api/deploys/release-30"),
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
        "`/api/series`, cost by key, 90 days by the hour",
        50.0,
        "/api/series?metric=cost&by=key&bucket=1h&from={from}",
    ),
    ("runs, 24 hours", 50.0, "/p/default/runs"),
    ("runs, 90 days", 50.0, "/p/default/runs?range=90d"),
    ("one run", 20.0, "/p/default/runs/{run}"),
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
    ("incidents", 100.0, "/p/default/incidents"),
    ("one incident", 100.0, "/p/default/incidents/{incident}"),
    ("users, 7 days", 300.0, "/p/default/users"),
    ("sessions, 24 hours", 100.0, "/p/default/sessions"),
];

/// How ingest is measured: batches as SDKs send them under load.
const LOAD: Load = Load {
    name: "scale",
    connections: 2,
    steps_per_request: 1_000,
};
/// How long ingest goes on between two looks whether retention is done.
const SLICE: Duration = Duration::from_secs(3);
/// After so long something is wrong.
const RETENTION_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Bytes of everything that a step has or shares but its texts, and of those, heap and indexes of all partitions.
const SIZES: &str = "select
    sum(pg_total_relation_size(c.oid)) filter (where coalesce(p.relname, c.relname) <> 'step_payloads')::text,
    sum(pg_total_relation_size(c.oid)) filter (where coalesce(p.relname, c.relname) = 'step_payloads')::text
  from pg_class c
  left join pg_inherits i on i.inhrelid = c.oid
  left join pg_class p on p.oid = i.inhparent
  where c.relkind = 'r'
    and coalesce(p.relname, c.relname) in ('steps', 'runs', 'run_keys', 'rollups', 'run_counts', 'rollup_days',
      'condition_days', 'release_hours', 'first_seen', 'ledger', 'step_conditions', 'step_payloads')";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = std::path::absolute(stored::folder(&args.parent, args.steps))?;
    std::fs::create_dir_all(&folder)?;
    // A Postgres of our own, so that it can be asked while the server uses it.
    let postgres = PrivatePostgres::start(Settings {
        data_dir: folder.join("data"),
        bin_dir: None,
        path_env: args.path.clone(),
        durable: true,
        max_connections: 60,
    })
    .await?;
    let url = postgres.url();
    let environment = [("DATABASE_URL", url.as_str())];
    let server = stored::serve(&args.binary, &args.parent, args.steps, &environment).await?;
    print_reads(&args, &server.origin).await?;
    print_sizes(&postgres).await?;
    if args.expire > 0 {
        let quiet = sent(&server.origin, "quiet", Duration::from_secs(args.seconds)).await?;
        let days = expire(&args, &postgres).await?;
        // It works at once where it starts.
        tokio::task::spawn_blocking(move || drop(server)).await?;
        let server = stored::start(&args.binary, &args.parent, args.steps, &environment).await?;
        print_retention(&server.origin, &postgres, &quiet, days).await?;
        tokio::task::spawn_blocking(move || drop(server)).await?;
        std::fs::remove_file(folder.join("filled"))?;
    } else {
        tokio::task::spawn_blocking(move || drop(server)).await?;
    }
    postgres.stop().await?;
    if args.expire > 0 {
        std::fs::remove_dir_all(&folder)?;
    }
    println!(
        "{} steps in {} runs over {} days. {}.",
        args.steps,
        args.steps / 5,
        volume::DAYS,
        machine()
    );
    Ok(())
}

async fn print_reads(args: &Args, origin: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let run = stored::known_run(&client, origin).await?;
    let incidents: Value = client
        .get(format!("{origin}/api/incidents"))
        .send()
        .await?
        .json()
        .await?;
    let incident = incidents["items"][0]["id"].as_str();
    println!("| read | p50 | p95 | bar | size |");
    println!("|---|---|---|---|---|");
    for (name, bar, path) in READS {
        if path.contains("{incident}") && incident.is_none() {
            println!("| {name} | none was found in this load | | {bar:.0} ms | |");
            continue;
        }
        let path = path
            .replace("{run}", run["run_id"].as_str().unwrap_or_default())
            .replace("{incident}", incident.unwrap_or_default())
            .replace("{from}", &volume::days_before(now_micros()?, volume::DAYS));
        let read = stored::read(&client, &format!("{origin}{path}"), args.rounds).await?;
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {bar:.0} ms | {:.0} kB |",
            read.p50_ms,
            read.p95_ms,
            read.bytes as f64 / 1e3
        );
    }
    println!();
    Ok(())
}

async fn print_sizes(postgres: &PrivatePostgres) -> anyhow::Result<()> {
    let steps = number(postgres, "select count(*)::text from steps").await?;
    let texts = number(postgres, "select count(*)::text from step_payloads").await?;
    let sizes = postgres.query(SIZES).await?;
    let size = |column: usize| -> anyhow::Result<f64> {
        let text = sizes.first().and_then(|row| row.get(column)).cloned().flatten();
        Ok(text.context("no size")?.parse()?)
    };
    // Bytes of a step are kilobytes of a thousand.
    let (without, payloads) = (size(0)? / steps, size(1)? / texts.max(1.0));
    println!("| 1,000 steps on disk | |");
    println!("|---|---|");
    println!("| without texts | {without:.0} kB |");
    println!("| their texts, while they are kept | {payloads:.0} kB |");
    println!("| together | {:.0} kB |", without + payloads);
    println!();
    println!("{texts:.0} of {steps:.0} steps had their texts yet: they are kept for 30 days, steps for 90.");
    println!();
    Ok(())
}

/// Acknowledged steps a second, and how long each request took, sorted.
struct Ingested {
    steps_a_second: f64,
    latencies_ms: Vec<f64>,
}

async fn sent(origin: &str, round: &str, time: Duration) -> anyhow::Result<Ingested> {
    let round = format!("{round}-{}", now_micros()?);
    let sent = ingest_load::send(origin, &LOAD, &round, time).await?;
    Ok(Ingested {
        steps_a_second: sent.steps_a_second(),
        latencies_ms: sent.latencies_ms,
    })
}

/// Shortens the retention so that so many steps are too old. Another project keeps its own for longer, so that no week can be
/// dropped as a whole: row by row is what costs. Returns the days that are kept.
async fn expire(args: &Args, postgres: &PrivatePostgres) -> anyhow::Result<u64> {
    ensure!(
        args.expire < args.steps,
        "--expire has to leave some of the steps"
    );
    let days = volume::DAYS - (volume::DAYS * args.expire).div_ceil(args.steps);
    ensure!(days > 0, "--expire has to leave some of the days");
    for statement in [
        "insert into projects (project_id, slug, name, created_at)
         select gen_random_uuid(), 'kept', 'Kept', now()
         where not exists (select from projects where slug = 'kept')"
            .to_owned(),
        "insert into project_settings (project_id, retention_days, updated_at)
         select project_id, 365, now() from projects where slug = 'kept'
         on conflict (project_id) do update set retention_days = 365"
            .to_owned(),
        format!(
            "insert into project_settings (project_id, retention_days, payload_retention_days, updated_at)
             select project_id, {days}, least({days}, 30), now() from projects where slug = 'default'
             on conflict (project_id) do update set retention_days = excluded.retention_days,
               payload_retention_days = excluded.payload_retention_days"
        ),
    ] {
        postgres.query(&statement).await?;
    }
    Ok(days)
}

async fn print_retention(
    origin: &str,
    postgres: &PrivatePostgres,
    quiet: &Ingested,
    days: u64,
) -> anyhow::Result<()> {
    // Once: a day may end meanwhile.
    let kept_from = format!("select (date_trunc('day', now(), 'UTC') - interval '{days} days')::text");
    let kept_from = postgres.query(&kept_from).await?;
    let kept_from = kept_from.first().and_then(|row| row.first()).cloned().flatten();
    let kept_from = kept_from.context("no time")?;
    let too_old = format!(
        "from steps where partition_at < '{kept_from}'
           and project_id = (select project_id from projects where slug = 'default' and deleted_at is null)"
    );
    let before = number(postgres, &format!("select count(*)::text {too_old}")).await?;
    let is_left = format!("select exists (select {too_old})::integer::text");
    let begun = Instant::now();
    let (mut rates, mut latencies_ms) = (Vec::new(), Vec::new());
    loop {
        let slice = sent(origin, "beside", SLICE).await?;
        rates.push(slice.steps_a_second);
        latencies_ms.extend(slice.latencies_ms);
        if number(postgres, &is_left).await? == 0.0 {
            break;
        }
        ensure!(begun.elapsed() < RETENTION_TIMEOUT, "retention does not end");
    }
    let took_s = begun.elapsed().as_secs_f64();
    latencies_ms.sort_unstable_by(f64::total_cmp);
    let beside = Ingested {
        steps_a_second: rates.iter().sum::<f64>() / rates.len() as f64,
        latencies_ms,
    };
    println!("| ingest, 1,000 steps a request | steps/s | p50 | p99 |");
    println!("|---|---|---|---|");
    for (name, seen) in [("quiet", quiet), ("while retention deletes", &beside)] {
        println!(
            "| {name} | {:.0} | {:.1} ms | {:.1} ms |",
            seen.steps_a_second,
            quantile(&seen.latencies_ms, 0.5),
            quantile(&seen.latencies_ms, 0.99)
        );
    }
    println!();
    println!(
        "{before:.0} steps and what belongs to them deleted row by row in {took_s:.0} s; ingest was {:.2} times slower meanwhile.",
        quiet.steps_a_second / beside.steps_a_second
    );
    println!();
    Ok(())
}

/// The one number that a statement answers.
async fn number(postgres: &PrivatePostgres, sql: &str) -> anyhow::Result<f64> {
    let rows = postgres.query(sql).await?;
    let text = rows.first().and_then(|row| row.first()).cloned().flatten();
    Ok(text.context("no number")?.parse()?)
}
