//! `plumbline sync-deploys`: asks GitHub what shipped, now.

use domain::Timestamp;
use serde_json::json;
use storage::integrations::{self, GITHUB};
use tokio_util::sync::CancellationToken;

use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::config::{Config, LocalFlags};
use crate::github::task::Syncing;
use crate::outbound::Outbound;
use crate::secrets::Secrets;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read everything again that was made then or later, such as 2026-11-01T00:00:00Z
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "must be an RFC 3339 time".to_owned())
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    let outbound = Outbound::new(config.allow_private_targets.clone())?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?;
        let mut snapshot = db.snapshot(project.id).await?;
        let connection = integrations::get(&mut snapshot, project.id, GITHUB).await?;
        drop(snapshot);
        let Some(connection) = connection else {
            return Err(Exit::NotFound(format!(
                "project {} is not connected to GitHub; Settings → Integrations does that",
                project.slug
            )));
        };
        if connection.paused_at.is_some() {
            return Err(Exit::Failed(anyhow::anyhow!(
                "the connection of project {} to GitHub is paused",
                project.slug
            )));
        }
        let syncing = Syncing {
            db: db.clone(),
            secrets: Secrets::of(config)?,
            outbound: outbound.clone(),
        };
        let synced = syncing
            .sync_next(Some(project.id), arguments.since, &CancellationToken::new())
            .await?;
        let Some(synced) = synced else {
            return Err(Exit::Failed(anyhow::anyhow!(
                "a server is syncing project {} at this moment; try again when it is done",
                project.slug
            )));
        };
        let totals = synced.totals;
        if arguments.json {
            output::json(&json!({
                "project": project.slug, "calls": totals.calls, "seen": totals.seen, "recorded": totals.recorded,
                "corrected": totals.corrected, "error": synced.error, "next_at": synced.next_at,
            }));
        } else {
            output::line(&format!(
                "{} new deploys, {} corrected, of {} that counted; {} calls to GitHub",
                totals.recorded, totals.corrected, totals.seen, totals.calls
            ));
        }
        match synced.error {
            Some(error) => Err(Exit::Failed(anyhow::anyhow!(error))),
            None => Ok(()),
        }
    })
    .await
}
