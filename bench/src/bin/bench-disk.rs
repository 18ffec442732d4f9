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
    and coalesce(parent.relname, c.relname) in ('steps', 'runs', 'run_keys', 'rollups', 'run_counts',
      'rollup_days', 'condition_days', 'release_hours', 'first_seen', 'ledger', 'step_conditions')
  group by coalesce(parent.relname, c.relname) order by coalesce(parent.relname, c.relname) = 'step_conditions', sum(pg_total_relation_size(c.oid)) desc";

/// Which ids clients send.
#[derive(Clone, Copy)]
enum Ids {
    /// UUIDs of version 7, which are in the order of time.
    Ordered,
    /// UUIDs that lie anywhere among others, of which an index keeps a third of its pages free.
    Random,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let ordered = measure_in_folder(&args, Ids::Ordered).await?;
    let random = measure_in_folder(&args, Ids::Random).await?;
    println!("| | rows | indexes | together | with random ids |");
    println!("|---|---|---|---|---|");
    for size in &ordered {
        let with_random = random.iter().find(|other| other.of == size.of);
        let with_random = with_random.context("a table is missing")?;
        println!(
            "| {} | {:.0} B | {:.0} B | {:.0} B | {:.0} B |",
            size.of,
            size.rows,
            size.indexes,
            size.rows + size.indexes,
            with_random.rows + with_random.indexes
        );
    }
    println!();
    println!(
        "{} steps in runs of {STEPS_EACH}, ids of runs and steps are UUIDs of version 7 or random ones, one step in {FLAGGED} with a condition; prompts and outputs not counted.",
        args.steps
    );
    Ok(())
}

async fn measure_in_folder(args: &Args, ids: Ids) -> anyhow::Result<Vec<Size>> {
    let folder =
        std::path::absolute(&args.parent)?.join(format!("plumbline-bench-disk-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(args, ids, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

/// Bytes of a step, or of a condition, in one table or several.
struct Size {
    of: String,
    rows: f64,
    indexes: f64,
}

/// The tables, the largest first, then all of them together, then a condition.
async fn measure(args: &Args, ids: Ids, folder: &std::path::Path) -> anyhow::Result<Vec<Size>> {
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
        let steps: Vec<Value> = (batch * BATCH..(batch + 1) * BATCH)
            .map(|n| step(n, ids))
            .collect();
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
    ensure!(
        (conditions * FLAGGED as f64 / steps - 1.0).abs() < 0.1,
        "{conditions} conditions of {steps} steps"
    );
    let mut sizes = Vec::new();
    let mut all = Size {
        of: "**a step**".to_owned(),
        rows: 0.0,
        indexes: 0.0,
    };
    let mut condition = None;
    for row in postgres.query(SIZES).await? {
        let [Some(table), Some(rows), Some(indexes)] = row.as_slice() else {
            anyhow::bail!("a row of sizes is {row:?}");
        };
        let (rows, indexes): (f64, f64) = (rows.parse()?, indexes.parse()?);
        if table == "step_conditions" {
            condition = Some(Size {
                of: "a condition".to_owned(),
                rows: rows / conditions,
                indexes: indexes / conditions,
            });
            continue;
        }
        let size = Size {
            of: format!("`{table}`"),
            rows: rows / steps,
            indexes: indexes / steps,
        };
        all.rows += size.rows;
        all.indexes += size.indexes;
        sizes.push(size);
    }
    sizes.push(all);
    sizes.extend(condition);
    postgres.stop().await?;
    Ok(sizes)
}

/// A step as an SDK sends it.
fn step(n: u64, ids: Ids) -> Value {
    let (run, part) = (n / STEPS_EACH, n % STEPS_EACH);
    let name = [
        "answer-question",
        "rewrite-question",
        "retrieve-context",
        "fetch-orders",
        "draft-reply",
    ];
    // A run begins before its first step.
    let run_id = uuid(run * STEPS_EACH, 0, ids);
    let step_id = |n| uuid(n, 1, ids);
    let mut step = json!({
        "run_id": run_id, "step_id": step_id(n), "step_name": name[part as usize % name.len()],
        "environment": "production", "release": "a1b2c3d4", "model": "claude-haiku-4-5-20251001",
        "prompt": format!("Write a short reply to the customer about order {n}."),
        "output_code": format!("Thank you for telling us about order {n}. The second keyboard leaves our warehouse today."),
        "latency_ms": if n.is_multiple_of(FLAGGED) { -1.0 } else { 640.25 + (n % 97) as f64 },
    });
    let more = match part {
        0 => json!({ "kind": "agent" }),
        3 => json!({ "kind": "tool", "tool_name": "orders", "parent_step_id": step_id(n - part) }),
        _ => json!({
            "kind": "llm", "provider": "anthropic", "stop_reason": "end_turn",
            "parent_step_id": step_id(n - part), "input_tokens": 400 + n % 300, "output_tokens": 20 + n % 9,
            "ttft_ms": 180.5,
        }),
    };
    if let (Some(step), Value::Object(more)) = (step.as_object_mut(), more) {
        step.extend(more);
    }
    step
}

/// A UUID: the nth of its kind, of two.
fn uuid(n: u64, kind: u64, ids: Ids) -> String {
    let random = (2 * n + kind + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let low = random.rotate_left(29).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let high = match ids {
        Ids::Random => random,
        // Milliseconds since 1970, the version, and the rest.
        Ids::Ordered => (0x019a_0000_0000 + n / 2) << 16 | 0x7000 | (random & 0xfff),
    };
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
