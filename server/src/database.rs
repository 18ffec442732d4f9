//! The database as the process gets hold of it: the private Postgres of the data folder, or the one of DATABASE_URL;
//! reachable, new enough, and with the schema of this binary.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use private_postgres::{OLDEST_MAJOR, PORT, PrivatePostgres, SERVER, SUPERUSER, Settings};
use storage::{MigrationState, PgConnectOptions, Probe};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::config::{Config, DatabaseUrl};

/// How long `serve` waits for a database that starts at the same time.
const SERVER_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command waits for the database: a person is waiting.
const COMMAND_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for indexes that an earlier one did not finish.
const INDEX_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How often a waiting command logs what it waits for.
const LOG_INTERVAL: Duration = Duration::from_secs(5);
/// For what does not go through the pool: migrations, the maintainer, listening, commands beside the server.
const SPARE_CONNECTIONS: u32 = 40;

/// A database that is ready for this binary. `stop` it: dropping it leaves a private Postgres running.
#[derive(Debug)]
pub struct Database {
    options: PgConnectOptions,
    version: String,
    source: Source,
    tasks: TaskTracker,
}

#[derive(Debug)]
enum Source {
    /// Ours: we started it and we stop it.
    Private(Arc<PrivatePostgres>),
    /// The private Postgres of a server that runs beside us.
    Beside,
    /// A database that is not ours; without its password.
    Given(String),
}

impl Database {
    /// Starts or reaches the database for a server, and brings it to this binary's schema.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let database = match &config.database_url {
            Some(url) => Self::given(url, SERVER_CONNECT_TIMEOUT).await?,
            None => Self::private(PrivatePostgres::start(settings(config)).await?),
        };
        let database = database.prepared(true).await?;
        if matches!(database.source, Source::Private(_))
            && let Err(cause) = storage::let_act(&database.options, SERVER).await
        {
            return Err(database.stopped_by(cause.into()).await);
        }
        Ok(database)
    }

    /// As `start` for a command, which may run beside a server: then it uses that server's database, and changes
    /// nothing about its schema.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::reach(config).await?.prepared(false).await
    }

    /// As `open`, and brings the database to this binary's schema, whether or not it is in use. Returns how many migrations that
    /// took.
    pub async fn migrate(config: &Config) -> anyhow::Result<(Self, usize)> {
        let database = Self::reach(config).await?;
        match database.check_and_migrate(true, None).await {
            Ok(applied) => Ok((database, applied)),
            Err(cause) => Err(database.stopped_by(cause).await),
        }
    }

    /// Reaches another database than the configuration's, for a command, and does nothing to it.
    pub async fn at(url: &DatabaseUrl) -> anyhow::Result<Self> {
        Self::given(url, COMMAND_CONNECT_TIMEOUT).await
    }

    /// Starts or reaches the database and does nothing to it.
    pub async fn reach(config: &Config) -> anyhow::Result<Self> {
        let begun = Instant::now();
        if let Some(url) = &config.database_url {
            return Self::given(url, COMMAND_CONNECT_TIMEOUT).await;
        }
        loop {
            match PrivatePostgres::start(settings(config)).await {
                Ok(postgres) => return Ok(Self::private(postgres)),
                // A server runs, is starting or is stopping.
                Err(locked @ private_postgres::Error::Locked { .. }) => {
                    if let Ok(running) = private_postgres::find_running(&config.data).await {
                        return Ok(Self {
                            options: private_options(running.socket_dir()),
                            version: number_of(running.version()),
                            source: Source::Beside,
                            tasks: TaskTracker::new(),
                        });
                    }
                    if begun.elapsed() > SERVER_CONNECT_TIMEOUT {
                        return Err(locked.into());
                    }
                    sleep(RETRY_INTERVAL).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// What to connect with, as the owner of the schema.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// What a server's connections use: as a role that can do nothing but act as `plumbline_app`, where the database is
    /// ours. What can't be owned can't be taken by a statement that should not have been sent.
    pub fn server_options(&self) -> PgConnectOptions {
        match self.source {
            Source::Private(_) => self.options.clone().username(SERVER),
            Source::Beside | Source::Given(_) => self.options.clone(),
        }
    }

    /// Postgres' version, as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether its processes are this server's own, on this machine.
    pub fn is_private(&self) -> bool {
        matches!(self.source, Source::Private(_))
    }

    /// What it is, for people.
    pub fn description(&self) -> String {
        match &self.source {
            Source::Private(_) => format!("private Postgres {}", self.version),
            Source::Beside => format!("private Postgres {} of the running server", self.version),
            Source::Given(url) => format!("Postgres {}, {url}", self.version),
        }
    }

    /// Stops a private Postgres and waits for it; does nothing to any other.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Source::Private(postgres) = &self.source {
            postgres.stop().await?;
        }
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }

    fn private(postgres: PrivatePostgres) -> Self {
        let postgres = Arc::new(postgres);
        let tasks = TaskTracker::new();
        let watched = Arc::clone(&postgres);
        tasks.spawn(async move { watched.watch().await });
        Self {
            options: private_options(postgres.socket_dir()),
            version: number_of(postgres.version()),
            source: Source::Private(postgres),
            tasks,
        }
    }

    async fn given(url: &DatabaseUrl, limit: Duration) -> anyhow::Result<Self> {
        let probe = wait_for(url, limit).await?;
        if probe.major < u32::from(OLDEST_MAJOR) {
            bail!(
                "the {url} is Postgres {}; Plumbline needs {OLDEST_MAJOR} or newer. Upgrade it, or unset DATABASE_URL \
                 to use a private one",
                probe.version
            );
        }
        Ok(Self {
            options: url.options(),
            version: probe.version,
            source: Source::Given(url.to_string()),
            tasks: TaskTracker::new(),
        })
    }

    async fn prepared(self, serving: bool) -> anyhow::Result<Self> {
        match self.check_and_migrate(serving, Some(INDEX_TIMEOUT)).await {
            Ok(_) => Ok(self),
            Err(cause) => Err(self.stopped_by(cause).await),
        }
    }

    async fn stopped_by(self, cause: anyhow::Error) -> anyhow::Error {
        match self.stop().await {
            Ok(()) => cause,
            Err(also) => cause.context(format!("and Postgres did not stop: {also}")),
        }
    }

    /// Builds indexes that an earlier start did not finish, for as long as one may take. Building waits for every older
    /// transaction of the database; what is given up here is built to its end by Postgres, and attached by the next start.
    async fn build_indexes(&self, limit: Option<Duration>) -> anyhow::Result<()> {
        let building = storage::build_indexes(&self.options);
        match limit {
            Some(limit) => timeout(limit, building)
                .await
                .context("they are still being built")??,
            None => building.await?,
        }
        Ok(())
    }

    /// Migrates where that is our business: always for a server, else where no older version can be in use. Indexes that
    /// are missing on a database of this version may take `limit`.
    async fn check_and_migrate(&self, always: bool, limit: Option<Duration>) -> anyhow::Result<usize> {
        let state = storage::migration_state(&self.options)
            .await
            .context("cannot read the database's schema")?;
        refuse_unfit(state)?;
        if state.applied == state.known {
            // Without them pages are slow, and not wrong.
            if always && let Err(cause) = self.build_indexes(limit).await {
                let error = format!("{cause:#}");
                tracing::warn!(
                    error,
                    "indexes of some weeks are missing; the next start builds them"
                );
            }
            return Ok(0);
        }
        let ours = always || state.applied == 0 || matches!(self.source, Source::Private(_));
        if !ours {
            bail!(
                "the database has {} of this version's {} migrations. Restart the server with this version, or run \
                 `plumbline migrate`",
                state.applied,
                state.known
            );
        }
        let applied = storage::migrate(&self.options)
            .await
            .context("cannot bring the database to this version")?;
        tracing::info!(applied, "database schema is up to date");
        Ok(applied)
    }
}

/// `15.18` of `15.18 (Debian 15.18-1)`.
fn number_of(version: &str) -> String {
    version.split(' ').next().unwrap_or_default().to_owned()
}

/// Refuses a database that a newer version has changed: what this one would write might no longer fit. And one that was made
/// by other migrations than this version's of the same numbers: its schema is not what this version takes it for.
/// And one into which not everything has been moved yet: what came in meanwhile would be thrown away.
pub fn refuse_unfit(state: MigrationState) -> anyhow::Result<()> {
    if state.half_moved {
        bail!(
            "a move into this database has not been finished. Run `plumbline move-database` again with the configuration that \
             it was begun with"
        );
    }
    if state.newer {
        bail!(
            "the database was used by a newer version of Plumbline than this one ({}). Start that version, or restore \
             the backup from before the upgrade",
            env!("CARGO_PKG_VERSION")
        );
    }
    if let Some(version) = state.edited {
        bail!(
            "the migration {version} in the database is another one than the migration {version} of this version ({}): it was \
             edited after it was applied. Nothing was changed. Start the version that made the database, or restore a backup \
             into a database of this version",
            env!("CARGO_PKG_VERSION")
        );
    }
    Ok(())
}

fn settings(config: &Config) -> Settings {
    Settings {
        data_dir: config.data.clone(),
        bin_dir: config.postgres_bin.clone(),
        path_env: config.path_env.clone(),
        durable: true,
        max_connections: u16::try_from(config.db_connections.saturating_add(SPARE_CONNECTIONS))
            .unwrap_or(u16::MAX),
    }
}

fn private_options(socket_dir: &std::path::Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .username(SUPERUSER)
        .database(private_postgres::DATABASE)
}

/// Asks until the database answers. Only silence is worth waiting for; a refusal stays one.
async fn wait_for(url: &DatabaseUrl, limit: Duration) -> anyhow::Result<Probe> {
    let begun = Instant::now();
    let mut reminded: Option<Instant> = None;
    loop {
        let cause = match timeout(ATTEMPT_TIMEOUT, storage::probe(&url.options())).await {
            Ok(Ok(probe)) => return Ok(probe),
            Ok(Err(cause)) if !cause.is_transient() => {
                return Err(anyhow::Error::new(cause).context(format!("the {url} refuses us")));
            }
            Ok(Err(cause)) => anyhow::Error::new(cause),
            Err(_) => anyhow::anyhow!("no answer in {} s", ATTEMPT_TIMEOUT.as_secs()),
        };
        if begun.elapsed() > limit {
            let waited_s = begun.elapsed().as_secs();
            return Err(cause.context(format!(
                "the {url} did not answer for {waited_s} s; check DATABASE_URL"
            )));
        }
        if reminded.is_none_or(|at| at.elapsed() > LOG_INTERVAL) {
            tracing::warn!("waiting for the {url}");
            reminded = Some(Instant::now());
        }
        sleep(RETRY_INTERVAL).await;
    }
}
