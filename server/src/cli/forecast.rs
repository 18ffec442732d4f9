//! `plumbline forecast`: how the month ends, and when budgets are used up.

use domain::{NanoUsd, Timestamp};

use super::Exit;
use super::output::{self, Cell, Column, Look, Tone};
use super::source::{Pairs, Source, read, with_source};
use crate::api::forecast::{ForecastAnswer, ForecastItem, MonthEndAnswer};
use crate::config::{Config, PrintFlags, SourceFlags};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only calls with the key of this label
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    print: PrintFlags,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_source(config, &arguments.source, async |source| {
        let pairs = arguments.label.clone().map(|label| ("key", label));
        let pairs: Pairs<'_> = pairs.into_iter().collect();
        let answer = source.value("/api/forecast", &pairs).await?;
        if arguments.print.json {
            output::json(&answer);
            return Ok(());
        }
        let forecast: ForecastAnswer = read(answer)?;
        let Some(first) = forecast.items.first() else {
            let whose = arguments.label.as_deref().unwrap_or("the project");
            output::note(&format!("{whose} spent nothing in the last 28 days"));
            return Ok(());
        };
        let look = Look::of(&arguments.print);
        let width = look.width.unwrap_or(usize::MAX);
        for line in first
            .sentences
            .iter()
            .flat_map(|sentence| output::wrapped(sentence, width))
        {
            output::write_line(&line)?;
        }
        output::write_line("")?;
        let rows: Vec<Vec<Cell>> = forecast.items.iter().map(row).collect();
        output::print_table(look, &COLUMNS, &rows)?;
        Ok(())
    })
    .await
}

/// What is expected of the month, of the whole project or of one key, a sentence each.
pub(super) async fn sentences(source: &Source, label: Option<&str>) -> Result<Vec<String>, Exit> {
    let pairs = label.map(|label| ("key", label.to_owned()));
    let pairs: Pairs<'_> = pairs.into_iter().collect();
    let forecast: ForecastAnswer = source.get("/api/forecast", &pairs).await?;
    let first = forecast.items.into_iter().next();
    Ok(first.map(|first| first.sentences).unwrap_or_default())
}

const COLUMNS: [Column<'_>; 8] = [
    Column::text("KEY").cut_to(10),
    Column::number("SPENT"),
    Column::number("MONTH END"),
    Column::number("LOW").goes(2),
    Column::number("HIGH").goes(1),
    Column::number("WITHOUT LAST DEPLOY").goes(4),
    Column::number("BUDGET").goes(3),
    Column::text("USED UP ON"),
];

fn row(item: &ForecastItem) -> Vec<Cell> {
    let end = |of: fn(&MonthEndAnswer) -> NanoUsd| {
        let end = item.month_end.as_ref();
        end.map_or_else(|| "-".to_owned(), |end| of(end).to_short())
    };
    let without = item.without_deploy.as_ref();
    let without = without.map(|without| without.month_end.expected_nano_usd.to_short());
    let budget = item.budget.as_ref();
    let (used_up, tone) = match budget {
        None => (String::new(), Tone::Plain),
        Some(budget) if budget.is_used_up => ("used up".to_owned(), Tone::Bad),
        Some(budget) => match (budget.used_up_on, budget.used_up_earliest) {
            (Some(on), _) => (date(on), Tone::Bad),
            (None, Some(earliest)) => (format!("perhaps {}", date(earliest)), Tone::Warning),
            (None, None) => ("outlasts it".to_owned(), Tone::Good),
        },
    };
    vec![
        match &item.key {
            Some(key) => Cell::from(key.as_str()),
            None => Cell::new("all", Tone::Strong),
        },
        item.spent_nano_usd.to_short().into(),
        Cell::new(end(|end| end.expected_nano_usd), Tone::Strong),
        end(|end| end.low_nano_usd).into(),
        end(|end| end.high_nano_usd).into(),
        without.unwrap_or_default().into(),
        budget
            .map(|budget| budget.monthly_nano_usd.to_short())
            .unwrap_or_default()
            .into(),
        Cell::new(used_up, tone),
    ]
}

/// `2026-11-24`.
fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
