//! `plumbline report`: what some days cost and which deploy raised the bill, as text, Markdown or one HTML file.

mod markdown;
mod text;

use std::path::PathBuf;

use anyhow::Context as _;
use app::report::{Figure, MetricByKey, Report, Table};
use domain::series::Metric;
use domain::{Deploy, Timestamp};
use engine::rollout::RolloutEffect;
use serde_json::json;

use super::Exit;
use super::output::{self, Look};
use super::source::{Pairs, Source, with_source};
use super::{deploys, forecast, stats};
use crate::api::deploys::DeployAnswer;
use crate::api::series::SeriesAnswer;
use crate::api::stats::{Figures, Stats};
use crate::clock;
use crate::config::{Config, PrintFlags, SourceFlags};

const DAY_MICROS: i64 = 86_400_000_000;
/// The latest deploys whose before and after are compared, as on the overview.
const COMPARED: usize = 8;
/// Deploys that are marked in charts.
const MARKED: u32 = 200;
/// Rows of a table.
const ROWS: usize = 20;
/// What is drawn by key and day.
const DRAWN: [Metric; 4] = [
    Metric::Cost,
    Metric::CostPerCall,
    Metric::LatencyP95,
    Metric::ErrorRate,
];

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// For a message or a wiki.
    Markdown,
    /// One file with charts, for a browser or a printer.
    Html,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// So many days before now, today included; days begin at midnight UTC
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Only calls with the key of this label
    #[arg(long)]
    label: Option<String>,
    /// Write it into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let report = with_source(config, &arguments.source, async |source| {
        Box::pin(read(source, arguments)).await
    })
    .await?;
    if arguments.print.json {
        output::json(&as_json(&report));
        return Ok(());
    }
    let look = Look::of(&arguments.print);
    let written = match arguments.format {
        Format::Text if arguments.out.is_some() => text::text(
            &report,
            Look {
                colour: false,
                ..look
            },
        ),
        Format::Text => text::text(&report, look),
        Format::Markdown => markdown::markdown(&report),
        Format::Html => report.to_html(),
    };
    match &arguments.out {
        Some(path) => {
            std::fs::write(path, written).with_context(|| format!("cannot write {}", path.display()))?;
            output::note(&format!("{} written", path.display()));
        }
        None => output::write_line(written.trim_end())?,
    }
    Ok(())
}

async fn read(source: &Source, arguments: &Arguments) -> Result<Report, Exit> {
    let now = clock::now();
    let (from, to) = stats::last_days(arguments.days, now);
    let before_from = from.plus_micros(from.micros() - to.micros());
    let narrowed = |mut pairs: Pairs<'static>| {
        pairs.extend(arguments.label.clone().map(|label| ("key", label)));
        pairs
    };
    let window = |by: &'static str, from: Timestamp, to: Timestamp| {
        narrowed(vec![
            ("by", by.to_owned()),
            ("from", from.to_string()),
            ("to", to.to_string()),
        ])
    };
    let by_key: Stats = source.get("/api/stats", &window("key", from, to)).await?;
    let by_model: Stats = source.get("/api/stats", &window("model", from, to)).await?;
    let by_step: Stats = source.get("/api/stats", &window("step", from, to)).await?;
    let before: Stats = source
        .get("/api/stats", &window("key", before_from, from))
        .await?;
    let by_day = |metric: Metric, from: Timestamp, to: Timestamp| {
        let mut pairs = window("key", from, to);
        pairs.push(("metric", metric.as_str().to_owned()));
        pairs.push(("bucket", "1d".to_owned()));
        pairs
    };
    // Half a window of history is nothing to compare with: the project only began.
    let history: SeriesAnswer = source
        .get("/api/series", &by_day(Metric::Calls, before_from, from))
        .await?;
    let half = before_from.plus_micros((from.micros() - before_from.micros()) / 2);
    let is_comparable = history
        .series
        .iter()
        .flat_map(|one| &one.points)
        .any(|(at, ..)| *at <= half);
    let mut series = Vec::new();
    for metric in DRAWN {
        let answer: SeriesAnswer = source.get("/api/series", &by_day(metric, from, to)).await?;
        series.push(by_key_and_day(metric, &answer, &by_key));
    }
    let shipped = deploys::latest(source, from, MARKED).await?;
    Ok(Report {
        project: source.project().to_owned(),
        pages: source.pages(),
        from,
        to,
        made_at: now,
        key: arguments.label.clone(),
        figures: figures(&by_key.total, is_comparable.then_some(&before.total)),
        series,
        rollouts: rollouts(source, &shipped, arguments.label.as_deref()).await?,
        deploys: shipped,
        tables: vec![
            table("By key", "Key", &by_key),
            table("By model", "Model", &by_model),
            table("By step", "Step", &by_step),
        ],
        expected: forecast::sentences(source, arguments.label.as_deref()).await?,
    })
}

/// What the latest deploys that went live moved; of one key where only that is reported.
async fn rollouts(
    source: &Source,
    shipped: &[Deploy],
    key: Option<&str>,
) -> Result<Vec<(Deploy, RolloutEffect)>, Exit> {
    let mut rollouts = Vec::new();
    for deploy in shipped.iter().filter(|deploy| deploy.went_live()).take(COMPARED) {
        let answer: DeployAnswer = source.get(&deploys::path(&deploy.id), &Vec::new()).await?;
        let mut effect = answer.effect;
        if let Some(key) = key {
            effect.keys.retain(|part| part.key == key);
            effect.steps.retain(|part| part.key == key);
            effect.effects = effect
                .keys
                .first()
                .map(|part| part.effects.clone())
                .unwrap_or_default();
        }
        rollouts.push((answer.deploy, effect));
    }
    Ok(rollouts)
}

/// The metrics above the charts.
fn figures(now: &Figures, before: Option<&Figures>) -> Vec<Figure> {
    let value = |figures: &Figures, metric: Metric| match metric {
        Metric::Cost => figures.cost_nano_usd.map(|cost| cost.0 as f64),
        Metric::Calls => Some(figures.calls as f64),
        Metric::CostPerCall => figures.cost_per_call_nano_usd.map(|cost| cost.0 as f64),
        Metric::LatencyP50 => figures.latency_p50_ms,
        Metric::LatencyP95 => figures.latency_p95_ms,
        Metric::ErrorRate => figures.error_rate,
        Metric::AnomalyRate => figures.anomaly_rate,
        Metric::TtftP95 => figures.ttft_p95_ms,
        Metric::Tokens => figures.tokens.total().map(|tokens| tokens as f64),
        Metric::InputTokens => figures.tokens.input().map(|tokens| tokens as f64),
        Metric::OutputTokens => figures.tokens.output.map(|tokens| tokens as f64),
    };
    [
        Metric::Cost,
        Metric::Calls,
        Metric::CostPerCall,
        Metric::LatencyP50,
        Metric::LatencyP95,
        Metric::ErrorRate,
        Metric::Tokens,
        Metric::AnomalyRate,
    ]
    .map(|metric| Figure {
        metric,
        now: value(now, metric),
        before: before.and_then(|before| value(before, metric)),
    })
    .to_vec()
}

/// The values of each day, those of the most expensive key first.
fn by_key_and_day(metric: Metric, answer: &SeriesAnswer, by_key: &Stats) -> MetricByKey {
    let days = (answer.to.micros() - answer.from.micros()) / DAY_MICROS;
    let place = |name: &str| {
        let known = by_key.items.iter().position(|item| item.of.name() == Some(name));
        known.unwrap_or(usize::MAX)
    };
    let mut keys: Vec<(String, Vec<Option<f64>>)> = answer
        .series
        .iter()
        .map(|one| {
            let mut values = vec![None; usize::try_from(days).unwrap_or(0)];
            for (at, value, _) in &one.points {
                let day = (at.micros() - answer.from.micros()) / DAY_MICROS;
                if let Some(slot) = usize::try_from(day).ok().and_then(|day| values.get_mut(day)) {
                    *slot = value.map(|value| value.as_f64());
                }
            }
            (one.of.name().unwrap_or("none").to_owned(), values)
        })
        .collect();
    keys.sort_by_key(|(name, _)| place(name));
    MetricByKey { metric, keys }
}

fn table(title: &str, first: &str, stats: &Stats) -> Table {
    let head = [
        first,
        "Calls",
        "Cost",
        "Cost per call",
        "p50",
        "p95",
        "Errors",
        "Cache hit",
        "Tokens",
    ];
    let rows = stats.items.iter().take(ROWS).map(|item| {
        let name = item.of.name().unwrap_or("none").to_owned();
        std::iter::once(name).chain(stats::words(&item.figures)).collect()
    });
    Table {
        title: title.to_owned(),
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    let verdict = report.verdict();
    json!({
        "project": report.project, "from": report.from, "to": report.to, "key": report.key,
        "verdict": { "sentence": verdict.head, "reason": verdict.reason, "deploy_id": verdict.deploy_id },
        "figures": report.figures.iter().map(|figure| json!({
            "metric": figure.metric, "unit": figure.metric.unit(), "now": figure.now, "before": figure.before,
        })).collect::<Vec<_>>(),
        "deploys": report.rollouts.iter().map(|(deploy, moved)| {
            let mut item = json!(deploy);
            item["effects"] = json!(moved.effects);
            item
        }).collect::<Vec<_>>(),
        "expected": report.expected,
    })
}
