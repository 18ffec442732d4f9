//! `plumbline audit`.

use domain::Timestamp;
use domain::audit::{AuditCursor, AuditFilter};
use serde_json::json;
use storage::{Db, audit};

use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::config::{Config, LocalFlags};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of a project [default: the whole server, projects that are gone included]
    #[arg(long)]
    project: Option<String>,
    /// Part of who did it, or of to whom it was done
    #[arg(long)]
    who: Option<String>,
    /// An action such as key.revoke, or a group such as sign_in
    #[arg(long)]
    what: Option<String>,
    /// Not before this time, such as 2026-11-21 or 2026-11-21T09:00:00Z
    #[arg(long, value_parser = super::parse_time)]
    from: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = super::parse_time)]
    to: Option<Timestamp>,
    /// The rows after this one, as `next_cursor` of --json says
    #[arg(long, value_parser = parse_cursor)]
    cursor: Option<AuditCursor>,
    /// How many rows, the newest first
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(audit::MAX_ROWS)))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

fn parse_cursor(text: &str) -> Result<AuditCursor, String> {
    text.parse()
        .map_err(|_invalid| "must be a next_cursor".to_owned())
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| print(db, arguments).await).await
}

async fn print(db: &Db, arguments: &Arguments) -> Result<(), Exit> {
    let filter = AuditFilter {
        who: arguments.who.clone().unwrap_or_default(),
        what: arguments.what.clone().unwrap_or_default(),
        from: arguments.from,
        to: arguments.to,
    };
    let project = match &arguments.project {
        Some(slug) => Some(project(db, Some(slug)).await?.id),
        None => None,
    };
    let mut snapshot = match project {
        Some(project) => db.snapshot(project).await?,
        None => db.snapshot_of_everything().await?,
    };
    let page = audit::page(&mut snapshot, project, &filter, arguments.cursor, arguments.limit).await?;
    let next = page.next.map(|next| next.to_string());
    if arguments.json {
        output::json(&json!({ "items": page.rows, "next_cursor": next }));
        return Ok(());
    }
    let lines: Vec<_> = page
        .rows
        .into_iter()
        .map(|row| {
            [
                row.at.to_string(),
                row.project.unwrap_or_else(|| "-".to_owned()),
                row.actor,
                row.action,
                row.subject,
                row.details.to_string(),
            ]
        })
        .collect();
    output::table(["AT", "PROJECT", "WHO", "WHAT", "TO WHAT", "DETAILS"], &lines);
    match next {
        Some(next) if page.searched_in_part => output::note(&format!(
            "{} rows were looked through; --cursor {next} goes on",
            audit::SEARCHED_ROWS
        )),
        Some(_) => output::note(&format!(
            "Only the newest {} rows; --limit shows more",
            arguments.limit
        )),
        None => {}
    }
    Ok(())
}
