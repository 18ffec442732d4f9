//! What other processes changed, and this one: what no longer holds is dropped, and then pages hear of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use storage::live::{ChangeEvent, Listener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::live::LiveHub;
use crate::pipeline::ProjectCaches;

/// Listens to what other processes and this one notify, and drops what no longer holds before pages hear of it.
#[derive(Clone)]
pub struct ChangeListener {
    pub options: storage::PgConnectOptions,
    pub auth: Auth,
    pub caches: ProjectCaches,
    /// Notified when there may be a job to run.
    pub jobs_wake: Arc<Notify>,
    /// Where pages hear of it.
    pub live: LiveHub,
}

impl ChangeListener {
    /// Listens until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let ended = tokio::select! {
                Err(cause) = self.listen_until_lost() => cause,
                () = shutdown.cancelled() => return,
            };
            tracing::warn!(error = ?ended, "the connection for live updates was lost; reconnecting in a second");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn listen_until_lost(&self) -> storage::Result<Infallible> {
        let mut listener = Listener::connect(&self.options).await?;
        // Changes made while not connected were missed: everything is invalidated.
        let mut change = ChangeEvent::Gap;
        loop {
            self.invalidate(&change);
            self.live.hear(change);
            change = listener.next().await?;
        }
    }

    /// Invalidates the caches that a change concerns.
    fn invalidate(&self, change: &ChangeEvent) {
        match change {
            ChangeEvent::Gap => {
                self.auth.invalidate();
                self.caches.invalidate_all();
                self.jobs_wake.notify_one();
            }
            ChangeEvent::Jobs => self.jobs_wake.notify_one(),
            ChangeEvent::Access => self.auth.invalidate(),
            ChangeEvent::Settings(project) => self.caches.invalidate(*project),
            ChangeEvent::Prices => self.caches.prices.invalidate_all(),
            ChangeEvent::Runs {
                stored_by: None,
                project,
                run_ids,
            } => self.caches.scoring.outdate_runs(*project, run_ids),
            ChangeEvent::Runs {
                stored_by: Some(origin),
                project,
                ..
            } if *origin != self.live.origin() => self.caches.scoring.request_delta(*project),
            ChangeEvent::Runs { .. } | ChangeEvent::Incidents(_) => {}
        }
    }
}
