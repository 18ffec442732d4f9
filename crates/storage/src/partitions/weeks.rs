//! Weeks made before the rows that belong in them. A row that comes first lies in the default partition, and making its
//! week then moves it while every writer waits.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use domain::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use time::Date;
use tokio::sync::Mutex;

use super::{create_week, expired, monday, oldest_week, see_every_project, tables};
use crate::ingest::StepRow;
use crate::{Db, Error, Result};

/// How long making a week queues behind readers, and whoever comes after behind it. The maintainer tries again later.
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";
/// As long as a batch waits for a connection.
const MAKE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
/// No project may keep its runs for longer: what began before lies in the default partitions, whatever a client says.
const LONGEST_RETENTION_DAYS: i64 = 3_650;

/// Which weeks have their partitions, as far as this process knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Weeks {
    /// As the owner of the schema: the server's role may not make tables.
    options: Arc<PgConnectOptions>,
    known: Arc<RwLock<BTreeSet<Date>>>,
    making: Arc<Mutex<()>>,
}

impl Weeks {
    /// Nothing is known yet.
    pub fn new(db: &Db) -> Self {
        Self {
            options: db.pool().connect_options(),
            known: Arc::default(),
            making: Arc::default(),
        }
    }

    /// Makes the weeks that these rows will lie in and that are not known to exist. Times that retention deletes at
    /// once, or that lie further ahead than a step is filed, get none: their rows lie in the default partitions.
    pub async fn prepare(&self, rows: &[StepRow<'_>]) -> Result<()> {
        if self.unknown(rows).is_empty() {
            return Ok(());
        }
        let _turn = self.making.lock().await;
        let weeks = self.unknown(rows);
        let Some(now) = rows.iter().map(|row| row.received_at).max() else {
            return Ok(());
        };
        let made = tokio::time::timeout(MAKE_TIMEOUT, self.make(&weeks, now))
            .await
            .unwrap_or_else(|_elapsed| Err(Error::no_answer()));
        // What fails for another reason than that the database is away, a lock that others hold for instance, is left
        // to the maintainer: trying again would hold up each batch.
        let is_away = |cause: &Error| cause.is_transient() && !cause.is_lock_timeout();
        if !made.as_ref().is_err_and(is_away) {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(weeks);
        }
        made
    }

    fn unknown(&self, rows: &[StepRow<'_>]) -> BTreeSet<Date> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = BTreeSet::new();
        for time in rows.iter().flat_map(times) {
            let week = monday(time.to_offset_date_time().date());
            if !known.contains(&week) {
                unknown.insert(week);
            }
        }
        unknown
    }

    async fn make(&self, weeks: &BTreeSet<Date>, now: Timestamp) -> Result<()> {
        let mut connection: PgConnection = self.options.connect().await?;
        see_every_project(&mut connection).await?;
        sqlx::query(LOCK_TIMEOUT).execute(&mut connection).await?;
        let longest = expired::longest_retention(&mut connection).await?;
        let tables = tables(&mut connection).await?;
        for week in weeks {
            for table in &tables {
                if *week >= oldest_week(table, longest, now.to_offset_date_time()) {
                    create_week(&mut connection, table, *week).await?;
                }
            }
        }
        Ok(())
    }
}

/// The times under which something of a row may be stored: the minute of its receipt, the hour of its start, and a part
/// of its run, which begins up to a day before.
fn times(row: &StepRow<'_>) -> impl Iterator<Item = Timestamp> {
    const DAY_MICROS: i64 = 24 * 3_600_000_000;
    let earliest = row.received_at.plus_micros(-LONGEST_RETENTION_DAYS * DAY_MICROS);
    let latest = row.received_at.plus_micros(DAY_MICROS);
    let started_at = row.step.started_at.clamp(earliest, latest);
    [row.received_at, started_at, started_at.plus_micros(-DAY_MICROS)].into_iter()
}
