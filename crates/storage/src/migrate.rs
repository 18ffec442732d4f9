//! The schema and its versions.

mod indexes;
mod plan;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, migrate::Migrator,
};

pub use plan::{LockMode, PlannedStatement, TableLock, Work};

use crate::{Error, Result};

static MIGRATOR: Migrator = sqlx::migrate!();
/// The table that says what was moved into a database. It is there as long as that is not finished.
pub(crate) const MOVE_TABLE: &str = "database_move";

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Migrations in the database.
    pub applied: usize,
    /// Migrations this binary knows.
    pub known: usize,
    /// True when the database has one that this binary does not know: a newer version has used it.
    pub newer: bool,
    /// The first migration in the database that has another content than this binary's of the same number.
    pub edited: Option<i64>,
    /// True when a move into the database was begun and is not finished: rows are missing.
    pub half_moved: bool,
}

/// A migration that the database does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMigration {
    /// The time in its file's name, `20261121090000`.
    pub version: i64,
    /// The words in its file's name.
    pub description: String,
    /// Whether all of its statements are one transaction, so that locks are held to its end.
    pub in_transaction: bool,
    /// What it does, in order.
    pub statements: Vec<PlannedStatement>,
}

/// What migrating would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationPlan {
    /// In the order in which they are applied, each for itself.
    pub pending: Vec<PendingMigration>,
    /// Bytes of the tables that are there already and would be locked, with partitions and indexes.
    pub table_bytes: BTreeMap<String, i64>,
}

/// Brings the database to this binary's schema, and then builds the indexes that partitions lack. Concurrent callers wait for
/// each other's migrations (advisory lock).
/// Returns how many migrations were applied.
pub async fn migrate(options: &PgConnectOptions) -> Result<usize> {
    let before = migration_state(options).await?;
    let mut connection = options.clone().connect().await?;
    MIGRATOR.run(&mut connection).await.map_err(|cause| match cause {
        sqlx::migrate::MigrateError::Execute(cause) => Error::from(cause),
        other => Error::Internal(sqlx::Error::Migrate(Box::new(other))),
    })?;
    indexes::build_missing(&mut connection).await?;
    connection.close().await?;
    Ok(before.known.saturating_sub(before.applied))
}

/// Builds the indexes that partitions lack on a database that has this binary's schema: a start before may have been ended
/// while it built them.
pub async fn build_indexes(options: &PgConnectOptions) -> Result<()> {
    let mut connection = options.clone().connect().await?;
    indexes::build_missing(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Lets `role` act as `plumbline_app`, as a server's connections do. The name is one of ours, never a client's.
pub async fn let_act(options: &PgConnectOptions, role: &str) -> Result<()> {
    let mut connection = options.clone().connect().await?;
    let grant = format!("grant plumbline_app to \"{}\"", role.replace('"', ""));
    connection.execute(AssertSqlSafe(grant)).await?;
    connection.close().await?;
    Ok(())
}

/// Reads how far the database is; an empty one has applied nothing.
pub async fn migration_state(options: &PgConnectOptions) -> Result<MigrationState> {
    let mut connection = options.clone().connect().await?;
    let in_database = applied(&mut connection).await?;
    let half_moved = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(MOVE_TABLE)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    let known = MIGRATOR.iter().count();
    let newer = in_database
        .keys()
        .any(|version| !MIGRATOR.version_exists(*version));
    let edited = MIGRATOR.iter().find(|migration| {
        in_database
            .get(&migration.version)
            .is_some_and(|checksum| *checksum != *migration.checksum)
    });
    Ok(MigrationState {
        applied: in_database.len(),
        known,
        newer,
        edited: edited.map(|migration| migration.version),
        half_moved,
    })
}

/// What `migrate` would do to the database. Changes nothing.
pub async fn migration_plan(options: &PgConnectOptions) -> Result<MigrationPlan> {
    let mut connection = options.clone().connect().await?;
    let applied = applied(&mut connection).await?;
    let pending: Vec<PendingMigration> = MIGRATOR
        .iter()
        .filter(|migration| !applied.contains_key(&migration.version))
        .map(|migration| PendingMigration {
            version: migration.version,
            description: migration.description.to_string(),
            in_transaction: !migration.no_tx,
            statements: plan::plan(migration.sql.as_str()),
        })
        .collect();
    let locks = pending
        .iter()
        .flat_map(|migration| &migration.statements)
        .filter_map(|statement| statement.locks.as_ref())
        .flatten();
    let tables: Vec<String> = locks
        .map(|lock| lock.table.clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    // A partitioned table is as large as its partitions, which are locked with it.
    let sizes: Vec<(String, i64)> = sqlx::query_as(
        "select t.name, coalesce((select sum(pg_total_relation_size(p.relid)) from pg_partition_tree(to_regclass(t.name)) p),
           pg_total_relation_size(to_regclass(t.name)))::bigint
         from unnest($1::text[]) t (name) where to_regclass(t.name) is not null",
    )
    .bind(&tables)
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(MigrationPlan {
        pending,
        table_bytes: sizes.into_iter().collect(),
    })
}

/// The migrations in a database, each with the SHA-384 of what was run.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>> {
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}
