//! Tests only: one Postgres per test program, and databases in it that are copies of a prepared one.

#![expect(clippy::unwrap_used, reason = "only tests use it, and a test may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use private_postgres::{DATABASE, PrivatePostgres, Settings};
use tokio::sync::OnceCell;

const PREPARED: &str = "prepared";

struct Cluster {
    postgres: PrivatePostgres,
    prepared: OnceCell<()>,
    databases: AtomicU32,
    /// Stops Postgres and removes its folder once the pipe to it closes, however this program ends.
    _cleaner: Child,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    // The runtime of whichever test comes first would take the connection's tasks with it.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(start())
    })
    .join()
    .unwrap()
});

/// The address of a new database for one test: a copy of the one that `prepare` was given, the first time, to make the
/// schema in. All callers of a program prepare the same.
pub async fn database(prepare: impl AsyncFnOnce(String)) -> String {
    let cluster = &*CLUSTER;
    let prepared = cluster.prepared.get_or_init(async || {
        cluster.run(&format!("create database {PREPARED}")).await;
        prepare(cluster.url(PREPARED)).await;
    });
    prepared.await;
    let name = format!("test_{}", cluster.databases.fetch_add(1, Ordering::Relaxed));
    cluster
        .run(&format!("create database {name} template {PREPARED}"))
        .await;
    cluster.url(&name)
}

impl Cluster {
    async fn run(&self, statement: &str) {
        self.postgres.query(statement).await.unwrap();
    }

    /// The address of a database, for its owner.
    fn url(&self, database: &str) -> String {
        let own = format!("/{DATABASE}?");
        self.postgres.url().replacen(&own, &format!("/{database}?"), 1)
    }
}

async fn start() -> Cluster {
    let folder = std::env::temp_dir().join(format!("plumbline-tests-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let settings = Settings {
        data_dir: folder.join("data"),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 400,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    Cluster {
        _cleaner: cleaner(postgres.cluster_dir(), &folder),
        postgres,
        prepared: OnceCell::new(),
        databases: AtomicU32::new(0),
    }
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
