//! Judging incidents: which projects, when, and writing down what came of it. What an incident is decides
//! `engine::incidents`; here is when it is asked, and with what.
//!
//! Whoever changes an hour or a deploy says so in the same transaction (`storage::incidents`), and a project that changed
//! is judged within a minute, by one process at a time. A judgement reads the hours of five weeks and more, so it is a
//! pure function of what is stored: it does not matter in which order that came, or whether the server was there.

pub(crate) mod answer;
mod rates;
mod read;
mod write;

use std::sync::Arc;
use std::time::Duration;

use domain::{ProjectId, Timestamp};
use engine::incidents::{Incident, Settings, Weights, Window, judge};
use storage::Db;
use storage::incidents::Finished;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::alerts::look_at_budgets;
use crate::clock;

/// How often it is looked which projects changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A project rests twenty times as long as its judgement took, at least so long,
const LEAST_PAUSE_MICROS: i64 = 20 * SECOND;
/// and never so long that what comes in is not judged within a minute.
const MOST_PAUSE_MICROS: i64 = 45 * SECOND;
const PAUSE_TIMES: i64 = 20;
/// A process that has not written down its judgement after so long is taken for dead.
const LEASE_MICROS: i64 = 180 * SECOND;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Judges what changed until `shutdown`, and looks at the budgets of what was judged. `alerts_wake` is notified after it.
pub async fn run(db: Db, alerts_wake: Arc<Notify>, shutdown: CancellationToken) {
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match storage::incidents::due(&db, clock::now()).await {
            Ok(projects) => {
                for project in projects {
                    if shutdown.is_cancelled() {
                        return;
                    }
                    match judge_project(&db, project, clock::now()).await {
                        Ok(false) => continue,
                        Ok(true) => {}
                        Err(cause) => {
                            tracing::warn!(project.id = %project, error = ?cause, "incidents were not judged; trying again");
                        }
                    }
                    if let Err(cause) = look_at_budgets(&db, project, clock::now()).await {
                        tracing::warn!(project.id = %project, error = ?cause, "budgets were not looked at");
                    }
                    alerts_wake.notify_one();
                }
            }
            Err(cause) => tracing::warn!(error = ?cause, "it can't be read which projects changed"),
        }
    }
}

/// Why a project was not judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The database refused, or did not answer.
    #[error(transparent)]
    Database(#[from] storage::Error),
    /// A defect of the computation.
    #[error("the computation ended")]
    Computation(#[from] tokio::task::JoinError),
    /// A defect: incidents are plain values.
    #[error("an incident can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Judges a project as of `now`, and writes down what came of it. False when another process is at it.
pub async fn judge_project(db: &Db, project: ProjectId, now: Timestamp) -> Result<bool, JudgeError> {
    let lease = Uuid::now_v7();
    let until = now.plus_micros(LEASE_MICROS);
    let Some(changed_from) = storage::incidents::take(db, project, lease, now, until).await? else {
        return Ok(false);
    };
    let begun = Instant::now();
    let by = By::of(db, project).await?;
    let read = read::window(db, project, changed_from, now).await?;
    let (mut read, mut incidents) = judged(read, by.clone()).await?;
    let closer = read::closer(db, project, &mut read, &incidents).await?;
    if closer {
        (read, incidents) = judged(read, by).await?;
    }
    incidents.retain(|incident| incident.last_at >= read.judged_from);
    let took = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
    let pause = took
        .saturating_mul(PAUSE_TIMES)
        .clamp(LEAST_PAUSE_MICROS, MOST_PAUSE_MICROS);
    let finished = Finished {
        now,
        not_before: now.plus_micros(pause),
        // The hour that runs is judged once more when it is over.
        again_at: read
            .is_running
            .then(|| now.hour().plus_micros(HOUR + 60 * SECOND)),
    };
    let changed = write::write(db, project, lease, &incidents, read.judged_from, finished).await?;
    tracing::debug!(project.id = %project, rows = read.window.rows.len(), incidents = incidents.len(), took_ms = took / 1_000, changed, "judged");
    if changed {
        storage::live::notify_incidents(db, project).await?;
    }
    Ok(true)
}

/// What a project is judged by.
#[derive(Clone)]
struct By {
    settings: Settings,
    weights: Weights,
}

impl By {
    /// What it sets, and what its people said of causes.
    async fn of(db: &Db, project: ProjectId) -> Result<Self, storage::Error> {
        let mut snapshot = db.snapshot(project).await?;
        let stored = storage::incidents::settings(&mut snapshot, project).await?;
        let answers = storage::incidents::answers(&mut snapshot, project).await?;
        Ok(Self {
            settings: Settings::stored(stored),
            weights: Weights::shipped().with_answers(answers.deploys, answers.others),
        })
    }
}

/// The window of the last days with what is needed to judge it, as of `now`.
pub(crate) async fn window(
    db: &Db,
    project: ProjectId,
    days: u32,
    now: Timestamp,
) -> Result<Window, JudgeError> {
    let from = now.plus_micros(-24 * HOUR * i64::from(days));
    Ok(read::window(db, project, from, now).await?.window)
}

/// Off the threads that answer requests: a large project takes a second.
async fn judged(read: read::Read, by: By) -> Result<(read::Read, Vec<Incident>), JudgeError> {
    let judging = spawn_blocking(move || {
        let incidents = judge(&read.window, &by.settings, &by.weights);
        (read, incidents)
    });
    Ok(judging.await?)
}
