//! What the server keeps in memory: many projects, and one run that never ends. Prints resident memory along the way
//! and fails when it passes the bar.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use bench::{Server, machine};
use clap::Parser;
use reqwest::blocking::Client;
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// Projects that send steps.
    #[arg(long, default_value_t = 2_000)]
    projects: usize,
    /// Steps of the one run, in all.
    #[arg(long, default_value_t = 1_000_000)]
    steps: usize,
    /// Fail when more than this many MB are resident at any time.
    #[arg(long, default_value_t = 200.0)]
    at_most: f64,
}

/// Steps of one request.
const BATCH: usize = 1_000;
/// Steps that each project sends: three names in five runs.
const STEPS_EACH: usize = 60;
/// What every key begins with.
const KEY_PREFIX: &str = "pl_live_";
/// Requests under way at once.
const CONNECTIONS: usize = 2;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let server = Server::start(&args.binary, &args.parent)?;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    println!("| after | RSS | peak |");
    println!("|---|---|---|");
    let mut worst = report(&server, "the start");

    let keys = make_projects(&server, &client, args.projects)?;
    worst = worst.max(report(&server, &format!("making {} projects", keys.len())));
    in_parallel(keys.len(), |n| {
        let steps = (0..STEPS_EACH).map(|i| step(&format!("run-{}", i / 12), i, i % 3));
        send(&server, &client, &keys[n], steps.collect())
    })?;
    let label = format!("{STEPS_EACH} steps of each");
    worst = worst.max(report(&server, &label));

    let parts = 5;
    let batches = args.steps.div_ceil(BATCH * parts);
    for part in 0..parts {
        in_parallel(batches, |n| {
            let first = (part * batches + n) * BATCH;
            let steps = (first..first + BATCH).map(|i| step("prod", i, i % 40));
            send(&server, &client, &keys[0], steps.collect())?;
            // The others go on meanwhile.
            let other = &keys[(part * batches + n) % keys.len()];
            send(&server, &client, other, vec![step("more", first, 0)])
        })?;
        let sent = (part + 1) * batches * BATCH;
        worst = worst.max(report(&server, &format!("{sent} steps in one run")));
    }
    println!("\n{}", machine());
    ensure!(
        worst <= args.at_most,
        "{worst:.0} MB were resident; the bar is {:.0} MB",
        args.at_most
    );
    Ok(())
}

/// Prints a line of the table; answers the peak.
fn report(server: &Server, after: &str) -> f64 {
    let (now, peak) = server.memory_mb();
    println!("| {after} | {now:.0} MB | {peak:.0} MB |");
    peak
}

/// The keys of new projects.
fn make_projects(server: &Server, client: &Client, projects: usize) -> anyhow::Result<Vec<String>> {
    let keys = std::sync::Mutex::new(Vec::new());
    in_parallel(projects, |n| {
        let made = client
            .post(format!("{}/projects", server.origin))
            .header("origin", &server.origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("name=soak+{n}"))
            .send()?;
        ensure!(
            made.status().is_redirection(),
            "making a project was answered {}",
            made.status()
        );
        // The key that was made together with the project is shown once, on a page.
        let slug = format!("soak-{n}");
        let shown = client
            .post(format!("{}/p/{slug}/settings/keys/first", server.origin))
            .header("origin", &server.origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .send()?;
        let page = shown
            .headers()
            .get("location")
            .context("the key is shown nowhere")?;
        let page = client
            .get(format!("{}{}", server.origin, page.to_str()?))
            .send()?;
        let page = page.error_for_status()?.text()?;
        let key = page.find(KEY_PREFIX).context("a new project has no key")?;
        let key: String = page[key..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if let Ok(mut keys) = keys.lock() {
            keys.push(key.to_owned());
        }
        Ok(())
    })?;
    Ok(keys.into_inner().unwrap_or_default())
}

/// Does so many tasks, a few at once.
fn in_parallel(pieces: usize, work: impl Fn(usize) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let worker = || -> anyhow::Result<()> {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= pieces {
                    return Ok(());
                }
                work(n)?;
            }
        };
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_panic| anyhow::anyhow!("a sender panicked"))??;
        }
        Ok(())
    })
}

fn send(server: &Server, client: &Client, key: &str, steps: Vec<Value>) -> anyhow::Result<()> {
    let sent = client
        .post(format!("{}/ingest/batch", server.origin))
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(json!({ "steps": steps }).to_string())
        .send()?;
    ensure!(
        sent.status().is_success(),
        "steps were answered {}",
        sent.status()
    );
    Ok(())
}

/// A step whose prompt is like no other's.
fn step(run_id: &str, i: usize, name: usize) -> Value {
    json!({
        "run_id": run_id,
        "step_id": format!("{i}"),
        "step_name": format!("step-{name}"),
        "model": "claude-haiku-4-5",
        "provider": "anthropic",
        "environment": "production",
        "prompt": format!("{{\"system\":\"You are a support desk.\",\"messages\":[{{\"role\":\"user\",\"content\":\"Order {i} arrived broken.\"}}]}}"),
        "output_code": "We are sorry; another one leaves our warehouse today.",
        "input_tokens": 180 + i % 40,
        "output_tokens": 24 + i % 9,
        "latency_ms": 300 + (i * 7919) % 2500,
        "stop_reason": "end_turn",
    })
}
