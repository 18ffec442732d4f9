//! `plumbline seed`: fills a project with demo data, or takes exactly it away again.

use std::time::Duration;

use domain::Project;
use storage::{Db, jobs};

use super::{Exit, output, project, with_database};
use crate::config::Config;
use crate::demo::{Amount, CASCADE_RUN, DAYS, RUNS_A_DAY, Seeding, removal};
use crate::jobs::{Worked, Worker};
use crate::{clock, price_file};

/// Who the audit log says it was.
const ACTOR: &str = "local";
/// How long to wait for a server that works at the same job.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project that gets the made-up runs [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Days of traffic, ending now
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Runs a day; a few more from the day a model is switched
    #[arg(long, default_value_t = RUNS_A_DAY, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Take the demo data away again: exactly the runs and deploys that were made up
    #[arg(long, conflicts_with_all = ["days", "runs"])]
    remove: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    if arguments.remove {
        return with_database(config, async |db| {
            let project = project(db, arguments.project.as_deref()).await?;
            remove(db, &project).await
        })
        .await;
    }
    let (slug, written) = with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        output::note(&format!(
            "Writing demo data, all of it made up, into project {}",
            project.slug
        ));
        // A database that no server has run on has no prices yet.
        price_file::load_shipped(db, clock::now()).await?;
        let amount = Amount {
            days: arguments.days,
            runs_a_day: arguments.runs,
            until: clock::now(),
        };
        let progress = |done: u32, steps: usize| {
            output::note(&format!("  {done} of {} days, {steps} steps", arguments.days));
        };
        let written = Seeding::new(db, project.id, amount).write(progress).await?;
        Ok((project.slug, written))
    })
    .await?;
    output::note(&match written.duplicate {
        0 => format!("{} steps stored", written.stored),
        known => format!("{} steps stored, {known} were there already", written.stored),
    });
    if written.deploys > 0 {
        output::note(&format!("{} deploys recorded", written.deploys));
    }
    if written.marked > 0 {
        output::note(&format!("{} conditions marked real or noise", written.marked));
    }
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", config.addr));
    output::note(&format!(
        "Which deploy raised the bill: {origin}/p/{slug}\nThe run that failed: {origin}/p/{slug}/runs/{CASCADE_RUN}"
    ));
    Ok(())
}

/// Takes the demo data away, together with a server that runs beside us.
async fn remove(db: &Db, project: &Project) -> Result<(), Exit> {
    let is_there = storage::demo_runs::any(&mut db.snapshot(project.id).await?, project.id).await?;
    if !is_there {
        output::note(&format!("Project {} has no demo data", project.slug));
        return Ok(());
    }
    let job_id = match removal::start(db, project.id, ACTOR, clock::now()).await {
        Ok(job_id) => job_id,
        Err(storage::Error::Conflict(_)) => {
            let latest = jobs::list(db, project.id, removal::KIND, 1).await?;
            let open = latest.into_iter().find(|job| job.state.is_open());
            let open = open.ok_or_else(|| Exit::Failed(anyhow::anyhow!("it was just done; look again")))?;
            open.job_id
        }
        Err(other) => return Err(other.into()),
    };
    let mut worker = Worker::new(db.clone());
    let mut said = -1;
    loop {
        let worked = worker.work(Some((project.id, job_id))).await?;
        let job = jobs::get(db, project.id, job_id).await?;
        if job.progress_done != said {
            said = job.progress_done;
            let total = job.progress_total.unwrap_or(said);
            output::note(&format!("  {said} of {total} runs taken away"));
        }
        if job.state == jobs::JobState::Done {
            output::note(&format!("Project {} holds no demo data any more", project.slug));
            return Ok(());
        }
        if !job.state.is_open() {
            let error = job.error.unwrap_or_else(|| "it was cancelled".to_owned());
            return Err(Exit::Failed(anyhow::anyhow!("{error}")));
        }
        if worked == Worked::Nothing {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
