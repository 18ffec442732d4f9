//! Judging incidents: which projects, when, and writing down what came of it. What an incident is decides
//! `engine::incidents`; here is when it is asked, and with what.
//!
//! Whoever changes an hour or a deploy says so in the same transaction (`storage::incidents`), and a project that changed
//! is judged within a minute, by one process at a time. A judgement reads the hours of five weeks and more, so it is a
//! pure function of what is stored: it does not matter in which order that came, or whether the server was there.
//!
//! All of that is read once a day, when something opens or closes, and once an hour while an incident goes on. In between
//! the latest hours are judged alone (`standings`), which says whether it has to be.

pub(crate) mod answer;
mod rates;
mod read;
mod standings;
mod write;

use std::sync::Arc;
use std::time::Duration;

use domain::{ProjectId, Timestamp};
use engine::incidents::{Incident, Settings, Standing, Weights, Window, judge_and_keep};
use storage::Db;
use storage::incidents::{Finished, Judging, Taken, Whole};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use standings::Standings;

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
    let mut standings = Standings::default();
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
                    match judge_changes(&db, project, clock::now(), &mut standings).await {
                        Ok(Judged::Elsewhere) => continue,
                        Ok(Judged::Hours | Judged::Whole) => {}
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

/// How much of a project was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing: another process is at it.
    Elsewhere,
    /// The latest hours, which open and close nothing.
    Hours,
    /// All of it.
    Whole,
}

/// Judges all of a project as of `now`, and writes down what came of it. False when another process is at it.
pub async fn judge_project(db: &Db, project: ProjectId, now: Timestamp) -> Result<bool, JudgeError> {
    let judged = judge_changes(db, project, now, &mut Standings::default()).await?;
    Ok(judged != Judged::Elsewhere)
}

/// Judges what changed of a project as of `now`, by `standings` where they say enough, and writes down what came of it.
pub async fn judge_changes(
    db: &Db,
    project: ProjectId,
    now: Timestamp,
    standings: &mut Standings,
) -> Result<Judged, JudgeError> {
    let lease = Uuid::now_v7();
    let until = now.plus_micros(LEASE_MICROS);
    let settled = Standing::settled_until(now);
    let Some(taken) = storage::incidents::take(db, project, lease, now, until, settled).await? else {
        return Ok(Judged::Elsewhere);
    };
    let begun = Instant::now();
    let by = By::of(db, project).await?;
    let hours = standings.judge_hours(db, project, taken, &by, now).await?;
    let Some(hours) = hours else {
        return judge_whole(db, project, now, (lease, taken, begun), by, standings).await;
    };
    let Some(judging) = Judging::begin(db, project, lease).await? else {
        return Ok(Judged::Elsewhere);
    };
    judging
        .finish(finished(now, begun, hours.is_running, None))
        .await?;
    let took_ms = begun.elapsed().as_millis();
    tracing::debug!(project.id = %project, rows = hours.rows, took_ms, "judged by the latest hours");
    Ok(Judged::Hours)
}

async fn judge_whole(
    db: &Db,
    project: ProjectId,
    now: Timestamp,
    (lease, taken, begun): (Uuid, Taken, Instant),
    by: By,
    standings: &mut Standings,
) -> Result<Judged, JudgeError> {
    let weights = by.weights.clone();
    let read = read::window(db, project, taken.from, now).await?;
    let (mut read, mut incidents, mut standing) = judged(read, by.clone()).await?;
    let closer = read::closer(db, project, &mut read, &incidents).await?;
    if closer {
        (read, incidents, standing) = judged(read, by).await?;
    }
    incidents.retain(|incident| incident.last_at >= read.judged_from);
    let whole = Whole {
        left_out_before: read.left_out_before,
        is_other: false,
    };
    let finished = finished(now, begun, read.is_running, Some(whole));
    let rows = read.window.rows.len();
    let written = write::write(db, project, lease, &incidents, read.judged_from, finished).await?;
    let took_ms = begun.elapsed().as_millis();
    let changed = written.as_ref().is_some_and(|written| written.changed);
    tracing::debug!(project.id = %project, rows, incidents = incidents.len(), took_ms, changed, "judged");
    if let Some((written, standing)) = written.zip(standing) {
        standings.keep(project, standing, rows, (written.history, weights), now);
    }
    if changed {
        storage::live::notify_incidents(db, project).await?;
    }
    Ok(Judged::Whole)
}

/// When a project is looked at again, after a judgement that began then.
fn finished(now: Timestamp, begun: Instant, is_running: bool, whole: Option<Whole>) -> Finished {
    let took = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
    let pause = took
        .saturating_mul(PAUSE_TIMES)
        .clamp(LEAST_PAUSE_MICROS, MOST_PAUSE_MICROS);
    Finished {
        now,
        not_before: now.plus_micros(pause),
        // The hour that runs is judged once more when it is over.
        again_at: is_running.then(|| now.hour().plus_micros(HOUR + 60 * SECOND)),
        whole,
    }
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

type JudgedWindow = (read::Read, Vec<Incident>, Option<Standing>);

/// Off the threads that answer requests: a large project takes a second.
async fn judged(read: read::Read, by: By) -> Result<JudgedWindow, JudgeError> {
    let judging = spawn_blocking(move || {
        let (incidents, standing) = judge_and_keep(&read.window, &by.settings, &by.weights);
        (read, incidents, standing)
    });
    Ok(judging.await?)
}
