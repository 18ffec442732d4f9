//! What a step takes on disk, table by table, with its part of runs, rollups and indexes. Prints the table of the README.

#![expect(clippy::print_stdout, reason = "printing the table is what this program does")]

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use bench::Server;
use clap::Parser;
use private_postgres::{PrivatePostgres, Settings};
use reqwest::Client;
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// Where Postgres' programs are looked for.
    #[arg(long, env = "PATH", hide = true)]
    path: Option<std::ffi::OsString>,
    /// The binary to measure.
    #[arg(long, default_value = "target/release/plumbline")]
    binary: PathBuf,
    /// Where the data folder lies.
    #[arg(long, default_value = "target")]
    parent: PathBuf,
    /// Steps to store.
    #[arg(long, default_value_t = 100_000)]
    steps: u64,
}

/// Steps of a run: an agent that calls a model three times and a tool once.
const STEPS_EACH: u64 = 5;
/// Steps of one request.
const BATCH: u64 = 1_000;
/// One step in so many has something wrong.
const FLAGGED: u64 = 10;

/// Tables whose rows a step has or shares, without its texts: the sum of both heap and indexes of all their partitions.
const SIZES: &str = "select coalesce(parent.relname, c.relname)::text,
    sum(pg_table_size(c.oid))::text, sum(pg_indexes_size(c.oid))::text
  from pg_class c
  left join pg_inherits i on i.inhrelid = c.oid
  left join pg_class parent on parent.oid = i.inhparent
  where c.relkind = 'r'
    and coalesce(parent.relname, c.relname) in ('steps', 'runs', 'run_keys', 'rollups', 'ledger', 'step_conditions')
  group by 1 order by coalesce(parent.relname, c.relname) = 'step_conditions', sum(pg_total_relation_size(c.oid)) desc";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder =
        std::path::absolute(&args.parent)?.join(format!("plumbline-bench-disk-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&args, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(args: &Args, folder: &std::path::Path) -> anyhow::Result<()> {
    let postgres = PrivatePostgres::start(Settings {
        data_dir: folder.join("data"),
        bin_dir: None,
        path_env: args.path.clone(),
        durable: false,
        max_connections: 40,
    })
    .await?;
    let (binary, parent, url) = (args.binary.clone(), args.parent.clone(), postgres.url());
    let start = move || Server::start_with(&binary, &parent, &[("DATABASE_URL", url.as_str())]);
    let server = tokio::task::spawn_blocking(start).await??;
    let client = Client::new();
    for batch in 0..args.steps.div_ceil(BATCH) {
        let steps: Vec<Value> = (batch * BATCH..(batch + 1) * BATCH).map(step).collect();
        let answer = client
            .post(format!("{}/ingest/batch", server.origin))
            .json(&json!({ "steps": steps }))
            .send()
            .await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        ensure!(answer["stored"] == BATCH, "a batch was answered {answer}");
    }
    tokio::task::spawn_blocking(move || drop(server)).await?;
    postgres.query("vacuum").await?;
    let conditions = postgres
        .query("select count(*)::text from step_conditions")
        .await?;
    let conditions: f64 = conditions[0][0].as_deref().context("no count")?.parse()?;
    let steps = (args.steps.div_ceil(BATCH) * BATCH) as f64;

    println!("| table | rows | indexes | together |");
    println!("|---|---|---|---|");
    let mut a_step = 0.0;
    for row in postgres.query(SIZES).await? {
        let [Some(table), Some(rows), Some(indexes)] = row.as_slice() else {
            anyhow::bail!("a row of sizes is {row:?}");
        };
        let is_condition = table == "step_conditions";
        let of = if is_condition { conditions } else { steps };
        let (rows, indexes) = (rows.parse::<f64>()? / of, indexes.parse::<f64>()? / of);
        if is_condition {
            println!("| **a step** | | | **{a_step:.0} B** |");
            println!(
                "| a condition | {rows:.0} B | {indexes:.0} B | {:.0} B |",
                rows + indexes
            );
        } else {
            a_step += rows + indexes;
            println!(
                "| `{table}` | {rows:.0} B | {indexes:.0} B | {:.0} B |",
                rows + indexes
            );
        }
    }
    println!();
    println!(
        "{steps:.0} steps in runs of {STEPS_EACH}, all ids UUIDs, one step in {FLAGGED} with a condition; prompts and outputs not counted."
    );
    postgres.stop().await?;
    Ok(())
}

/// A step as an SDK sends it.
fn step(n: u64) -> Value {
    let (run, part) = (n / STEPS_EACH, n % STEPS_EACH);
    let name = [
        "answer-question",
        "classify-intent",
        "retrieve-context",
        "fetch-orders",
        "draft-reply",
    ];
    let mut step = json!({
        "run_id": uuid(run), "step_id": uuid(1 << 40 | n), "step_name": name[part as usize % name.len()],
        "environment": "production", "release": "a1b2c3d4", "model": "claude-haiku-4-5-20251001",
        "prompt": "Answer yes or no: is this a refund request?", "output_code": "yes",
        "latency_ms": if n.is_multiple_of(FLAGGED) { -1.0 } else { 640.25 + (n % 977) as f64 },
    });
    let more = match part {
        0 => json!({ "kind": "agent" }),
        3 => json!({ "kind": "tool", "tool_name": "orders", "parent_step_id": uuid(1 << 40 | (n - part)) }),
        _ => json!({
            "kind": "llm", "provider": "anthropic", "stop_reason": "end_turn",
            "parent_step_id": uuid(1 << 40 | (n - part)), "input_tokens": 900 + n % 700, "output_tokens": 200 + n % 300,
            "ttft_ms": 180.5,
        }),
    };
    if let (Some(step), Value::Object(more)) = (step.as_object_mut(), more) {
        step.extend(more);
    }
    step
}

/// Something that looks like a UUID and lies anywhere among others.
fn uuid(n: u64) -> String {
    let high = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let low = high.rotate_left(29).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let text = format!("{high:016x}{low:016x}");
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}
