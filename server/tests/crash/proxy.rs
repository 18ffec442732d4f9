//! The proxy while its database is away: calls pass as if nothing were, and every one of them is one step afterwards.

use std::process::{Command, Stdio};
use std::time::Duration;

use private_postgres::{PrivatePostgres, Settings};

use crate::program::{Folder, Server};
use crate::upstream::{Upstream, whole};
use crate::{free_addr, postgres_pid, stop, wait_until};

const ANSWER: &[u8] = br#"{"model":"claude-x","content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":3,"output_tokens":2}}"#;

pub(crate) struct Calls {
    client: reqwest::Client,
    url: String,
    sent: usize,
}

impl Calls {
    pub(crate) fn new(addr: &str) -> Self {
        Self {
            client: reqwest::Client::new(),
            url: format!("http://{addr}/v1/messages"),
            sent: 0,
        }
    }

    /// Sends calls one after the other, each numbered, and asserts that none fails or waits.
    pub(crate) async fn send(&mut self, calls: usize) -> Duration {
        let mut longest = Duration::ZERO;
        for _ in 0..calls {
            let begun = std::time::Instant::now();
            let answer = self
                .client
                .post(&self.url)
                .header("x-plumbline-run", "r")
                .header("x-plumbline-step", format!("{:05}", self.sent))
                .body("{\"model\":\"claude-x\"}")
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.bytes().await.unwrap(), ANSWER);
            self.sent += 1;
            longest = longest.max(begun.elapsed());
        }
        longest
    }
}

pub(crate) async fn serve(folder: &Folder, addr: &str) -> (Server, String) {
    let headers = "content-type: application/json\r\n";
    let origin = Upstream::answering(whole("200 OK", headers, ANSWER)).await;
    (start(folder, addr, &origin), origin)
}

pub(crate) fn start(folder: &Folder, addr: &str, origin: &str) -> Server {
    tokio::task::block_in_place(|| {
        let mut server = folder.start_serving(&["--addr", addr], &[("PLUMBLINE_UPSTREAM_ANTHROPIC", origin)]);
        server.wait_until_ready();
        server
    })
}

/// A figure of `/metrics`.
pub(crate) async fn metric(addr: &str, name: &str) -> u64 {
    let text = reqwest::get(format!("http://{addr}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Stops Postgres with everything it consists of. Its first process goes first: while it stands still it neither
/// starts others nor buries those that end, so each of their numbers stays theirs.
pub(crate) fn stop_postgres(folder: &Folder) {
    let pid = postgres_pid(folder);
    assert!(signal("-STOP", &[&pid]));
    let children = postgres_children(&pid);
    assert!(signal("-STOP", &children.split_whitespace().collect::<Vec<_>>()));
}

/// Lets it go on. Where the server was killed meanwhile, the kernel has done so already, and processes are gone.
pub(crate) fn continue_postgres(folder: &Folder) {
    let pid = postgres_pid(folder);
    signal(
        "-CONT",
        &postgres_children(&pid).split_whitespace().collect::<Vec<_>>(),
    );
    signal("-CONT", &[&pid]);
}

fn postgres_children(pid: &str) -> String {
    let children = Command::new("ps")
        .args(["-o", "pid=", "--ppid", pid])
        .output()
        .unwrap();
    String::from_utf8(children.stdout).unwrap()
}

/// False where one of them does not exist.
fn signal(signal: &str, to: &[&str]) -> bool {
    Command::new("kill")
        .arg(signal)
        .args(to)
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

async fn written(addr: &str, steps: u64) {
    let begun = std::time::Instant::now();
    loop {
        let run: serde_json::Value = reqwest::get(format!("http://{addr}/api/runs/r"))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let stored = run["run"]["step_count"].as_u64().unwrap_or(0);
        assert!(stored <= steps, "{stored} of {steps}");
        if stored == steps && metric(addr, "plumbline_spool_records").await == 0 {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "{stored} of {steps} written"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every call is one step, and they were written in their order.
async fn check(folder: &Folder, calls: usize) {
    let settings = Settings {
        data_dir: folder.path().join("data"),
        bin_dir: None,
        path_env: None,
        durable: true,
        max_connections: 10,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let rows = postgres
        .query("select name from steps order by started_at")
        .await
        .unwrap();
    let names: Vec<String> = rows.iter().map(|row| row[0].clone().unwrap()).collect();
    let expected: Vec<String> = (0..calls).map(|call| format!("{call:05}")).collect();
    assert_eq!(names, expected);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_while_postgres_stands_still() {
    let (folder, addr) = (Folder::new(), free_addr());
    let (mut server, _) = serve(&folder, &addr).await;
    let mut calls = Calls::new(&addr);
    calls.send(50).await;
    written(&addr, 50).await;
    stop_postgres(&folder);
    let mut longest = Duration::ZERO;
    // Longer than a batch is waited for, than keys are remembered, and than a connection is.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(6) || metric(&addr, "plumbline_spool_records").await < 100 {
        longest = longest.max(calls.send(20).await);
    }
    assert!(longest < Duration::from_millis(800), "a call took {longest:?}");
    continue_postgres(&folder);
    calls.send(20).await;
    written(&addr, calls.sent as u64).await;
    assert_eq!(metric(&addr, "plumbline_proxy_lost_calls_total").await, 0);
    stop(&folder, &mut server);
    check(&folder, calls.sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_disk_is_written_after_the_next_start() {
    let (folder, addr) = (Folder::new(), free_addr());
    let (mut server, origin) = serve(&folder, &addr).await;
    let mut calls = Calls::new(&addr);
    calls.send(10).await;
    written(&addr, 10).await;
    stop_postgres(&folder);
    calls.send(200).await;
    let begun = std::time::Instant::now();
    while metric(&addr, "plumbline_spool_records").await < 200 {
        assert!(begun.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.kill();
    continue_postgres(&folder);
    let mut server_again = start(&folder, &addr, &origin);
    written(&addr, 210).await;
    calls.send(10).await;
    written(&addr, 220).await;
    stop(&folder, &mut server_again);
    check(&folder, 220).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_keeps_what_passed() {
    let (folder, addr) = (Folder::new(), free_addr());
    let (mut server, _) = serve(&folder, &addr).await;
    let mut calls = Calls::new(&addr);
    calls.send(300).await;
    // At once: most of them have not been written yet.
    stop(&folder, &mut server);
    let (mut server, _) = serve(&folder, &addr).await;
    written(&addr, 300).await;
    stop(&folder, &mut server);
    check(&folder, 300).await;
    // What is done needs no waiting.
    wait_until("the spool is empty", || {
        let spool = std::fs::read_dir(folder.path().join("data/spool")).unwrap();
        !spool.flatten().any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "spool1")
        })
    })
    .await;
}
