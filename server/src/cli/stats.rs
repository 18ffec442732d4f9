//! `plumbline stats`: what calls cost, took and failed, by key, model, step or environment.

use domain::series::{Bucket, MetricUnit, SeriesBy};
use domain::{NanoUsd, Timestamp};
use engine::series::text;

use super::Exit;
use super::output::{self, Cell, Column, Look, Tone};
use super::source::{Pairs, read, with_source};
use crate::api::stats::{Figures, Stats};
use crate::clock;
use crate::config::{Config, PrintFlags, SourceFlags};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// So many days before now, today included; days begin at midnight UTC
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// key, model, step, environment or template
    #[arg(long, default_value = "key", value_parser = parse_by)]
    by: SeriesBy,
    /// Only calls with the key of this label
    #[arg(long)]
    label: Option<String>,
    /// Only calls that this model answered
    #[arg(long)]
    model: Option<String>,
    /// Only this step, whether or not it calls a model
    #[arg(long)]
    step: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

pub(super) fn parse_by(word: &str) -> Result<SeriesBy, String> {
    SeriesBy::parse(word).ok_or_else(|| {
        let words: Vec<_> = SeriesBy::ALL.iter().map(|by| by.as_str()).collect();
        format!("must be one of {}", words.join(", "))
    })
}

/// The last so many days of UTC, today included, as a window.
pub(super) fn last_days(days: u32, now: Timestamp) -> (Timestamp, Timestamp) {
    let to = Bucket::Day.start_of(now).plus_micros(Bucket::Day.micros());
    (to.plus_micros(-Bucket::Day.micros() * i64::from(days)), to)
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_source(config, &arguments.source, async |source| {
        let (from, to) = last_days(arguments.days, clock::now());
        let mut pairs: Pairs<'_> = vec![
            ("by", arguments.by.as_str().to_owned()),
            ("from", from.to_string()),
            ("to", to.to_string()),
        ];
        for (name, value) in [
            ("key", &arguments.label),
            ("model", &arguments.model),
            ("step", &arguments.step),
            ("environment", &arguments.environment),
        ] {
            pairs.extend(value.clone().map(|value| (name, value)));
        }
        let answer = source.value("/api/stats", &pairs).await?;
        if arguments.print.json {
            output::json(&answer);
            return Ok(());
        }
        let stats: Stats = read(answer)?;
        table(Look::of(&arguments.print), arguments.by, &stats)
    })
    .await
}

/// The columns but for the first.
pub(super) const FIGURES: [Column<'_>; 8] = [
    Column::number("CALLS"),
    Column::number("COST"),
    Column::number("COST/CALL").goes(1),
    Column::number("P50").goes(3),
    Column::number("P95"),
    Column::number("ERRORS"),
    Column::number("CACHE HIT").goes(4),
    Column::number("TOKENS").goes(2),
];

fn table(look: Look, by: SeriesBy, stats: &Stats) -> Result<(), Exit> {
    let head = match by {
        SeriesBy::Key => "KEY",
        SeriesBy::Model => "MODEL",
        SeriesBy::Step => "STEP",
        SeriesBy::Environment => "ENVIRONMENT",
        SeriesBy::Template => "TEMPLATE",
    };
    let columns: Vec<Column<'_>> = std::iter::once(Column::text(head).cut_to(12))
        .chain(FIGURES)
        .collect();
    let mut rows: Vec<Vec<Cell>> = stats
        .items
        .iter()
        .map(|item| row(item.of.name().unwrap_or("none"), &item.figures, Tone::Plain))
        .collect();
    rows.push(row("all", &stats.total, Tone::Strong));
    output::print_table(look, &columns, &rows)?;
    if stats.total.unpriced_calls > 0 {
        output::note(&format!(
            "{} without a known cost are not part of it; `plumbline prices list` shows which models have a price",
            domain::text::counted(stats.total.unpriced_calls, "call")
        ));
    }
    Ok(())
}

/// What calls did, in words.
pub(super) fn row(name: &str, figures: &Figures, tone: Tone) -> Vec<Cell> {
    let figures = words(figures);
    std::iter::once(name.to_owned())
        .chain(figures)
        .map(|text| Cell::new(text, tone))
        .collect()
}

/// In the order of [`FIGURES`]. A dash is unknown.
pub(super) fn words(figures: &Figures) -> [String; 8] {
    let known = |value: Option<f64>, unit: MetricUnit| {
        value.map_or_else(|| "-".to_owned(), |value| text(value, unit))
    };
    let money = |cost: Option<NanoUsd>| known(cost.map(|cost| cost.0 as f64), MetricUnit::NanoUsd);
    [
        text(figures.calls as f64, MetricUnit::Calls),
        money(figures.cost_nano_usd),
        money(figures.cost_per_call_nano_usd),
        known(figures.latency_p50_ms, MetricUnit::Ms),
        known(figures.latency_p95_ms, MetricUnit::Ms),
        known(figures.error_rate, MetricUnit::Share),
        known(figures.cache_hit_rate, MetricUnit::Share),
        known(
            figures.tokens.total().map(|tokens| tokens as f64),
            MetricUnit::Tokens,
        ),
    ]
}
