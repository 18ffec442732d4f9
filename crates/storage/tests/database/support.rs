//! Each test gets a copy of a migrated database.

use domain::{ProjectId, Timestamp};
use sqlx::{ConnectOptions as _, PgConnection};
use storage::{Db, PgConnectOptions};
use uuid::Uuid;

/// A migrated, empty database. It goes when the program ends.
pub(crate) struct TestDatabase {
    /// As the owner.
    pub(crate) options: PgConnectOptions,
    /// As the server.
    pub(crate) db: Db,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        let migrate = async |url: String| {
            storage::migrate(&url.parse().unwrap()).await.unwrap();
        };
        let options: PgConnectOptions = test_postgres::database(migrate).await.parse().unwrap();
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
