//! One Postgres for the whole program; each test gets a copy of a migrated database.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::{ProjectId, Timestamp};
use private_postgres::{PORT, PrivatePostgres, SUPERUSER, Settings};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use storage::{Db, PgConnectOptions};
use uuid::Uuid;

const TEMPLATE: &str = "plumbline_template";

/// A migrated, empty database. It goes when the program ends.
pub(crate) struct TestDatabase {
    /// As the owner.
    pub(crate) options: PgConnectOptions,
    /// As the server.
    pub(crate) db: Db,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let cluster = &*CLUSTER;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = cluster.options("postgres").connect().await.unwrap();
        let create = format!("create database {name} template {TEMPLATE}");
        sqlx::query(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .unwrap();
        let options = cluster.options(&name);
        Self {
            db: Db::connect_lazy(options.clone(), 4),
            options,
        }
    }

    /// A connection as the owner, who sees every project.
    pub(crate) async fn owner(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    /// A project named by a number.
    pub(crate) async fn project(&self, number: u128) -> ProjectId {
        let id = Uuid::from_u128(number);
        sqlx::query("insert into projects (project_id, slug, name, created_at) values ($1, $2, $2, now())")
            .bind(id)
            .bind(format!("project-{number}"))
            .execute(&mut self.owner().await)
            .await
            .unwrap();
        ProjectId(id)
    }
}

/// Reads a time.
pub(crate) fn at(rfc3339: &str) -> Timestamp {
    Timestamp::parse_rfc3339(rfc3339).unwrap()
}

struct Cluster {
    socket_dir: PathBuf,
    _postgres: PrivatePostgres,
    /// Stops Postgres and removes the folder once the pipe to it closes, however this program ends.
    _cleaner: Child,
}

impl Cluster {
    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(PORT)
            .username(SUPERUSER)
            .database(database)
    }
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

async fn start() -> Cluster {
    let folder = std::env::temp_dir().join(format!("plumbline-storage-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let settings = Settings {
        data_dir: folder.join("data"),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 200,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let cluster = Cluster {
        socket_dir: postgres.socket_dir().to_owned(),
        _cleaner: cleaner(postgres.cluster_dir(), &folder),
        _postgres: postgres,
    };
    let mut connection = cluster.options("postgres").connect().await.unwrap();
    let create = format!("create database {TEMPLATE}");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    storage::migrate(&cluster.options(TEMPLATE)).await.unwrap();
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
