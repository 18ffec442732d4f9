//! `plumbline import`: files of spans and steps into a project, each whole or not at all.

mod aitrace;
mod file;
mod langfuse;
mod langsmith;
mod records;

use std::path::PathBuf;
use std::time::Duration;

use domain::Project;
use storage::Db;
use uuid::Uuid;

use super::{Exit, output, project, with_database};
use crate::auth::Caller;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::pipeline::{ProjectCaches, Received, Submission, process_batch};
use crate::redaction::Redaction;
use crate::secrets::Secrets;
use crate::{clock, price_file};
use file::{Contents, Format};

/// The series of what was imported.
const LABEL: &str = "import";
/// How often a transaction is tried that met another.
const MAX_COLLISIONS: u32 = 10;
/// Between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// OTLP as JSON (one request, or one a line), a trace of AITrace, an export of Langfuse or LangSmith, or what
    /// `export steps` wrote
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    format: Format,
    /// Slug of the project that gets the steps [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Read the files and say what is in them, and store nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    let mut readable = Vec::new();
    let mut is_complete = true;
    for path in &arguments.files {
        match file::read(path, arguments.format, clock::now()) {
            Ok(contents) => readable.push((path, contents)),
            Err(problem) => {
                is_complete = false;
                output::note(&format!(
                    "{}: {problem}; nothing of it was stored",
                    path.display()
                ));
            }
        }
    }
    if arguments.dry_run {
        for (path, contents) in &readable {
            output::note(&format!("{}: {} steps", path.display(), contents.steps.len()));
        }
    } else if !readable.is_empty() {
        with_database(config, async |db| {
            let project = project(db, arguments.project.as_deref()).await?;
            // A database that no server has run on has no prices yet.
            price_file::load_shipped(db, clock::now()).await?;
            let secrets = Secrets::of(config).map_err(anyhow::Error::from)?;
            let redaction = Redaction::new(db.clone(), secrets);
            let caches = ProjectCaches::new(db, Some(redaction));
            for (path, contents) in readable {
                let (stored, known) = store(db, &caches, &project, contents).await?;
                output::note(&match known {
                    0 => format!("{}: {stored} steps stored", path.display()),
                    known => format!(
                        "{}: {stored} steps stored, {known} were there already",
                        path.display()
                    ),
                });
            }
            Ok(())
        })
        .await?;
    }
    if is_complete {
        Ok(())
    } else {
        Err(Exit::FailedAsReported)
    }
}

/// Writes a file's steps in one transaction; returns how many were stored, and how many were there.
async fn store(
    db: &Db,
    caches: &ProjectCaches,
    project: &Project,
    contents: Contents,
) -> Result<(usize, usize), Exit> {
    let caller = Caller {
        project_id: project.id,
        key_label: LABEL.to_owned(),
        key_id: None,
    };
    let submission = Submission::new(&caller, clock::now(), contents.steps, Vec::new());
    let submissions = [if contents.may_repeat_usage {
        submission.that_may_repeat_usage()
    } else {
        submission
    }];
    let metrics = Metrics::default();
    let mut collisions = 0;
    let written = loop {
        match process_batch(db, caches, &submissions, &metrics).await {
            Err(cause) if cause.is_collision() && collisions < MAX_COLLISIONS => {
                collisions += 1;
                tokio::time::sleep(RETRY_DELAY).await;
            }
            other => break other?,
        }
    };
    let all = written.received.iter().flatten();
    let stored = all
        .clone()
        .filter(|received| **received == Received::Stored)
        .count();
    let process = Uuid::now_v7();
    for (project, runs) in &written.changed_runs {
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        for some in runs.chunks(100) {
            storage::live::notify_runs(db, process, *project, some).await?;
        }
    }
    Ok((stored, all.count() - stored))
}
