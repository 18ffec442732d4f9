//! The prices that Plumbline ships with, and imported price files. Read whole and checked before
//! anything is written: a file with one bad row changes nothing.

pub mod changes;

use std::collections::HashSet;

use domain::Timestamp;
use engine::pricing::{MAX_REGEX_ROWS, ModelMatch, PriceFile, PriceRow};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::prices::{
    OWN_PREFIX, Replaced, StoredPrice, edition, every_shipped, model_days, replace_shipped,
};

use self::changes::{AffectedModel, ChangedRow, affected_models, changed_rows};
use crate::prices::row_of;

/// The list of this binary, described in `data/README.md`.
const SHIPPED: &str = include_str!("../../data/prices.json");

/// Why a file of prices can't be used, in a sentence that names the row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPriceFile(String);

/// Reads and checks a file of prices.
pub fn parse(text: &str) -> Result<PriceFile, InvalidPriceFile> {
    #[derive(Deserialize)]
    struct Raw<'a> {
        version: String,
        #[serde(borrow)]
        prices: Vec<&'a serde_json::value::RawValue>,
    }
    let raw: Raw<'_> = serde_json::from_str(text)
        .map_err(|cause| InvalidPriceFile(format!("This is not a price file: {cause}")))?;
    if raw.version.trim().is_empty() {
        return Err(InvalidPriceFile("The file has no version".to_owned()));
    }
    let mut file = PriceFile {
        version: raw.version,
        prices: Vec::with_capacity(raw.prices.len()),
    };
    let (mut ids, mut places) = (HashSet::new(), HashSet::new());
    let mut regex_rows = 0;
    for (at, row) in raw.prices.iter().enumerate() {
        // One row at a time, so that the one that is wrong can be named.
        let row: PriceRow = serde_json::from_str(row.get())
            .map_err(|cause| InvalidPriceFile(format!("Row {} can't be read: {cause}", at + 1)))?;
        let place = (
            row.provider.to_lowercase(),
            row.model_match.as_str(),
            row.model.to_lowercase(),
            row.valid_from,
        );
        regex_rows += usize::from(row.model_match == ModelMatch::Regex);
        let problem = if regex_rows > MAX_REGEX_ROWS {
            Some(format!(
                "At most {MAX_REGEX_ROWS} rows can have a regular expression"
            ))
        } else if row.price_id.trim().is_empty() {
            Some("It has no price_id".to_owned())
        } else if row.price_id.starts_with(OWN_PREFIX) {
            Some(format!(
                "A price_id that begins with {OWN_PREFIX} is a project's own"
            ))
        } else if row.provider.trim().is_empty() {
            Some("It has no provider".to_owned())
        } else if row.source.trim().is_empty() {
            Some("It has no source".to_owned())
        } else if !ids.insert(row.price_id.clone()) {
            Some("Its price_id occurs twice".to_owned())
        } else if !places.insert(place) {
            Some("There is another row for the same provider, model and moment".to_owned())
        } else {
            row.problem()
        };
        if let Some(problem) = problem {
            return Err(InvalidPriceFile(format!(
                "Row {} ({}): {problem}",
                at + 1,
                row.price_id
            )));
        }
        file.prices.push(row);
    }
    if file.prices.is_empty() {
        return Err(InvalidPriceFile("The file has no prices".to_owned()));
    }
    Ok(file)
}

/// Stores the list of this binary when the stored one is older. One small read when it is not.
pub async fn load_shipped(db: &Db, now: Timestamp) -> anyhow::Result<Option<Replaced>> {
    #[derive(Deserialize)]
    struct Head {
        version: String,
    }
    let head: Head = serde_json::from_str(SHIPPED)?;
    if edition(db).await?.is_some_and(|stored| stored >= head.version) {
        return Ok(None);
    }
    let file = parse(SHIPPED)?;
    let replaced = replace_shipped(db, &file.version, &stored(&file)?, true, now).await?;
    if let Some(Replaced {
        added,
        changed,
        removed,
    }) = replaced
    {
        tracing::info!(
            version = file.version,
            added,
            changed,
            removed,
            "shipped prices loaded"
        );
    }
    Ok(replaced)
}

/// Makes a file the shipped prices, whatever its version.
pub async fn import(db: &Db, file: &PriceFile, now: Timestamp) -> anyhow::Result<Replaced> {
    let replaced = replace_shipped(db, &file.version, &stored(file)?, false, now).await?;
    Ok(replaced.unwrap_or_default())
}

/// What another list of prices would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Rows that differ.
    pub rows: Vec<ChangedRow>,
    /// Models whose recorded calls re-pricing may price otherwise.
    pub history: Vec<AffectedModel>,
}

/// What a file would change of the stored list, and of which calls of the past. Writes nothing.
pub async fn report(db: &Db, file: &PriceFile) -> storage::Result<Report> {
    let mut snapshot = db.snapshot_of_everything().await?;
    let before: Vec<_> = every_shipped(&mut snapshot)
        .await?
        .into_iter()
        .filter_map(row_of)
        .collect();
    let days = model_days(&mut snapshot).await?;
    drop(snapshot);
    Ok(Report {
        rows: changed_rows(&before, &file.prices),
        history: affected_models(before, file.prices.clone(), &days),
    })
}

fn stored(file: &PriceFile) -> Result<Vec<StoredPrice>, serde_json::Error> {
    file.prices
        .iter()
        .map(|row| {
            Ok(StoredPrice {
                price_id: row.price_id.clone(),
                project_own: false,
                provider: row.provider.clone(),
                model_match: ModelMatch::as_str(row.model_match).to_owned(),
                model: row.model.clone(),
                valid_from: row.valid_from,
                rates: serde_json::to_value(&row.rates)?,
                context_window: row.context_window,
                source: row.source.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
