//! Ingest while others do their worst: 24 heavy searches, 260 half-open connections, 16 sign-ins and 3 comparisons of
//! large prompts at a time, all of them again and again. Prints the table of the README and fails where ingest is refused
//! or slower than three times what it is in quiet.
//!
//! The steps that are searched are those of `bench-pages`, sent once and kept below `target/`.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use bench::volume::{self, Target};
use bench::{Server, machine, quantile};
use clap::Parser;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// How many steps are stored before.
    #[arg(long, default_value_t = 500_000)]
    steps: u64,
    /// How long each half is measured, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Steps sent a second, one request each.
    #[arg(long, default_value_t = 200)]
    rate: u64,
}

const SEARCHES: usize = 24;
const HALF_OPEN: usize = 260;
const SIGN_INS: usize = 16;
const COMPARISONS: usize = 3;
/// Ingest may be so many times slower.
const MOST: f64 = 3.0;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = args.parent.join(format!("bench-volume-{}", args.steps));
    let (binary, kept) = (args.binary.clone(), folder.clone());
    let server = tokio::task::spawn_blocking(move || Server::start_in(&binary, kept, &[], true)).await??;
    let filled = folder.join("filled");
    if !filled.exists() {
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
        volume::send(&target, args.steps, now_micros()?).await?;
        std::fs::write(&filled, "")?;
    }
    let comparison = store_large_prompts(&server.origin).await?;
    let measured = Duration::from_secs(args.seconds);
    // Caches and connections are there before either half.
    ingest(&server.origin, args.rate, Duration::from_secs(3)).await?;
    let quiet = ingest(&server.origin, args.rate, measured).await?;
    let (before_mb, _) = server.memory_mb();
    let done = Arc::new(Done::default());
    let mut hostile = Hostile::start(&server.origin, &comparison, &done);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let disturbed = ingest(&server.origin, args.rate, measured).await?;
    hostile.0.shutdown().await;
    let (_, peak_mb) = server.memory_mb();

    println!(
        "| ingest, {} single steps a second | p50 | p99 | not stored |",
        args.rate
    );
    println!("|---|---|---|---|");
    for (name, seen) in [("quiet", &quiet), ("among hostile neighbours", &disturbed)] {
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {} of {} |",
            quantile(&seen.latencies_ms, 0.5),
            quantile(&seen.latencies_ms, 0.99),
            seen.refused,
            seen.latencies_ms.len() as u64 + seen.refused
        );
    }
    println!();
    println!("| neighbours | at a time | answered | refused (429, 503, closed) |");
    println!("|---|---|---|---|");
    for (name, count, kind) in [
        ("searches over all of it", SEARCHES, &done.searches),
        ("half-open connections", HALF_OPEN, &done.half_open),
        ("sign-ins", SIGN_INS, &done.sign_ins),
        ("comparisons of prompts", COMPARISONS, &done.comparisons),
    ] {
        let [answered, refused] = kind.each_ref().map(|count| count.load(Ordering::Relaxed));
        println!("| {name} | {count} | {answered} | {refused} |");
    }
    println!();
    println!(
        "{} steps stored before; server {before_mb:.0} MB in quiet, {peak_mb:.0} MB at most. {}.",
        args.steps,
        machine()
    );
    tokio::task::spawn_blocking(move || drop(server)).await?;
    let ratio = quantile(&disturbed.latencies_ms, 0.99) / quantile(&quiet.latencies_ms, 0.99);
    ensure!(disturbed.refused == 0, "{} steps were refused", disturbed.refused);
    ensure!(ratio <= MOST, "p99 is {ratio:.1} times that in quiet");
    Ok(())
}

struct Ingest {
    /// Sorted.
    latencies_ms: Vec<f64>,
    refused: u64,
}

/// Sends single steps at a steady rate, whatever the answers take, and waits for all of them.
async fn ingest(origin: &str, rate: u64, measured: Duration) -> anyhow::Result<Ingest> {
    let client = Client::new();
    let url = format!("{origin}/ingest");
    let (latencies_ms, refused) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
    let run = format!("hostile-{}", now_micros()?);
    let mut sent = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
    let begun = Instant::now();
    let mut number = 0_u64;
    while begun.elapsed() < measured {
        ticks.tick().await;
        number += 1;
        let step = json!({
            "run_id": format!("{run}-{}", number / 20), "step_id": number.to_string(), "step_name": "classify-intent",
            "model": "claude-haiku-4-5", "prompt": "Answer yes or no: is this a refund request?",
            "output_code": "yes", "latency_ms": 640, "input_tokens": 48, "output_tokens": 11,
        });
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .body(step.to_string());
        let (latencies_ms, refused) = (Arc::clone(&latencies_ms), Arc::clone(&refused));
        sent.spawn(async move {
            let asked = Instant::now();
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    let took_ms = asked.elapsed().as_secs_f64() * 1_000.0;
                    latencies_ms
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(took_ms);
                }
                _ => {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(ended) = sent.join_next().await {
        ended?;
    }
    let mut latencies_ms = std::mem::take(&mut *latencies_ms.lock().unwrap_or_else(PoisonError::into_inner));
    latencies_ms.sort_unstable_by(f64::total_cmp);
    Ok(Ingest {
        latencies_ms,
        refused: refused.load(Ordering::Relaxed),
    })
}

/// What became of the neighbours' requests: answered, and refused.
#[derive(Default)]
struct Done {
    searches: [AtomicU64; 2],
    half_open: [AtomicU64; 2],
    sign_ins: [AtomicU64; 2],
    comparisons: [AtomicU64; 2],
}

struct Hostile(JoinSet<()>);

impl Hostile {
    fn start(origin: &str, comparison: &str, done: &Arc<Done>) -> Self {
        let mut tasks = JoinSet::new();
        let client = Client::new();
        for n in 0..SEARCHES {
            let url = format!("{origin}/p/default/runs?q=zzzzz{n}&range=all");
            let (client, done) = (client.clone(), Arc::clone(done));
            tasks.spawn(async move { again(&done.searches, || client.get(&url)).await });
        }
        for _ in 0..COMPARISONS {
            let (client, done, url) = (client.clone(), Arc::clone(done), format!("{origin}{comparison}"));
            tasks.spawn(async move { again(&done.comparisons, || client.get(&url)).await });
        }
        for n in 0..SIGN_INS {
            let (client, done, url) = (client.clone(), Arc::clone(done), format!("{origin}/login"));
            tasks.spawn(async move {
                let attempt = AtomicU64::new(0);
                again(&done.sign_ins, || {
                    // Another person from another address each time, so that only the work counts.
                    let attempt = attempt.fetch_add(1, Ordering::Relaxed);
                    client
                        .post(&url)
                        .header(
                            "x-forwarded-for",
                            format!("10.{n}.{}.{}", attempt / 250 % 250, attempt % 250),
                        )
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(format!(
                            "email=p{n}-{attempt}@example.com&password=correct+horse+battery"
                        ))
                })
                .await;
            });
        }
        let address = origin.trim_start_matches("http://").to_owned();
        for _ in 0..HALF_OPEN {
            let (address, done) = (address.clone(), Arc::clone(done));
            tasks.spawn(async move { hold_half_open(&address, &done.half_open).await });
        }
        Self(tasks)
    }
}

async fn again(done: &[AtomicU64; 2], request: impl Fn() -> reqwest::RequestBuilder) {
    loop {
        let answer = request().send().await;
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        let is_refused = matches!(status, 0 | 429 | 503 | 504);
        done[usize::from(is_refused)].fetch_add(1, Ordering::Relaxed);
        if let Ok(answer) = answer {
            let _read = answer.bytes().await;
        }
        if is_refused {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Half a head, and when the server closes the connection another one.
async fn hold_half_open(address: &str, done: &[AtomicU64; 2]) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(b"GET /healthz HTTP/1.1\r\nhost").await.is_ok()
        {
            done[0].fetch_add(1, Ordering::Relaxed);
            let mut rest = Vec::new();
            let _closed = stream.read_to_end(&mut rest).await;
        }
        done[1].fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two templates of 64 kB that share no word, and the address that compares them.
async fn store_large_prompts(origin: &str) -> anyhow::Result<String> {
    let client = Client::new();
    let template = |seed: u64| -> String {
        let words = (0..9_000).map(|n: u64| {
            format!(
                "w{}{}",
                n * seed % 9_973,
                if n.is_multiple_of(900) { "\n" } else { "" }
            )
        });
        words.collect::<Vec<_>>().join(" ")
    };
    for (step, seed) in [("before", 3), ("after", 5)] {
        let step = json!({
            "run_id": format!("prompts-{step}"), "step_id": "s", "step_name": "compare", "model": "claude-haiku-4-5",
            "prompt": "x", "prompt_template": template(seed), "output_code": "yes", "latency_ms": 1,
        });
        let answer = client
            .post(format!("{origin}/ingest"))
            .header("content-type", "application/json")
            .body(step.to_string())
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
    }
    let listed: Value = client
        .get(format!("{origin}/ui/prompts/list?slug=default&minutes=129600"))
        .send()
        .await?
        .json()
        .await?;
    let of_compare: Vec<&str> = listed["uses"]
        .as_array()
        .context("no list of prompts")?
        .iter()
        .filter(|used| used["step_name"] == "compare")
        .filter_map(|used| used["fingerprint"].as_str())
        .collect();
    let [before, after, ..] = of_compare[..] else {
        anyhow::bail!("the two prompts are not listed");
    };
    Ok(format!(
        "/ui/prompts/get?slug=default&minutes=60&fingerprint={after}&before={before}"
    ))
}

#[expect(clippy::disallowed_methods, reason = "a load is as old as the clock says")]
fn now_micros() -> anyhow::Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros(),
    )?)
}
