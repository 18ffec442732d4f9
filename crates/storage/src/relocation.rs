//! Moving everything to another database. Rows are copied part by part (a table, or one partition of it) in the order of
//! their keys, each part in a transaction of its own that also compares both sides and notes the part as copied. So a
//! move that is killed goes on with the parts that are missing. The source is only read, and nobody writes to it meanwhile.

mod parts;
mod target;

use std::collections::BTreeMap;

use domain::Timestamp;
use futures::TryStreamExt as _;
use futures::future::try_join;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use uuid::Uuid;

use crate::audit::COMMAND_LINE;
use crate::{Error, Result};

pub use parts::Part;
pub use target::{Target, TargetState, target};

/// How many bytes are collected before they are sent on: rows come one by one.
const CHUNK_BYTES: usize = 256 * 1024;
/// How values are written and read, the same on both sides, and no limits of time but for locks. A statement
/// that nobody waits for any more is given up where the platform can tell.
const SESSION: &str = "set plumbline.scope = 'all'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; \
    set timezone = 'UTC'; set bytea_output = 'hex'; set extra_float_digits = 1; set statement_timeout = 0; \
    set idle_in_transaction_session_timeout = 0; set lock_timeout = '10s'; \
    do $$ begin perform set_config('client_connection_check_interval', '1000', false); \
    exception when others then null; end $$";
/// How often it is asked whether another move into the same target is over, and at what interval: one that was killed may
/// leave a statement behind that Postgres has not given up yet.
const TURN_ATTEMPTS: u32 = 50;
const TURN_INTERVAL: std::time::Duration = std::time::Duration::from_millis(200);

/// Why a move stopped.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Database(#[from] Error),
    /// A part was copied, and the target counts or adds it up otherwise.
    #[error(
        "{part} came to {target_rows} rows of {source_rows}, or to other contents; nothing of it was kept"
    )]
    Differs {
        part: String,
        source_rows: i64,
        target_rows: i64,
    },
    /// The target has no such table or partition, or one with other columns.
    #[error("{0} is not the same on both sides; is the database of this version?")]
    OtherShape(String),
    /// Another command moves something into the same target.
    #[error("another move into the same database is under way")]
    Busy,
}

impl From<sqlx::Error> for MoveError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause.into())
    }
}

/// Rows of a part, and what their contents add up to in whatever order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sum {
    rows: i64,
    checksum: String,
}

/// What there is to move, in the order in which it is copied. Changes nothing.
pub async fn parts(source: &PgConnectOptions) -> Result<Vec<Part>> {
    let mut connection = connect(source).await?;
    let parts = parts::read(&mut connection).await?;
    connection.close().await?;
    Ok(parts)
}

/// A move under way.
#[derive(Debug)]
pub struct Move {
    source: PgConnection,
    target: PgConnection,
    parts: Vec<Part>,
    copied: BTreeMap<String, Sum>,
    begins_anew: bool,
}

impl Move {
    /// Brings the target to this version's schema and its partitions to those of the source, and holds off everybody who
    /// would write to the source until the move is dropped. Both databases have to be of this version, and the target empty or
    /// that of a move that was not finished. What an earlier attempt copied is kept where the source has not changed since;
    /// otherwise all of it is thrown away.
    ///
    /// # Errors
    /// `Database` with a lock timeout when somebody writes to the source.
    pub async fn begin(source: &PgConnectOptions, target: &PgConnectOptions) -> Result<Self, MoveError> {
        let mut to = connect(target).await?;
        wait_for_turn(&mut to).await?;
        // Before anything else is there, so that whatever follows is known to be unfinished.
        to.execute(
            "create table if not exists database_move (part text primary key, row_count bigint not null, \
             checksum text not null)",
        )
        .await?;
        crate::migrate(target).await?;

        let mut from = connect(source).await?;
        let parts = parts::read(&mut from).await?;
        from.execute("begin").await?;
        let tables: Vec<String> = parts::tables(&parts).into_iter().map(parts::quoted).collect();
        let lock = format!("lock table {} in share mode", tables.join(", "));
        from.execute(AssertSqlSafe(lock)).await?;
        // What came before the locks may have made or dropped a week.
        let parts = parts::read(&mut from).await?;
        parts::make_weeks(&mut from, &mut to).await?;
        parts::drop_others(&parts, &mut to).await?;
        parts::compare(&parts, &parts::read(&mut to).await?)?;

        let noted: Vec<(String, i64, String)> =
            sqlx::query_as("select part, row_count, checksum from database_move")
                .fetch_all(&mut to)
                .await?;
        let copied: BTreeMap<String, Sum> = noted
            .into_iter()
            .map(|(part, rows, checksum)| (part, Sum { rows, checksum }))
            .collect();
        let mut begun = Self {
            source: from,
            target: to,
            parts,
            copied,
            begins_anew: false,
        };
        begun.begins_anew = begun.source_changed().await?;
        if begun.begins_anew || begun.copied.is_empty() {
            begun.empty().await?;
        }
        Ok(begun)
    }

    /// Whether parts that an earlier attempt copied have changed since, so that all of them are copied again.
    pub fn begins_anew(&self) -> bool {
        self.begins_anew
    }

    /// How many parts there are.
    pub fn total(&self) -> usize {
        self.parts.len()
    }

    /// The parts that are to be copied yet, in their order: what is referred to before what refers to it.
    pub fn missing(&self) -> Vec<Part> {
        let missing = self
            .parts
            .iter()
            .filter(|part| !self.copied.contains_key(&part.name));
        missing.cloned().collect()
    }

    /// Copies a part, whole or not at all, and returns its rows. `heard` hears how many have been sent, now and then.
    pub async fn copy(&mut self, part: &Part, mut heard: impl FnMut(u64)) -> Result<i64, MoveError> {
        let mut tx = self.target.begin().await?;
        let name = parts::quoted(&part.name);
        // Rows can't be copied into a table whose policies hold for its owner. Others never see it without them.
        let is_forced: bool =
            sqlx::query_scalar("select relforcerowsecurity from pg_class where oid = to_regclass($1)")
                .bind(&name)
                .fetch_one(&mut *tx)
                .await?;
        if is_forced {
            let without = format!("alter table {name} no force row level security");
            tx.execute(AssertSqlSafe(without)).await?;
        }
        let columns = part.column_list();
        let mut sent = 0_u64;
        let mut to = tx
            .copy_in_raw(&format!("copy {name} ({columns}) from stdin"))
            .await?;
        {
            let mut rows = self.source.copy_out_raw(&part.copy_out()).await?;
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            while let Some(row) = rows.try_next().await? {
                chunk.extend_from_slice(&row);
                sent += 1;
                if chunk.len() >= CHUNK_BYTES {
                    to.send(chunk.as_slice()).await?;
                    chunk.clear();
                    heard(sent);
                }
            }
            if !chunk.is_empty() {
                to.send(chunk.as_slice()).await?;
            }
        }
        to.finish().await?;
        let (here, there) = try_join(sum(&mut self.source, part), sum(&mut tx, part)).await?;
        if here != there {
            return Err(MoveError::Differs {
                part: part.name.clone(),
                source_rows: here.rows,
                target_rows: there.rows,
            });
        }
        if is_forced {
            let with = format!("alter table {name} force row level security");
            tx.execute(AssertSqlSafe(with)).await?;
        }
        sqlx::query("insert into database_move (part, row_count, checksum) values ($1, $2, $3)")
            .bind(&part.name)
            .bind(here.rows)
            .bind(&here.checksum)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let rows = here.rows;
        self.copied.insert(part.name.clone(), here);
        Ok(rows)
    }

    /// When every part is there: lets the target go on numbering where the source stopped, writes the move into its audit
    /// log, and takes away what said that it is unfinished.
    pub async fn finish(mut self, at: Timestamp) -> Result<(), MoveError> {
        let sequences: Vec<(String, i64)> = sqlx::query_as(
            "select quote_ident(sequencename), last_value from pg_sequences
             where schemaname = current_schema() and last_value is not null",
        )
        .fetch_all(&mut self.source)
        .await?;
        let mut tx = self.target.begin().await?;
        for (name, last) in sequences {
            sqlx::query("select setval(to_regclass($1), $2)")
                .bind(name)
                .bind(last)
                .execute(&mut *tx)
                .await?;
        }
        let rows: i64 = self.copied.values().map(|sum| sum.rows).sum();
        sqlx::query(
            "insert into audit_log (id, at, actor, action, subject, details) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(Uuid::now_v7())
        .bind(at.to_offset_date_time())
        .bind(COMMAND_LINE)
        .bind("database.move")
        .bind("database")
        .bind(json!({ "rows": rows }))
        .execute(&mut *tx)
        .await?;
        tx.execute("drop table database_move").await?;
        tx.commit().await?;
        // Without it the first pages would be planned for empty tables.
        let tables: Vec<String> = parts::tables(&self.parts)
            .into_iter()
            .map(parts::quoted)
            .collect();
        let analyze = format!("analyze {}", tables.join(", "));
        self.target.execute(AssertSqlSafe(analyze)).await?;
        self.target.close().await?;
        self.source.close().await?;
        Ok(())
    }

    /// Whether the source has other rows than those that were copied.
    async fn source_changed(&mut self) -> Result<bool, MoveError> {
        if self
            .copied
            .keys()
            .any(|name| !self.parts.iter().any(|part| part.name == *name))
        {
            return Ok(true);
        }
        for part in &self.parts {
            if let Some(copied) = self.copied.get(&part.name)
                && sum(&mut self.source, part).await? != *copied
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes away what migrations put into the target, or an earlier attempt.
    async fn empty(&mut self) -> Result<(), MoveError> {
        // First, so that a move that is ended in between begins with all of it.
        self.target.execute("truncate database_move").await?;
        let there = parts::read(&mut self.target).await?;
        let (whole, partitions): (Vec<&Part>, Vec<&Part>) =
            there.iter().partition(|part| part.name == part.table);
        // One by one: all partitions and their indexes at once are more locks than a small server has room for. Nothing
        // refers to them.
        for part in partitions {
            let truncate = format!("truncate {}", parts::quoted(&part.name));
            self.target.execute(AssertSqlSafe(truncate)).await?;
        }
        let whole: Vec<String> = whole.iter().map(|part| parts::quoted(&part.name)).collect();
        let truncate = format!("truncate {}", whole.join(", "));
        self.target.execute(AssertSqlSafe(truncate)).await?;
        self.copied.clear();
        Ok(())
    }
}

/// A connection as the owner of the schema, that sees every project. What takes long here is meant to.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = options.clone().disable_statement_logging().connect().await?;
    connection.execute(SESSION).await?;
    Ok(connection)
}

/// Makes the connection that of the only move into its database.
async fn wait_for_turn(connection: &mut PgConnection) -> Result<(), MoveError> {
    for _ in 0..TURN_ATTEMPTS {
        let is_ours: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('plumbline move'))")
            .fetch_one(&mut *connection)
            .await?;
        if is_ours {
            return Ok(());
        }
        tokio::time::sleep(TURN_INTERVAL).await;
    }
    Err(MoveError::Busy)
}

async fn sum(connection: &mut PgConnection, part: &Part) -> Result<Sum, MoveError> {
    let (rows, checksum): (i64, String) = sqlx::query_as(AssertSqlSafe(part.sum()))
        .fetch_one(connection)
        .await?;
    Ok(Sum { rows, checksum })
}
