//! What alerts cost ingest: steps that nobody is told of, and a storm in which every step is critical, each with a
//! webhook connected and without one, in turns on one server. Prints the table, how many messages the storm became, and
//! how long after its commit the first of them came. The bars are 3 % and 5 %.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bench::ingest_load::{Load, send_changed};
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
    /// Rounds, each with a webhook and without one.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

const LOAD: Load = Load {
    name: "`/ingest/batch`, 100 steps",
    connections: 4,
    steps_per_request: 100,
};

/// Takes every message, and counts.
struct Receiver {
    address: SocketAddr,
    messages: Arc<AtomicU64>,
}

impl Receiver {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let messages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&messages);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 16 * 1024];
                if stream.read(&mut request).is_ok_and(|read| read > 0) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).ok();
            }
        });
        Ok(Self { address, messages })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (binary, parent) = (args.binary, args.parent);
    let allowed = [("PLUMBLINE_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")];
    let server =
        tokio::task::spawn_blocking(move || Server::start_with(&binary, &parent, &allowed)).await??;
    let receiver = Receiver::start()?;
    let time = Duration::from_secs(args.seconds);
    println!("| steps | no channel | webhook connected | lost | rounds |");
    println!("|---|---|---|---|---|");
    for (name, change) in [
        ("nobody is told of", (|_step| {}) as fn(&mut Value)),
        ("each critical", fail as fn(&mut Value)),
    ] {
        send_changed(
            &server.origin,
            &LOAD,
            &format!("warm-up-{name}"),
            Duration::from_secs(2),
            change,
        )
        .await?;
        let mut steps_a_second = [Vec::new(), Vec::new()];
        for round in 0..args.rounds {
            let order = if round % 2 == 0 {
                [false, true]
            } else {
                [true, false]
            };
            for connected in order {
                switch(&server.origin, connected.then_some(&receiver)).await?;
                let round = format!("{name}-{round}-{connected}");
                let sent = send_changed(&server.origin, &LOAD, &round, time, change).await?;
                steps_a_second[usize::from(connected)].push(sent.steps_a_second());
            }
        }
        let [without, with] = steps_a_second.map(|mut rounds| {
            rounds.sort_unstable_by(f64::total_cmp);
            quantile(&rounds, 0.5)
        });
        let lost = (1.0 - with / without) * 100.0;
        println!(
            "| {name} | {without:.0} steps/s | {with:.0} steps/s | {lost:.1} % | {} |",
            args.rounds
        );
    }
    storm(&server.origin, &receiver).await?;
    println!(
        "Medians of {} rounds of {} s each, in turns; the bars are 3 % and 5 %.",
        args.rounds, args.seconds
    );
    println!("{}.", machine());
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(())
}

fn fail(step: &mut Value) {
    step["status_success"] = json!(false);
    step["error"] = json!("upstream timeout");
}

/// 10,000 critical steps within a minute, and what the receiver got of them until half a minute later.
async fn storm(origin: &str, receiver: &Receiver) -> anyhow::Result<()> {
    switch(origin, None).await?;
    switch(origin, Some(receiver)).await?;
    let before = receiver.messages.load(Ordering::Relaxed);
    let client = reqwest::Client::new();
    let begun = Instant::now();
    let mut first = None;
    for batch in 0..100 {
        let steps: Vec<Value> = (0..100)
            .map(|n| {
                json!({
                    "run_id": format!("storm-{batch}-{n}"), "step_id": "s", "step_name": format!("storm-{}", n % 5),
                    "model": "claude-haiku-4-5", "latency_ms": 640, "status_success": false, "error": "upstream timeout"
                })
            })
            .collect();
        let answer = client
            .post(format!("{origin}/ingest/batch"))
            .json(&json!({ "steps": steps }))
            .send()
            .await?;
        ensure!(answer.status().is_success(), "answered {}", answer.status());
        let committed = Instant::now();
        let next = begun + Duration::from_millis(600) * (batch + 1);
        while Instant::now() < next {
            if first.is_none() && receiver.messages.load(Ordering::Relaxed) > before {
                first = Some(committed.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    println!();
    println!(
        "A storm of 10,000 critical steps of five names in a minute: {} messages, the first {} ms after its commit.",
        receiver.messages.load(Ordering::Relaxed) - before,
        first.map_or(0, |first| first.as_millis())
    );
    Ok(())
}

async fn switch(origin: &str, receiver: Option<&Receiver>) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let url = format!("{origin}/api/settings/integrations/webhook");
    let answer = match receiver {
        Some(receiver) => {
            let body = json!({ "url": format!("http://{}/", receiver.address) });
            client.put(url).json(&body).send().await?
        }
        None => client.delete(url).send().await?,
    };
    let is_done = answer.status().is_success() || answer.status().as_u16() == 404;
    ensure!(is_done, "the settings answered {}", answer.status());
    Ok(())
}
