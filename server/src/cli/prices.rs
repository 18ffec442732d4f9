//! `plumbline prices`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use domain::{NanoUsd, Timestamp};
use engine::pricing::{PriceRow, PriceTable};
use serde_json::json;
use storage::Db;
use storage::prices::Replaced;

use super::{Exit, output, project, with_database};
use crate::config::Config;
use crate::price_file::Report;
use crate::price_file::changes::{Change, ChangedRow};
use crate::{clock, price_file, prices};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a file the list of shipped prices; a project's own prices stay
    ///
    /// The file is checked whole before anything is written. Says which rows differ from those before, and the calls of
    /// which models may cost something else by them. What was stored keeps its cost until `plumbline reprice`.
    Import {
        /// The file; its format is that of data/prices.json in the source
        file: PathBuf,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List prices in dollars per million tokens
    List {
        /// Only those whose model contains this, or that would be used for a model of this name
        #[arg(long)]
        model: Option<String>,
        /// Slug of the project whose own prices are listed too [default: default]
        #[arg(long)]
        project: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    match command {
        Command::Import { file, dry_run, json } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))
                .map_err(|cause| Exit::Usage(format!("{cause:#}")))?;
            let prices = price_file::parse(&text)
                .map_err(|cause| Exit::Usage(format!("{}: {cause}", file.display())))?;
            let (report, replaced) = with_database(config, async |db| {
                // Every day of every project is read: no page waits for it.
                let patient = db.with_read_timeout(std::time::Duration::from_secs(600));
                let report = price_file::report(&patient, &prices).await?;
                let replaced = match dry_run {
                    true => None,
                    false => Some(price_file::import(db, &prices, clock::now()).await?),
                };
                Ok((report, replaced))
            })
            .await?;
            if json {
                let count = |change| report.rows.iter().filter(|row| row.change == change).count();
                output::json(&json!({
                    "version": prices.version, "prices": prices.prices.len(), "dry_run": dry_run,
                    "added": count(Change::Added), "changed": count(Change::Changed), "removed": count(Change::Removed),
                    "rows": report.rows, "history": report.history,
                }));
            } else {
                print_report(&prices.version, &report, replaced);
            }
            Ok(())
        }
        Command::List {
            model,
            project: slug,
            json,
        } => {
            with_database(config, async |db| {
                let project = project(db, slug.as_deref()).await?;
                price_file::load_shipped(db, clock::now()).await?;
                let rows = rows(db, project.id, model.as_deref()).await?;
                print(&rows, json);
                Ok(())
            })
            .await
        }
    }
}

/// Rows of each kind that are told one by one.
const ROWS_TOLD: usize = 40;

/// What an import changed, or would change.
fn print_report(version: &str, report: &Report, replaced: Option<Replaced>) {
    match replaced {
        Some(replaced) => output::line(&format!("{version}: {}", in_words(replaced))),
        None => output::line(&format!("{version}: nothing is changed, this is what would be")),
    }
    for (change, word) in [
        (Change::Changed, "changed"),
        (Change::Added, "added"),
        (Change::Removed, "removed"),
    ] {
        let rows: Vec<&ChangedRow> = report.rows.iter().filter(|row| row.change == change).collect();
        for row in rows.iter().take(ROWS_TOLD) {
            output::line(&format!("{word} {}: {}", row.price_id, fields_in_words(row)));
        }
        if rows.len() > ROWS_TOLD {
            output::line(&format!(
                "{word}: and {} more; --json has all",
                rows.len() - ROWS_TOLD
            ));
        }
    }
    if report.history.is_empty() {
        output::line("No recorded call is of a model whose price is another.");
        return;
    }
    let calls: i64 = report
        .history
        .iter()
        .fold(0, |sum, model| sum.saturating_add(model.calls));
    output::line(&format!(
        "{} may cost something else; `plumbline reprice --dry-run` says what, once the list is imported:",
        domain::text::counted(calls, "recorded call")
    ));
    let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
    let rows: Vec<[String; 5]> = report
        .history
        .iter()
        .map(|model| {
            [
                model.model.clone(),
                domain::text::grouped(model.calls.unsigned_abs()),
                model
                    .cost_nano_usd
                    .map_or_else(|| "unknown".to_owned(), |cost| format!("${}", cost.to_decimal())),
                day(model.first_day),
                day(model.last_day),
            ]
        })
        .collect();
    output::table(["MODEL", "CALLS", "COST NOW", "FIRST DAY", "LAST DAY"], &rows);
}

/// `output $15 → $10`; whatever is no rate as it stands.
fn fields_in_words(row: &ChangedRow) -> String {
    let in_words = |name: &str, value: Option<&serde_json::Value>| match value {
        None => "—".to_owned(),
        Some(value) => match value.as_i64().filter(|_| is_money(name)) {
            Some(nano) => format!("${}", NanoUsd(nano).to_decimal()),
            None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        },
    };
    let told = row
        .fields
        .iter()
        .filter(|(name, _)| row.change == Change::Changed || is_money(name));
    let told: Vec<String> = told
        .map(|(name, values)| {
            let (before, after) = (
                in_words(name, values.before.as_ref()),
                in_words(name, values.after.as_ref()),
            );
            match row.change {
                Change::Changed => format!("{name} {before} → {after}"),
                Change::Added => format!("{name} {after}"),
                Change::Removed => format!("{name} {before}"),
            }
        })
        .collect();
    told.join(", ")
}

/// Whether what stands at a path of a row is an amount.
fn is_money(path: &str) -> bool {
    const OTHER: &[&str] = &[
        "above_input_tokens",
        "permille",
        "from_minute",
        "to_minute",
        "context_window",
        "weekdays_only",
        "is_unknown",
        "provider",
        "model",
        "model_match",
        "valid_from",
    ];
    let last = path.rsplit('.').next().unwrap_or_default();
    !OTHER.contains(&last) && !path.starts_with("geographies.")
}

/// What became of the rows, for people.
pub(super) fn in_words(replaced: Replaced) -> String {
    let Replaced {
        added,
        changed,
        removed,
    } = replaced;
    format!("{added} added, {changed} changed, {removed} removed")
}

async fn rows(db: &Db, project: domain::ProjectId, model: Option<&str>) -> Result<Vec<PriceRow>, Exit> {
    let stored = storage::prices::of_project(&mut db.snapshot(project).await?, project).await?;
    let mut rows: Vec<PriceRow> = stored.into_iter().filter_map(prices::row_of).collect();
    if let Some(model) = model {
        let part = model.to_lowercase();
        rows.retain(|row| row.model.to_lowercase().contains(&part) || is_for(row, model));
    }
    rows.sort_by(|a, b| {
        let key = |row: &PriceRow| (row.provider.clone(), row.model.clone(), row.valid_from);
        key(a).cmp(&key(b))
    });
    Ok(rows)
}

fn is_for(row: &PriceRow, model: &str) -> bool {
    let end_of_time = Timestamp::from_micros(i64::MAX);
    PriceTable::new(vec![row.clone()])
        .find(Some(&row.provider), model, end_of_time)
        .is_some()
}

fn print(rows: &[PriceRow], as_json: bool) {
    if as_json {
        output::json(&json!({ "items": rows, "next_cursor": null }));
        return;
    }
    let rows: Vec<_> = rows.iter().map(row).collect();
    output::table(
        [
            "PROVIDER",
            "MODEL",
            "MATCH",
            "FROM",
            "INPUT",
            "OUTPUT",
            "CACHE READ",
            "CACHE WRITE",
            "ID",
        ],
        &rows,
    );
}

fn row(row: &PriceRow) -> [String; 9] {
    let rate = |rate: Option<i64>| rate.map_or_else(|| "—".to_owned(), |nano| NanoUsd(nano).to_decimal());
    let tokens = row.rates.tokens;
    let day = row.valid_from.to_string();
    [
        row.provider.clone(),
        row.model.clone(),
        row.model_match.as_str().to_owned(),
        day.split('T').next().unwrap_or_default().to_owned(),
        rate(tokens.input),
        rate(tokens.output),
        rate(tokens.cache_read),
        rate(tokens.cache_write_5m),
        row.price_id.clone(),
    ]
}
