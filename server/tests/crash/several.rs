//! Three servers on one database, behind a proxy that sends each connection to the next one: what docs/scale.md promises.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use private_postgres::{PrivatePostgres, Settings};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::program::{Folder, Server};
use crate::{TIMEOUT, free_addr, wait_until};

const SECRET_KEY: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
const WRITERS: usize = 3;

/// A server behind the proxy.
struct Upstream {
    addr: String,
    takes: AtomicBool,
    open: AtomicUsize,
}

/// Sends each connection to the next server that takes some.
struct Balancer {
    origin: String,
    upstreams: Arc<Vec<Upstream>>,
}

impl Balancer {
    async fn start(addrs: &[String]) -> Self {
        let upstream = |addr: &String| Upstream {
            addr: addr.clone(),
            takes: AtomicBool::new(true),
            open: AtomicUsize::new(0),
        };
        let upstreams: Arc<Vec<Upstream>> = Arc::new(addrs.iter().map(upstream).collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (behind, tasks) = (Arc::clone(&upstreams), TaskTracker::new());
        TaskTracker::new().spawn(async move {
            let mut next = 0;
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let behind = Arc::clone(&behind);
                let chosen = loop {
                    next = (next + 1) % behind.len();
                    // Counted before it is asked, so that nobody slips past `drain`.
                    behind[next].open.fetch_add(1, Ordering::SeqCst);
                    if behind[next].takes.load(Ordering::SeqCst) {
                        break next;
                    }
                    behind[next].open.fetch_sub(1, Ordering::SeqCst);
                };
                tasks.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(&behind[chosen].addr).await {
                        copy_bidirectional(&mut client, &mut server).await.ok();
                    }
                    behind[chosen].open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { origin, upstreams }
    }

    /// Sends nothing more to a server, and waits for what is under way there.
    async fn drain(&self, index: usize) {
        let upstream = &self.upstreams[index];
        upstream.takes.store(false, Ordering::SeqCst);
        wait_until("connections end", || upstream.open.load(Ordering::SeqCst) == 0).await;
    }

    fn resume(&self, index: usize) {
        self.upstreams[index].takes.store(true, Ordering::SeqCst);
    }
}

/// Clients that send every request once. Whatever is not a 200 is kept.
struct Load {
    tasks: JoinSet<()>,
    stored: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    problems: Arc<Mutex<Vec<String>>>,
}

impl Load {
    fn start(origin: &str) -> Self {
        let (stored, is_over, problems) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let mut tasks = JoinSet::new();
        // The last one reads.
        for client in 0..=WRITERS {
            let (stored, is_over, problems) =
                (Arc::clone(&stored), Arc::clone(&is_over), Arc::clone(&problems));
            let origin = origin.to_owned();
            tasks.spawn(async move {
                let http = one_request_a_connection();
                let mut n = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let request = match client {
                        WRITERS => http.get(format!("{origin}/api/runs?limit=5")),
                        _ => http
                            .post(format!("{origin}/ingest"))
                            .json(&step(&format!("load-{client}-{n}"), true)),
                    };
                    match request.send().await {
                        Ok(answer) if answer.status() == 200 && client < WRITERS => {
                            stored.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(answer) if answer.status() == 200 => {}
                        other => problems.lock().unwrap().push(format!("{other:?}")),
                    }
                    n += 1;
                }
            });
        }
        Self {
            tasks,
            stored,
            is_over,
            problems,
        }
    }

    async fn wait_for(&self, more: u64) {
        let goal = self.stored.load(Ordering::SeqCst) + more;
        wait_until("steps are stored", || self.stored.load(Ordering::SeqCst) >= goal).await;
    }

    /// Returns how many steps were acknowledged.
    async fn finish(mut self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let problems = self.problems.lock().unwrap();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        self.stored.load(Ordering::SeqCst)
    }
}

/// A client that never sends anything twice by itself, as those do that reuse connections.
fn one_request_a_connection() -> reqwest::Client {
    reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

fn step(run_id: &str, succeeded: bool) -> Value {
    json!({
        "run_id": run_id, "step_id": "s1", "step_name": if succeeded { "answer" } else { run_id },
        "model": "claude-haiku-4-5", "prompt": "What is it?", "output_code": "An answer that is long enough to be one.",
        "latency_ms": 640, "status_success": succeeded, "error": (!succeeded).then_some("boom"),
        "input_tokens": 12, "output_tokens": 9
    })
}

/// A receiver of alerts: its address, and the runs it is told of.
async fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, told) = mpsc::channel(100);
    let take = post(move |body: String| {
        let alert: Value = serde_json::from_str(&body).unwrap();
        let run_id = alert["subject"]["run_id"].as_str().unwrap_or_default();
        if run_id.starts_with("failed-") {
            sender.try_send(run_id.to_owned()).unwrap();
        }
        async { "ok" }
    });
    let router = Router::new().route("/hook", take);
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

/// Three servers, each with a data folder of its own and the same key of secrets.
struct Servers {
    folders: Vec<Folder>,
    addrs: Vec<String>,
    database_url: String,
    running: Vec<Server>,
}

impl Servers {
    fn start(database_url: String) -> Self {
        let folders: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
        let addrs: Vec<String> = (0..3).map(|_| free_addr()).collect();
        let mut servers = Self {
            folders,
            addrs,
            database_url,
            running: Vec::new(),
        };
        // At once, as after a power cut: one migrates, the others wait for it.
        servers.running = (0..3).map(|index| servers.begin(index)).collect();
        for server in &mut servers.running {
            server.wait_until_ready();
        }
        servers
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("DATABASE_URL", self.database_url.as_str()),
            ("PLUMBLINE_SECRET_KEY", SECRET_KEY),
            ("PLUMBLINE_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8"),
        ]
    }

    fn begin(&self, index: usize) -> Server {
        self.folders[index].start_serving(&["--addr", &self.addrs[index]], &self.environment())
    }

    fn restart(&mut self, index: usize) {
        let code = self.running[index].stop();
        assert_eq!(code, Some(0), "{}", self.running[index].log());
        self.running[index] = self.begin(index);
        self.running[index].wait_until_ready();
    }

    fn command(&self, words: &[&str]) -> crate::program::Output {
        let output = self.folders[0].run_with(words, &self.environment());
        assert_eq!(output.code, 0, "{output:?}");
        output
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_are_one_and_restart_one_by_one_unnoticed() {
    let elsewhere = Folder::new();
    let settings = Settings {
        data_dir: elsewhere.path().join("data"),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 120,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let mut servers = block_in_place(|| Servers::start(postgres.url()));
    let balancer = Balancer::start(&servers.addrs).await;

    a_revoked_key_ends_everywhere(&servers).await;

    // A page of one hears what another one stores.
    let heard = block_in_place(|| {
        let mut page = servers.running[0].open_stream("/live/default");
        servers.running[2].ingest("/ingest", &step("seen", true), None);
        let (mut heard, mut bytes) = (String::new(), [0; 1_024]);
        while !heard.contains("\"seen\"") {
            let n = page.read(&mut bytes).unwrap();
            assert!(n > 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
        heard
    });
    assert!(heard.contains("event: run"), "{heard}");

    // What is set at one holds at all; what happens at each is told once.
    let (hook, mut told) = receiver().await;
    let client = one_request_a_connection();
    let connect = client
        .put(format!("{}/api/settings/integrations/webhook", balancer.origin))
        .json(&json!({ "url": hook }));
    assert_eq!(connect.send().await.unwrap().status(), 200);
    block_in_place(|| {
        for (n, server) in servers.running.iter().enumerate() {
            server.ingest("/ingest", &step(&format!("failed-{n}"), false), None);
        }
    });

    let load = Load::start(&balancer.origin);
    load.wait_for(20).await;
    for index in 0..3 {
        balancer.drain(index).await;
        block_in_place(|| servers.restart(index));
        balancer.resume(index);
        load.wait_for(20).await;
    }
    let stored = load.finish().await;

    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(timeout(TIMEOUT, told.recv()).await.unwrap().unwrap());
    }
    runs.sort();
    assert_eq!(runs, ["failed-0", "failed-1", "failed-2"]);

    let recount = block_in_place(|| servers.command(&["doctor", "--recount", "--json"]));
    let counted = recount.json()["recount"][0].clone();
    assert_eq!(
        (&counted["wrong_runs"], &counted["wrong_hours"]),
        (&json!([]), &json!([]))
    );
    // Beside the load: what was seen, three that failed, and one with a key at each server.
    assert_eq!(counted["steps"], stored + 1 + 3 + 3);
    for server in &mut servers.running {
        let code = block_in_place(|| server.stop());
        assert_eq!(code, Some(0), "{}", server.log());
    }
    assert!(told.try_recv().is_err(), "an alert is told once");
    postgres.stop().await.unwrap();
}

/// Each server takes a key that a command made, and none any more when another command has revoked it.
async fn a_revoked_key_ends_everywhere(servers: &Servers) {
    let made = block_in_place(|| servers.command(&["keys", "add", "shared"]));
    let key = made.stdout.trim().to_owned();
    let client = one_request_a_connection();
    let send = async |index: usize| {
        let sent = client
            .post(format!("http://{}/ingest", servers.addrs[index]))
            .bearer_auth(&key)
            .json(&step(&format!("with-key-{index}"), true));
        sent.send().await.unwrap().status()
    };
    for index in 0..3 {
        assert_eq!(send(index).await, 200);
    }
    block_in_place(|| servers.command(&["keys", "revoke", "shared"]));
    let refused_everywhere = async {
        for index in 0..3 {
            // What it sends is there already, so nothing is added meanwhile.
            while send(index).await != 401 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    timeout(TIMEOUT, refused_everywhere).await.unwrap();
}
