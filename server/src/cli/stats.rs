//! `plumbline stats`: what calls cost, took and failed, by key, model, step or environment.

use std::collections::BTreeMap;

use domain::series::{Bucket, Metric, SeriesBy, SeriesFilter};
use engine::series::Sums;
use serde_json::json;
use storage::series::Span;

use super::deploys::value;
use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::Config;

/// The columns.
const METRICS: [Metric; 7] = [
    Metric::Calls,
    Metric::Cost,
    Metric::CostPerCall,
    Metric::LatencyP50,
    Metric::LatencyP95,
    Metric::ErrorRate,
    Metric::Tokens,
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// So many days before now, today included; days begin at midnight UTC
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// key, model, step or environment
    #[arg(long, default_value = "key", value_parser = parse_by)]
    by: SeriesBy,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_by(word: &str) -> Result<SeriesBy, String> {
    SeriesBy::parse(word).ok_or_else(|| {
        let words: Vec<_> = SeriesBy::ALL.iter().map(|by| by.as_str()).collect();
        format!("must be one of {}", words.join(", "))
    })
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let mut snapshot = db.snapshot(project).await?;
        let to = Bucket::Day
            .start_of(clock::now())
            .plus_micros(Bucket::Day.micros());
        let span = Span {
            from: to.plus_micros(-Bucket::Day.micros() * i64::from(arguments.days)),
            to,
            bucket: Bucket::Day,
        };
        let filter = SeriesFilter::default();
        let by = Some(arguments.by);
        let found = storage::series::series(&mut snapshot, project, &filter, span, by, true).await?;
        let mut groups: BTreeMap<Option<String>, Sums> = BTreeMap::new();
        let mut all = Sums::default();
        for bucket in &found {
            groups
                .entry(bucket.group.clone())
                .or_default()
                .add_read(&bucket.sums);
            all.add_read(&bucket.sums);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|a, b| b.1.cost.cmp(&a.1.cost).then(b.1.calls.cmp(&a.1.calls)));
        if arguments.json {
            let figures = |sums: &Sums| {
                let pairs = METRICS.map(|metric| {
                    let name = format!("{}_{}", metric.as_str(), metric.unit().as_str());
                    let name = if metric == Metric::Calls {
                        "calls".to_owned()
                    } else {
                        name
                    };
                    (name, json!(sums.value(metric).0))
                });
                serde_json::Map::from_iter(pairs)
            };
            let items: Vec<_> = groups
                .iter()
                .map(|(name, sums)| {
                    let mut item = figures(sums);
                    item.insert(arguments.by.as_str().to_owned(), json!(name));
                    item
                })
                .collect();
            output::json(&json!({
                "from": span.from, "to": span.to, "total": figures(&all), "items": items, "next_cursor": null,
            }));
            return Ok(());
        }
        let row = |name: String, sums: &Sums| -> [String; 8] {
            let mut cells = METRICS
                .iter()
                .map(|metric| value(sums.value(*metric).0, metric.unit()));
            std::array::from_fn(|column| match column {
                0 => name.clone(),
                _ => cells.next().unwrap_or_default(),
            })
        };
        let mut rows: Vec<[String; 8]> = groups
            .into_iter()
            .map(|(name, sums)| row(name.unwrap_or_else(|| "none".to_owned()), &sums))
            .collect();
        rows.push(row("all".to_owned(), &all));
        let heading = arguments.by.as_str().to_uppercase();
        output::table(
            [
                heading.as_str(),
                "CALLS",
                "COST",
                "COST/CALL",
                "P50",
                "P95",
                "ERRORS",
                "TOKENS",
            ],
            &rows,
        );
        Ok(())
    })
    .await
}
