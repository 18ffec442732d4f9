//! `plumbline members`.

use std::io::Read as _;

use anyhow::Context as _;
use clap::Subcommand;
use domain::{Project, Role};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::json;
use storage::audit::COMMAND_LINE;
use storage::users::{self, NewUser, User};
use storage::{Db, members};

use super::{Exit, output, project, with_database};
use crate::auth::password;
use crate::clock;
use crate::config::Config;

/// Without the characters that people mistake for each other; 32 of them, so that a byte chooses one evenly.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 bits.
const GENERATED_CHARS: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let a person into a project, with an account where they have none
    Add(Add),
    /// List the people of a project
    List {
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// What they sign in with
    email: String,
    /// What to call them [default: the part of the address before the @]
    #[arg(long)]
    name: Option<String>,
    /// viewer, member or admin; the very first account must be an admin
    #[arg(long, default_value = "member", value_parser = parse_role)]
    role: Role,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Read the password from stdin; otherwise one is made and printed once
    #[arg(long)]
    password_stdin: bool,
}

fn parse_role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "must be viewer, member or admin".to_owned())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    match command {
        Command::Add(arguments) => {
            check_email(&arguments.email)?;
            // Read before the database is opened, so that a wrong password costs nothing.
            let given = if arguments.password_stdin {
                Some(password_from_stdin()?)
            } else {
                None
            };
            with_database(config, async |db| add(db, &arguments, given).await).await
        }
        Command::List { project: slug, json } => {
            with_database(config, async |db| {
                let project = project(db, slug.as_deref()).await?;
                list(db, &project, json).await
            })
            .await
        }
    }
}

fn check_email(email: &str) -> Result<(), Exit> {
    let parts = email.trim().split_once('@');
    let usable = parts
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !email.trim().chars().any(|c| c.is_whitespace() || c.is_control());
    if usable {
        Ok(())
    } else {
        Err(Exit::Usage(format!("`{email}` is not an e-mail address")))
    }
}

fn password_from_stdin() -> Result<String, Exit> {
    let mut text = String::new();
    std::io::stdin()
        .take(4_096)
        .read_to_string(&mut text)
        .context("cannot read the password from stdin")?;
    let password = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password::is_long_enough(password) {
        Ok(password.to_owned())
    } else {
        Err(Exit::Usage(format!(
            "a password has at least {} characters",
            password::MIN_CHARS
        )))
    }
}

async fn add(db: &Db, arguments: &Add, given: Option<String>) -> Result<(), Exit> {
    let project = project(db, arguments.project.as_deref()).await?;
    let now = clock::now();
    let (user, generated) = match users::by_email(db, &arguments.email).await? {
        Some((user, _)) if given.is_some() => {
            return Err(Exit::Usage(format!(
                "{} already has a password; omit --password-stdin",
                user.email
            )));
        }
        Some((user, _)) => (user, None),
        None => new_account(db, arguments, given).await?,
    };
    match members::add(db, project.id, &user, arguments.role, COMMAND_LINE, now).await {
        Ok(()) => {}
        // The very first account is let in everywhere when it is made.
        Err(storage::Error::Conflict(_)) => has_role(db, &project, &user, arguments.role).await?,
        Err(other) => return Err(other.into()),
    }
    output::note(&format!(
        "{} is {} in project {}",
        user.email,
        arguments.role.as_str(),
        project.slug
    ));
    if let Some(password) = generated {
        output::note("Their password, shown only this once:");
        output::line(&password);
    }
    Ok(())
}

/// Fails when the person is in the project as something else.
async fn has_role(db: &Db, project: &Project, user: &User, role: Role) -> Result<(), Exit> {
    let people = members::list(db, project.id).await?;
    match people.iter().find(|member| member.user_id == user.id) {
        Some(member) if member.role != role => Err(Exit::Failed(anyhow::anyhow!(
            "{} is in project {} already, as {}; change that under Settings, Members",
            user.email,
            project.slug,
            member.role.as_str()
        ))),
        _ => Ok(()),
    }
}

/// Makes the account; returns the password where it was made up here.
async fn new_account(
    db: &Db,
    arguments: &Add,
    given: Option<String>,
) -> Result<(User, Option<String>), Exit> {
    let first = users::count(db).await? == 0;
    if first && arguments.role != Role::Admin {
        return Err(Exit::Usage(
            "the first account must be an admin; add --role admin".to_owned(),
        ));
    }
    let generated = if given.is_none() {
        Some(generate_password()?)
    } else {
        None
    };
    let password = given.or_else(|| generated.clone()).unwrap_or_default();
    let password_hash = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
    let before_at = arguments.email.trim().split('@').next().unwrap_or_default();
    let new = NewUser {
        email: &arguments.email,
        name: arguments.name.as_deref().unwrap_or(before_at),
        password_hash: &password_hash,
    };
    let now = clock::now();
    let user = if first {
        users::create_first(db, new, COMMAND_LINE, now).await?
    } else {
        users::create(db, new, now).await?
    };
    Ok((user, generated))
}

fn generate_password() -> Result<String, Exit> {
    let mut bytes = [0; GENERATED_CHARS];
    SysRng
        .try_fill_bytes(&mut bytes)
        .context("the system has no randomness for a password")?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect())
}

async fn list(db: &Db, project: &Project, as_json: bool) -> Result<(), Exit> {
    let people = members::list(db, project.id).await?;
    if as_json {
        output::json(&json!({ "items": people, "next_cursor": null }));
        return Ok(());
    }
    let rows: Vec<_> = people
        .iter()
        .map(|member| {
            [
                member.email.clone(),
                member.name.clone(),
                member.role.as_str().to_owned(),
            ]
        })
        .collect();
    output::table(["EMAIL", "NAME", "ROLE"], &rows);
    Ok(())
}
