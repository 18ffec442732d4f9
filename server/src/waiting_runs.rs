//! Ends the waiting of runs whose spans come one by one, once nothing has come of them for `domain::run::QUIET_MICROS`:
//! from then on they are complete, and open pages are told.

use std::time::Duration;

use domain::Timestamp;
use storage::Db;
use storage::runs::waiting::end_waiting;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::live::LiveHub;

/// How often it is looked; what is found is found by an index of the runs of the last seconds.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks every second until `shutdown`. Runs that were not looked at while no server ran are complete when one does.
pub async fn run(db: Db, live: LiveHub, shutdown: CancellationToken) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match end_due(&db, &live, clock::now(), &shutdown).await {
            Ok(()) => is_failing = false,
            // Said once: it is tried again every second.
            Err(cause) if !is_failing => {
                is_failing = true;
                tracing::warn!(
                    error = format!("{:#}", anyhow::Error::new(cause)),
                    "runs that wait for more spans stay running: the database does not answer"
                );
            }
            Err(_) => {}
        }
    }
}

/// Ends the waiting of all runs that have waited until `now`. Ends early after `shutdown`.
pub async fn end_due(
    db: &Db,
    live: &LiveHub,
    now: Timestamp,
    shutdown: &CancellationToken,
) -> storage::Result<()> {
    while !shutdown.is_cancelled() {
        let ended = end_waiting(db, now).await?;
        if ended.is_empty() {
            break;
        }
        live.publish(ended);
    }
    Ok(())
}
