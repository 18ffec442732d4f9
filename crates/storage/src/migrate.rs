//! The schema and its versions.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, migrate::Migrator};

use crate::{Error, Result};

static MIGRATOR: Migrator = sqlx::migrate!();

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Migrations in the database.
    pub applied: usize,
    /// Migrations this binary knows.
    pub known: usize,
    /// True when the database has one that this binary does not know: a newer version has used it.
    pub newer: bool,
}

/// Brings the database to this binary's schema. Concurrent callers wait for each other (advisory lock).
/// Returns how many migrations were applied.
pub async fn migrate(options: &PgConnectOptions) -> Result<usize> {
    let before = migration_state(options).await?;
    let mut connection = options.clone().connect().await?;
    MIGRATOR.run(&mut connection).await.map_err(|cause| match cause {
        sqlx::migrate::MigrateError::Execute(cause) => Error::from(cause),
        other => Error::Internal(sqlx::Error::Migrate(Box::new(other))),
    })?;
    connection.close().await?;
    Ok(before.known.saturating_sub(before.applied))
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
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut connection)
        .await?;
    let versions: Vec<i64> = if exists {
        sqlx::query_scalar("select version from _sqlx_migrations where success")
            .fetch_all(&mut connection)
            .await?
    } else {
        Vec::new()
    };
    connection.close().await?;
    let known = MIGRATOR.iter().count();
    let newer = versions.iter().any(|version| !MIGRATOR.version_exists(*version));
    Ok(MigrationState {
        applied: versions.len(),
        known,
        newer,
    })
}
