//! What a 2xx promises: nothing acknowledged is ever lost, and nothing is there twice or by half, whichever process is killed.
//! `PLUMBLINE_CRASH_ROUNDS=50 PLUMBLINE_TEST_SECONDS=3600 cargo test -p server --test crash` kills more often.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "crash/alerts.rs"]
mod alerts;
#[path = "crash/deletion.rs"]
mod deletion;
#[path = "crash/hang.rs"]
mod hang;
#[path = "crash/import.rs"]
mod import;
#[path = "crash/load.rs"]
mod load;
#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "cli/program.rs"]
mod program;
#[path = "crash/proxy.rs"]
mod proxy;
#[path = "crash/several.rs"]
mod several;
#[expect(dead_code, reason = "the tests of the proxy use the rest")]
#[path = "http/upstream.rs"]
mod upstream;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use load::{CLIENTS, Delivered, Load, StepIds};
use private_postgres::{PrivatePostgres, Settings};
use program::{Folder, Server};
use tokio::task::block_in_place;

const TIMEOUT: Duration = Duration::from_secs(40);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing() {
    let (folder, addr) = (Folder::new(), free_addr());
    let mut server = serve(&folder, &addr);
    let load = Load::start(&addr, folder.path().join("server.log"));
    for round in 0..rounds() {
        moment(&load, round).await;
        server.kill();
        // Its Postgres runs on, at work on transactions whose clients are gone.
        server = serve(&folder, &addr);
    }
    load.wait_for(20).await;
    let delivered = load.finish().await;
    check_books(&folder, &mut server, &delivered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgres_loses_nothing() {
    let (folder, addr) = (Folder::new(), free_addr());
    let mut server = serve(&folder, &addr);
    let load = Load::start(&addr, folder.path().join("server.log"));
    for round in 0..rounds().div_ceil(2) {
        moment(&load, round).await;
        let killed = postgres_pid(&folder);
        kill(&killed);
        match round % 3 {
            0 if round == 0 => outage(&folder, &load).await,
            // Both at once is what a power cut looks like.
            2 => {
                server.kill();
                server = serve(&folder, &addr);
            }
            _ => {}
        }
        wait_until("another Postgres runs", || postgres_pid(&folder) != killed).await;
        assert!(
            server.answers(),
            "it lives on without its database: {}",
            server.log()
        );
        load.wait_for(1).await;
    }
    load.wait_for(20).await;
    let delivered = load.finish().await;
    check_books(&folder, &mut server, &delivered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_finishes_what_it_began() {
    let (folder, addr) = (Folder::new(), free_addr());
    let mut server = serve(&folder, &addr);
    let load = Load::start(&addr, folder.path().join("server.log"));
    for round in 0..rounds().div_ceil(3) {
        moment(&load, round).await;
        stop(&folder, &mut server);
        server = serve(&folder, &addr);
    }
    load.wait_for(20).await;
    stop(&folder, &mut server);
    let delivered = load.abandon().await;
    let log = std::fs::read_to_string(folder.path().join("data/postgres.log")).unwrap();
    assert!(!log.contains("not properly shut down"), "{log}");
    check_books(&folder, &mut serve(&folder, &addr), &delivered).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to try is up to the person who starts the tests"
)]
fn rounds() -> usize {
    let asked = std::env::var("PLUMBLINE_CRASH_ROUNDS").ok();
    asked.map_or(6, |rounds| rounds.parse().unwrap())
}

/// Waits for some requests and then a little more, differently each round, so that the end comes in another part of
/// a transaction.
async fn moment(load: &Load, round: usize) {
    const REQUESTS: [usize; 7] = [1, 25, 60, 3, 120, 10, 40];
    load.wait_for(REQUESTS[round % REQUESTS.len()]).await;
    tokio::time::sleep(Duration::from_micros(round as u64 * 7_919 % 30_000)).await;
}

/// An address that stays the same when the server starts again.
fn free_addr() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

fn serve(folder: &Folder, addr: &str) -> Server {
    block_in_place(|| folder.serve(&["--addr", addr]))
}

fn stop(folder: &Folder, server: &mut Server) {
    let code = block_in_place(|| server.stop());
    assert_eq!(code, Some(0), "{}", server.log());
    folder.assert_no_postgres();
}

/// Keeps the killed Postgres from coming back until every client has got a 503.
async fn outage(folder: &Folder, load: &Load) {
    let (there, away) = (
        folder.path().join("data/postgres"),
        folder.path().join("data/away"),
    );
    std::fs::rename(&there, &away).unwrap();
    let refused = load.refused();
    wait_until("clients are asked to retry", || {
        load.refused() >= refused + CLIENTS.len()
    })
    .await;
    std::fs::rename(&away, &there).unwrap();
}

fn postgres_pid(folder: &Folder) -> String {
    let pid_file = folder.path().join("data/postgres/postmaster.pid");
    let text = std::fs::read_to_string(pid_file).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn kill(pid: &str) {
    let status = Command::new("kill").args(["-KILL", pid]).status().unwrap();
    assert!(status.success(), "there is no process {pid}");
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < TIMEOUT, "in vain: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Everything that was acknowledged is there once, nothing is there that was not sent, and all sums are right.
async fn check_books(folder: &Folder, server: &mut Server, delivered: &Delivered) {
    let recount = block_in_place(|| folder.run(&["doctor", "--recount", "--json"]));
    assert_eq!(recount.code, 0, "{recount:?}");
    let counted = recount.json()["recount"][0].clone();
    assert_eq!(
        (&counted["wrong_runs"], &counted["wrong_hours"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );

    stop(folder, server);
    let settings = Settings {
        data_dir: folder.path().join("data"),
        bin_dir: None,
        path_env: None,
        durable: true,
        max_connections: 10,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let number = async |sql: &str| {
        let rows = postgres.query(sql).await.unwrap();
        rows[0][0]
            .as_deref()
            .map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let rows = postgres.query("select run_id, step_id from steps").await.unwrap();
    let stored: BTreeSet<StepIds> = rows
        .iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
        .collect();
    assert_eq!(stored.len(), rows.len(), "nothing is there twice");
    let lost: Vec<_> = delivered.acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let unknown: Vec<_> = stored.difference(&delivered.sent).collect();
    assert!(unknown.is_empty(), "never sent: {unknown:?}");
    assert_eq!(counted["steps"], stored.len());

    // Rows without the rows that belong to them would be half a write.
    for (half, join) in [
        ("step_payloads", "full join"),
        ("step_events", "full join"),
        ("step_conditions", "right join"),
    ] {
        let sql = format!(
            "select count(*) from steps s {join} {half} h using (project_id, run_id, step_id)
             where s.step_id is null or h.step_id is null"
        );
        assert_eq!(number(&sql).await, 0, "steps and {half} differ");
    }
    let keys = "select count(*) from runs full join run_keys k using (project_id, run_id) \
                where runs.run_id is null or k.run_id is null";
    assert_eq!(number(keys).await, 0, "runs and their keys differ");
    let booked = "select sum(steps) from ledger where outcome = 'stored'";
    assert_eq!(
        number(booked).await,
        stored.len() as u64,
        "the ledger counts what is stored"
    );
    postgres.stop().await.unwrap();
}
