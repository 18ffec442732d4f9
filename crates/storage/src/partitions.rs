//! The partition maintainer's SQL: weeks made ahead, weeks dropped and rows deleted by retention. Runs as the owner
//! of the schema.

mod expired;
mod prompt_texts;
mod weeks;

use domain::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use time::{Date, Duration, OffsetDateTime};

pub use expired::delete_expired;
pub use weeks::Weeks;

use crate::{Error, Result};

/// What one pass of the maintainer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Partitions made.
    pub created: u32,
    /// Partitions dropped, by name.
    pub dropped: Vec<String>,
}

/// Rows deleted by one statement: few enough that a writer waiting for one of them hardly notices.
const BATCH_ROWS: i64 = 5_000;

/// What one pass of `delete_expired` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Rows deleted, over all tables.
    pub rows: u64,
    /// Statements used, each at most `BATCH_ROWS` rows.
    pub statements: u64,
}

impl Expired {
    /// Counts a statement; true when it was the last one: it found fewer rows than it might have.
    fn add_and_see_if_last(&mut self, rows: u64) -> bool {
        self.rows += rows;
        self.statements += 1;
        rows < BATCH_ROWS.unsigned_abs()
    }
}

/// Weeks that are made ahead of time.
const WEEKS_AHEAD: i64 = 2;
/// How long calls are kept by release, unless runs are kept shorter.
pub(crate) const RELEASE_DAYS: i64 = 14;
/// Rows further in the past than this are odd and stay in the default partition.
const BACKFILL_YEARS: i64 = 5;
/// What is in the way while another process does a pass.
pub const MAINTAINED_ELSEWHERE: &str = "plumbline partitions";
/// How often it is asked whether another process' pass is over, and at what interval.
const TURN_ATTEMPTS: u32 = 50;
const TURN_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);
/// How long a pass queues for its lock behind readers before it gives up: later readers queue behind it.
const LOCK_TIMEOUT: &str = "set lock_timeout = '5s'";

/// One pass: makes the partitions of last week to `WEEKS_AHEAD` weeks ahead and of every past week that has rows
/// in a default partition; drops the weeks that are older than every project's retention.
pub async fn maintain(options: &PgConnectOptions, now: Timestamp) -> Result<Maintained> {
    let mut connection = connect(options).await?;
    let now = now.to_offset_date_time();
    let mut done = Maintained::default();
    for table in tables(&mut connection).await? {
        let mut weeks = weeks_in_default(&mut connection, &table, now).await?;
        weeks.extend((-1..=WEEKS_AHEAD).map(|n| monday(now.date()) + Duration::weeks(n)));
        weeks.sort_unstable();
        weeks.dedup();
        for week in weeks {
            done.created += u32::from(create_week(&mut connection, &table, week).await?);
        }
    }
    done.dropped = drop_expired(&mut connection, now).await?;
    Ok(done)
}

/// Whether rows that belong in a week of their own wait in a default partition, so that a pass is worth its locks.
pub async fn is_due(options: &PgConnectOptions, now: Timestamp) -> Result<bool> {
    let mut connection = options.clone().connect().await?;
    let (from, to) = sane_times(now.to_offset_date_time());
    for table in tables(&mut connection).await? {
        let statement = format!(
            "select exists (select from {}_default where {column} >= $1 and {column} < $2)",
            table.name,
            column = table.time_column
        );
        let waiting: bool = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(from)
            .bind(to)
            .fetch_one(&mut connection)
            .await?;
        if waiting {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A partitioned table. Both names come from `partitioned_tables`, which only migrations write, so that they may
/// stand in statements.
struct Table {
    name: String,
    time_column: String,
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>> {
    let tables = sqlx::query_as!(
        Table,
        "select table_name as name, time_column from partitioned_tables order by table_name"
    );
    Ok(tables.fetch_all(connection).await?)
}

/// Makes a week of a table unless it is there.
async fn create_week(connection: &mut PgConnection, table: &Table, week: Date) -> Result<bool> {
    let created = sqlx::query_scalar!(
        "select create_week_partition($1, $2, $3) as \"created!\"",
        table.name,
        table.time_column,
        week
    );
    Ok(created.fetch_one(connection).await?)
}

async fn see_every_project(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select set_config('plumbline.scope', 'all', false)")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// A connection that sees every project, and is the only maintainer's, whichever process it runs in. `Conflict` with
/// [`MAINTAINED_ELSEWHERE`] when another one is at work for longer than a moment: a process that waits can't stop.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = options.clone().connect().await?;
    see_every_project(&mut connection).await?;
    let mut attempts = 0;
    while !sqlx::query_scalar!(
        "select pg_try_advisory_lock(hashtext('plumbline partitions')) as \"is_ours!\""
    )
    .fetch_one(&mut connection)
    .await?
    {
        attempts += 1;
        if attempts == TURN_ATTEMPTS {
            return Err(Error::Conflict(MAINTAINED_ELSEWHERE));
        }
        tokio::time::sleep(TURN_INTERVAL).await;
    }
    sqlx::query(LOCK_TIMEOUT).execute(&mut connection).await?;
    Ok(connection)
}

fn sane_times(now: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    (
        now - Duration::weeks(52 * BACKFILL_YEARS),
        now + Duration::weeks(WEEKS_AHEAD),
    )
}

async fn weeks_in_default(
    connection: &mut PgConnection,
    table: &Table,
    now: OffsetDateTime,
) -> Result<Vec<Date>> {
    let statement = format!(
        "select distinct date_trunc('week', {column} at time zone 'UTC')::date from {}_default \
         where {column} >= $1 and {column} < $2",
        table.name,
        column = table.time_column
    );
    let (from, to) = sane_times(now);
    Ok(sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(from)
        .bind(to)
        .fetch_all(connection)
        .await?)
}

async fn drop_expired(connection: &mut PgConnection, now: OffsetDateTime) -> Result<Vec<String>> {
    let longest = expired::longest_retention(connection).await?;
    let runs_before = now - Duration::days(longest.run_days);
    let payloads_before = now - Duration::days(longest.payload_days);
    let expired = sqlx::query!(
        "select child as \"child!\" from partitioned_tables, week_partitions(table_name)
         where ends_at < case table_name when 'step_payloads' then $1 when 'release_hours'
           then greatest($2::timestamptz, $3::timestamptz) else $2::timestamptz end
         order by child",
        payloads_before,
        runs_before,
        now - Duration::days(RELEASE_DAYS)
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut dropped = Vec::new();
    for partition in expired {
        // The name comes from the catalogue; quoted all the same.
        let statement = format!("drop table \"{}\"", partition.child.replace('"', "\"\""));
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
        dropped.push(partition.child);
    }
    Ok(dropped)
}

fn monday(date: Date) -> Date {
    date - Duration::days(i64::from(date.weekday().number_days_from_monday()))
}
