//! Runs a Postgres of our own inside a data folder: installed binaries only, unix socket only.
//!
//! ```text
//! <data folder>/lock          held while a PrivatePostgres lives: never two on one folder
//! <data folder>/postgres/     the database files
//! <data folder>/run/          the socket
//! <data folder>/postgres.log
//! ```
//!
//! Postgres outlives a killed server on purpose; the next start adopts it. Where the data folder is closed
//! to the account that runs Postgres (under root's home, for one), files and socket lie in
//! `/var/lib/plumbline/<hash of the data folder>`; where the socket's path would be too long for the
//! kernel, it lies in `/tmp/plumbline-<hash>`.

mod account;
mod binaries;
mod cluster;
mod error;
mod layout;
mod log;
mod process;
mod running;
mod wire;

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

pub use crate::binaries::{Binaries, OLDEST_MAJOR, find_binaries};
pub use crate::error::Error;
pub use crate::running::{RunningPostgres, find_running, has_database};
pub use crate::wire::{Rows, WireError};

use crate::layout::Layout;
pub use crate::layout::PORT;
use crate::process::{Launch, Server};

/// The role that owns everything.
pub const SUPERUSER: &str = "plumbline";
/// The role for a server's connections: it may log in, and owns and may do nothing by itself.
pub const SERVER: &str = "plumbline_server";
/// The database to connect to.
pub const DATABASE: &str = "plumbline";

/// Long enough for a process that is just ending, short enough not to be noticed.
const LOCK_TIMEOUT: Duration = Duration::from_millis(300);
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How often a Postgres that is not our child is looked at.
const ADOPTED_POLL_INTERVAL: Duration = Duration::from_secs(1);
const MIN_RESTART_DELAY: Duration = Duration::from_millis(100);
const MAX_RESTART_DELAY: Duration = Duration::from_secs(30);
/// A Postgres that ran this long is not in a crash loop.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// How to run the private Postgres.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Made when missing.
    pub data_dir: PathBuf,
    /// The folder of `initdb`, `postgres` and `pg_ctl`, when not to be searched for.
    pub bin_dir: Option<PathBuf>,
    /// The value of PATH, searched for binaries.
    pub path_env: Option<OsString>,
    /// Whether committed data survives a crash or a power cut. Tests say `false` and are faster, and connect as any role.
    pub durable: bool,
    /// Connections Postgres accepts.
    pub max_connections: u16,
}

/// A running Postgres. Dropping it leaves Postgres running and frees the folder for the next start;
/// [`stop`](Self::stop) ends it.
#[derive(Debug)]
pub struct PrivatePostgres {
    launch: Launch,
    server: Mutex<Option<Server>>,
    stopping: watch::Sender<bool>,
    version: String,
    _lock: File,
}

impl PrivatePostgres {
    /// Takes the folder's lock, makes the database when there is none, starts Postgres or adopts the one
    /// still running, and waits until it accepts connections to the database `plumbline`. A caller that
    /// gives up waiting may leave Postgres running; the next start adopts it.
    ///
    /// # Errors
    /// Every [`Error`] but [`Error::DidNotStop`]; each says what to do.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let data_dir = layout::open_data_dir(&settings.data_dir)?;
        let lock_file = data_dir.join("lock");
        let lock = lock(&data_dir, &lock_file).await?;
        let layout = Layout::prepare(&data_dir)?;
        layout.account.take_over(&lock_file)?;

        let (explicit, path_env) = (settings.bin_dir.as_deref(), settings.path_env.as_deref());
        let binaries = match cluster::major(&layout.cluster_dir)? {
            Some(major) => binaries::find_binaries_for(&layout.cluster_dir, major, explicit, path_env)?,
            None => {
                let binaries = find_binaries(explicit, path_env)?;
                cluster::create(&layout.cluster_dir, &binaries, &layout.account, settings.durable).await?;
                binaries
            }
        };
        let Settings {
            durable,
            max_connections,
            ..
        } = settings;
        let launch = Launch {
            binaries,
            layout,
            durable,
            max_connections,
        };
        let mut server = None;
        let version = launch.start(&mut server).await?;
        let postgres = Self {
            launch,
            server: Mutex::new(server),
            stopping: watch::Sender::new(false),
            version,
            _lock: lock,
        };
        if let Err(error) = postgres.create_database().await {
            postgres.stop().await?;
            return Err(error);
        }
        Ok(postgres)
    }

    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.launch.layout.socket_dir
    }

    /// The folder of the database files.
    #[must_use]
    pub fn cluster_dir(&self) -> &Path {
        &self.launch.layout.cluster_dir
    }

    /// The address for a client library.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://{SUPERUSER}@localhost:{PORT}/{DATABASE}?host={}",
            percent_encode(self.socket_dir())
        )
    }

    /// Postgres' own version text, e.g. `17.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs one plain statement in a session of its own: for checks, not for work.
    ///
    /// # Errors
    /// [`Error::Statement`] when Postgres does not answer or refuses it.
    pub async fn query(&self, sql: &str) -> Result<Rows, Error> {
        self.launch.query(DATABASE, sql).await.map_err(Error::Statement)
    }

    /// Restarts Postgres, ever more slowly, each time it ends by itself. Returns after [`stop`](Self::stop).
    pub async fn watch(&self) {
        let mut stopping = self.stopping.subscribe();
        let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
        tokio::select! {
            biased;
            () = stopped => {}
            () = self.keep_running() => {}
        }
    }

    /// Ends Postgres (fast shutdown: sessions are cut, committed data is written) and waits for it. Does
    /// nothing when it is stopped already.
    ///
    /// # Errors
    /// [`Error::DidNotStop`], or [`Error::Program`] when pg_ctl is gone.
    pub async fn stop(&self) -> Result<(), Error> {
        // Makes `watch` let go of the server.
        self.stopping.send_replace(true);
        let mut slot = self.server.lock().await;
        if let Some(server) = slot.as_mut() {
            self.launch.stop(server).await?;
            tracing::info!("Postgres stopped");
        }
        *slot = None;
        Ok(())
    }

    async fn keep_running(&self) {
        let mut slot = self.server.lock().await;
        let mut delay = MIN_RESTART_DELAY;
        loop {
            let since = Instant::now();
            if let Some(server) = slot.as_mut() {
                self.launch.ended(server, ADOPTED_POLL_INTERVAL).await;
                tracing::error!(
                    pid = server.pid(), log = %self.launch.layout.log_file.display(),
                    "Postgres ended by itself; restarting it"
                );
                *slot = None;
            }
            if since.elapsed() > STABLE_AFTER {
                delay = MIN_RESTART_DELAY;
            }
            sleep(delay).await;
            delay = (delay * 2).min(MAX_RESTART_DELAY);
            if let Err(error) = self.launch.start(&mut slot).await {
                tracing::error!(%error, retry_in_ms = delay.as_millis(), "Postgres cannot be restarted");
            }
        }
    }

    async fn create_database(&self) -> Result<(), Error> {
        // Looked up first because a refused `create database` leaves an error in the log on every start.
        let look_up = format!("select from pg_database where datname = '{DATABASE}'");
        let found = self
            .launch
            .query("postgres", &look_up)
            .await
            .map_err(Error::Statement)?;
        if found.is_empty() {
            self.run(&format!("create database {DATABASE}")).await?;
        }
        let look_up = format!("select from pg_roles where rolname = '{SERVER}'");
        if self
            .launch
            .query("postgres", &look_up)
            .await
            .map_err(Error::Statement)?
            .is_empty()
        {
            self.run(&format!("create role {SERVER} login")).await?;
        }
        Ok(())
    }

    async fn run(&self, sql: &str) -> Result<Rows, Error> {
        self.launch.query("postgres", sql).await.map_err(Error::Statement)
    }
}

async fn lock(data_dir: &Path, lock_file: &Path) -> Result<File, Error> {
    let writable = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(lock_file);
    // Reading is enough to lock a file that an earlier start as another user left.
    let file = writable
        .or_else(|_| File::open(lock_file))
        .map_err(Error::file("open", lock_file))?;
    // Whoever can open it can hold it and keep the server from starting. Where it is another user's that stays so.
    if let Err(error) = file.set_permissions(Permissions::from_mode(0o600)) {
        tracing::debug!(%error, "the lock file belongs to another user");
    }
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(Error::file("lock", lock_file)(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_TIMEOUT => {
                sleep(LOCK_POLL_INTERVAL).await
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    folder: data_dir.to_owned(),
                });
            }
        }
    }
}

/// All but letters, digits and `-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn percent_encode(path: &Path) -> String {
    utf8_percent_encode(&path.to_string_lossy(), RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_for_an_address() {
        fn check(path: &str, expected: &str) {
            assert_eq!(percent_encode(Path::new(path)), expected);
        }
        check("/a/run", "%2Fa%2Frun");
        check("/my data/ü", "%2Fmy%20data%2F%C3%BC");
        check("/a&b=c?d#e%", "%2Fa%26b%3Dc%3Fd%23e%25");
    }
}
