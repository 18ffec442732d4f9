//! How fast records get to disk and back: `cargo run --release -p spool --example spool_bench [folder]`.
//!
//! Prints records per second for groups of 1, 100 and 1,000 records of 4 kB, each group waited for, then what
//! reading and acknowledging them in batches of 500 takes, and what a start with all of them takes.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spool::{Limits, Spool};

const RECORD_BYTES: usize = 4096;
const TIME: Duration = Duration::from_secs(2);
const MAX_RECORDS: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let base = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(format!("plumbline-spool-bench-{}", std::process::id()));
    println!("| records per group | appended/s | MB/s | ms per group | start, ms | drained/s |");
    println!("|---|---|---|---|---|---|");
    for group in [1, 100, 1000] {
        measure(&folder, group)?;
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn measure(folder: &std::path::Path, group: usize) -> Result<(), Box<dyn Error>> {
    let records: Vec<Vec<u8>> = (0..group)
        .map(|number| vec![number as u8; RECORD_BYTES])
        .collect();
    let mut spool = Spool::open(folder, Limits::default())?;
    let started = Instant::now();
    let mut appended = 0;
    while started.elapsed() < TIME && appended < MAX_RECORDS {
        spool.append(&records)?;
        appended += group;
    }
    let appending = started.elapsed().as_secs_f64();
    drop(spool);

    let started = Instant::now();
    let mut spool = Spool::open(folder, Limits::default())?;
    let starting = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let mut drained = 0;
    loop {
        let batch = spool.next_batch(500, 8 << 20)?;
        if batch.records.is_empty() {
            break;
        }
        drained += batch.records.len();
        spool.acknowledge(batch.end)?;
    }
    let draining = started.elapsed().as_secs_f64();
    assert_eq!(appended, drained);
    println!(
        "| {group} | {:.0} | {:.1} | {:.2} | {:.0} ({appended} records) | {:.0} |",
        appended as f64 / appending,
        (appended * RECORD_BYTES) as f64 / 1e6 / appending,
        appending * 1e3 * group as f64 / appended as f64,
        starting * 1e3,
        drained as f64 / draining,
    );
    Ok(())
}
