//! The Postgres process: start or adopt it, wait until it answers, notice its end, stop it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::binaries::Binaries;
use crate::layout::{Layout, PORT, make_private_folder};
use crate::wire::{Connection, Rows, WireError};
use crate::{Error, SERVER, SUPERUSER, log};

const READY_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Each look leaves a line in the log: a long recovery is looked at less often.
const SLOW_READY_POLL_INTERVAL: Duration = Duration::from_millis(500);
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Postgres says "starting up" throughout crash recovery, however long; this is silence.
const STARTUP_SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the backends of a killed postmaster may take to end.
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(10);
const ORPHANS_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Fast shutdown writes a checkpoint; after that, immediate shutdown leaves it to crash recovery.
const STOP_STEPS: [(&str, Duration); 2] = [
    ("INT", Duration::from_secs(60)),
    ("QUIT", Duration::from_secs(10)),
];
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The name of the map from users of this machine to roles.
const ACCESS_MAP: &str = "plumbline";
/// SQLSTATE `cannot_connect_now`: starting up, recovering or shutting down.
const NOT_YET: &str = "57P03";

/// Everything that stays the same from one start to the next.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binaries: Binaries,
    pub(crate) layout: Layout,
    pub(crate) durable: bool,
    pub(crate) max_connections: u16,
}

/// A Postgres that was seen alive.
#[derive(Debug)]
pub(crate) enum Server {
    /// Started by us. The log position is where its own lines begin.
    Child { child: Child, pid: u32, log_start: u64 },
    /// Started by an earlier process that ended without stopping it.
    Adopted { pid: u32 },
}

impl Launch {
    /// Starts Postgres, or adopts the one that runs, and waits until it accepts connections. Returns its version.
    ///
    /// `slot` holds the process from the moment it exists, so that a caller who gives up waiting can stop it.
    pub(crate) async fn start(&self, slot: &mut Option<Server>) -> Result<String, Error> {
        let begun = Instant::now();
        loop {
            let server = slot.insert(match self.running().await? {
                Some(pid) => Server::Adopted { pid },
                None => {
                    self.clear_stale_locks()?;
                    self.spawn()?
                }
            });
            let adopted = matches!(server, Server::Adopted { .. });
            let error = match self.wait_until_ready(server).await {
                Ok(version) => {
                    tracing::info!(
                        version,
                        adopted,
                        pid = server.pid(),
                        "Postgres accepts connections"
                    );
                    return Ok(version);
                }
                Err(error) => error,
            };
            let Error::DiedAtStart { tail, .. } = &error else {
                self.stop(server).await?;
                *slot = None;
                return Err(error);
            };
            let orphans = tail.contains("pre-existing shared memory block");
            *slot = None;
            if !(adopted || orphans) || begun.elapsed() > ORPHANS_TIMEOUT {
                return Err(error);
            }
            sleep(ORPHANS_POLL_INTERVAL).await;
        }
    }

    /// Resolves when `server` has ended, looking every `poll` where it is not our child.
    pub(crate) async fn ended(&self, server: &mut Server, poll: Duration) {
        match server {
            Server::Child { child, pid, .. } => {
                if let Err(error) = child.wait().await {
                    tracing::warn!(pid, %error, "cannot wait for Postgres");
                }
            }
            Server::Adopted { pid } => {
                let mut ticks = interval(poll);
                while self.is_ours(*pid).await {
                    ticks.tick().await;
                }
            }
        }
    }

    /// Fast shutdown, then immediate shutdown; waits for the end.
    pub(crate) async fn stop(&self, server: &mut Server) -> Result<(), Error> {
        for (signal, patience) in STOP_STEPS {
            if self.has_ended(server).await {
                return Ok(());
            }
            let pg_ctl = self.binaries.pg_ctl();
            let mut command = self.layout.account.command(&pg_ctl);
            command.args(["kill", signal, &server.pid().to_string()]);
            command.output().await.map_err(Error::program(&pg_ctl))?;
            if timeout(patience, self.ended(server, STOP_POLL_INTERVAL))
                .await
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(Error::DidNotStop {
            pid: server.pid(),
            log_file: self.layout.log_file.clone(),
        })
    }

    /// Runs one statement in a session of its own.
    pub(crate) async fn query(&self, database: &str, sql: &str) -> Result<Rows, WireError> {
        Connection::open(&self.layout.socket(), SUPERUSER, database)
            .await?
            .query(sql)
            .await
    }

    async fn wait_until_ready(&self, server: &mut Server) -> Result<String, Error> {
        let begun = Instant::now();
        let mut last_heard = begun;
        loop {
            if self.has_ended(server).await {
                return Err(self.died_at_start(server));
            }
            match timeout(QUERY_TIMEOUT, self.version()).await {
                Ok(Ok(version)) => return Ok(version),
                Ok(Err(WireError::Refused { code, .. })) if code == NOT_YET => last_heard = Instant::now(),
                Ok(Err(refused @ WireError::Refused { .. })) => return Err(Error::Statement(refused)),
                Ok(Err(_)) | Err(_) => {}
            }
            if last_heard.elapsed() > STARTUP_SILENCE_TIMEOUT {
                let log_file = self.layout.log_file.clone();
                return Err(Error::NoAnswer {
                    waited_s: STARTUP_SILENCE_TIMEOUT.as_secs(),
                    log_file,
                });
            }
            sleep(if begun.elapsed() < SLOW_AFTER {
                READY_POLL_INTERVAL
            } else {
                SLOW_READY_POLL_INTERVAL
            })
            .await;
        }
    }

    /// The version of the server on our socket, once sure that it serves our files.
    async fn version(&self) -> Result<String, WireError> {
        version_of(&self.layout.socket(), &self.layout.cluster_dir).await
    }

    /// The process id of a Postgres that already serves our files.
    async fn running(&self) -> Result<Option<u32>, Error> {
        if let Some(pid) = self.recorded_pid()
            && self.is_ours(pid).await
        {
            return Ok(Some(pid));
        }
        // The socket lies in a folder of ours alone: what answers there serves our files.
        match timeout(QUERY_TIMEOUT, self.version()).await {
            Ok(Ok(_) | Err(WireError::Refused { .. })) => Err(Error::RunningElsewhere {
                folder: self.layout.cluster_dir.clone(),
            }),
            _ => Ok(None),
        }
    }

    fn recorded_pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.layout.cluster_dir.join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Whether `pid` is a postmaster on our files, rather than a process that got the number later.
    async fn is_ours(&self, pid: u32) -> bool {
        let arguments = if Path::new("/proc/self").exists() {
            std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
        } else {
            let output = Command::new("ps")
                .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
                .output()
                .await;
            output.map(|output| output.stdout).unwrap_or_default()
        };
        serves(&arguments, &self.layout.cluster_dir)
    }

    /// Clears what a killed Postgres left and a new one would stumble over when the recorded process id
    /// belongs to another process by now. Only to be called when no Postgres serves our files.
    fn clear_stale_locks(&self) -> Result<(), Error> {
        let socket = self.layout.socket();
        remove_file(&socket.with_file_name(format!(".s.PGSQL.{PORT}.lock")))?;

        let pid_file = self.layout.cluster_dir.join("postmaster.pid");
        let Some(pid) = self.recorded_pid() else {
            return remove_file(&pid_file);
        };
        tracing::info!(
            pid,
            "an earlier Postgres did not stop cleanly; starting recovers it"
        );
        // Postgres takes a file that names its parent for stale, yet still looks whether orphaned backends
        // use the shared memory named there. Without the file it would not look, and two could write.
        let left = std::fs::read_to_string(&pid_file).map_err(Error::file("read", &pid_file))?;
        let rest = left.split_once('\n').map_or("", |(_, rest)| rest);
        let replacement = pid_file.with_extension("pid.new");
        remove_file(&replacement)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&replacement)
            .and_then(|mut file| write!(file, "{}\n{rest}", std::process::id()))
            .map_err(Error::file("write", &replacement))?;
        self.layout.account.take_over(&replacement)?;
        std::fs::rename(&replacement, &pid_file).map_err(Error::file("replace", &pid_file))
    }

    fn spawn(&self) -> Result<Server, Error> {
        // A cleaner of /tmp may have removed it.
        make_private_folder(&self.layout.socket_dir, &self.layout.account)?;
        self.write_access_rules()?;
        let (log, log_start) = log::open(&self.layout.log_file, &self.layout.account)?;
        let second_log = log
            .try_clone()
            .map_err(Error::file("open", &self.layout.log_file))?;
        let postgres = self.binaries.postgres();
        let mut command = self.layout.account.command(&postgres);
        command
            .arg("-D")
            .arg(&self.layout.cluster_dir)
            .arg("-k")
            .arg(&self.layout.socket_dir);
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        // A process group of its own keeps Ctrl-C in the terminal for us: we stop it after our last write.
        command.process_group(0).stdout(log).stderr(second_log);
        let child = command.spawn().map_err(Error::program(&postgres))?;
        let pid = child.id().ok_or_else(|| self.ended_with(log_start))?;
        Ok(Server::Child {
            child,
            pid,
            log_start,
        })
    }

    /// Who may connect, by the user that the kernel says is at the other end of the socket.
    fn write_access_rules(&self) -> Result<(), Error> {
        let rules = if self.durable {
            format!("local all {SUPERUSER},{SERVER} peer map={ACCESS_MAP}\n")
        } else {
            "local all all trust\n".to_owned()
        };
        let mut map = String::new();
        for user in self.layout.account.clients() {
            for role in [SUPERUSER, SERVER] {
                // Names of users may hold what would end a word.
                let user = user.replace('"', "");
                map.push_str(&format!("{ACCESS_MAP} \"{user}\" {role}\n"));
            }
        }
        self.write_file("pg_hba.conf", &rules)?;
        self.write_file("pg_ident.conf", &map)
    }

    fn write_file(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.layout.cluster_dir.join(name);
        let replacement = path.with_extension("conf.new");
        remove_file(&replacement)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&replacement)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(Error::file("write", &replacement))?;
        self.layout.account.take_over(&replacement)?;
        std::fs::rename(&replacement, &path).map_err(Error::file("replace", &path))
    }

    fn settings(&self) -> Vec<String> {
        let mut settings: Vec<String> = [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "shared_buffers=128MB",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_wal_size=2GB",
            "checkpoint_timeout=15min",
            "wal_compression=on",
            "jit=off",
            "random_page_cost=1.1",
            "max_locks_per_transaction=256",
            "log_min_messages=warning",
            "timezone=UTC",
            "log_timezone=UTC",
        ]
        .map(str::to_owned)
        .into();
        settings.push(format!("port={PORT}"));
        settings.push(format!("max_connections={}", self.max_connections));
        if !self.durable {
            settings
                .extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
        }
        settings
    }

    async fn has_ended(&self, server: &mut Server) -> bool {
        match server {
            Server::Child { child, .. } => matches!(child.try_wait(), Ok(Some(_))),
            Server::Adopted { pid } => !self.is_ours(*pid).await,
        }
    }

    fn died_at_start(&self, server: &Server) -> Error {
        let log_start = match server {
            Server::Child { log_start, .. } => *log_start,
            Server::Adopted { .. } => 0,
        };
        self.ended_with(log_start)
    }

    fn ended_with(&self, log_start: u64) -> Error {
        let log_file = self.layout.log_file.clone();
        Error::DiedAtStart {
            tail: log::tail(&log_file, log_start),
            log_file,
        }
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Child { pid, .. } | Self::Adopted { pid } => *pid,
        }
    }
}

/// The version of the server on `socket`, once sure that it serves the files in `cluster_dir`.
pub(crate) async fn version_of(socket: &Path, cluster_dir: &Path) -> Result<String, WireError> {
    let sql = "select current_setting('server_version'), current_setting('data_directory')";
    let rows = Connection::open(socket, SUPERUSER, "postgres")
        .await?
        .query(sql)
        .await?;
    match rows.into_iter().next().as_deref() {
        Some([Some(version), Some(folder)]) if Path::new(folder) == cluster_dir => Ok(version.clone()),
        _ => Err(WireError::Unexpected("it serves another data folder")),
    }
}

/// Whether a command line (separated by NUL bytes, or as ps prints it) is a postmaster on `cluster_dir`.
fn serves(arguments: &[u8], cluster_dir: &Path) -> bool {
    let line = String::from_utf8_lossy(arguments).replace('\0', " ");
    match line.split_once(&format!(" -D {} -k ", cluster_dir.display())) {
        Some((program, _)) => program.ends_with("postgres"),
        None => false,
    }
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_postmaster_on_our_files_is_ours() {
        fn check(arguments: &str, expected: bool) {
            assert_eq!(
                serves(arguments.as_bytes(), Path::new("/data/postgres")),
                expected,
                "{arguments:?}"
            );
        }
        check(
            "/usr/bin/postgres\0-D\0/data/postgres\0-k\0/data/run\0-c\0port=5432\0",
            true,
        );
        check(
            "/usr/bin/postgres -D /data/postgres -k /data/run -c port=5432",
            true,
        );
        check("/usr/bin/postgres\0-D\0/data/postgres2\0-k\0/data/run\0", false);
        check("/usr/bin/pg_dump\0-D\0/data/postgres\0-k\0/data/run\0", false);
        check("grep -D /data/postgres -k x", false);
        check("", false);
    }
}
