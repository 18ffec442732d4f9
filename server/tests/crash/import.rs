//! An import that is killed, or loses its database: the same command completes it.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::load::Delivered;
use crate::program::{Folder, Server, finish};
use crate::{check_books, free_addr, kill, postgres_pid, serve, wait_until};

const RUNS: usize = 8;
const STEPS_PER_RUN: usize = 1_000;

fn start(folder: &Folder) -> Child {
    let mut command = folder.command(&["import", "steps.jsonl"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn run_count(server: &Server) -> usize {
    server.json("/api/runs")["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_is_completed_and_stores_nothing_twice() {
    let (folder, addr) = (Folder::new(), free_addr());
    let mut server = serve(&folder, &addr);
    let ids: BTreeSet<(String, String)> = (0..RUNS * STEPS_PER_RUN)
        .map(|n| (format!("run-{}", n / STEPS_PER_RUN), format!("s{n}")))
        .collect();
    let lines: Vec<String> = (0..RUNS * STEPS_PER_RUN)
        .map(|n| {
            json!({"run_id": format!("run-{}", n / STEPS_PER_RUN), "step_id": format!("s{n}"), "step_name": "s", "model": "m",
                "prompt": "Answer yes or no", "output_code": "yes", "latency_ms": 5, "events": [{ "name": "first token" }]})
            .to_string()
        })
        .collect();
    std::fs::write(folder.path().join("steps.jsonl"), lines.join("\n")).unwrap();

    let mut killed = start(&folder);
    wait_until("a part is stored", || run_count(&server) > 0).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = run_count(&server);
    assert!(before < RUNS, "it had ended before it was killed");

    // Its database goes, in whichever part.
    let second = start(&folder);
    wait_until("another part is stored", || run_count(&server) > before).await;
    let postgres = postgres_pid(&folder);
    kill(&postgres);
    let second = tokio::task::block_in_place(|| finish(second));
    wait_until("another Postgres runs", || {
        let pid = postgres_pid(&folder);
        !pid.is_empty() && pid != postgres
    })
    .await;
    wait_until("the server reads again", || run_count(&server) > before).await;
    if second.code != 0 {
        assert!(
            second.code == 1 && second.stderr.contains("run the same command again"),
            "{second:?}"
        );
    }

    let all = RUNS * STEPS_PER_RUN;
    let third = tokio::task::block_in_place(|| folder.run(&["import", "steps.jsonl"]));
    assert_eq!(third.code, 0, "{third:?}");
    // One line, whatever it does meanwhile: nobody is at a terminal.
    let said: Vec<&str> = third
        .stderr
        .lines()
        .filter(|line| line.contains("steps.jsonl"))
        .collect();
    assert_eq!(said.len(), 1, "{third:?}");
    let figures: Vec<usize> = said[0]
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [stored, known] = figures[..] else {
        panic!("{third:?}");
    };
    assert!(stored + known == all && known >= 2 * STEPS_PER_RUN, "{third:?}");
    let delivered = Delivered {
        sent: ids.clone(),
        acknowledged: ids,
    };
    check_books(&folder, &mut server, &delivered).await;
}
