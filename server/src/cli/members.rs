//! `plumbline members`: people join a project by a link, with a password of their own choosing.

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;
use clap::Subcommand;
use domain::account::is_email;
use domain::{Project, Role};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::json;
use storage::audit::COMMAND_LINE;
use storage::invitations::{self, NewInvitation};
use storage::users::{self, NewUser, PasswordChange, User};
use storage::{Db, members, password_resets};

use super::{Exit, output, project, with_database};
use crate::auth::password;
use crate::auth::token::{INVITATION_MICROS, RESET_MICROS, random_token, token_sha256};
use crate::clock;
use crate::config::Config;

/// Without the characters that people mistake for each other; 32 of them, so that a byte chooses one evenly.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 bits.
const GENERATED_CHARS: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make the very first account, an admin of everything; its password is printed once
    ///
    /// Everybody else chooses a password of their own: `plumbline members invite`.
    Add(Add),
    /// Print a link by which a person joins a project; good for a week and for one use
    Invite(Invite),
    /// End a person's access to a project; their account stays
    Remove {
        /// What they sign in with
        email: String,
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
    },
    /// Print a link by which a person sets a new password; good for a day and for one use
    ResetPassword {
        /// What they sign in with
        email: String,
        /// Read a new password from stdin and set it at once, instead of printing a link
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the people of a project, and who is invited
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
    /// The very first account must be an admin, and this says so
    #[arg(long, default_value = "member", value_parser = parse_role)]
    role: Role,
    /// Read the password from stdin; otherwise one is made and printed once
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Invite {
    /// Whom it is for: their account has or gets this address
    email: String,
    /// viewer, member or admin
    #[arg(long, default_value = "member", value_parser = parse_role)]
    role: Role,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "must be viewer, member or admin".to_owned())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    match command {
        Command::Add(arguments) => {
            check_email(&arguments.email)?;
            // Read before the database is opened, so that a wrong password costs nothing.
            let given = match arguments.password_stdin {
                true => Some(password_from_stdin(&[&arguments.email])?),
                false => None,
            };
            with_database(config, async |db| add(db, &arguments, given).await).await
        }
        Command::Invite(arguments) => {
            check_email(&arguments.email)?;
            with_database(config, async |db| invite(db, config, &arguments).await).await
        }
        Command::Remove { email, project: slug } => {
            with_database(config, async |db| {
                let project = project(db, slug.as_deref()).await?;
                remove(db, &project, &email).await
            })
            .await
        }
        Command::ResetPassword {
            email,
            password_stdin,
        } => {
            let given = match password_stdin {
                true => Some(password_from_stdin(&[&email])?),
                false => None,
            };
            with_database(config, async |db| reset_password(db, config, &email, given).await).await
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
    if is_email(email.trim()) {
        Ok(())
    } else {
        Err(Exit::Usage(format!("`{email}` is not an e-mail address")))
    }
}

/// The account with this address.
pub(super) async fn account(db: &Db, email: &str) -> Result<User, Exit> {
    let found = users::by_email(db, email).await?;
    found.map(|(user, _)| user).ok_or_else(|| {
        Exit::NotFound(format!(
            "no account has the address `{}`; `plumbline accounts list` shows all",
            email.trim()
        ))
    })
}

fn password_from_stdin(about: &[&str]) -> Result<String, Exit> {
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        output::note("The new password, then Enter and Ctrl-D; it is shown while you type:");
    }
    std::io::stdin()
        .take(4_096)
        .read_to_string(&mut text)
        .context("cannot read the password from stdin")?;
    let password = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    match password::problem(password, about) {
        None => Ok(password.to_owned()),
        Some(problem) => Err(Exit::Usage(problem.message())),
    }
}

async fn add(db: &Db, arguments: &Add, given: Option<String>) -> Result<(), Exit> {
    if users::count(db).await? > 0 {
        return Err(Exit::Usage(format!(
            "there are accounts already, and everybody chooses a password of their own: \
             `plumbline members invite {}` prints a link for it",
            arguments.email.trim()
        )));
    }
    if arguments.role != Role::Admin {
        return Err(Exit::Usage(
            "the first account must be an admin; add --role admin".to_owned(),
        ));
    }
    let generated = match &given {
        Some(_) => None,
        None => Some(generate_password()?),
    };
    let password = given.or_else(|| generated.clone()).unwrap_or_default();
    let password_hash = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
    let before_at = arguments.email.trim().split('@').next().unwrap_or_default();
    let new = NewUser {
        email: &arguments.email,
        name: arguments.name.as_deref().unwrap_or(before_at),
        password_hash: &password_hash,
    };
    // There has to be something to be an admin of.
    project(db, None).await?;
    let user = users::create_first(db, new, COMMAND_LINE, clock::now()).await?;
    output::note(&format!(
        "{} is admin of this server and of its projects",
        user.email
    ));
    if let Some(password) = generated {
        output::note("The password, shown only this once:");
        output::line(&password);
    }
    Ok(())
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

async fn invite(db: &Db, config: &Config, arguments: &Invite) -> Result<(), Exit> {
    if users::count(db).await? == 0 {
        return Err(Exit::Usage(format!(
            "there is no account yet; make the first one with `plumbline members add {} --role admin`",
            arguments.email.trim()
        )));
    }
    let project = project(db, arguments.project.as_deref()).await?;
    let token = random_token().context("the system has no randomness for a link")?;
    let now = clock::now();
    let new = NewInvitation {
        token_sha256: &token_sha256(&token),
        email: &arguments.email,
        role: arguments.role,
        expires_at: now.plus_micros(INVITATION_MICROS),
    };
    let made = match invitations::make(db, project.id, new, COMMAND_LINE, now).await {
        Err(storage::Error::Conflict(_)) => {
            return Err(Exit::Failed(anyhow::anyhow!(
                "{} is in project {} already",
                arguments.email.trim(),
                project.slug
            )));
        }
        other => other?,
    };
    let url = link(config, "invite", &token);
    if arguments.json {
        output::json(&json!({
            "id": made.id, "email": made.email, "role": made.role, "project": project.slug,
            "expires_at": made.expires_at, "url": url,
        }));
    } else {
        output::note(&format!(
            "By this link {} joins project {} as {}. It is good once, until {}:",
            made.email,
            project.slug,
            made.role.as_str(),
            made.expires_at
        ));
        output::line(&url);
    }
    Ok(())
}

/// The address of a page that takes a token.
fn link(config: &Config, page: &str, token: &str) -> String {
    let origin = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", config.addr));
    format!("{origin}/{page}?token={token}")
}

async fn remove(db: &Db, project: &Project, email: &str) -> Result<(), Exit> {
    let user = account(db, email).await?;
    match members::remove(db, project.id, user.id, COMMAND_LINE, clock::now()).await {
        Ok(()) => {}
        Err(storage::Error::NotFound) => {
            return Err(Exit::NotFound(format!(
                "{} is not in project {}",
                user.email, project.slug
            )));
        }
        Err(storage::Error::Conflict(_)) => {
            return Err(Exit::Failed(anyhow::anyhow!(
                "{} is the only admin of project {}; invite another one first",
                user.email,
                project.slug
            )));
        }
        Err(other) => return Err(other.into()),
    }
    output::note(&format!(
        "{} is not in project {} any more; the account stays, `plumbline accounts remove` ends it",
        user.email, project.slug
    ));
    Ok(())
}

async fn reset_password(db: &Db, config: &Config, email: &str, given: Option<String>) -> Result<(), Exit> {
    let user = account(db, email).await?;
    let now = clock::now();
    if let Some(password) = given {
        let hash = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
        let how = PasswordChange::ByCommand { actor: COMMAND_LINE };
        users::set_password(db, &user, &hash, how, now).await?;
        output::note(&format!(
            "{} has a new password and is signed out everywhere",
            user.email
        ));
        return Ok(());
    }
    let token = random_token().context("the system has no randomness for a link")?;
    let expires_at = now.plus_micros(RESET_MICROS);
    password_resets::make(db, &user, &token_sha256(&token), expires_at, COMMAND_LINE, now).await?;
    output::note(&format!(
        "By this link {} sets a new password, which signs out every browser. It is good once, until {expires_at}; the \
         old password works until then:",
        user.email
    ));
    output::line(&link(config, "reset", &token));
    Ok(())
}

async fn list(db: &Db, project: &Project, as_json: bool) -> Result<(), Exit> {
    let people = members::list(db, project.id).await?;
    let invited = invitations::list(db, project.id, clock::now()).await?;
    if as_json {
        output::json(&json!({ "items": people, "invited": invited, "next_cursor": null }));
        return Ok(());
    }
    let mut rows: Vec<_> = people
        .iter()
        .map(|member| {
            [
                member.email.clone(),
                member.name.clone(),
                member.role.as_str().to_owned(),
            ]
        })
        .collect();
    rows.extend(invited.iter().map(|invitation| {
        let until = format!(
            "{}, invited until {}",
            invitation.role.as_str(),
            invitation.expires_at
        );
        [invitation.email.clone(), String::new(), until]
    }));
    output::table(["EMAIL", "NAME", "ROLE"], &rows);
    Ok(())
}
