//! `plumbline users`: what there is of one end user of the application.

use std::path::PathBuf;
use std::time::Duration;

use domain::{Project, text};
use storage::jobs::{self, Job, JobState};
use storage::projects::deletion::LEGAL_HOLD;
use storage::{Db, user_data};
use uuid::Uuid;

use super::export::sink::Sink;
use super::source::with_source;
use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::{Config, SourceFlags};
use crate::jobs::{Worked, Worker};

/// Who the audit log says it was.
const ACTOR: &str = "local";
/// How long to wait for a server that works at the same job.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Everything of one user as JSON lines: steps with their texts, as `import` reads them
    Export(ExportArguments),
    /// Delete everything of one user: their steps, and what cites them; a receipt with a hash of the id stays
    ///
    /// Works on the local database. It can't be undone, and ends with 1 while the project is on legal hold.
    DeleteData(DeleteArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    /// The application's id of the user
    user: String,
    /// Write into this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceFlags,
}

#[derive(Debug, clap::Args)]
pub(super) struct DeleteArguments {
    /// The application's id of the user
    user: String,
    /// The same again: what is deleted is gone
    #[arg(long, value_name = "USER")]
    confirm: String,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<(), Exit> {
    match command {
        Command::Export(arguments) => export(config, arguments).await,
        Command::DeleteData(arguments) => delete(config, arguments).await,
    }
}

async fn export(config: &Config, arguments: &ExportArguments) -> Result<(), Exit> {
    with_source(config, &arguments.source, async |source| {
        let user = domain::filter::percent_encode(&arguments.user);
        let mut sink = Sink::open(arguments.out.as_deref())?;
        let mut unfinished = Vec::new();
        source
            .pour(&format!("/api/users/{user}/export"), &mut |part: &[u8]| {
                unfinished.extend_from_slice(part);
                let Some(end) = unfinished.iter().rposition(|byte| *byte == b'\n') else {
                    return Ok(());
                };
                let rest = unfinished.split_off(end + 1);
                let lines = String::from_utf8_lossy(&unfinished);
                for line in lines.lines() {
                    sink.line(line)?;
                }
                drop(lines);
                unfinished = rest;
                Ok(())
            })
            .await?;
        sink.finish()
    })
    .await
}

async fn delete(config: &Config, arguments: &DeleteArguments) -> Result<(), Exit> {
    if arguments.confirm != arguments.user {
        return Err(Exit::Usage(
            "--confirm must repeat the user's id; nothing was deleted".to_owned(),
        ));
    }
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        let started = user_data::start(db, project.id, &arguments.user, ACTOR, clock::now()).await;
        let job_id = started.map_err(|cause| match cause {
            storage::Error::NotFound => Exit::NotFound(format!(
                "project {} holds nothing of the user `{}`",
                project.slug, arguments.user
            )),
            storage::Error::Conflict(LEGAL_HOLD) => Exit::Failed(anyhow::anyhow!(
                "project {} is on legal hold, so nothing of it is deleted",
                project.slug
            )),
            other => other.into(),
        })?;
        let job = work(db, &project, job_id).await?;
        if job.state != JobState::Done {
            let error = job.error.unwrap_or_else(|| "it was cancelled".to_owned());
            return Err(Exit::Failed(anyhow::anyhow!("{error}")));
        }
        output::note(&format!(
            "Project {} holds nothing of the user any more; the receipt calls them {}",
            project.slug,
            user_data::user_sha256(&arguments.user)
        ));
        if let Some(result) = &job.result {
            output::json(result);
        }
        Ok(())
    })
    .await
}

/// Works at the job until it ends, together with a server that runs beside us.
async fn work(db: &Db, project: &Project, job_id: Uuid) -> Result<Job, Exit> {
    let mut worker = Worker::new(db.clone());
    let mut said = -1;
    loop {
        let worked = worker.work(Some((project.id, job_id))).await?;
        let job = jobs::get(db, project.id, job_id).await?;
        if !job.state.is_open() {
            return Ok(job);
        }
        if job.progress_done != said {
            said = job.progress_done;
            let progress = text::progress(job.progress_done, job.progress_total, false);
            output::note(&format!("  {progress} steps deleted"));
        }
        if worked == Worked::Nothing {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
