//! `plumbline reprice`.

use std::time::Duration;

use domain::{NanoUsd, Project, Timestamp, text};
use serde::Deserialize as _;
use serde_json::{Value, json};
use storage::Db;
use storage::jobs::{self, Job, JobState};
use storage::reprice::Which;
use uuid::Uuid;

use super::{Exit, output, project, with_database};
use crate::config::Config;
use crate::jobs::{Worked, Worker};
use crate::reprice::{self, Request, Sum, Totals};
use crate::{clock, price_file};

/// How often it is looked how far another process is.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The actor in the audit log: a command with access to the database.
const ACTOR: &str = "local";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only steps that this model answered
    #[arg(long)]
    model: Option<String>,
    /// Only steps that began then or later, such as 2026-11-01T00:00:00Z
    #[arg(long, value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Only steps that began before
    #[arg(long, value_parser = parse_time)]
    to: Option<Timestamp>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Cancel the re-pricing in progress; steps already re-priced stay so
    #[arg(long, conflicts_with_all = ["model", "from", "to", "dry_run"])]
    cancel: bool,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "must be an RFC 3339 time".to_owned())
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        if arguments.cancel {
            return cancel(db, &project).await;
        }
        price_file::load_shipped(db, clock::now()).await?;
        let request = Request {
            which: Which {
                model: arguments.model.clone(),
                from: arguments.from,
                to: arguments.to,
            },
            dry_run: arguments.dry_run,
        };
        let job_id = start(db, &project, &request).await?;
        let job = work(db, &project, job_id).await?;
        report(&job, &request, arguments.json)
    })
    .await
}

/// Starts the job, or goes on with one that was asked for in the same words and is not done.
async fn start(db: &Db, project: &Project, request: &Request) -> Result<Uuid, Exit> {
    match reprice::start(db, project.id, request, ACTOR, clock::now()).await {
        Ok(job_id) => Ok(job_id),
        Err(storage::Error::Conflict(_)) => {
            let same = open_job(db, project)
                .await?
                .filter(|job| Request::deserialize(&job.arguments).is_ok_and(|other| other == *request));
            let job = same.ok_or_else(|| {
                Exit::Failed(anyhow::anyhow!(
                    "another re-pricing of project {} is in progress; wait for it, or cancel it with --cancel",
                    project.slug
                ))
            })?;
            output::note("continuing the re-pricing in progress");
            Ok(job.job_id)
        }
        Err(other) => Err(other.into()),
    }
}

async fn open_job(db: &Db, project: &Project) -> Result<Option<Job>, Exit> {
    let latest = jobs::list(db, project.id, reprice::KIND, 1).await?;
    Ok(latest.into_iter().find(|job| job.state.is_open()))
}

async fn cancel(db: &Db, project: &Project) -> Result<(), Exit> {
    let job = open_job(db, project).await?.ok_or_else(|| {
        Exit::NotFound(format!(
            "no re-pricing of project {} is in progress",
            project.slug
        ))
    })?;
    jobs::cancel(db, project.id, job.job_id, ACTOR, clock::now()).await?;
    output::note("cancelled; steps already re-priced stay so");
    Ok(())
}

/// Works at the job until it ends, together with a server that runs beside us.
async fn work(db: &Db, project: &Project, job_id: Uuid) -> Result<Job, Exit> {
    let mut worker = Worker::new(db.clone());
    let mut last_reported = -1;
    let mut last_error = None;
    loop {
        let worked = worker.work(Some((project.id, job_id))).await?;
        let job = jobs::get(db, project.id, job_id).await?;
        if !job.state.is_open() {
            return Ok(job);
        }
        if job.error != last_error {
            job.error.iter().for_each(|error| output::note(error));
            last_error.clone_from(&job.error);
        }
        if job.progress_done != last_reported {
            last_reported = job.progress_done;
            output::note(&format!(
                "{} of {} steps",
                text::grouped(u64::try_from(job.progress_done).unwrap_or(0)),
                text::grouped(u64::try_from(job.progress_total.unwrap_or(0)).unwrap_or(0))
            ));
        }
        if worked == Worked::Nothing {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

fn report(job: &Job, request: &Request, as_json: bool) -> Result<(), Exit> {
    let result = job.result.clone().unwrap_or_else(|| json!({}));
    let totals = Totals::deserialize(&result)?;
    if as_json {
        output::json(&json!({
            "job_id": job.job_id, "state": job.state.as_str(), "dry_run": request.dry_run, "error": job.error,
            "all": sum_json(&totals.all),
            "models": totals.models.iter().map(|(model, sum)| {
                let mut sum = sum_json(sum);
                sum["model"] = json!(model);
                sum
            }).collect::<Vec<_>>(),
        }));
    } else {
        let rows: Vec<_> = totals
            .models
            .iter()
            .map(|(model, sum)| row(model, sum))
            .chain([row("all", &totals.all)])
            .collect();
        output::table(
            [
                "MODEL",
                "STEPS",
                "CHANGED",
                "BEFORE",
                "AFTER",
                "UNPRICED BEFORE",
                "UNPRICED AFTER",
            ],
            &rows,
        );
    }
    match job.state {
        JobState::Done => {
            if request.dry_run {
                output::note("nothing was changed");
            }
            Ok(())
        }
        JobState::Cancelled => Err(Exit::Failed(anyhow::anyhow!(
            "it was cancelled; steps already re-priced stay so"
        ))),
        _ => Err(Exit::Failed(anyhow::anyhow!(
            "{}",
            job.error.as_deref().unwrap_or("it failed")
        ))),
    }
}

fn sum_json(sum: &Sum) -> Value {
    json!({
        "steps": sum.steps, "changed": sum.changed,
        "before_nano_usd": sum.before_nano_usd, "before_usd": sum.before_nano_usd.map(NanoUsd::to_decimal),
        "after_nano_usd": sum.after_nano_usd, "after_usd": sum.after_nano_usd.map(NanoUsd::to_decimal),
        "unpriced_before": sum.unpriced_before, "unpriced_after": sum.unpriced_after,
    })
}

fn row(model: &str, sum: &Sum) -> [String; 7] {
    let money = |cost: Option<NanoUsd>| {
        cost.map_or_else(|| "unknown".to_owned(), |cost| format!("${}", cost.to_decimal()))
    };
    [
        model.to_owned(),
        sum.steps.to_string(),
        sum.changed.to_string(),
        money(sum.before_nano_usd),
        money(sum.after_nano_usd),
        sum.unpriced_before.to_string(),
        sum.unpriced_after.to_string(),
    ]
}
