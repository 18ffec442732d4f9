//! Demo data: a month of a support desk's traffic with three deploys, made up, and sent through the same pipeline as real
//! steps. The same days always hold the same runs, so that seeding twice stores nothing twice. For `plumbline seed`, and
//! as a job for the button of an empty project.

mod cascade;
mod days;
mod desk;
mod documents;
mod marks;
mod random;
mod recording;
pub(crate) mod removal;
mod run;
#[cfg(test)]
mod story;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use domain::anomaly::BucketSpan;
use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::Db;
use storage::jobs::{self, JobChunk, NewJob, Progress};
use uuid::Uuid;

use crate::auth::Caller;
use crate::background_job::{BackgroundJob, ChunkError, JobContext};
use crate::metrics::Metrics;
use crate::pipeline::{ProjectCaches, Received, Submission, process_batch};
use days::Days;
use recording::Recording;

/// The run that shows how a broken answer travels.
pub(crate) const CASCADE_RUN: &str = "cascade-demo";
/// Steps that are written in one transaction, at least.
const BATCH_STEPS: usize = 400;
/// Days and runs a day that are made up unless others are asked for.
pub(crate) const DAYS: u32 = 30;
/// Runs a day; a few more from the day on which a model is switched.
pub(crate) const RUNS_A_DAY: u32 = 640;
/// The kind of the job.
const KIND: &str = "demo";
/// What the audit log calls whoever recorded the deploys.
const ACTOR: &str = "demo data";

/// How much is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Days of traffic, ending at `until`.
    pub days: u32,
    /// Runs a day.
    pub runs_a_day: u32,
    /// When the last day ends.
    pub until: Timestamp,
}

impl Amount {
    fn days(self) -> Days {
        Days {
            now: self.until,
            days: self.days,
            runs_a_day: self.runs_a_day,
        }
    }
}

/// What became of the steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) stored: usize,
    pub(crate) duplicate: usize,
    /// Deploys that are recorded.
    pub(crate) deploys: usize,
    /// Conditions that were marked.
    pub(crate) marked: usize,
    /// Runs with a step that is new.
    pub(crate) runs: BTreeSet<String>,
}

/// Writes made-up steps into one project.
#[derive(Debug)]
pub struct Seeding {
    db: Db,
    project: ProjectId,
    amount: Amount,
    caches: ProjectCaches,
    metrics: Metrics,
    /// The origin of its notifications: another process than any server.
    process: Uuid,
}

impl Seeding {
    pub(crate) fn new(db: &Db, project: ProjectId, amount: Amount) -> Self {
        Self {
            db: db.clone(),
            project,
            amount,
            caches: ProjectCaches::new(db, None),
            metrics: Metrics::default(),
            process: Uuid::now_v7(),
        }
    }

    /// Writes everything, the oldest day first, as it would have come in. `progress` hears how many days are done and
    /// how many steps they have.
    pub(crate) async fn write(&self, progress: impl Fn(u32, usize)) -> storage::Result<Written> {
        let mut written = Written::default();
        self.record_deploys(&mut written).await?;
        for ago in (0..self.amount.days).rev() {
            self.write_day(ago, &mut written).await?;
            progress(self.amount.days - ago, written.stored + written.duplicate);
        }
        self.mark(&mut written).await?;
        Ok(written)
    }

    /// The day that ended `ago` days before the last.
    async fn write_day(&self, ago: u32, written: &mut Written) -> storage::Result<()> {
        let mut recordings = self.amount.days().recordings(ago);
        if ago == 0 {
            recordings.push(cascade::recording(self.amount.until));
        }
        let run_ids: Vec<&str> = recordings
            .iter()
            .filter_map(|recording| recording.steps.first())
            .map(|step| step.run_id.as_str())
            .collect();
        storage::demo_runs::remember(&self.db, self.project, &run_ids).await?;
        recordings.sort_by_key(|recording| recording.ended_at());
        let mut waiting = Vec::new();
        let mut steps = 0;
        for recording in recordings {
            steps += recording.steps.len();
            waiting.push(self.submission(recording));
            if steps >= BATCH_STEPS {
                self.commit(&std::mem::take(&mut waiting), written).await?;
                steps = 0;
            }
        }
        self.commit(&waiting, written).await
    }

    /// Before any step: whoever looks for the cause of an incident meanwhile has to know them.
    async fn record_deploys(&self, written: &mut Written) -> storage::Result<()> {
        for deploy in self.amount.days().deploys() {
            storage::deploys::record(&self.db, self.project, deploy, ACTOR, self.amount.until).await?;
            written.deploys += 1;
        }
        Ok(())
    }

    /// Marks conditions of the runs that are new; marks on older ones stay as they are.
    async fn mark(&self, written: &mut Written) -> storage::Result<()> {
        const DAY_MICROS: i64 = 86_400_000_000;
        let now = self.amount.until;
        let span = BucketSpan {
            from: now.plus_micros(-DAY_MICROS * (i64::from(self.amount.days) + 1)),
            to: now,
            bucket_hours: 24,
        };
        written.marked = marks::mark(&self.db, self.project, &written.runs, span, now).await?;
        Ok(())
    }

    /// A run as a program sends it when it is over.
    fn submission(&self, recording: Recording) -> Submission {
        let caller = Caller {
            project_id: self.project,
            key_label: recording.key_label.to_owned(),
            key_id: None,
        };
        let received_at = recording.ended_at();
        Submission::new(&caller, received_at, recording.steps, Vec::new())
    }

    async fn commit(&self, submissions: &[Submission], written: &mut Written) -> storage::Result<()> {
        // A server beside us may be making the weeks' partitions, one table after the other.
        const MAX_COLLISION_RETRIES: u32 = 10;
        if submissions.is_empty() {
            return Ok(());
        }
        let mut collisions = 0;
        let batch = loop {
            match process_batch(&self.db, &self.caches, submissions, &self.metrics).await {
                Err(cause) if cause.is_collision() && collisions < MAX_COLLISION_RETRIES => collisions += 1,
                other => break other?,
            }
        };
        for received in batch.received.iter().flatten() {
            match received {
                Received::Stored => written.stored += 1,
                Received::Duplicate => written.duplicate += 1,
            }
        }
        self.notify(&batch.changed_runs).await?;
        written.runs.extend(batch.changed_runs.into_values().flatten());
        Ok(())
    }

    /// Open pages of a server show the runs, and its histories take them into account.
    async fn notify(&self, changed: &BTreeMap<ProjectId, BTreeSet<String>>) -> storage::Result<()> {
        for (project, run_ids) in changed {
            let run_ids: Vec<&str> = run_ids.iter().map(String::as_str).collect();
            storage::live::notify_runs(&self.db, self.process, *project, &run_ids).await?;
        }
        Ok(())
    }
}

/// Starts to fill a project in the background. `Conflict` when that is under way already.
pub async fn start(db: &Db, project: ProjectId, amount: Amount, actor: &str) -> storage::Result<Uuid> {
    let new = NewJob {
        kind: KIND,
        deduplicated: true,
        arguments: &json!(amount),
    };
    jobs::start(db, project, &new, actor, amount.until).await
}

impl BackgroundJob for Seeding {
    const NAME: &'static str = KIND;
    type Arguments = Amount;

    async fn prepare(context: &JobContext, project: ProjectId, amount: Amount) -> Result<Self, ChunkError> {
        Ok(Self::new(&context.db, project, amount))
    }

    /// A day. Should its process die before the progress is written, the day is sent again and stored once.
    async fn run_chunk(&self, _: &JobContext, chunk: JobChunk, now: Timestamp) -> Result<(), ChunkError> {
        let done = chunk.job.progress_done;
        let total = i64::from(self.amount.days);
        let ago = u32::try_from(total - 1 - done).unwrap_or(0);
        let mut written = Written::default();
        if done == 0 {
            self.record_deploys(&mut written).await?;
        }
        self.write_day(ago, &mut written).await?;
        if ago == 0 {
            self.mark(&mut written).await?;
        }
        let progress = Progress {
            done: done + 1,
            total: Some(total),
            next: (ago > 0).then(|| json!({ "day": done + 1 })),
            result: json!({ "days": done + 1 }),
        };
        chunk.commit(&progress, now).await?;
        Ok(())
    }
}
