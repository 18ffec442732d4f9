//! How true the ledger is: `make bench-ledger`.
//!
//! Prints how many usage objects of `data/usage.json` are right, unknown or wrong, by provider and shape; how the shipped
//! prices compare with the lists they are made from (`data/compare.py` found that); and for each rule how often it fires
//! on ordinary answers. Ends with a failure where a figure misses its bar.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

#[path = "../tests/corpus/ordinary.rs"]
mod ordinary;
#[path = "../tests/corpus/usage_rows.rs"]
mod usage_rows;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use engine::codes;
use engine::pricing::PriceFile;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Of a hundred ordinary answers, in how many a rule may be wrong.
const MAX_FALSE_ALARMS_PERCENT: f64 = 0.5;

fn main() -> ExitCode {
    let wrong = print_usage();
    let unexplained = print_prices();
    let noisy = print_false_alarms();
    println!(
        "\nbars: wrong usage {wrong} (0), prices without a reason {unexplained} (0), rules at or above \
         {MAX_FALSE_ALARMS_PERCENT} % of false alarms {noisy} (0)"
    );
    match wrong + unexplained + noisy {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Providers by shapes; how many are wrong.
fn print_usage() -> usize {
    let mut by_shape: BTreeMap<(String, &'static str), [usize; 3]> = BTreeMap::new();
    let mut sources = BTreeSet::new();
    for row in usage_rows::rows() {
        let who = row.who.split(',').next().unwrap_or_default().to_owned();
        sources.insert(row.source.clone());
        let found = usage_rows::judged(&row);
        let is_unknown = found.contains_key("unknown") || found.get("unpriced") == Some(&json!(true));
        let column = match (found == row.expect, is_unknown) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        };
        by_shape.entry((who, shape_of(&row.expect))).or_default()[column] += 1;
    }
    println!(
        "{:<38} {:<24} {:>6} {:>8} {:>6}",
        "usage of", "shape", "right", "unknown", "wrong"
    );
    let mut sum = [0; 3];
    for ((who, shape), counts) in &by_shape {
        println!(
            "{who:<38} {shape:<24} {:>6} {:>8} {:>6}",
            counts[0], counts[1], counts[2]
        );
        sum = [0, 1, 2].map(|at| sum[at] + counts[at]);
    }
    println!(
        "{:<38} {:<24} {:>6} {:>8} {:>6}",
        "all", "", sum[0], sum[1], sum[2]
    );
    println!(
        "by {} documents and recordings of those who send them",
        sources.len()
    );
    sum[2]
}

/// What is peculiar about a usage object, by what it has to give.
fn shape_of(expect: &Map<String, Value>) -> &'static str {
    let has = |names: &[&str]| {
        names
            .iter()
            .any(|name| expect.get(*name).is_some_and(|value| value != &json!(0)))
    };
    if has(&["unknown", "unpriced"]) {
        "not priced by the token"
    } else if has(&["input_audio", "output_audio", "cache_read_audio"]) {
        "sound"
    } else if has(&["input_image", "output_image", "input_video"]) {
        "pictures"
    } else if has(&["web_searches", "citations", "search_context"]) {
        "searches"
    } else if has(&["geography", "service_tier"]) {
        "tier or place"
    } else if has(&["reported_nano_usd"]) {
        "its own cost"
    } else if has(&["cache_write", "cache_write_1h"]) {
        "cache written"
    } else if has(&["cache_read"]) {
        "cache read"
    } else if has(&["reasoning"]) {
        "reasoning"
    } else {
        "plain"
    }
}

/// What `data/compare.py` found; how many differences nobody has explained.
fn print_prices() -> usize {
    let file: PriceFile = serde_json::from_str(include_str!("../../../data/prices.json")).unwrap();
    let usable = file.prices.iter().filter(|row| row.problem().is_none()).count();
    println!(
        "\nprices: edition {}, {} rows, {usable} usable",
        file.version,
        file.prices.len()
    );
    let compared: Comparison = serde_json::from_str(include_str!("../../../data/comparison.json")).unwrap();
    if (&compared.version, compared.rows) != (&file.version, file.prices.len()) {
        println!(
            "data/comparison.json is of edition {}: run data/compare.py",
            compared.version
        );
        return file.prices.len();
    }
    println!(
        "{:<16} {:>6} {:>6} {:>6} {:>10} {:>12}",
        "compared with", "rows", "rates", "equal", "explained", "unexplained"
    );
    for list in &compared.lists {
        println!(
            "{:<16} {:>6} {:>6} {:>6} {:>10} {:>12}",
            list.list, list.rows, list.rates, list.equal, list.explained, list.unexplained
        );
    }
    for reason in &compared.reasons {
        println!("{:>6} rates: {}", reason.rates, reason.why);
    }
    for reason in &compared.rows_without_comparison {
        println!("{:>6} rows in neither list: {}", reason.rows, reason.why);
    }
    let alone = compared
        .rows_without_comparison
        .iter()
        .filter(|reason| reason.why == "UNEXPLAINED");
    compared.lists.iter().map(|list| list.unexplained).sum::<usize>()
        + alone.map(|reason| reason.rows).sum::<usize>()
}

/// How often each rule fires where nothing is wrong; how many rules do so too often.
fn print_false_alarms() -> usize {
    let alarms = ordinary::false_alarms();
    println!(
        "\nfalse alarms on {} ordinary answers in 14 languages",
        ordinary::ANSWERS
    );
    let mut noisy = 0;
    for code in codes::ALL
        .iter()
        .filter(|code| (2_000..5_000).contains(&code.code))
    {
        let times = alarms.get(&code.code).copied().unwrap_or(0);
        let share = times as f64 * 100.0 / ordinary::ANSWERS as f64;
        noisy += usize::from(share >= MAX_FALSE_ALARMS_PERCENT);
        println!("{} {:<34} {times:>5} {share:>7.3} %", code.code, code.name);
    }
    noisy
}

/// What `data/compare.py` writes.
#[derive(Deserialize)]
struct Comparison {
    version: String,
    rows: usize,
    lists: Vec<Compared>,
    reasons: Vec<Reason>,
    rows_without_comparison: Vec<Alone>,
}

#[derive(Deserialize)]
struct Compared {
    list: String,
    rows: usize,
    rates: usize,
    equal: usize,
    explained: usize,
    unexplained: usize,
}

#[derive(Deserialize)]
struct Reason {
    why: String,
    rates: usize,
}

#[derive(Deserialize)]
struct Alone {
    why: String,
    rows: usize,
}
