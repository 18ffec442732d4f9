//! What a proxy adds to a call: Plumbline with recording on, other gateways where they are installed, and no proxy at
//! all, in turns, in front of a provider that costs next to nothing. Prints the tables of the README. Afterwards it
//! asks Plumbline what it stored: every call that succeeded, once.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bench::load::{Load, Measured, Target, run};
use bench::upstream::{Service, serve};
use bench::{Server, machine, peers, quantile, sessions_share_the_processor};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Role>,
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// Where LiteLLM and Portkey are installed.
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
    /// Seconds of each measurement in each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; in each every candidate has a turn.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Calls a second of the quiet measurement, which all gateways can bear.
    #[arg(long, default_value_t = 50.0)]
    quiet_rate: f64,
    /// Calls a second of the busy one.
    #[arg(long, default_value_t = 1_000.0)]
    busy_rate: f64,
}

#[derive(Subcommand)]
enum Role {
    /// The provider, in a process of its own
    #[command(hide = true)]
    Upstream {
        /// Where to listen
        #[arg(long)]
        addr: SocketAddr,
    },
}

/// Answers at once, so that whatever takes time is the proxy; streams twenty chunks, one each two milliseconds.
const SERVICE: Service = Service {
    time: Duration::ZERO,
    chunks: 20,
    gap: Duration::from_millis(2),
};

/// What is measured of each.
#[derive(Clone, Copy)]
enum Question {
    Quiet,
    Busy,
    Most,
    Stream,
}

const QUESTIONS: [Question; 4] = [Question::Quiet, Question::Busy, Question::Most, Question::Stream];

/// Of one target, the rounds of each question.
#[derive(Default)]
struct Answers {
    rounds: [Vec<Measured>; QUESTIONS.len()],
}

impl Answers {
    /// The median over the rounds: a round in which the machine did something else says nothing.
    fn median(&self, question: Question, figure: impl Fn(&Measured) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds[question as usize].iter().map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        quantile(&figures, 0.5)
    }

    /// Whether calls were sent as they became due, in every round.
    fn sustains(&self, question: Question) -> bool {
        self.rounds[question as usize]
            .iter()
            .all(|round| round.unsent == 0)
    }

    fn succeeded(&self) -> u64 {
        self.rounds.iter().flatten().map(Measured::succeeded).sum()
    }

    fn failed(&self) -> u64 {
        self.rounds.iter().flatten().map(|round| round.failed).sum()
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Role::Upstream { addr }) = args.command {
        return Ok(serve(&TcpListener::bind(addr)?, SERVICE)?);
    }
    let upstream = Upstream::start()?;
    let origin = format!("http://{}", upstream.address);
    let environment = [
        ("PLUMBLINE_UPSTREAM_OPENAI", origin.as_str()),
        ("PLUMBLINE_UPSTREAM_ANTHROPIC", origin.as_str()),
    ];
    let server = Server::start_with(&args.binary, &args.parent, &environment)?;
    let (running, notes) = peers::start(&args.peers, upstream.address)?;

    let target = |name, address| Target {
        name,
        address,
        headers: String::new(),
    };
    let listens_at: SocketAddr = server.origin.trim_start_matches("http://").parse()?;
    let mut targets = vec![
        target("no proxy", upstream.address),
        target("Plumbline", listens_at),
    ];
    targets.extend(running.iter().map(|peer| peer.target.clone()));
    let mut answers: Vec<Answers> = targets.iter().map(|_| Answers::default()).collect();
    for _ in 0..args.rounds {
        for question in QUESTIONS {
            for (target, answers) in targets.iter().zip(&mut answers) {
                answers.rounds[question as usize].push(run(target, load(question, &args))?);
                // What one measurement left to write must not be part of the next one.
                wait_until_written(&server.origin)?;
            }
        }
    }

    print_table(&targets, &answers, args.busy_rate);
    let ours = &answers[1];
    let stored = stored_steps(&server.origin, ours.succeeded() + ours.failed())?;
    println!();
    println!(
        "Plumbline answered {} calls and stored {stored} steps; peak RSS {:.0} MB. Latencies count from when a call was due.",
        ours.succeeded(),
        server.memory_mb().1
    );
    println!("{}.", machine());
    if sessions_share_the_processor() {
        println!(
            "Sessions share the processor here (autogroup); in a control group, where services run, the p99 is about 1 ms lower."
        );
    }
    for note in notes {
        println!("{note}.");
    }
    ensure!(ours.failed() == 0, "{} calls failed", ours.failed());
    ensure!(
        stored == ours.succeeded(),
        "{} calls succeeded, {stored} steps are stored",
        ours.succeeded()
    );
    Ok(())
}

fn load(question: Question, args: &Args) -> Load {
    let (rate, connections, is_stream) = match question {
        Question::Quiet => (Some(args.quiet_rate), 8, false),
        Question::Busy => (Some(args.busy_rate), 32, false),
        Question::Most => (None, 32, false),
        Question::Stream => (Some(args.quiet_rate), 32, true),
    };
    Load {
        rate,
        connections,
        time: Duration::from_secs(args.seconds),
        is_stream,
    }
}

fn print_table(targets: &[Target], answers: &[Answers], busy_rate: f64) {
    println!(
        "| | p50 | added | p50 at {busy_rate}/s | added | p99 at {busy_rate}/s | added | most calls/s | first byte of a stream | added | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let Some(direct) = answers.first() else { return };
    for (target, answers) in targets.iter().zip(answers) {
        let pair = |question: Question, figure: fn(&Measured) -> f64| {
            let (ours, theirs) = (answers.median(question, figure), direct.median(question, figure));
            if !answers.sustains(question) {
                return "not reached | ".to_owned();
            }
            if ours.is_nan() {
                return "none succeeded | ".to_owned();
            }
            format!("{ours:.2} ms | {:+.2} ms", ours - theirs)
        };
        println!(
            "| {} | {} | {} | {} | {:.0} | {} | {} |",
            target.name,
            pair(Question::Quiet, |round| round.latency_ms(0.5)),
            pair(Question::Busy, |round| round.latency_ms(0.5)),
            pair(Question::Busy, |round| round.latency_ms(0.99)),
            answers.median(Question::Most, Measured::rate),
            pair(Question::Stream, |round| round.first_byte_ms(0.5)),
            answers.failed()
        );
    }
}

/// Returns when no recorded call waits to be written any longer.
fn wait_until_written(origin: &str) -> anyhow::Result<()> {
    let client = reqwest::blocking::Client::new();
    let begun = Instant::now();
    loop {
        let metrics = client.get(format!("{origin}/metrics")).send()?.text()?;
        let waits = |name: &str| {
            let figure = metrics.lines().find_map(|line| line.strip_prefix(name));
            figure.is_none_or(|figure| figure.trim() != "0")
        };
        if !waits("plumbline_proxy_unfinished_calls ") && !waits("plumbline_spool_records ") {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "calls were not written within a minute"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The steps of the ledger, once there are `expected` of them: recording comes after the answer. Whatever is missing
/// after half a minute is missing.
fn stored_steps(origin: &str, expected: u64) -> anyhow::Result<u64> {
    let client = reqwest::blocking::Client::new();
    let begun = Instant::now();
    loop {
        let ledger: serde_json::Value = client
            .get(format!("{origin}/api/ledger?limit=10000"))
            .send()?
            .json()?;
        let minutes = ledger["items"].as_array().cloned().unwrap_or_default();
        let stored = minutes
            .iter()
            .filter_map(|minute| minute["stored"].as_u64())
            .sum();
        if stored >= expected || begun.elapsed() > Duration::from_secs(30) {
            return Ok(stored);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The provider's process.
struct Upstream {
    child: Child,
    address: SocketAddr,
}

impl Upstream {
    fn start() -> anyhow::Result<Self> {
        let address = peers::free_address()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["upstream", "--addr", &address.to_string()])
            .spawn()?;
        let upstream = Self { child, address };
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "the provider did not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(upstream)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            let _status = self.child.wait();
        }
    }
}
