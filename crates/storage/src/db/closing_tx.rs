//! A transaction that goes with its connection.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor as _, Postgres};

use super::Scope;
use crate::Result;

/// A transaction that ends by closing its connection unless it is ended otherwise. Given up while an answer is awaited
/// that may never come, the connection of an ordinary one would go back to the pool, wait there for the answer and be
/// missing as long.
#[derive(Debug)]
pub(crate) struct ClosingTx {
    connection: PoolConnection<Postgres>,
    is_open: bool,
}

impl ClosingTx {
    pub(super) async fn begin(pool: &PgPool, scope: Scope<'_>) -> Result<Self> {
        let mut tx = Self {
            connection: pool.acquire().await?,
            is_open: true,
        };
        tx.connection
            .execute(AssertSqlSafe(format!("begin; {}", scope.set_local())))
            .await?;
        Ok(tx)
    }

    pub(crate) async fn commit(self) -> Result<()> {
        self.end("commit").await
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        self.end("rollback").await
    }

    async fn end(mut self, statement: &'static str) -> Result<()> {
        self.connection.execute(statement).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Deref for ClosingTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for ClosingTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for ClosingTx {
    fn drop(&mut self) {
        if self.is_open {
            self.connection.close_on_drop();
        }
    }
}
