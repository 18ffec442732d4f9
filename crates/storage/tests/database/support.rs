//! Each test gets a copy of a migrated database, owned by a role that may do no more than the owner of a managed one:
//! row-level security holds for it too.

use std::time::Duration;

use domain::{ProjectId, Timestamp};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use storage::projects::deletion;
use storage::{Db, PgConnectOptions, Snapshot, jobs};
use test_postgres::Version;
use uuid::Uuid;

/// A migrated, empty database. It goes when the program ends.
pub(crate) struct TestDatabase {
    /// As the owner.
    pub(crate) options: PgConnectOptions,
    /// As the server.
    pub(crate) db: Db,
    superuser: PgConnectOptions,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        Self::of(Version::Installed).await
    }

    pub(crate) async fn of(version: Version) -> Self {
        let migrate = async |url: String| {
            storage::migrate(&url.parse().unwrap()).await.unwrap();
        };
        let database = test_postgres::owned_database(version, migrate).await;
        let options: PgConnectOptions = database.url.parse().unwrap();
        Self {
            db: Db::connect_lazy(options.clone(), 4),
            options,
            superuser: database.superuser_url.parse().unwrap(),
        }
    }

    /// Another database of the same owner, without a schema.
    pub(crate) async fn empty(&self, name: &str) -> PgConnectOptions {
        let statement = format!("create database {name} owner {}", self.options.get_username());
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut self.superuser().await)
            .await
            .unwrap();
        self.options.clone().database(name)
    }

    /// What pages read from.
    pub(crate) async fn snapshot(&self, project: ProjectId) -> Snapshot {
        self.db.snapshot(project).await.unwrap()
    }

    pub(crate) async fn owner(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    /// A connection that sees every project, whatever the policies say.
    pub(crate) async fn superuser(&self) -> PgConnection {
        self.superuser.connect().await.unwrap()
    }

    /// A project named by a number.
    pub(crate) async fn project(&self, number: u128) -> ProjectId {
        let id = Uuid::from_u128(number);
        sqlx::query("insert into projects (project_id, slug, name, created_at) values ($1, $2, $2, now())")
            .bind(id)
            .bind(format!("project-{number}"))
            .execute(&mut self.superuser().await)
            .await
            .unwrap();
        ProjectId(id)
    }
}

/// Deletes a project as the server's job does, to the end.
pub(crate) async fn delete_project(db: &Db, project: ProjectId) -> storage::Result<()> {
    let now = at("2026-11-24T12:00:00Z");
    let job = deletion::start(db, project, "test", now).await?;
    while let Some(chunk) = jobs::take(db, &[deletion::KIND], Some((project, job)), now).await? {
        deletion::delete_chunk(chunk, now).await?;
    }
    Ok(())
}

/// Waits until somebody waits for something that somebody else holds.
pub(crate) async fn wait_for_a_waiter(owner: &mut PgConnection) {
    let waiting = async {
        loop {
            let waiters: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut *owner)
            .await
            .unwrap();
            if waiters > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap_or_else(|_| panic!("nobody waits"));
}

/// Reads a time.
pub(crate) fn at(rfc3339: &str) -> Timestamp {
    Timestamp::parse_rfc3339(rfc3339).unwrap()
}
