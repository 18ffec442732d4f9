//! Jobs: work that takes longer than a request, done piece by piece in the background by whichever process is free.

use std::time::Duration;

use domain::{ProjectId, Timestamp};
use storage::Db;
use storage::jobs::{self, Piece};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock;
use crate::reprice::{self, Repricing};

/// How often it is looked whether a job waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure the same piece is tried again, in microseconds.
const AGAIN_AFTER_MICROS: i64 = 5_000_000;
/// Failures in a row after which a job is given up.
const MAX_ATTEMPTS: i32 = 3;
/// Collisions with other transactions before one counts as a failure.
const COLLISIONS: u32 = 10;

/// The kinds that this binary knows; others wait for one that does.
const KINDS: &[&str] = &[reprice::KIND];

/// Works at jobs until `shutdown`, after which the piece that is under way is still finished.
pub async fn run(db: Db, shutdown: CancellationToken) {
    let mut worker = Worker::new(db);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        loop {
            match worker.work(None).await {
                Ok(Worked::Piece) if !shutdown.is_cancelled() => {}
                Ok(_) => break,
                Err(cause) => {
                    tracing::debug!(error = ?cause, "jobs are not looked at: the database does not answer");
                    break;
                }
            }
        }
    }
}

/// What became of a look at the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// One piece was done, or failed and is noted so.
    Piece,
    /// There was nothing to do, or somebody else is at it.
    Nothing,
}

/// Does pieces of jobs, and remembers between them what all pieces of one job need.
#[derive(Debug)]
pub struct Worker {
    db: Db,
    repricing: Option<(Uuid, Repricing)>,
}

impl Worker {
    /// Nothing is read before there is work.
    pub fn new(db: Db) -> Self {
        Self { db, repricing: None }
    }

    /// Does one piece of the job that has waited longest; `only` names another.
    pub async fn work(&mut self, only: Option<(ProjectId, Uuid)>) -> storage::Result<Worked> {
        let mut collisions = 0;
        loop {
            let now = clock::now();
            let Some(piece) = jobs::take(&self.db, KINDS, only, now).await? else {
                return Ok(Worked::Nothing);
            };
            let (project, job_id) = (piece.job.project_id, piece.job.job_id);
            match self.piece(piece, now).await {
                Ok(()) => return Ok(Worked::Piece),
                Err(PieceError::Database(cause)) if cause.is_collision() && collisions < COLLISIONS => {
                    collisions += 1;
                }
                // The next one to whom the database answers goes on where this one began.
                Err(PieceError::Database(cause)) if cause.is_transient() => return Err(cause),
                Err(cause) => {
                    self.note_failure(project, job_id, &cause, now).await?;
                    return Ok(Worked::Piece);
                }
            }
        }
    }

    async fn piece(&mut self, piece: Piece, now: Timestamp) -> Result<(), PieceError> {
        let (project, job_id) = (piece.job.project_id, piece.job.job_id);
        let repricing = match self.repricing.take().filter(|(of, _)| *of == job_id) {
            Some((_, repricing)) => repricing,
            None => Repricing::new(&self.db, project, &piece.job.arguments).await?,
        };
        let done = repricing.piece(piece, now).await?;
        if done.is_last {
            // Limits are learned from costs, and pages show them.
            storage::live::notify_settings(&self.db, project).await?;
        } else {
            self.repricing = Some((job_id, repricing));
        }
        let runs: Vec<&str> = done.changed_runs.iter().map(String::as_str).collect();
        if !runs.is_empty() {
            storage::live::notify_runs(&self.db, Uuid::now_v7(), project, &runs).await?;
        }
        Ok(())
    }

    async fn note_failure(
        &mut self,
        project: ProjectId,
        job_id: Uuid,
        cause: &PieceError,
        now: Timestamp,
    ) -> storage::Result<()> {
        tracing::error!(project.id = %project, job.id = %job_id, error = ?cause, "a piece of a job failed");
        self.repricing = None;
        let again_at = now.plus_micros(AGAIN_AFTER_MICROS);
        let (public, attempts) = match cause {
            PieceError::Database(_) => (
                "The database refused a piece of the work; the server's log has the details",
                MAX_ATTEMPTS,
            ),
            PieceError::Arguments(_) => ("The job's arguments can't be read; start it again", 1),
        };
        let given_up = jobs::piece_failed(&self.db, project, job_id, public, again_at, attempts, now).await?;
        if given_up {
            tracing::error!(project.id = %project, job.id = %job_id, "a job was given up");
        }
        Ok(())
    }
}

/// Why a piece was not done.
#[derive(Debug, thiserror::Error)]
pub enum PieceError {
    /// The database refused, or did not answer.
    #[error(transparent)]
    Database(#[from] storage::Error),
    /// Nobody can know what is to be done.
    #[error("the arguments can't be read")]
    Arguments(#[source] serde_json::Error),
}
