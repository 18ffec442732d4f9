//! Connections, and transactions that say for which projects they act.

use std::fmt::Write as _;
use std::time::Duration;

use domain::ProjectId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, Postgres};

use crate::Result;

/// A transaction; dropped without `commit` it leaves nothing behind.
pub type Tx = sqlx::Transaction<'static, Postgres>;

/// The database, shared by everything in the process.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
}

/// For whom a transaction acts. Row-level security shows it nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// One project.
    Project(ProjectId),
    /// The projects of one ingest batch.
    Projects(&'a [ProjectId]),
    /// Sign-in and maintenance, which look across projects by nature.
    All,
}

impl Db {
    /// A pool of at most `max_connections`, opened as they are needed. Every connection gives up the rights of the
    /// database's owner for those of `plumbline_app`.
    pub fn connect_lazy(options: PgConnectOptions, max_connections: u32) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(3))
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute("set role plumbline_app").await.map(|_| ()) })
            })
            .connect_lazy_with(options.application_name("plumbline"));
        Self { pool }
    }

    /// Begins a transaction that acts for `scope` alone.
    pub async fn begin(&self, scope: Scope<'_>) -> Result<Tx> {
        let mut begin = "begin; set local plumbline.scope = '".to_owned();
        // Ids are formatted from UUIDs, so nothing of a client's can stand here.
        match scope {
            Scope::All => begin.push_str("all"),
            Scope::Project(project) => _ = write!(begin, "{project}"),
            Scope::Projects(projects) => {
                for (i, project) in projects.iter().enumerate() {
                    _ = write!(begin, "{}{project}", if i == 0 { "" } else { "," });
                }
            }
        }
        begin.push('\'');
        Ok(self.pool.begin_with(AssertSqlSafe(begin)).await?)
    }

    /// Begins a transaction for one project.
    pub async fn project(&self, project: ProjectId) -> Result<Tx> {
        self.begin(Scope::Project(project)).await
    }

    /// Asks the database for a sign of life and its version, as `15.18`.
    pub async fn version(&self) -> Result<String> {
        let version = sqlx::query_scalar!("select current_setting('server_version') as \"version!\"")
            .fetch_one(&self.pool)
            .await?;
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }

    /// The pool, for what needs no project: listening and notifying.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Connections open and idle, for the metrics.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes every connection, waiting for the busy ones.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
