//! `plumbline export`: runs, steps or a series of a range, as JSON lines or CSV, a page at a time.

mod series;
pub(super) mod sink;
mod steps;

use std::path::PathBuf;

use domain::series::{Bucket, Metric, SeriesBy};
use serde_json::Value;

use super::source::{Pairs, Source, read, with_source};
use super::{Exit, output, runs};
use crate::api::csv::field;
use crate::api::runs::Run;
use crate::clock;
use crate::config::{Config, SourceFlags};
use sink::Sink;

/// How many runs lie between two remarks on how far it is.
const REMARK_EVERY: u64 = 5_000;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A line for each run.
    Runs,
    /// A line for each step; as JSON with its texts, as `/ingest` takes it.
    Steps,
    /// A line for each value of a metric over time.
    Series,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(value_enum)]
    what: What,
    /// CSV for spreadsheets instead of JSON lines
    #[arg(long)]
    csv: bool,
    /// Write into this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Steps without prompts, outputs, attributes and events
    #[arg(long)]
    without_texts: bool,
    /// Of a series: what is measured
    #[arg(long, default_value = "cost", value_parser = parse_metric)]
    metric: Metric,
    /// Of a series: by key, model, step or environment [default: all calls together]
    #[arg(long, value_parser = super::stats::parse_by)]
    by: Option<SeriesBy>,
    /// Of a series: 1h or 1d
    #[arg(long, default_value = "1d", value_parser = parse_bucket)]
    bucket: Bucket,
    #[command(flatten)]
    filter: runs::FilterFlags,
    #[command(flatten)]
    source: SourceFlags,
}

fn parse_metric(word: &str) -> Result<Metric, String> {
    Metric::parse(word).ok_or_else(|| {
        let words: Vec<_> = Metric::ALL.iter().map(|metric| metric.as_str()).collect();
        format!("must be one of {}", words.join(", "))
    })
}

fn parse_bucket(word: &str) -> Result<Bucket, String> {
    match Bucket::parse(word) {
        Some(bucket @ (Bucket::Hour | Bucket::Day)) => Ok(bucket),
        _ => Err("must be 1h or 1d".to_owned()),
    }
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let filter = arguments.filter.pairs()?;
    if arguments.csv && arguments.without_texts {
        return Err(Exit::Usage(
            "CSV of steps has no texts; leave --without-texts out".to_owned(),
        ));
    }
    with_source(config, &arguments.source, async |source| {
        let mut sink = Sink::open(arguments.out.as_deref())?;
        match arguments.what {
            What::Runs => Box::pin(export_runs(source, filter, arguments.csv, &mut sink)).await?,
            What::Steps => {
                let form = match (arguments.csv, arguments.without_texts) {
                    (true, _) => steps::Form::Csv,
                    (false, true) => steps::Form::Figures,
                    (false, false) => steps::Form::Ingest,
                };
                Box::pin(steps::export(source, filter, form, &mut sink)).await?;
            }
            What::Series => {
                let asked = series::Asked {
                    metric: arguments.metric,
                    by: arguments.by,
                    bucket: arguments.bucket,
                };
                series::export(source, &filter, &asked, arguments.csv, &mut sink).await?;
            }
        }
        sink.finish()
    })
    .await
}

/// The pages of runs, newest first; those that come in meanwhile are not among them.
struct Pages {
    filter: Pairs<'static>,
    cursor: Option<String>,
    is_last: bool,
    count: u64,
}

impl Pages {
    fn new(mut filter: Pairs<'static>) -> Self {
        let has_end = filter.iter().any(|(name, _)| matches!(*name, "range" | "to"));
        if !has_end {
            filter.push(("to", clock::now().to_string()));
        }
        Self {
            filter,
            cursor: None,
            is_last: false,
            count: 0,
        }
    }

    /// The next page; `None` after the last.
    async fn next(&mut self, source: &Source) -> Result<Option<Vec<Value>>, Exit> {
        if self.is_last {
            return Ok(None);
        }
        let (items, next) = runs::page(source, &self.filter, self.cursor.take(), runs::PAGE).await?;
        self.is_last = next.is_none();
        self.cursor = next;
        let before = self.count / REMARK_EVERY;
        self.count += items.len() as u64;
        if self.count / REMARK_EVERY > before {
            output::note(&format!("{} runs", domain::text::grouped(self.count)));
        }
        Ok(Some(items))
    }
}

async fn export_runs(
    source: &Source,
    filter: Pairs<'static>,
    is_csv: bool,
    sink: &mut Sink,
) -> Result<(), Exit> {
    if is_csv {
        sink.line(
            "run_id,name,status,severity,started_at,ended_at,latency_ms,key,environment,release,session_id,user_id,\
             models,step_count,error_count,input_tokens,output_tokens,cost_usd,unpriced_steps,score_max,problem",
        )?;
    }
    let mut pages = Pages::new(filter);
    while let Some(items) = pages.next(source).await? {
        for item in items {
            if is_csv {
                sink.line(&csv_of_run(&read(item)?))?;
            } else {
                sink.line(&item.to_string())?;
            }
        }
    }
    Ok(())
}

fn csv_of_run(run: &Run) -> String {
    let text = |text: &Option<String>| field(text.as_deref().unwrap_or_default());
    [
        field(&run.run_id),
        field(&run.name),
        run.status.as_str().to_owned(),
        run.severity.as_str().to_owned(),
        run.started_at.to_string(),
        run.ended_at.to_string(),
        run.latency_ms.to_string(),
        field(&run.key),
        text(&run.environment),
        text(&run.release),
        text(&run.session_id),
        text(&run.user_id),
        field(&run.models.join(" ")),
        run.step_count.to_string(),
        run.error_count.to_string(),
        known(run.tokens.input()),
        known(run.tokens.output),
        run.cost_usd.clone().unwrap_or_default(),
        run.unpriced_steps.to_string(),
        known(run.score_max),
        field(run.problem.as_ref().map_or("", |problem| problem.text.as_str())),
    ]
    .join(",")
}

/// Unknown is empty, never 0.
fn known(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
