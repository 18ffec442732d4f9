//! Works out the histograms of days once they are over, so that percentiles over weeks read days and not hours.

use std::time::Duration;

use domain::Timestamp;
use engine::Histogram;
use storage::Db;
use storage::day_histograms::{projects_to_sum_up, sum_up_latest};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How often it is looked whether a day has no histograms yet.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// How long after its end a day is taken to be complete; what comes later takes its histograms away again.
const SETTLED_MICROS: i64 = 3_600 * 1_000_000;

/// Looks every minute until `shutdown`, and then finishes the day it is at.
pub async fn run(db: Db, shutdown: CancellationToken) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(cause) = sum_up(&db, clock::now(), &shutdown).await {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::new(cause)),
                "histograms of days could not be worked out; trying again in a minute"
            );
        }
    }
}

/// Every day that was over an hour before `now` and has no histograms, the latest first. Ends early after `shutdown`.
pub async fn sum_up(db: &Db, now: Timestamp, shutdown: &CancellationToken) -> storage::Result<()> {
    let before = now.plus_micros(-SETTLED_MICROS);
    for project in projects_to_sum_up(db, before).await? {
        while !shutdown.is_cancelled() {
            if sum_up_latest(db, project, before, merged).await?.is_none() {
                break;
            }
        }
    }
    Ok(())
}

fn merged(encoded: &[Vec<u8>]) -> Vec<u8> {
    let mut histogram = Histogram::default();
    histogram.merge_encoded(encoded.iter().map(Vec::as_slice));
    histogram.encode()
}
