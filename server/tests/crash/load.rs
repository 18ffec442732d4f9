//! Clients that send steps and never give one up: what is not acknowledged is sent again with the same ids.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Steps per request of each client. One is `/ingest`, more is `/ingest/batch`.
pub(crate) const CLIENTS: [u64; 6] = [1, 1, 1, 1, 12, 40];
/// Steps of one client in one run. Clients share their runs, so that their batches want the same rows.
const STEPS_PER_RUN: u64 = 8;
const TIMEOUT: Duration = Duration::from_secs(40);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// (run, step)
pub(crate) type StepIds = (String, String);

/// What was sent, and what of it was acknowledged.
pub(crate) struct Delivered {
    pub(crate) sent: BTreeSet<StepIds>,
    pub(crate) acknowledged: BTreeSet<StepIds>,
}

/// Six clients and a reader, until `finish` or `abandon`.
pub(crate) struct Load {
    book: Arc<Book>,
    tasks: JoinSet<()>,
}

struct Book {
    origin: String,
    log_path: PathBuf,
    http: reqwest::Client,
    sent: Mutex<BTreeSet<StepIds>>,
    acknowledged: Mutex<BTreeSet<StepIds>>,
    requests_acknowledged: AtomicUsize,
    refused: AtomicUsize,
    /// Answers that break a promise.
    broken: Mutex<Vec<String>>,
    /// No new steps; what is under way is delivered.
    finishing: AtomicBool,
    /// What is under way is given up too.
    abandoning: AtomicBool,
}

impl Load {
    /// Begins to send to the server at `addr`, which logs to `log_path`.
    pub(crate) fn start(addr: &str, log_path: PathBuf) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let book = Arc::new(Book {
            origin: format!("http://{addr}"),
            log_path,
            http,
            sent: Mutex::default(),
            acknowledged: Mutex::default(),
            requests_acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            broken: Mutex::default(),
            finishing: AtomicBool::new(false),
            abandoning: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for (client, steps) in CLIENTS.into_iter().enumerate() {
            tasks.spawn(Arc::clone(&book).send(client, steps));
        }
        tasks.spawn(Arc::clone(&book).read());
        Self { book, tasks }
    }

    /// Waits until so many more requests are acknowledged.
    pub(crate) async fn wait_for(&self, requests: usize) {
        let acknowledged = || self.book.requests_acknowledged.load(Ordering::SeqCst);
        let (goal, begun) = (acknowledged() + requests, Instant::now());
        while acknowledged() < goal {
            assert!(begun.elapsed() < TIMEOUT, "nothing is acknowledged any more");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Answers of 503 so far.
    pub(crate) fn refused(&self) -> usize {
        self.book.refused.load(Ordering::SeqCst)
    }

    /// Delivers what is under way.
    pub(crate) async fn finish(self) -> Delivered {
        self.book.finishing.store(true, Ordering::SeqCst);
        let delivered = self.end().await;
        assert_eq!(
            delivered.sent, delivered.acknowledged,
            "everything is delivered in the end"
        );
        delivered
    }

    /// Leaves what is under way undelivered.
    pub(crate) async fn abandon(self) -> Delivered {
        self.book.abandoning.store(true, Ordering::SeqCst);
        self.end().await
    }

    async fn end(mut self) -> Delivered {
        self.book.finishing.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let broken = self.book.broken.lock().unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        Delivered {
            sent: self.book.sent.lock().unwrap().clone(),
            acknowledged: self.book.acknowledged.lock().unwrap().clone(),
        }
    }
}

impl Book {
    async fn send(self: Arc<Self>, client: usize, steps: u64) {
        let mut first = 0;
        while !self.finishing.load(Ordering::SeqCst) {
            let batch: Vec<Value> = (first..first + steps).map(|n| step(client, n)).collect();
            self.sent.lock().unwrap().extend(batch.iter().map(ids));
            let delivered = self.deliver(&batch, "stored").await;
            // Clients that lost an answer send again what was stored long ago.
            if delivered && first % (7 * steps) == 0 {
                self.deliver(&batch, "duplicate").await;
            }
            first += steps;
        }
    }

    /// Sends the steps until they are acknowledged: all as `expected` where the first attempt is answered. Later
    /// attempts may find everything there, but never a part of it. False when given up.
    async fn deliver(&self, batch: &[Value], expected: &str) -> bool {
        let begun = Instant::now();
        let mut is_first = true;
        while !self.abandoning.load(Ordering::SeqCst) {
            match self.send_once(batch).await {
                Some((stored, duplicate)) => {
                    let all = (batch.len(), 0);
                    let none = (0, batch.len());
                    let fits = match (is_first, expected) {
                        (true, "stored") => (stored, duplicate) == all,
                        (_, "duplicate") => (stored, duplicate) == none,
                        _ => (stored, duplicate) == all || (stored, duplicate) == none,
                    };
                    if !fits {
                        let first = ids(&batch[0]);
                        self.promise_broken(format!(
                            "{first:?}: {stored} stored, {duplicate} duplicate of {}",
                            batch.len()
                        ));
                    }
                    self.acknowledged.lock().unwrap().extend(batch.iter().map(ids));
                    self.requests_acknowledged.fetch_add(1, Ordering::SeqCst);
                    return true;
                }
                None if begun.elapsed() > TIMEOUT => {
                    self.promise_broken(format!("{:?} is never accepted", ids(&batch[0])));
                    return false;
                }
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
            is_first = false;
        }
        false
    }

    /// How many steps were stored and how many were there already; `None` when it has to be sent again.
    async fn send_once(&self, batch: &[Value]) -> Option<(usize, usize)> {
        let request = match batch {
            [step] => self.http.post(format!("{}/ingest", self.origin)).json(step),
            steps => self
                .http
                .post(format!("{}/ingest/batch", self.origin))
                .json(&json!({ "steps": steps })),
        };
        let body = self.answer(request).await?;
        if batch.len() == 1 {
            let answered = (
                body["run_id"].as_str()?.to_owned(),
                body["trace_id"].as_str()?.to_owned(),
            );
            if answered != ids(&batch[0]) {
                self.promise_broken(format!("{:?} was answered as {answered:?}", ids(&batch[0])));
            }
            return Some(match body["status"].as_str()? {
                "stored" => (1, 0),
                _ => (0, 1),
            });
        }
        let count = |name: &str| body[name].as_u64().map(|n| n as usize);
        Some((count("stored")?, count("duplicate")?))
    }

    /// A reader of the list meanwhile.
    async fn read(self: Arc<Self>) {
        while !self.finishing.load(Ordering::SeqCst) {
            self.answer(self.http.get(format!("{}/api/runs?limit=5", self.origin)))
                .await;
            tokio::time::sleep(POLL_INTERVAL * 10).await;
        }
    }

    /// The body of a 200. Besides that only 503 is in order, and no answer at all.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let response = request.send().await.ok()?;
        let (status, retry_after) = (
            response.status().as_u16(),
            response.headers().contains_key("retry-after"),
        );
        // Half an answer is none.
        let text = response.text().await.ok()?;
        match status {
            200 => serde_json::from_str(&text).ok(),
            503 if retry_after => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                None
            }
            _ => {
                self.promise_broken(format!("{status}, retry-after {retry_after}: {text}"));
                None
            }
        }
    }

    fn promise_broken(&self, how: String) {
        // The next start makes a new log.
        let log = std::fs::read_to_string(&self.log_path).unwrap_or_default();
        let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
        self.broken
            .lock()
            .unwrap()
            .push(format!("{how}\n{}", errors.join("\n")));
    }
}

fn ids(step: &Value) -> StepIds {
    let text = |name: &str| step[name].as_str().unwrap().to_owned();
    (text("run_id"), text("step_id"))
}

/// The `n`th step of a client. Every eighth is the parent of those behind it; some fail, some cost nothing.
fn step(client: usize, n: u64) -> Value {
    let root = n - n % STEPS_PER_RUN;
    json!({
        "run_id": format!("run-{}", n / STEPS_PER_RUN),
        "step_id": format!("c{client}-{n}"),
        "parent_step_id": (n != root).then(|| format!("c{client}-{root}")),
        "step_name": format!("part-{}", n % 3),
        "model": "claude-haiku-4-5",
        "prompt": format!("What is {client} and {n}?"),
        "output_code": "An answer that is long enough to be one.",
        "latency_ms": 100 + n % 900,
        "status_success": n % 11 != 5,
        "error": (n % 11 == 5).then_some("the tool did not answer"),
        "input_tokens": n % 50,
        "output_tokens": (!n.is_multiple_of(4)).then_some(n % 20),
        "cost": (!n.is_multiple_of(5)).then_some(0.0001),
        "events": [{ "name": "first token" }],
    })
}
