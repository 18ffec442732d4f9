//! Connections, and transactions that say for which projects they act.

mod closing_tx;
mod snapshot;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use domain::ProjectId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, Postgres};

pub(crate) use closing_tx::ClosingTx;
pub use snapshot::Snapshot;

use crate::sealed::OpenPayloads;
use crate::{Error, Result};

/// A transaction; dropped without `commit` it leaves nothing behind.
pub type Tx = sqlx::Transaction<'static, Postgres>;

/// How long one statement of a snapshot may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// The database. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Db {
    writes: PgPool,
    reads: PgPool,
    read_timeout: Duration,
    /// Opens what is stored sealed; without it that can't be read.
    payloads: Option<Arc<dyn OpenPayloads>>,
    /// Every pool of the process, for the metrics and for closing.
    pools: Arc<[PgPool]>,
}

/// The same database over connections that don't compete: what pages hold is never missing to ingest.
#[derive(Clone, Debug)]
pub struct Connections {
    /// For the pipeline, the recorder, key look-up and sign-in.
    pub ingest: Db,
    /// For pages, the API and jobs.
    pub pages: Db,
}

/// Hears the id of a process of Postgres'.
pub type OnReader = fn(i32);

/// For whom a transaction acts. Row-level security shows it nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    Project(ProjectId),
    /// The projects of one ingest batch.
    Projects(&'a [ProjectId]),
    /// Sign-in and maintenance, which look across projects by nature.
    All,
}

impl Connections {
    /// At most `max_connections` in all, at least four, opened as they are needed: a third for ingest, a sixth for
    /// what forms and jobs write, the rest for reads. `on_reader` hears the process id of each of Postgres' processes that
    /// serves the last.
    pub fn connect_lazy(
        options: &PgConnectOptions,
        max_connections: u32,
        on_reader: Option<OnReader>,
    ) -> Self {
        let ingest_writes = (max_connections / 3).max(1);
        let ingest_reads = 1;
        let writes = (max_connections / 6).max(1);
        let reads = max_connections
            .saturating_sub(ingest_writes + ingest_reads + writes)
            .max(1);
        let ingest = (
            write_pool(options, ingest_writes),
            read_pool(options, ingest_reads, None),
        );
        let pages = (write_pool(options, writes), read_pool(options, reads, on_reader));
        let pools: Arc<[PgPool]> = [&ingest.0, &ingest.1, &pages.0, &pages.1]
            .map(PgPool::clone)
            .into();
        Self {
            ingest: Db::over(ingest, &pools),
            pages: Db::over(pages, &pools),
        }
    }
}

impl Db {
    /// At most `max_connections` for transactions and as many for snapshots, opened as they are needed. Every
    /// connection gives up the rights of the database's owner for those of `plumbline_app`.
    pub fn connect_lazy(options: PgConnectOptions, max_connections: u32) -> Self {
        let both = (
            write_pool(&options, max_connections),
            read_pool(&options, max_connections, None),
        );
        let pools = [both.0.clone(), both.1.clone()].into();
        Self::over(both, &pools)
    }

    fn over((writes, reads): (PgPool, PgPool), pools: &Arc<[PgPool]>) -> Self {
        Self {
            writes,
            reads,
            read_timeout: READ_TIMEOUT,
            payloads: None,
            pools: Arc::clone(pools),
        }
    }

    /// The same connections with another limit for each statement of a snapshot.
    pub fn with_read_timeout(&self, read_timeout: Duration) -> Self {
        Self {
            read_timeout,
            ..self.clone()
        }
    }

    /// The same connections, whose snapshots open sealed texts with these.
    pub fn opening_payloads(&self, payloads: Arc<dyn OpenPayloads>) -> Self {
        Self {
            payloads: Some(payloads),
            ..self.clone()
        }
    }

    /// Begins a transaction that acts for `scope` alone.
    pub async fn begin(&self, scope: Scope<'_>) -> Result<Tx> {
        let begin = format!("begin; {}", scope.set_local());
        let writes = self.writes.clone();
        // sqlx takes a transaction for begun when the answer to `begin` has been read. Given up before that, as when a
        // caller hangs up, the connection would go back to the pool within a transaction. So this is always read to its
        // end; a transaction that nobody wants any more is rolled back.
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the answer, and closing the pool waits for its connection"
        )]
        let begun = tokio::spawn(async move { writes.begin_with(AssertSqlSafe(begin)).await });
        match begun.await {
            Ok(begun) => Ok(begun?),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_cancelled) => Err(Error::no_answer()),
            },
        }
    }

    /// Begins a transaction that acts for `scope` alone, and that may be given up at any time.
    pub(crate) async fn begin_closing(&self, scope: Scope<'_>) -> Result<ClosingTx> {
        ClosingTx::begin(&self.writes, scope).await
    }

    /// Begins a transaction for one project.
    pub async fn project(&self, project: ProjectId) -> Result<Tx> {
        self.begin(Scope::Project(project)).await
    }

    /// Begins to read one project: all statements see the same moment, and each ends in time.
    pub async fn snapshot(&self, project: ProjectId) -> Result<Snapshot> {
        self.read(Scope::Project(project)).await
    }

    /// Begins to read what concerns the server and all projects, in the same way.
    pub async fn snapshot_of_everything(&self) -> Result<Snapshot> {
        self.read(Scope::All).await
    }

    async fn read(&self, scope: Scope<'_>) -> Result<Snapshot> {
        Snapshot::begin(&self.reads, scope, self.read_timeout, self.payloads.clone()).await
    }

    /// Asks the database for a sign of life and its version, as `15.18`.
    pub async fn version(&self) -> Result<String> {
        let version = sqlx::query_scalar!("select current_setting('server_version') as \"version!\"")
            .fetch_one(&self.writes)
            .await?;
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }

    /// The pool, for what needs no project: listening and notifying.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.writes
    }

    /// Connections of the process, open and idle, for the metrics.
    pub fn connections(&self) -> (u32, usize) {
        let open = self.pools.iter().map(PgPool::size).sum();
        let idle = self.pools.iter().map(PgPool::num_idle).sum();
        (open, idle)
    }

    /// Closes every connection of the process, waiting for the busy ones.
    pub async fn close(&self) {
        for pool in self.pools.iter() {
            pool.close().await;
        }
    }
}

impl Scope<'_> {
    /// The statement that tells row-level security. Ids are formatted from UUIDs, so nothing of a client's can be
    /// part of it.
    fn set_local(self) -> String {
        let mut statement = "set local plumbline.scope = '".to_owned();
        match self {
            Scope::All => statement.push_str("all"),
            Scope::Project(project) => _ = write!(statement, "{project}"),
            Scope::Projects(projects) => {
                for (i, project) in projects.iter().enumerate() {
                    _ = write!(statement, "{}{project}", if i == 0 { "" } else { "," });
                }
            }
        }
        statement.push('\'');
        statement
    }
}

/// Connections that change something. None waits for ever for a lock, and none holds one for ever whose process is frozen
/// or can't be reached any more: everybody else would wait for it. Limits that the database sets itself stay.
fn write_pool(options: &PgConnectOptions, max_connections: u32) -> PgPool {
    const PREPARE: &str = "set role plumbline_app; \
        select set_config(name, own, false) \
        from (values ('lock_timeout', '20s'), ('idle_in_transaction_session_timeout', '60s'), \
          ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')) l (name, own) \
        where current_setting(name) = '0' or name like 'tcp%'";
    pool_options(max_connections)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(PREPARE).await.map(|_| ()) }))
        .connect_lazy_with(options.clone().application_name("plumbline"))
}

/// Connections of snapshots. Postgres looks every 200 ms whether whoever asked is still there (where its platform
/// can tell): a query nobody waits for ends with its connection. None takes a second core from ingest.
fn read_pool(options: &PgConnectOptions, max_connections: u32, on_reader: Option<OnReader>) -> PgPool {
    const PREPARE: &str = "set role plumbline_app; set random_page_cost = 1.1; set max_parallel_workers_per_gather = 0; \
        do $$ begin perform set_config('client_connection_check_interval', '200', false); \
        exception when others then null; end $$";
    pool_options(max_connections)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(PREPARE).await?;
                if let Some(on_reader) = on_reader {
                    let process = sqlx::query_scalar!("select pg_backend_pid() as \"process!\"");
                    on_reader(process.fetch_one(&mut *connection).await?);
                }
                Ok(())
            })
        })
        // Ends the snapshot, off its reader's path.
        .after_release(|connection, _| {
            Box::pin(async move { connection.execute("rollback").await.map(|_| true) })
        })
        .connect_lazy_with(options.clone().application_name("plumbline reads"))
}

fn pool_options(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
}
