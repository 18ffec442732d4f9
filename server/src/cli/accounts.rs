//! `plumbline accounts`: what whoever runs the server does with people's accounts.

use clap::Subcommand;
use serde_json::json;
use storage::Db;
use storage::audit::COMMAND_LINE;
use storage::users::{self, Indispensable};

use super::members::account;
use super::{Exit, output, with_database};
use crate::clock;
use crate::config::Config;

/// How long an account waits for its person at the provider.
const LINK_MICROS: i64 = 7 * 86_400 * 1_000_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an account: its sessions and memberships end at once
    Remove {
        /// What they sign in with
        email: String,
        /// Also where projects are left without an admin
        #[arg(long)]
        force: bool,
    },
    /// Let the next sign-in at the provider with the account's address be linked to the account, for a week
    Link {
        /// What they sign in with
        email: String,
    },
    /// Make a person an admin of the server, who sees the whole audit log, or take that away
    Admin {
        /// What they sign in with
        email: String,
        /// Take it away
        #[arg(long)]
        revoke: bool,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    with_database(config, async |db| match &command {
        Command::List { json } => list(db, *json).await,
        Command::Remove { email, force } => remove(db, email, *force).await,
        Command::Link { email } => link(db, email).await,
        Command::Admin { email, revoke } => set_admin(db, email, !revoke).await,
    })
    .await
}

async fn list(db: &Db, as_json: bool) -> Result<(), Exit> {
    let accounts = users::list(db).await?;
    if as_json {
        let items: Vec<_> = accounts
            .iter()
            .map(|account| {
                json!({
                    "user_id": account.user.id, "email": account.user.email, "name": account.user.name,
                    "instance_admin": account.user.is_instance_admin, "created_at": account.created_at,
                    "projects": account.projects,
                })
            })
            .collect();
        output::json(&json!({ "items": items, "next_cursor": null }));
        return Ok(());
    }
    let rows: Vec<_> = accounts
        .into_iter()
        .map(|account| {
            let admin = if account.user.is_instance_admin {
                "admin"
            } else {
                ""
            };
            [
                account.user.email,
                account.user.name,
                admin.to_owned(),
                account.created_at.to_string(),
                account.projects.join(","),
            ]
        })
        .collect();
    output::table(["EMAIL", "NAME", "SERVER", "CREATED", "PROJECTS"], &rows);
    Ok(())
}

async fn remove(db: &Db, email: &str, even_if_admin: bool) -> Result<(), Exit> {
    let user = account(db, email).await?;
    let removed = users::remove(db, &user, even_if_admin, COMMAND_LINE, clock::now()).await?;
    removed.map_err(|needed| refusal(&user.email, needed))?;
    output::note(&format!("The account {} is removed", user.email));
    Ok(())
}

async fn link(db: &Db, email: &str) -> Result<(), Exit> {
    let user = account(db, email).await?;
    let now = clock::now();
    let until = now.plus_micros(LINK_MICROS);
    users::allow_link(db, &user, until, COMMAND_LINE, now).await?;
    output::note(&format!(
        "Whoever signs in at the provider as {} within a week gets this account",
        user.email
    ));
    Ok(())
}

async fn set_admin(db: &Db, email: &str, is_admin: bool) -> Result<(), Exit> {
    let user = account(db, email).await?;
    let changed = users::set_instance_admin(db, &user, is_admin, COMMAND_LINE, clock::now()).await?;
    changed.map_err(|needed| refusal(&user.email, needed))?;
    let is = if is_admin { "is" } else { "is not" };
    output::note(&format!("{} {is} an admin of the server", user.email));
    Ok(())
}

fn refusal(email: &str, needed: Indispensable) -> Exit {
    Exit::Failed(match needed {
        Indispensable::InstanceAdmin => anyhow::anyhow!(
            "{email} is the only admin of this server; make another one first: `plumbline accounts admin EMAIL`"
        ),
        Indispensable::AdminOf(projects) => anyhow::anyhow!(
            "{email} is the only admin of: {}. Invite another one first, or say --force",
            projects.join(", ")
        ),
    })
}
