//! `doctor --recount`: counts every project again and compares what lists and series show with the steps themselves.

use anyhow::bail;
use serde::Serialize;
use storage::recount::recount;
use storage::{Db, projects};

use crate::cli::output;
use crate::clock;
use crate::config::Config;
use crate::database::Database;
use crate::pipeline::histograms_agree;

/// A project, counted again.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    project: String,
    steps: i64,
    runs: i64,
    /// Runs whose totals differ from their steps; at most 20 are named.
    wrong_runs: Vec<String>,
    /// Hours whose rollups differ from the steps that began in them; at most 20 are named.
    wrong_hours: Vec<String>,
}

impl Counted {
    pub(super) fn agrees(&self) -> bool {
        self.wrong_runs.is_empty() && self.wrong_hours.is_empty()
    }
}

/// Counts all projects. Where no database was made yet there is nothing to count.
pub(super) async fn all(config: &Config) -> anyhow::Result<Vec<Counted>> {
    if config.database_url.is_none() && !private_postgres::has_database(&config.data) {
        return Ok(Vec::new());
    }
    let database = Database::reach(config).await?;
    let counted = count(&database).await;
    database.stop().await?;
    counted
}

async fn count(database: &Database) -> anyhow::Result<Vec<Counted>> {
    let schema = storage::migration_state(&database.options()).await?;
    if schema.newer || schema.edited.is_some() || schema.applied < schema.known {
        bail!("a recount needs a database with exactly this version's schema; see the check `schema`");
    }
    let db = Db::connect_lazy(database.options(), 1);
    let counted = count_projects(&db).await;
    db.close().await;
    Ok(counted?)
}

async fn count_projects(db: &Db) -> storage::Result<Vec<Counted>> {
    let mut counted = Vec::new();
    for project in projects::list(db).await? {
        let found = recount(db, project.id, clock::now(), histograms_agree).await?;
        counted.push(Counted {
            project: project.slug,
            steps: found.steps,
            runs: found.runs,
            wrong_runs: found.wrong_runs,
            wrong_hours: found.wrong_hours,
        });
    }
    Ok(counted)
}

pub(super) fn print(counted: &[Counted]) {
    output::line("\nRecount");
    let rows: Vec<_> = counted.iter().map(row).collect();
    output::table(
        ["  project", "steps", "runs", "totals that differ from the steps"],
        &rows,
    );
}

fn row(counted: &Counted) -> [String; 4] {
    let wrong = [("run", &counted.wrong_runs), ("hour", &counted.wrong_hours)];
    let named: Vec<_> = wrong
        .iter()
        .flat_map(|(what, names)| names.iter().map(move |name| format!("{what} {name}")))
        .collect();
    [
        format!("  {}", counted.project),
        counted.steps.to_string(),
        counted.runs.to_string(),
        if named.is_empty() {
            "none".to_owned()
        } else {
            named.join(", ")
        },
    ]
}
