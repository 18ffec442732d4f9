//! The private Postgres through good and bad days, on a real installation.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use private_postgres::{Error, PrivatePostgres, Settings};
use tokio::time::{Instant, interval, timeout};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A data folder that is removed at the end, with what lies outside of it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("private-postgres-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Self(path)
    }

    async fn start(&self) -> Result<PrivatePostgres, Error> {
        start(&self.0.join("data")).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn settings(data_dir: &Path) -> Settings {
    Settings {
        data_dir: data_dir.to_owned(),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 20,
    }
}

async fn start(data_dir: &Path) -> Result<PrivatePostgres, Error> {
    PrivatePostgres::start(settings(data_dir)).await
}

#[tokio::test]
async fn only_this_user_connects_and_a_server_as_a_role_without_rights() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let durable = Settings {
        durable: true,
        ..settings(&data)
    };
    let postgres = PrivatePostgres::start(durable).await.unwrap();
    let rules = "select string_agg(distinct auth_method, ',') from pg_hba_file_rules";
    assert_eq!(single(&postgres, rules).await.as_deref(), Some("peer"));
    let rights = "select concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolcanlogin) \
                  from pg_roles where rolname = 'plumbline_server'";
    assert_eq!(single(&postgres, rights).await.as_deref(), Some("f f f f t"));
    // Who can open the lock can hold it, and keep the server from starting.
    let mode = std::fs::metadata(data.join("lock")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_lock_file_that_others_may_open_is_closed_to_them() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    std::fs::create_dir(&data).unwrap();
    let lock = data.join("lock");
    std::fs::write(&lock, "").unwrap();
    std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o644)).unwrap();
    let postgres = start(&data).await.unwrap();
    assert_eq!(std::fs::metadata(&lock).unwrap().mode() & 0o777, 0o600);
    postgres.stop().await.unwrap();
}

async fn single(postgres: &PrivatePostgres, sql: &str) -> Option<String> {
    postgres.query(sql).await.unwrap().remove(0).remove(0)
}

fn postmaster_pid(postgres: &PrivatePostgres) -> u32 {
    let text = std::fs::read_to_string(postgres.cluster_dir().join("postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn kill(signal: &str, pid: u32) -> bool {
    Command::new("kill")
        .args([signal, &pid.to_string()])
        .output()
        .unwrap()
        .status
        .success()
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let wait = async {
        let mut ticks = interval(Duration::from_millis(20));
        while !holds().await {
            ticks.tick().await;
        }
    };
    timeout(TIMEOUT, wait)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"));
}

#[tokio::test]
async fn a_new_folder_gets_a_database_and_the_url_reaches_it() {
    let folder = Folder::new();
    let begun = Instant::now();
    let postgres = folder.start().await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "first start took {:?}",
        begun.elapsed()
    );
    assert_eq!(
        single(&postgres, "select current_database()").await.as_deref(),
        Some("plumbline")
    );
    assert_eq!(
        single(&postgres, "show listen_addresses").await.as_deref(),
        Some("")
    );
    assert_eq!(
        single(&postgres, "show server_encoding").await.as_deref(),
        Some("UTF8")
    );
    assert!(
        postgres.version().starts_with(|c: char| c.is_ascii_digit()),
        "{}",
        postgres.version()
    );
    for private in [postgres.socket_dir(), postgres.cluster_dir()] {
        assert_eq!(
            private.metadata().unwrap().mode() & 0o777,
            0o700,
            "{}",
            private.display()
        );
    }

    postgres.stop().await.unwrap();

    let begun = Instant::now();
    let postgres = {
        drop(postgres);
        folder.start().await.unwrap()
    };
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "warm start took {:?}",
        begun.elapsed()
    );
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_on_the_folder_is_refused() {
    let folder = Folder::new();
    let postgres = folder.start().await.unwrap();
    let refused = folder.start().await.unwrap_err();
    assert!(matches!(refused, Error::Locked { .. }), "{refused}");
    assert!(
        refused.to_string().contains(folder.0.to_str().unwrap()),
        "{refused}"
    );
    assert_eq!(single(&postgres, "select 1").await.as_deref(), Some("1"));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn stop_leaves_nothing_running_and_may_be_repeated() {
    let folder = Folder::new();
    let postgres = folder.start().await.unwrap();
    let pid = postmaster_pid(&postgres);
    postgres.stop().await.unwrap();
    assert!(!kill("-0", pid), "process {pid} still lives");
    assert!(!postgres.cluster_dir().join("postmaster.pid").exists());
    postgres.stop().await.unwrap();
    timeout(TIMEOUT, postgres.watch()).await.unwrap();
}

#[tokio::test]
async fn a_killed_postgres_is_restarted_with_its_committed_data() {
    let folder = Folder::new();
    // Without durability the last commits before a crash may be lost.
    let settings = Settings {
        durable: true,
        ..settings(&folder.0.join("data"))
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    postgres
        .query("create table kept as select 7 as n")
        .await
        .unwrap();
    let killed = postmaster_pid(&postgres);
    let scenario = async {
        // A backend busy with arithmetic notices late that its postmaster is gone: the new one has to wait.
        let busy = postgres.query("select sum(n % 7) from generate_series(1, 20000000) as n");
        let kill_it = async {
            until("the busy backend", || async {
                let active = "select count(*) from pg_stat_activity where query like 'select sum%' and pid <> pg_backend_pid()";
                single(&postgres, active).await.as_deref() == Some("1")
            })
            .await;
            assert!(kill("-9", killed));
        };
        let (_answer, ()) = tokio::join!(busy, kill_it);
        until("the restart", || async {
            postgres.query("select 1").await.is_ok()
        })
        .await;
        assert_ne!(postmaster_pid(&postgres), killed);
        assert_eq!(
            single(&postgres, "select n from kept").await.as_deref(),
            Some("7")
        );
        postgres.stop().await.unwrap();
    };
    let ((), ()) = tokio::join!(postgres.watch(), scenario);
}

#[tokio::test]
async fn a_stale_pid_file_is_recovered_whatever_process_has_the_number_now() {
    let folder = Folder::new();
    let postgres = folder.start().await.unwrap();
    let owner = postgres.cluster_dir().metadata().unwrap();
    let mut stranger = Command::new("sleep");
    stranger.arg("300").current_dir("/");
    if Path::new("/root").metadata().is_ok() && std::fs::read_dir("/root").is_ok() {
        stranger.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = stranger.spawn().unwrap();
    postgres
        .query("create table kept as select 7 as n")
        .await
        .unwrap();

    let pid_file = postgres.cluster_dir().join("postmaster.pid");
    let socket_lock = postgres.socket_dir().join(".s.PGSQL.5432.lock");
    let mut postgres = postgres;
    for left in [
        format!("{}\n", std::process::id()),
        format!("{}\n", stranger.id()),
        format!(
            "{}\n{}\n0\n5432\n",
            stranger.id(),
            postgres.cluster_dir().display()
        ),
        String::new(),
        "nonsense".to_owned(),
    ] {
        postgres.stop().await.unwrap();
        drop(postgres);
        std::fs::write(&pid_file, &left).unwrap();
        std::fs::write(&socket_lock, &left).unwrap();
        for file in [&pid_file, &socket_lock] {
            std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        postgres = folder
            .start()
            .await
            .unwrap_or_else(|error| panic!("{left:?}: {error}"));
        assert_eq!(
            single(&postgres, "select n from kept").await.as_deref(),
            Some("7"),
            "{left:?}"
        );
    }
    postgres.stop().await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was harmed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_postgres_left_running_is_adopted_watched_and_stopped() {
    let folder = Folder::new();
    let postgres = folder.start().await.unwrap();
    let left = postmaster_pid(&postgres);
    drop(postgres);

    let adopter = folder.start().await.unwrap();
    assert_eq!(postmaster_pid(&adopter), left);
    let scenario = async {
        assert!(kill("-9", left));
        until("the restart", || async {
            adopter.query("select 1").await.is_ok() && postmaster_pid(&adopter) != left
        })
        .await;
    };
    tokio::select! {
        () = adopter.watch() => panic!("watch ended before stop"),
        () = scenario => {}
    }
    let restarted = postmaster_pid(&adopter);
    drop(adopter);

    let adopter = folder.start().await.unwrap();
    assert_eq!(postmaster_pid(&adopter), restarted);
    adopter.stop().await.unwrap();
    assert!(!adopter.cluster_dir().join("postmaster.pid").exists());
}

#[tokio::test]
async fn a_long_path_puts_the_socket_elsewhere() {
    let folder = Folder::new();
    let postgres = start(&folder.0.join("d".repeat(90)).join("my data"))
        .await
        .unwrap();
    assert!(
        postgres.socket_dir().starts_with("/tmp"),
        "{}",
        postgres.socket_dir().display()
    );
    assert!(postgres.cluster_dir().starts_with(&folder.0));
    assert_eq!(postgres.socket_dir().metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(single(&postgres, "select 1").await.as_deref(), Some("1"));
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(postgres.socket_dir()).unwrap();
}

#[tokio::test]
async fn a_folder_closed_to_the_account_of_postgres_works_too() {
    let folder = Folder::new();
    let closed = folder.0.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let data_dir = closed.join("data");
    let postgres = start(&data_dir).await.unwrap();
    postgres
        .query("create table kept as select 7 as n")
        .await
        .unwrap();
    let cluster_dir = postgres.cluster_dir().to_owned();
    postgres.stop().await.unwrap();
    drop(postgres);

    // Opening the folder later must not start an empty database in it.
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = start(&data_dir).await.unwrap();
    assert_eq!(postgres.cluster_dir(), cluster_dir);
    assert_eq!(
        single(&postgres, "select n from kept").await.as_deref(),
        Some("7")
    );
    assert!(data_dir.join("lock").exists());
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(cluster_dir.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn a_killed_initdb_and_a_bad_setting_are_survived() {
    let folder = Folder::new();
    let data_dir = folder.0.join("data");
    std::fs::create_dir_all(data_dir.join("postgres.new/base")).unwrap();
    let postgres = folder.start().await.unwrap();
    postgres.stop().await.unwrap();
    let config = postgres.cluster_dir().join("postgresql.conf");
    drop(postgres);

    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, "no_such_setting = 1\n").unwrap();
    let refused = folder.start().await.unwrap_err().to_string();
    assert!(
        refused.contains("no_such_setting") && refused.contains("postgres.log"),
        "{refused}"
    );
    std::fs::write(&config, good).unwrap();
    folder.start().await.unwrap().stop().await.unwrap();

    std::fs::write(config.with_file_name("PG_VERSION"), "99\n").unwrap();
    let refused = folder.start().await.unwrap_err().to_string();
    assert!(refused.contains("made by Postgres 99"), "{refused}");
}

#[tokio::test]
async fn a_running_database_is_found_from_outside_and_a_stopped_one_is_not() {
    let folder = Folder::new();
    let data_dir = folder.0.join("data");
    let missing = private_postgres::find_running(&data_dir).await;
    assert!(matches!(missing, Err(Error::NotRunning { .. })), "{missing:?}");
    assert!(!data_dir.exists(), "looking must not make the folder");

    let postgres = folder.start().await.unwrap();
    let found = private_postgres::find_running(&data_dir).await.unwrap();
    assert_eq!(
        (found.socket_dir(), found.version()),
        (postgres.socket_dir(), postgres.version())
    );

    postgres.stop().await.unwrap();
    let stopped = private_postgres::find_running(&data_dir).await;
    assert!(matches!(stopped, Err(Error::NotRunning { .. })), "{stopped:?}");
}
