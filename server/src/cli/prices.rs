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
use crate::{clock, price_file, prices};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a file the list of shipped prices; a project's own prices stay
    ///
    /// The file is checked whole before anything is written. What was stored keeps its cost until `plumbline reprice`.
    Import {
        /// The file; its format is that of data/prices.json in the source
        file: PathBuf,
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
        Command::Import { file, json } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))
                .map_err(|cause| Exit::Usage(format!("{cause:#}")))?;
            let prices = price_file::parse(&text)
                .map_err(|cause| Exit::Usage(format!("{}: {cause}", file.display())))?;
            let replaced = with_database(config, async |db| {
                Ok(price_file::import(db, &prices, clock::now()).await?)
            })
            .await?;
            if json {
                output::json(&json!({
                    "version": prices.version, "prices": prices.prices.len(), "added": replaced.added,
                    "changed": replaced.changed, "removed": replaced.removed,
                }));
            } else {
                output::line(&format!("{}: {}", prices.version, in_words(replaced)));
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
