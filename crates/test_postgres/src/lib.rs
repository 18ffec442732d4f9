//! Tests only: one Postgres per test program, and databases in it that are copies of a prepared one.

#![expect(clippy::unwrap_used, reason = "only tests use it, and a test may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use private_postgres::{DATABASE, PrivatePostgres, SUPERUSER, Settings};
use tokio::sync::OnceCell;

const PREPARED: &str = "prepared";
const OWNER: &str = "owner";

struct Cluster {
    postgres: PrivatePostgres,
    prepared: OnceCell<()>,
    databases: AtomicU32,
    /// Stops Postgres and removes its folder once the pipe to it closes, however this program ends.
    _cleaner: Child,
}

static INSTALLED: LazyLock<Cluster> = LazyLock::new(|| start_apart(None));
static NEWEST: LazyLock<Cluster> = LazyLock::new(|| start_apart(Some(newest_bin_dir())));

/// Which Postgres a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one that a server on this machine would run.
    Installed,
    /// The newest there is, which `scripts/setup test` fetches.
    Newest,
}

/// A database whose owner may do no more than that of a managed one: make roles and databases.
#[derive(Clone, Debug)]
pub struct OwnedDatabase {
    /// The address for its owner.
    pub url: String,
    /// The address for the superuser, who sees everything.
    pub superuser_url: String,
}

/// The address of a new database for one test: a copy of the one that `prepare` was given, the first time, to make the
/// schema in. All callers of a program prepare the same.
pub async fn database(prepare: impl AsyncFnOnce(String)) -> String {
    INSTALLED.copy(SUPERUSER, prepare).await.superuser_url
}

/// As `database`, but row-level security holds for its owner.
pub async fn owned_database(version: Version, prepare: impl AsyncFnOnce(String)) -> OwnedDatabase {
    let cluster = match version {
        Version::Installed => &INSTALLED,
        Version::Newest => &NEWEST,
    };
    cluster.copy(OWNER, prepare).await
}

impl Cluster {
    async fn copy(&self, owner: &str, prepare: impl AsyncFnOnce(String)) -> OwnedDatabase {
        let prepared = self.prepared.get_or_init(async || {
            self.run(&format!("create database {PREPARED} owner {owner}"))
                .await;
            prepare(self.url(owner, PREPARED)).await;
        });
        prepared.await;
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run(&format!(
            "create database {name} template {PREPARED} owner {owner}"
        ))
        .await;
        OwnedDatabase {
            url: self.url(owner, &name),
            superuser_url: self.url(SUPERUSER, &name),
        }
    }

    async fn run(&self, statement: &str) {
        self.postgres.query(statement).await.unwrap();
    }

    fn url(&self, user: &str, database: &str) -> String {
        self.postgres
            .url()
            .replacen(&format!("//{SUPERUSER}@"), &format!("//{user}@"), 1)
            .replacen(&format!("/{DATABASE}?"), &format!("/{database}?"), 1)
    }
}

fn start_apart(bin_dir: Option<PathBuf>) -> Cluster {
    // The runtime of whichever test comes first would take the connection's tasks with it.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(start(bin_dir))
    })
    .join()
    .unwrap()
}

/// `target/postgres/<version>/bin`: this program is `target/debug/deps/…`.
fn newest_bin_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let versions = program.ancestors().nth(3).unwrap().join("postgres");
    let newest = std::fs::read_dir(&versions)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u16>().ok())
        .max();
    let newest = newest.unwrap_or_else(|| panic!("no {}: run `scripts/setup test`", versions.display()));
    versions.join(newest.to_string()).join("bin")
}

async fn start(bin_dir: Option<PathBuf>) -> Cluster {
    let version = if bin_dir.is_some() { "newest" } else { "installed" };
    let folder = std::env::temp_dir().join(format!("plumbline-tests-{version}-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let settings = Settings {
        data_dir: folder.join("data"),
        bin_dir,
        path_env: None,
        durable: false,
        max_connections: 400,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let cluster = Cluster {
        _cleaner: cleaner(postgres.cluster_dir(), &folder),
        postgres,
        prepared: OnceCell::new(),
        databases: AtomicU32::new(0),
    };
    cluster
        .run(&format!("create role {OWNER} login createrole createdb"))
        .await;
    cluster
}

fn cleaner(cluster_dir: &Path, folder: &Path) -> Child {
    let script = "cat >/dev/null; pid=$(head -n 1 \"$1/postmaster.pid\"); kill -QUIT \"$pid\"; \
                  while kill -0 \"$pid\" 2>/dev/null; do sleep 0.1; done; rm -rf \"$2\"";
    Command::new("sh")
        .args(["-c", script, "sh"])
        .args([cluster_dir, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
