//! Analyses of runs: by rules at once, by a model under a claim that ends by itself, so that whichever process dies,
//! another goes on.

pub mod answer;
mod prompt;
mod write;

use std::sync::Arc;
use std::time::Duration;

use domain::WorkState;
use storage::analyses::{self, Claimed, Outcome};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::models::Models;

/// How long an analysis is one process's: longer than a call with its retries may take.
const CLAIM_MICROS: i64 = 25 * 60 * 1_000_000;
/// How often it is looked whether one was left behind.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// So many are written at once; a project has few of them, so that providers that hang keep no place from others.
pub const WORKERS: [&str; 8] = [
    "analyses_1",
    "analyses_2",
    "analyses_3",
    "analyses_4",
    "analyses_5",
    "analyses_6",
    "analyses_7",
    "analyses_8",
];
/// How often one is begun before it is given up.
const MAX_ATTEMPTS: i32 = 3;

/// Writes analyses until `shutdown`. One that is under way then is begun again by whoever runs next, once its claim is
/// given back. `wake` is notified when one was asked for.
pub async fn run(models: Models, wake: Arc<Notify>, shutdown: CancellationToken) {
    loop {
        let pause = loop {
            let now = clock::now();
            match analyses::claim(&models.db, now, now.plus_micros(CLAIM_MICROS)).await {
                Ok(Some(claimed)) => {
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => {
                            give_back(&models, &claimed).await;
                            return;
                        }
                        () = work(&models, &claimed) => {}
                    }
                }
                Ok(None) => break POLL_INTERVAL,
                Err(cause) => {
                    tracing::warn!(error = ?cause, "analyses are not written: the database does not answer");
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

async fn work(models: &Models, claimed: &Claimed) {
    let outcome = if claimed.attempts > MAX_ATTEMPTS {
        Outcome {
            state: WorkState::Failed,
            model: None,
            report: None,
            error: Some("The server stopped each time that it was written; ask once more".to_owned()),
            cost: None,
        }
    } else {
        Box::pin(write::written(models, claimed)).await
    };
    finish(models, claimed, &outcome).await;
}

async fn give_back(models: &Models, claimed: &Claimed) {
    let outcome = Outcome {
        state: WorkState::Queued,
        model: None,
        report: None,
        error: None,
        cost: None,
    };
    finish(models, claimed, &outcome).await;
}

async fn finish(models: &Models, claimed: &Claimed, outcome: &Outcome) {
    if let Err(cause) = analyses::finish(&models.db, claimed, outcome, clock::now()).await {
        tracing::warn!(
            project.id = %claimed.project_id, error = ?cause,
            "an analysis could not be kept; it is written again when its claim ends"
        );
    }
}
