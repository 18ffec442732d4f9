//! How true the ledger is: `make bench-ledger`.
//!
//! Prints, for each usage object of `data/usage.json`, whether its buckets are right, unknown or wrong; how many shipped
//! prices there are; and for each rule how often it fires on ordinary answers.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

#[path = "../tests/corpus/ordinary.rs"]
mod ordinary;
#[path = "../tests/corpus/usage_rows.rs"]
mod usage_rows;

use std::collections::{BTreeMap, BTreeSet};

use engine::codes;
use engine::pricing::PriceFile;
use serde_json::json;

fn main() {
    let mut by_who: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut sources = BTreeSet::new();
    for row in usage_rows::rows() {
        let who = row.who.split([',', ' ']).next().unwrap_or_default().to_owned();
        sources.insert(row.source.clone());
        let found = usage_rows::judged(&row);
        let is_unknown = found.contains_key("unknown") || found.get("unpriced") == Some(&json!(true));
        let column = match (found == row.expect, is_unknown) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        };
        by_who.entry(who).or_default()[column] += 1;
    }
    println!(
        "{:<16} {:>6} {:>8} {:>6}",
        "usage of", "right", "unknown", "wrong"
    );
    let mut sum = [0; 3];
    for (who, counts) in &by_who {
        println!("{who:<16} {:>6} {:>8} {:>6}", counts[0], counts[1], counts[2]);
        sum = [0, 1, 2].map(|at| sum[at] + counts[at]);
    }
    println!("{:<16} {:>6} {:>8} {:>6}", "all", sum[0], sum[1], sum[2]);
    println!("by {} documents of those who send them", sources.len());

    let file: PriceFile = serde_json::from_str(include_str!("../../../data/prices.json")).unwrap();
    let usable = file.prices.iter().filter(|row| row.problem().is_none()).count();
    println!(
        "\nprices: edition {}, {} rows, {usable} usable",
        file.version,
        file.prices.len()
    );

    let alarms = ordinary::false_alarms();
    println!(
        "\nfalse alarms on {} ordinary answers in 14 languages",
        ordinary::ANSWERS
    );
    for code in codes::ALL
        .iter()
        .filter(|code| (2_000..5_000).contains(&code.code))
    {
        let times = alarms.get(&code.code).copied().unwrap_or(0);
        let share = times as f64 * 100.0 / ordinary::ANSWERS as f64;
        println!("{} {:<34} {times:>5} {share:>7.3} %", code.code, code.name);
    }
}
