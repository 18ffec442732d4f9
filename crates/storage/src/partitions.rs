//! The partition maintainer's SQL: weeks made ahead, weeks dropped by retention. Runs as the owner of the schema.

use domain::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use time::{Date, Duration, OffsetDateTime};

use crate::Result;

/// What one pass of the maintainer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Partitions made.
    pub created: u32,
    /// Partitions dropped, by name.
    pub dropped: Vec<String>,
}

/// Weeks that are made ahead of time.
const WEEKS_AHEAD: i64 = 2;
/// Rows further in the future than this are odd and stay in the default partition.
const BACKFILL_YEARS: i64 = 5;

/// One pass: makes the partitions of last week to `WEEKS_AHEAD` weeks ahead and of every past week that has rows
/// in a default partition; drops the weeks that are older than every project's retention.
pub async fn maintain(options: &PgConnectOptions, now: Timestamp) -> Result<Maintained> {
    let mut connection = options.clone().connect().await?;
    sqlx::query!("select set_config('plumbline.scope', 'all', false)")
        .fetch_one(&mut connection)
        .await?;
    // One maintainer at a time, whichever process it runs in.
    sqlx::query!("select pg_advisory_lock(hashtext('plumbline partitions'))")
        .fetch_one(&mut connection)
        .await?;
    let now = now.to_offset_date_time();
    let mut done = Maintained::default();
    let tables = sqlx::query!("select table_name, time_column from partitioned_tables order by table_name")
        .fetch_all(&mut connection)
        .await?;
    for table in &tables {
        let mut weeks = weeks_in_default(&mut connection, &table.table_name, &table.time_column, now).await?;
        weeks.extend((-1..=WEEKS_AHEAD).map(|n| monday(now.date()) + Duration::weeks(n)));
        weeks.sort_unstable();
        weeks.dedup();
        for week in weeks {
            let created = sqlx::query_scalar!(
                "select create_week_partition($1, $2, $3) as \"created!\"",
                table.table_name,
                table.time_column,
                week
            )
            .fetch_one(&mut connection)
            .await?;
            done.created += u32::from(created);
        }
    }
    done.dropped = drop_expired(&mut connection, now).await?;
    Ok(done)
}

async fn weeks_in_default(
    connection: &mut PgConnection,
    table: &str,
    column: &str,
    now: OffsetDateTime,
) -> Result<Vec<Date>> {
    // Table and column come from partitioned_tables, which only migrations write.
    let statement = format!(
        "select distinct date_trunc('week', {column} at time zone 'UTC')::date from {table}_default \
         where {column} >= $1 and {column} < $2"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(now - Duration::weeks(52 * BACKFILL_YEARS))
        .bind(now + Duration::weeks(WEEKS_AHEAD))
        .fetch_all(connection)
        .await?)
}

async fn drop_expired(connection: &mut PgConnection, now: OffsetDateTime) -> Result<Vec<String>> {
    let retention = sqlx::query!(
        "select coalesce(max(s.retention_days), 90) as \"runs!\",
                coalesce(max(s.payload_retention_days), 30) as \"payloads!\"
         from projects p left join project_settings s using (project_id)"
    )
    .fetch_one(&mut *connection)
    .await?;
    let runs_before = now - Duration::days(i64::from(retention.runs));
    let payloads_before = now - Duration::days(i64::from(retention.payloads.min(retention.runs)));
    let expired = sqlx::query!(
        "select child as \"child!\" from partitioned_tables, week_partitions(table_name)
         where ends_at < case table_name when 'step_payloads' then $1 else $2::timestamptz end
         order by child",
        payloads_before,
        runs_before
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
    if !dropped.is_empty() {
        sqlx::query!(
            "delete from run_keys k where k.run_at < $1 and not exists (
               select from runs r where r.project_id = k.project_id and r.run_id = k.run_id and r.run_at = k.run_at)",
            runs_before
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(dropped)
}

fn monday(date: Date) -> Date {
    date - Duration::days(i64::from(date.weekday().number_days_from_monday()))
}
