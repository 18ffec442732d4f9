//! When GitHub is asked: every few minutes, later where that fails, by one process at a time.

use std::sync::Arc;
use std::time::Duration;

use domain::{ProjectId, Timestamp};
use storage::Db;
use storage::integrations::{self, Claimed, GITHUB, Outcome};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connection::{options_of, token};
use super::rest::{Rest, RestError};
use super::sync::{CLAIM_MICROS, Cursor, Stop, Sync, Totals};
use crate::clock;
use crate::outbound::Outbound;
use crate::secrets::Secrets;

/// How often it is looked whether a connection is due, should nobody have told.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// How long after a sync the next one begins.
const INTERVAL_MICROS: i64 = 5 * 60_000_000;
/// How long after a failure that may pass; twice as long after each further one.
const RETRY_MICROS: i64 = 60_000_000;
const MAX_RETRY_MICROS: i64 = 60 * 60_000_000;

/// What a sync needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Syncing {
    pub db: Db,
    pub secrets: Secrets,
    pub outbound: Outbound,
}

/// What became of a sync.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    pub project_id: ProjectId,
    pub totals: Totals,
    /// Why it did not get through, for people.
    pub error: Option<String>,
    /// When the next one begins.
    pub next_at: Timestamp,
}

/// Asks GitHub whenever a project's connection is due, until `shutdown`. `wake` is notified when one may be.
pub async fn run(syncing: Syncing, wake: Arc<Notify>, shutdown: CancellationToken) {
    loop {
        let pause = loop {
            match syncing.sync_next(None, None, &shutdown).await {
                Ok(Some(_)) if !shutdown.is_cancelled() => {}
                Ok(_) => break syncing.until_due().await,
                Err(cause) => {
                    tracing::warn!(error = ?cause, "GitHub is not asked: the database does not answer");
                    break POLL_INTERVAL;
                }
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

impl Syncing {
    /// Syncs the project whose turn it is; `only` syncs that one, due or not. `None` where there is none, it is paused,
    /// or another process is at it. With `shutdown` it ends where it is and lets others go on.
    pub async fn sync_next(
        &self,
        only: Option<ProjectId>,
        since: Option<Timestamp>,
        shutdown: &CancellationToken,
    ) -> storage::Result<Option<Synced>> {
        let now = clock::now();
        let until = now.plus_micros(CLAIM_MICROS);
        let Some(claimed) = integrations::claim(&self.db, GITHUB, only, now, until).await? else {
            return Ok(None);
        };
        let (project, claim, failures) = (claimed.project_id, claimed.claim, claimed.failures);
        let (cursor, totals, ended) = self.sync(claimed, since, shutdown).await?;
        let now = clock::now();
        let outcome = outcome(&ended, cursor, failures, now);
        if let Some(error) = &outcome.error {
            tracing::warn!(project.id = %project, error, calls = totals.calls, "a sync of deploys did not get through");
        } else if totals.recorded + totals.corrected > 0 {
            tracing::info!(project.id = %project, recorded = totals.recorded, corrected = totals.corrected, "deploys synced");
        }
        integrations::finish(&self.db, project, GITHUB, claim, &outcome, now).await?;
        Ok(Some(Synced {
            project_id: project,
            totals,
            error: outcome.error,
            next_at: outcome.next_at,
        }))
    }

    async fn sync(
        &self,
        claimed: Claimed,
        since: Option<Timestamp>,
        shutdown: &CancellationToken,
    ) -> storage::Result<(Cursor, Totals, Result<(), Stop>)> {
        // One that can't be read begins anew.
        let cursor: Cursor = serde_json::from_value(claimed.cursor).unwrap_or_default();
        let options = options_of(&claimed.options);
        let token = token(&self.db, &self.secrets, claimed.project_id).await?;
        let rest = token
            .map_err(|cause| RestError::Refused(format!("The token can't be used: {cause}")))
            .and_then(|token| Rest::new(&self.outbound, &options.api_url, &options.repository, token));
        let rest = match rest {
            Ok(rest) => rest,
            Err(cause) => return Ok((cursor, Totals::default(), Err(cause.into()))),
        };
        let claim = (claimed.project_id, claimed.claim);
        let mut sync = Sync::new(&self.db, rest, &options, claim, cursor, since);
        let ended = tokio::select! {
            biased;
            ended = sync.run() => ended,
            () = shutdown.cancelled() => Err(Stop::Shutdown),
        };
        match ended {
            Err(Stop::Database(cause)) => Err(cause),
            ended => Ok((sync.cursor, sync.totals, ended)),
        }
    }

    /// How long to wait for a connection that is not due yet, or for one that nobody told of.
    async fn until_due(&self) -> Duration {
        let now = clock::now();
        match integrations::next_due(&self.db, GITHUB).await {
            Ok(Some(due)) if due > now => {
                let micros = u64::try_from(due.micros() - now.micros()).unwrap_or(0);
                Duration::from_micros(micros).min(POLL_INTERVAL)
            }
            _ => POLL_INTERVAL,
        }
    }
}

fn outcome(ended: &Result<(), Stop>, cursor: Cursor, failures: u32, now: Timestamp) -> Outcome {
    let later = |first: i64| {
        let doubled = first.saturating_mul(1 << failures.min(16));
        now.plus_micros(doubled.min(MAX_RETRY_MICROS))
    };
    let (is_failure, next_at) = match ended {
        Ok(()) => (false, now.plus_micros(INTERVAL_MICROS)),
        Err(Stop::Github(RestError::RateLimited { until })) => (false, *until),
        Err(Stop::Shutdown) => (false, now),
        Err(Stop::Enough | Stop::ClaimLost) => (false, now.plus_micros(RETRY_MICROS)),
        Err(Stop::Github(RestError::Unavailable(_)) | Stop::Database(_)) => (true, later(RETRY_MICROS)),
        Err(Stop::Github(RestError::NotFound(_) | RestError::Refused(_))) => (true, later(INTERVAL_MICROS)),
    };
    Outcome {
        is_ok: ended.is_ok(),
        error: match ended {
            Ok(()) | Err(Stop::Shutdown) => None,
            Err(cause) => Some(cause.to_string()),
        },
        is_failure,
        cursor: serde_json::to_value(cursor).unwrap_or_default(),
        next_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_keeps_failing_is_tried_less_and_less_often() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let check = |ended: Result<(), Stop>, failures: u32, is_failure: bool, minutes: i64| {
            let outcome = outcome(&ended, Cursor::default(), failures, now);
            assert_eq!(
                (
                    outcome.is_failure,
                    (outcome.next_at.micros() - now.micros()) / 60_000_000
                ),
                (is_failure, minutes),
                "{ended:?} {failures}"
            );
            assert_eq!(
                (outcome.is_ok, outcome.error.is_none()),
                (ended.is_ok(), ended.is_ok())
            );
        };
        let unavailable = || Err(Stop::Github(RestError::Unavailable("502".to_owned())));
        let refused = || Err(Stop::Github(RestError::Refused("401".to_owned())));
        check(Ok(()), 3, false, 5);
        check(unavailable(), 0, true, 1);
        check(unavailable(), 3, true, 8);
        check(unavailable(), u32::MAX, true, 60);
        check(refused(), 0, true, 5);
        check(refused(), 9, true, 60);
        let until = now.plus_micros(17 * 60_000_000);
        check(Err(Stop::Github(RestError::RateLimited { until })), 0, false, 17);
        check(Err(Stop::Enough), 0, false, 1);
        // Another process goes on at once, and nothing is wrong.
        let stopped = outcome(&Err(Stop::Shutdown), Cursor::default(), 0, now);
        assert_eq!(
            (stopped.is_ok, stopped.error, stopped.next_at),
            (false, None, now)
        );
    }
}
