//! The partition maintainer's SQL: weeks made ahead, weeks dropped and rows deleted by retention. Runs as the owner
//! of the schema.

mod expired;
mod first_seen;
mod inquiries;
mod prompt_texts;
mod weeks;

use domain::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use time::{Date, Duration, OffsetDateTime};

use expired::Retention;

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
    /// How often it went on with the next table because somebody was at one. The next pass tries again.
    pub postponed: u32,
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
/// How long a pass queues for a table behind readers before it gives way: whoever reads or writes the table later queues
/// behind it, batches too.
const TABLE_LOCK_TIMEOUT: &str = "set lock_timeout = '300ms'";
/// How often it queues for each table, and how long it lets others pass in between.
const LOCK_ATTEMPTS: u32 = 3;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// How long a row is waited for that is to be deleted. Nobody queues behind that.
const ROW_LOCK_TIMEOUT: &str = "set lock_timeout = '5s'";

/// One pass: makes the partitions of last week to `WEEKS_AHEAD` weeks ahead and of every past week that has rows
/// in a default partition; drops the weeks that are older than every project's retention.
pub async fn maintain(options: &PgConnectOptions, now: Timestamp) -> Result<Maintained> {
    let mut connection = connect(options, TABLE_LOCK_TIMEOUT).await?;
    let now = now.to_offset_date_time();
    let mut done = Maintained::default();
    let longest = expired::longest_retention(&mut connection).await?;
    for table in tables(&mut connection).await? {
        let mut weeks = weeks_in_default(&mut connection, &table, longest, now).await?;
        weeks.extend((-1..=WEEKS_AHEAD).map(|n| monday(now.date()) + Duration::weeks(n)));
        weeks.sort_unstable();
        weeks.dedup();
        for week in weeks {
            let Some(created) = create_week_in_turn(&mut connection, &table, week).await? else {
                done.postponed += 1;
                break;
            };
            done.created += u32::from(created);
        }
    }
    drop_expired(&mut connection, now, &mut done).await?;
    Ok(done)
}

/// Whether rows that belong in a week of their own wait in a default partition, so that a pass is worth its locks.
pub async fn is_due(options: &PgConnectOptions, now: Timestamp) -> Result<bool> {
    let mut connection = options.clone().connect().await?;
    see_every_project(&mut connection).await?;
    let longest = expired::longest_retention(&mut connection).await?;
    for table in tables(&mut connection).await? {
        let (from, to) = times_by_week(&table, longest, now.to_offset_date_time());
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

/// Makes a week of a table unless it is there; `None` when the table is always in use.
async fn create_week_in_turn(
    connection: &mut PgConnection,
    table: &Table,
    week: Date,
) -> Result<Option<bool>> {
    let mut attempts = 0;
    loop {
        match create_week(connection, table, week).await {
            Err(cause) if cause.is_lock_timeout() => {
                if is_last(&mut attempts).await {
                    return Ok(None);
                }
            }
            done => return done.map(Some),
        }
    }
}

async fn see_every_project(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select set_config('plumbline.scope', 'all', false)")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// A connection that sees every project, and is the only maintainer's, whichever process it runs in. `Conflict` with
/// [`MAINTAINED_ELSEWHERE`] when another one is at work for longer than a moment: a process that waits can't stop.
async fn connect(options: &PgConnectOptions, lock_timeout: &'static str) -> Result<PgConnection> {
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
    sqlx::query(lock_timeout).execute(&mut connection).await?;
    Ok(connection)
}

/// The times of a table that have weeks of their own: from the oldest week that is kept on, unless they are odd.
fn times_by_week(table: &Table, longest: Retention, now: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    let oldest = oldest_week(table, longest, now).midnight().assume_utc();
    (
        oldest.max(now - Duration::weeks(52 * BACKFILL_YEARS)),
        now + Duration::weeks(WEEKS_AHEAD),
    )
}

/// The oldest week of a table that some project keeps. Those before are dropped, and need not be made for it.
fn oldest_week(table: &Table, longest: Retention, now: OffsetDateTime) -> Date {
    monday((now - Duration::days(longest.days_of(&table.name))).date())
}

async fn weeks_in_default(
    connection: &mut PgConnection,
    table: &Table,
    longest: Retention,
    now: OffsetDateTime,
) -> Result<Vec<Date>> {
    let statement = format!(
        "select distinct date_trunc('week', {column} at time zone 'UTC')::date from {}_default \
         where {column} >= $1 and {column} < $2",
        table.name,
        column = table.time_column
    );
    let (from, to) = times_by_week(table, longest, now);
    Ok(sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(from)
        .bind(to)
        .fetch_all(connection)
        .await?)
}

async fn drop_expired(
    connection: &mut PgConnection,
    now: OffsetDateTime,
    done: &mut Maintained,
) -> Result<()> {
    let longest = expired::longest_retention(connection).await?;
    for table in tables(connection).await? {
        let weeks = sqlx::query_scalar!(
            "select child as \"child!\" from week_partitions($1) where ends_at < $2 order by child",
            table.name,
            now - Duration::days(longest.days_of(&table.name))
        )
        .fetch_all(&mut *connection)
        .await?;
        for week in weeks {
            if !drop_week(connection, &week).await? {
                done.postponed += 1;
                break;
            }
            done.dropped.push(week);
        }
    }
    Ok(())
}

/// Drops a partition; false when its table is always in use. The name comes from the catalogue; quoted all the same.
async fn drop_week(connection: &mut PgConnection, child: &str) -> Result<bool> {
    let statement = format!("drop table \"{}\"", child.replace('"', "\"\""));
    let mut attempts = 0;
    loop {
        let dropped = sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&mut *connection)
            .await
            .map_err(Error::from);
        match dropped {
            Err(cause) if cause.is_lock_timeout() => {
                if is_last(&mut attempts).await {
                    return Ok(false);
                }
            }
            done => return done.map(|_| true),
        }
    }
}

/// Whether a table was queued for often enough. If not, those that have queued behind go first.
async fn is_last(attempts: &mut u32) -> bool {
    *attempts += 1;
    if *attempts < LOCK_ATTEMPTS {
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    *attempts >= LOCK_ATTEMPTS
}

fn monday(date: Date) -> Date {
    date - Duration::days(i64::from(date.weekday().number_days_from_monday()))
}
