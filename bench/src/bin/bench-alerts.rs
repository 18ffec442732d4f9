//! What alerts cost ingest, and how soon and how often people hear of what went wrong:
//!
//! - steps that nobody is told of, and steps that are all critical, each with channels connected and without, in turns on
//!   one server: what evaluating the triggers costs, and what a storm does (the bars are 3 % and 5 %);
//! - from the commit of a critical step to its message, while nothing else comes and while steps come as fast as they are
//!   taken (the bar is 2 s for 95 of 100);
//! - 10,000 critical steps in a minute: how many messages they become.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench::alert_receiver::{Arrived, Receiver};
use bench::ingest_load::{Load, send_changed};
use bench::{Server, machine, quantile};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies: the disk that is measured.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// Seconds per measurement of what alerts cost.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Rounds of what alerts cost, each with the channels and without them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The channels that are connected.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "slack,sentry,webhook"
    )]
    channels: Vec<Channel>,
    /// What is measured.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "cost,delay,storm")]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Cost,
    Delay,
    Storm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Channel {
    Slack,
    Sentry,
    Webhook,
}

impl Channel {
    fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Sentry => "sentry",
            Self::Webhook => "webhook",
        }
    }

    /// Its settings, so that it speaks to the receiver. Runs as tracing data are no alerts and stay here.
    fn settings(self, receiver: &Receiver) -> Value {
        let address = receiver.address;
        match self {
            Self::Slack => json!({ "webhook_url": format!("http://{address}/slack") }),
            Self::Sentry => json!({ "dsn": format!("http://key@{address}/sentry/1"), "tracing": false }),
            Self::Webhook => json!({ "url": format!("http://{address}/webhook") }),
        }
    }

    fn sent(self, message: &Arrived) -> bool {
        message.path.starts_with(&format!("/{}", self.word()))
    }
}

const LOAD: Load = Load {
    name: "`/ingest/batch`, 100 steps",
    connections: 4,
    steps_per_request: 100,
};
/// Critical steps whose messages are waited for; fewer than the 30 messages an hour that a channel gets.
const DELAYED_STEPS: usize = 25;
/// Between two of them: Slack gets a message a second at most, and what waits longer becomes a list.
const DELAYED_STEP_INTERVAL: Duration = Duration::from_millis(1_500);
/// A storm's requests, each of as many steps.
const STORM_REQUESTS: u32 = 100;
const STORM_REQUEST_STEPS: u32 = 100;
/// How long messages may still come after the last step.
const AFTERWARDS: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let receiver = Receiver::start()?;
    if args.only.contains(&Part::Cost) {
        cost(&args, &receiver).await?;
    }
    if args.only.contains(&Part::Delay) {
        println!();
        println!("| from commit to message | messages | median | 95 of 100 within | slowest |");
        println!("|---|---|---|---|---|");
        // A server each: a channel's messages of an hour are counted.
        for is_loaded in [false, true] {
            delay(&args, &receiver, is_loaded).await?;
        }
    }
    if args.only.contains(&Part::Storm) {
        println!();
        storm(&args, &receiver).await?;
    }
    let channels: Vec<&str> = args.channels.iter().map(|channel| channel.word()).collect();
    println!();
    println!("Connected: {}. {}.", channels.join(", "), machine());
    Ok(())
}

/// A server on a folder of its own that may call this machine.
async fn start(args: &Args) -> anyhow::Result<Server> {
    let (binary, parent) = (args.binary.clone(), args.parent.clone());
    let allowed = [("PLUMBLINE_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8")];
    tokio::task::spawn_blocking(move || Server::start_with(&binary, &parent, &allowed)).await?
}

async fn stop(server: Server) -> anyhow::Result<()> {
    Ok(tokio::task::spawn_blocking(move || drop(server)).await?)
}

async fn cost(args: &Args, receiver: &Receiver) -> anyhow::Result<()> {
    let server = start(args).await?;
    let time = Duration::from_secs(args.seconds);
    println!("| steps | no channel | channels connected | lost | bar |");
    println!("|---|---|---|---|---|");
    for (name, change, bar) in [
        ("nobody is told of", (|_step| {}) as fn(&mut Value), 3),
        ("each critical", fail as fn(&mut Value), 5),
    ] {
        let warm_up = format!("warm-up-{name}");
        send_changed(&server.origin, &LOAD, &warm_up, Duration::from_secs(2), change).await?;
        let mut steps_a_second = [Vec::new(), Vec::new()];
        for round in 0..args.rounds {
            let order = if round % 2 == 0 {
                [false, true]
            } else {
                [true, false]
            };
            for connected in order {
                disconnect(&server.origin, args).await?;
                if connected {
                    connect(&server.origin, args, receiver).await?;
                }
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
        println!("| {name} | {without:.0} steps/s | {with:.0} steps/s | {lost:.1} % | {bar} % |");
    }
    println!(
        "Medians of {} rounds of {} s each, in turns.",
        args.rounds, args.seconds
    );
    stop(server).await
}

fn fail(step: &mut Value) {
    step["status_success"] = json!(false);
    step["error"] = json!("upstream timeout");
}

/// Critical steps of different names one after the other, and when each channel had the first message of each.
async fn delay(args: &Args, receiver: &Receiver, is_loaded: bool) -> anyhow::Result<()> {
    let server = start(args).await?;
    connect(&server.origin, args, receiver).await?;
    // Of many failures in a row one message more would be sent, and that of a step be told by it.
    put(
        &server.origin,
        "alerts",
        &json!({ "error_rate": { "on": false } }),
    )
    .await?;
    let time = DELAYED_STEP_INTERVAL * u32::try_from(DELAYED_STEPS)?;
    let load = async {
        if is_loaded {
            send_changed(&server.origin, &LOAD, "beside", time, |_step| {}).await?;
        }
        anyhow::Ok(())
    };
    let word = if is_loaded { "loaded" } else { "alone" };
    let critical = async {
        let client = reqwest::Client::new();
        let mut committed = Vec::new();
        for n in 0..DELAYED_STEPS {
            let name = format!("delayed-{word}-{n:03}");
            let step = json!({
                "run_id": name, "step_id": "s", "step_name": name, "model": "claude-haiku-4-5", "latency_ms": 640,
                "prompt": "Is it on?", "output_code": "", "status_success": false, "error": "upstream timeout"
            });
            let answer = client
                .post(format!("{}/ingest", server.origin))
                .json(&step)
                .send()
                .await?;
            let status = answer.status();
            ensure!(status.is_success(), "answered {status}: {}", answer.text().await?);
            // A step is acknowledged once it is committed.
            committed.push((name, Instant::now()));
            tokio::time::sleep(DELAYED_STEP_INTERVAL).await;
        }
        anyhow::Ok(committed)
    };
    let (loaded, committed) = tokio::join!(load, critical);
    loaded?;
    let committed = committed?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let arrived = receiver.arrived();
    let mut delays_ms = Vec::new();
    for (name, at) in &committed {
        for channel in &args.channels {
            let first = arrived
                .iter()
                .find(|message| channel.sent(message) && message.body.contains(name))
                .with_context(|| format!("{} heard nothing of {name}", channel.word()))?;
            // A message may be there before the acknowledgement is.
            let delay = first.at.saturating_duration_since(*at);
            delays_ms.push(delay.as_secs_f64() * 1_000.0);
        }
    }
    delays_ms.sort_unstable_by(f64::total_cmp);
    let beside = if is_loaded {
        "while steps come as fast as they are taken"
    } else {
        "while nothing else comes"
    };
    println!(
        "| {beside} | {} | {:.0} ms | {:.0} ms (bar 2,000) | {:.0} ms |",
        delays_ms.len(),
        quantile(&delays_ms, 0.5),
        quantile(&delays_ms, 0.95),
        quantile(&delays_ms, 1.0)
    );
    stop(server).await
}

/// 10,000 critical steps within a minute, and what each channel got of them until half a minute later.
async fn storm(args: &Args, receiver: &Receiver) -> anyhow::Result<()> {
    let server = start(args).await?;
    connect(&server.origin, args, receiver).await?;
    let before = receiver.arrived().len();
    let client = reqwest::Client::new();
    let begun = Instant::now();
    for request in 0..STORM_REQUESTS {
        let steps: Vec<Value> = (0..STORM_REQUEST_STEPS)
            .map(|n| {
                json!({
                    "run_id": format!("storm-{request}-{n}"), "step_id": "s", "step_name": format!("storm-{}", n % 5),
                    "model": "claude-haiku-4-5", "latency_ms": 640, "prompt": "Is it on?", "output_code": "",
                    "status_success": false, "error": "upstream timeout"
                })
            })
            .collect();
        let answer = client
            .post(format!("{}/ingest/batch", server.origin))
            .json(&json!({ "steps": steps }))
            .send()
            .await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        ensure!(answer["rejected"] == json!([]), "answered {answer}");
        let next = begun + Duration::from_secs(60) / STORM_REQUESTS * (request + 1);
        tokio::time::sleep_until(next.into()).await;
    }
    tokio::time::sleep(AFTERWARDS).await;
    let arrived = receiver.arrived().split_off(before);
    let messages: Vec<String> = args
        .channels
        .iter()
        .map(|channel| {
            let messages = arrived.iter().filter(|message| channel.sent(message)).count();
            format!("{messages} to {}", channel.word())
        })
        .collect();
    println!(
        "A storm of {} critical steps of five names in a minute, messages until {} s later: {}.",
        STORM_REQUESTS * STORM_REQUEST_STEPS,
        AFTERWARDS.as_secs(),
        messages.join(", ")
    );
    stop(server).await
}

async fn connect(origin: &str, args: &Args, receiver: &Receiver) -> anyhow::Result<()> {
    for channel in &args.channels {
        let path = format!("integrations/{}", channel.word());
        put(origin, &path, &channel.settings(receiver)).await?;
    }
    Ok(())
}

async fn disconnect(origin: &str, args: &Args) -> anyhow::Result<()> {
    for channel in &args.channels {
        let url = format!("{origin}/api/settings/integrations/{}", channel.word());
        let status = reqwest::Client::new().delete(url).send().await?.status();
        ensure!(
            status.is_success() || status.as_u16() == 404,
            "the settings answered {status}"
        );
    }
    Ok(())
}

async fn put(origin: &str, path: &str, body: &Value) -> anyhow::Result<()> {
    let url = format!("{origin}/api/settings/{path}");
    let answer = reqwest::Client::new().put(url).json(body).send().await?;
    let status = answer.status();
    ensure!(
        status.is_success(),
        "the settings answered {status}: {}",
        answer.text().await?
    );
    Ok(())
}
