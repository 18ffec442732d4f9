//! A project is deleted while clients send, calls wait in the spool, and the server is killed: nothing of it is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use private_postgres::{PrivatePostgres, Settings};
use serde_json::json;
use tokio::task::JoinSet;

use crate::program::Folder;
use crate::proxy::{Calls, continue_postgres, metric, serve, start, stop_postgres};
use crate::{free_addr, stop};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A client that goes on sending batches whatever is answered.
async fn send_batches(addr: String, ends: Arc<AtomicBool>, stored: Arc<AtomicUsize>) {
    let client = reqwest::Client::new();
    let mut batch = 0;
    while !ends.load(Ordering::SeqCst) {
        batch += 1;
        let steps: Vec<_> = (0..40)
            .map(|i| {
                json!({ "run_id": format!("run-{batch}"), "step_id": i.to_string(), "step_name": "s",
                    "prompt": "Answer yes or no", "output_code": "yes", "model": "m" })
            })
            .collect();
        let sent = client
            .post(format!("http://{addr}/ingest/batch"))
            .json(&json!({ "steps": steps }))
            .send();
        if sent.await.is_ok_and(|answer| answer.status() == 200) {
            stored.fetch_add(1, Ordering::SeqCst);
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < TIMEOUT, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn delete_default(addr: &str) -> u16 {
    let answer = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .post(format!("http://{addr}/p/default/settings/delete"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("confirm=default")
        .send()
        .await
        .unwrap();
    answer.status().as_u16()
}

/// The default project's settings name projects that are being deleted.
async fn is_deleting(addr: &str) -> bool {
    let page = reqwest::get(format!("http://{addr}/p/default/settings")).await;
    match page {
        Ok(page) => page.text().await.unwrap().contains("Projects being deleted"),
        Err(_) => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_project_is_left_whoever_writes_and_whoever_dies() {
    let (folder, addr) = (Folder::new(), free_addr());
    let (mut server, origin) = serve(&folder, &addr).await;
    let (ends, stored) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(send_batches(addr.clone(), Arc::clone(&ends), Arc::clone(&stored)));
    }
    wait_for("batches are stored", async || {
        stored.load(Ordering::SeqCst) >= 100
    })
    .await;

    // Calls of the project wait on disk.
    let mut calls = Calls::new(&addr);
    stop_postgres(&folder);
    calls.send(200).await;
    wait_for("calls are spooled", async || {
        metric(&addr, "plumbline_spool_records").await >= 100
    })
    .await;
    continue_postgres(&folder);
    // In the middle of what they send, and of the spool.
    assert_eq!(delete_default(&addr).await, 303);
    server.kill();
    let mut server = start(&folder, &addr, &origin);
    let before = stored.load(Ordering::SeqCst);
    wait_for("clients go on, in a new project", async || {
        stored.load(Ordering::SeqCst) > before + 20
    })
    .await;
    wait_for("the rows are gone", async || !is_deleting(&addr).await).await;
    wait_for("the spool is empty", async || {
        metric(&addr, "plumbline_spool_records").await == 0
    })
    .await;
    ends.store(true, Ordering::SeqCst);
    clients.join_all().await;
    stop(&folder, &mut server);

    let settings = Settings {
        data_dir: folder.path().join("data"),
        bin_dir: None,
        path_env: None,
        durable: true,
        max_connections: 10,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let projects = postgres
        .query("select slug, deleted_at from projects")
        .await
        .unwrap();
    assert_eq!(
        projects,
        [[Some("default".to_owned()), None]],
        "one project is left"
    );
    let tables = postgres
        .query(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and a.attname = 'project_id' and not a.attisdropped
               and c.relname <> 'audit_log' -- who deleted it outlives it",
        )
        .await
        .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let table = table[0].as_deref().unwrap();
        let left = postgres
            .query(&format!(
                "select count(*) from {table} where project_id not in (select project_id from projects)"
            ))
            .await
            .unwrap();
        assert_eq!(
            left[0][0].as_deref(),
            Some("0"),
            "{table} keeps rows of a deleted project"
        );
    }
    postgres.stop().await.unwrap();
}
