//! `plumbline seed`: a fortnight of a support desk's traffic, made up, and sent through the same pipeline as real
//! steps. The same days always hold the same runs, so that seeding twice stores nothing twice.

mod cascade;
mod days;
mod desk;
mod documents;
mod marks;
mod random;
mod recording;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use domain::anomaly::BucketSpan;
use domain::{Project, Timestamp};
use storage::Db;
use uuid::Uuid;

use super::{Exit, output, project, with_database};
use crate::auth::Caller;
use crate::clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::pipeline::{ProjectCaches, Received, Submission, process_batch};
use crate::price_file;
use days::Days;
use recording::Recording;

/// The run that shows how a broken answer travels.
pub(crate) const CASCADE_RUN: &str = "cascade-demo";
/// Steps that are written in one transaction, at least.
const BATCH_STEPS: usize = 400;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project that gets the made-up runs [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Days of traffic, ending now
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Runs a day; a few more from the day a model is switched
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let written = with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        output::note(&format!(
            "Writing demo data, all of it made up, into project {}",
            project.slug
        ));
        // A database that no server has run on has no prices yet.
        price_file::load_shipped(db, clock::now()).await?;
        let seeding = Seeding {
            db,
            project: &project,
            caches: ProjectCaches::new(db),
            metrics: Metrics::default(),
            process: Uuid::now_v7(),
        };
        let written = seeding.write(arguments, clock::now()).await?;
        Ok((project.slug, written))
    })
    .await?;
    let (slug, written) = written;
    output::note(&match written.duplicate {
        0 => format!("{} steps stored", written.stored),
        known => format!("{} steps stored, {known} were there already", written.stored),
    });
    if written.marked > 0 {
        output::note(&format!("{} conditions marked real or noise", written.marked));
    }
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", config.addr));
    output::note(&format!(
        "Begin with the run that failed: {origin}/p/{slug}/runs/{CASCADE_RUN}"
    ));
    Ok(())
}

/// What became of the steps.
#[derive(Clone, Debug, Default)]
struct Written {
    stored: usize,
    duplicate: usize,
    /// Conditions that were marked.
    marked: usize,
    /// Runs with a step that is new.
    runs: BTreeSet<String>,
}

struct Seeding<'a> {
    db: &'a Db,
    project: &'a Project,
    caches: ProjectCaches,
    metrics: Metrics,
    /// The origin of its notifications: another process than any server.
    process: Uuid,
}

impl Seeding<'_> {
    /// Writes every day, the oldest first, as it would have come in.
    async fn write(&self, arguments: &Arguments, now: Timestamp) -> Result<Written, Exit> {
        let days = Days {
            now,
            days: arguments.days,
            runs_a_day: arguments.runs,
        };
        let mut written = Written::default();
        for ago in (0..arguments.days).rev() {
            let mut recordings = days.recordings(ago);
            if ago == 0 {
                recordings.push(cascade::recording(now));
            }
            recordings.sort_by_key(|recording| recording.ended_at());
            let mut waiting = Vec::new();
            let mut steps = 0;
            for recording in recordings {
                steps += recording.steps.len();
                waiting.push(self.submission(recording));
                if steps >= BATCH_STEPS {
                    self.commit(&std::mem::take(&mut waiting), &mut written).await?;
                    steps = 0;
                }
            }
            self.commit(&waiting, &mut written).await?;
            output::note(&format!(
                "  {} of {} days, {} steps",
                arguments.days - ago,
                arguments.days,
                written.stored + written.duplicate
            ));
        }
        written.marked = self.mark(&written.runs, arguments.days, now).await?;
        Ok(written)
    }

    /// Marks conditions of the runs that are new; marks on older ones stay as they are.
    async fn mark(&self, runs: &BTreeSet<String>, days: u32, now: Timestamp) -> Result<usize, Exit> {
        const DAY_MICROS: i64 = 86_400_000_000;
        let span = BucketSpan {
            from: now.plus_micros(-DAY_MICROS * (i64::from(days) + 1)),
            to: now,
            bucket_hours: 24,
        };
        Ok(marks::mark(self.db, self.project.id, runs, span, now).await?)
    }

    /// A run as a program sends it when it is over.
    fn submission(&self, recording: Recording) -> Submission {
        let caller = Caller {
            project_id: self.project.id,
            key_label: recording.key_label.to_owned(),
            key_id: None,
        };
        let received_at = recording.ended_at();
        Submission::new(&caller, received_at, recording.steps, Vec::new())
    }

    async fn commit(&self, submissions: &[Submission], written: &mut Written) -> Result<(), Exit> {
        // A server beside us may be making the weeks' partitions, one table after the other.
        const MAX_COLLISION_RETRIES: u32 = 10;
        if submissions.is_empty() {
            return Ok(());
        }
        let mut collisions = 0;
        let batch = loop {
            match process_batch(self.db, &self.caches, submissions, &self.metrics).await {
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

    /// Open pages of a server beside us show the runs, and its histories take them into account.
    async fn notify(&self, changed: &BTreeMap<domain::ProjectId, BTreeSet<String>>) -> Result<(), Exit> {
        for (project, run_ids) in changed {
            let run_ids: Vec<&str> = run_ids.iter().map(String::as_str).collect();
            storage::live::notify_runs(self.db, self.process, *project, &run_ids).await?;
        }
        Ok(())
    }
}
