//! `plumbline import`: files of spans and steps into a project. A file is read to its end before anything of it is stored,
//! and nothing of one that can't be read is; the others are stored a part at a time, and what is interrupted is completed
//! by the same command.

mod aitrace;
mod file;
mod langfuse;
mod langsmith;
mod records;

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{NewStep, Project};
use storage::Db;
use uuid::Uuid;

use super::{Exit, output, project, with_database};
use crate::auth::Caller;
use crate::config::Config;
use crate::ingest::{containers_last, in_parts};
use crate::metrics::Metrics;
use crate::payload_keys::PayloadKeys;
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
        output::progress(&format!("{}: reading", path.display()));
        let read = file::read(path, arguments.format, clock::now());
        output::progress("");
        match read {
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
            let redaction = Redaction::new(db.clone(), secrets.clone());
            let payload_keys = PayloadKeys::new(db.clone(), secrets);
            let caches = ProjectCaches::new(db, Some((redaction, payload_keys)));
            let mut files = readable.into_iter();
            while let Some((path, contents)) = files.next() {
                let done = store(db, &caches, &project, path, contents).await;
                if done.is_err() {
                    for (path, _) in files.by_ref() {
                        output::note(&format!("{}: not begun", path.display()));
                    }
                }
                let Counts { stored, known } = done?;
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

/// What became of a file's steps so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    stored: usize,
    /// Those that were there.
    known: usize,
}

/// Writes a file's steps, a part in a transaction. What a run of this command before has stored is found again by its
/// ids, so that one which was interrupted is completed by the next.
async fn store(
    db: &Db,
    caches: &ProjectCaches,
    project: &Project,
    path: &Path,
    mut contents: Contents,
) -> Result<Counts, Exit> {
    if contents.may_repeat_usage {
        contents.steps.sort_by_key(containers_last);
    }
    let total = contents.steps.len();
    let mut counts = Counts::default();
    for steps in in_parts(contents.steps) {
        let stored = store_part(db, caches, project, steps, contents.may_repeat_usage);
        match Box::pin(stored).await {
            Ok(part) => {
                counts.stored += part.stored;
                counts.known += part.known;
            }
            Err(cause) => {
                output::progress("");
                output::note(&format!(
                    "{}: interrupted, {} of {total} steps are stored; run the same command again to store the rest",
                    path.display(),
                    counts.stored + counts.known
                ));
                return Err(cause);
            }
        }
        output::progress(&format!(
            "{}: {} of {total} steps, {} of them new",
            path.display(),
            counts.stored + counts.known,
            counts.stored
        ));
    }
    output::progress("");
    Ok(counts)
}

async fn store_part(
    db: &Db,
    caches: &ProjectCaches,
    project: &Project,
    steps: Vec<NewStep>,
    may_repeat_usage: bool,
) -> Result<Counts, Exit> {
    let caller = Caller {
        project_id: project.id,
        key_label: LABEL.to_owned(),
        key_id: None,
    };
    let submission = Submission::new(&caller, clock::now(), steps, Vec::new());
    let submissions = [if may_repeat_usage {
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
    Ok(Counts {
        stored,
        known: all.count() - stored,
    })
}
