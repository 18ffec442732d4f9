//! `plumbline jobs`.

use domain::text;
use serde_json::json;
use storage::projects::deletion;

use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::api::jobs::Job;
use crate::config::{Config, LocalFlags};

/// How many of the latest jobs are listed.
const LIMIT: u32 = 50;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        let mut jobs: Vec<Job> = deletion::under_way(db, None)
            .await?
            .into_iter()
            .map(Job::from)
            .collect();
        let own = storage::jobs::latest(&mut db.snapshot(project.id).await?, project.id, LIMIT).await?;
        jobs.extend(own.into_iter().map(Job::from));
        if arguments.json {
            output::json(&json!({ "items": jobs, "next_cursor": null }));
        } else {
            let rows: Vec<_> = jobs.iter().map(row).collect();
            output::table(
                ["ID", "PROJECT", "KIND", "STATE", "PROGRESS", "CREATED", "ERROR"],
                &rows,
            );
        }
        Ok(())
    })
    .await
}

fn row(job: &Job) -> [String; 7] {
    let progress = text::progress(job.done, job.total, job.total_is_estimate);
    [
        job.job_id.to_string(),
        job.project.clone(),
        job.kind.clone(),
        job.state.as_str().to_owned(),
        format!("{progress} {}", job.unit),
        job.created_at.to_string(),
        job.error.clone().unwrap_or_default(),
    ]
}
