//! `plumbline migrate`: the schema of this version, or what it would take to get there.

use domain::text;
use serde_json::{Value, json};
use storage::{Db, MigrationPlan, PendingMigration, PlannedStatement, TableLock, Work};

use super::{Exit, output, prices};
use crate::clock;
use crate::config::Config;
use crate::database::{Database, refuse_unfit};
use crate::price_file;

/// How much of a statement is shown.
const SHOWN_CHARS: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only say what is pending, which tables it locks and who waits meanwhile
    #[arg(long)]
    plan: bool,
    /// Print the plan as JSON
    #[arg(long, requires = "plan")]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    if arguments.plan {
        return plan(config, arguments.json).await;
    }
    let (database, applied) = Database::migrate(config).await?;
    output::note(&match applied {
        0 => format!("{}: already up to date", database.description()),
        n => format!("{}: {n} migrations applied", database.description()),
    });
    let db = Db::connect_lazy(database.options(), 1);
    let loaded = price_file::load_shipped(&db, clock::now()).await;
    db.close().await;
    database.stop().await?;
    if let Some(prices) = loaded? {
        output::note(&format!("prices: {}", prices::in_words(prices)));
    }
    Ok(())
}

async fn plan(config: &Config, as_json: bool) -> Result<(), Exit> {
    if config.database_url.is_none() && !private_postgres::has_database(&config.data) {
        return Err(Exit::NotFound(
            "there is no database yet; the first start makes it with this version's schema".to_owned(),
        ));
    }
    let database = Database::reach(config).await?;
    let state = storage::migration_state(&database.options()).await;
    let plan = storage::migration_plan(&database.options()).await;
    let description = database.description();
    database.stop().await?;
    refuse_unfit(state?)?;
    let plan = plan?;
    if as_json {
        output::json(&in_json(&plan));
    } else {
        print(&plan, &description);
    }
    Ok(())
}

fn print(plan: &MigrationPlan, description: &str) {
    if plan.pending.is_empty() {
        output::line(&format!("{description}: nothing is pending"));
        return;
    }
    let count = i64::try_from(plan.pending.len()).unwrap_or(i64::MAX);
    output::line(&format!(
        "{description}: {} pending, nothing was changed. Locks are held to the end of their migration.",
        text::counted(count, "migration")
    ));
    for migration in &plan.pending {
        let alone = if migration.in_transaction {
            ""
        } else {
            " (each statement for itself)"
        };
        output::line(&format!(
            "\n{}  {}{alone}",
            migration.version, migration.description
        ));
        for statement in &migration.statements {
            output::line(&format!("  {}", beginning(&statement.sql)));
            for line in waits(statement, plan) {
                output::line(&format!("      {line}"));
            }
            if statement.sql.to_lowercase().contains(" on only ") {
                output::line(
                    "      after the last migration, concurrently, one partition at a time; locks are not held from one to the next",
                );
            }
        }
    }
}

/// What a statement asks of those who use the database meanwhile.
fn waits(statement: &PlannedStatement, plan: &MigrationPlan) -> Vec<String> {
    let Some(locks) = &statement.locks else {
        return vec!["its locks are not known: read it".to_owned()];
    };
    locks
        .iter()
        .map(|lock| match plan.table_bytes.get(&lock.table) {
            None => format!("{}: new, nobody uses it", lock.table),
            Some(bytes) => format!(
                "{}, {:.1} MiB: {} {} ({})",
                lock.table,
                *bytes as f64 / 1_048_576.0,
                lock.mode.who_waits(),
                lock.work.as_str(),
                lock.mode.as_str()
            ),
        })
        .collect()
}

/// The first words of a statement, in one line.
fn beginning(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_CHARS) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

fn in_json(plan: &MigrationPlan) -> Value {
    let lock = |lock: &TableLock| {
        json!({
            "table": lock.table,
            "table_bytes": plan.table_bytes.get(&lock.table),
            "mode": lock.mode.as_str(),
            "who_waits": lock.mode.who_waits(),
            "work": match lock.work {
                Work::Moment => "moment",
                Work::Rows => "rows",
                Work::Reads => "reads",
                Work::Rewrites => "rewrites",
            },
        })
    };
    let statement = |statement: &PlannedStatement| {
        let locks = statement.locks.as_ref();
        json!({
            "sql": statement.sql,
            "locks": locks.map(|locks| locks.iter().map(lock).collect::<Vec<_>>()),
        })
    };
    let migration = |migration: &PendingMigration| {
        json!({
            "version": migration.version,
            "description": migration.description,
            "in_transaction": migration.in_transaction,
            "statements": migration.statements.iter().map(statement).collect::<Vec<_>>(),
        })
    };
    json!({ "pending": plan.pending.iter().map(migration).collect::<Vec<_>>() })
}
