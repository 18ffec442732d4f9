//! What has to be done from time to time: partitions made and dropped, expired rows deleted, of the audit log too.

use std::time::Duration;

use domain::Timestamp;
use storage::{PgConnectOptions, audit, partitions};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How often it is looked whether something is due.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
const WORK_INTERVAL: Duration = Duration::from_secs(3600);
const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// Works at once, then every hour; within a minute where something failed or rows wait for a week of their own.
/// Ends after `shutdown`, finishing what it is at.
pub async fn run(options: PgConnectOptions, audit_retention_days: u32, shutdown: CancellationToken) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_success: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = clock::now();
        let hour_is_over = last_success.is_none_or(|at| at.elapsed() >= WORK_INTERVAL);
        let outcome = if hour_is_over {
            work(&options, audit_retention_days, now).await
        } else {
            move_backfill(&options, now).await
        };
        match outcome {
            Ok(()) if hour_is_over => last_success = Some(Instant::now()),
            Ok(()) => {}
            // Whatever is due is done there.
            Err(storage::Error::Conflict(partitions::MAINTAINED_ELSEWHERE)) => {
                tracing::debug!("another process is at the maintenance");
            }
            Err(cause) => {
                tracing::warn!(
                    error = format!("{:#}", anyhow::Error::new(cause)),
                    "maintenance failed; trying again in a minute"
                );
            }
        }
    }
}

/// Everything that is due at `now`.
pub async fn work(
    options: &PgConnectOptions,
    audit_retention_days: u32,
    now: Timestamp,
) -> storage::Result<()> {
    make_and_drop_weeks(options, now).await?;
    let expired = partitions::delete_expired(options, now).await?;
    if expired.rows > 0 {
        tracing::info!(rows = expired.rows, "rows past their project's retention deleted");
    }
    let audited_before = now.plus_micros(-i64::from(audit_retention_days) * DAY_MICROS);
    let rows = audit::delete_before(options, audited_before).await?;
    if rows > 0 {
        tracing::info!(rows, "rows of the audit log past its retention deleted");
    }
    Ok(())
}

async fn move_backfill(options: &PgConnectOptions, now: Timestamp) -> storage::Result<()> {
    if partitions::is_due(options, now).await? {
        make_and_drop_weeks(options, now).await?;
    }
    Ok(())
}

async fn make_and_drop_weeks(options: &PgConnectOptions, now: Timestamp) -> storage::Result<()> {
    let done = partitions::maintain(options, now).await?;
    if done != partitions::Maintained::default() {
        tracing::info!(created = done.created, dropped = ?done.dropped, postponed = done.postponed, "partitions maintained");
    }
    Ok(())
}
