//! Reading one moment.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{AssertSqlSafe, Describe, Either, Execute, Executor, Postgres, SqlStr};

use super::Scope;
use crate::Result;
use crate::sealed::OpenPayloads;

/// A read-only transaction in which every statement sees the same moment and has a time limit. Dropped while a
/// statement is under way, as when a caller hangs up, it closes its connection, upon which Postgres stops the
/// statement.
#[derive(Debug)]
pub struct Snapshot {
    connection: PoolConnection<Postgres>,
    /// A statement was sent whose answer has not been read to its end.
    is_waiting: bool,
    payloads: Option<Arc<dyn OpenPayloads>>,
}

impl Snapshot {
    pub(super) async fn begin(
        pool: &PgPool,
        scope: Scope<'_>,
        timeout: Duration,
        payloads: Option<Arc<dyn OpenPayloads>>,
    ) -> Result<Self> {
        let begin = format!(
            "begin isolation level repeatable read, read only; {}; set local statement_timeout = {}",
            scope.set_local(),
            timeout.as_millis()
        );
        let mut snapshot = Self {
            connection: pool.acquire().await?,
            is_waiting: false,
            payloads,
        };
        (&mut snapshot).execute(AssertSqlSafe(begin)).await?;
        Ok(snapshot)
    }

    /// What opens sealed texts.
    pub(crate) fn payloads(&self) -> Option<&dyn OpenPayloads> {
        self.payloads.as_deref()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.is_waiting {
            self.connection.close_on_drop();
        }
    }
}

impl<'c> Executor<'c> for &'c mut Snapshot {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Snapshot {
            connection,
            is_waiting,
            ..
        } = self;
        *is_waiting = true;
        let at_end = stream::poll_fn(move |_| {
            *is_waiting = false;
            Poll::Ready(None)
        });
        connection.fetch_many(query).chain(at_end).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.is_waiting = true;
        Box::pin(async move {
            let row = self.connection.fetch_optional(query).await;
            self.is_waiting = false;
            row
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}
