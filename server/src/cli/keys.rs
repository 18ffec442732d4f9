//! `plumbline keys`.

use clap::Subcommand;
use domain::{ApiKey, KeyId, Project, Scope};
use serde_json::json;
use storage::audit::COMMAND_LINE;
use storage::{Db, keys};
use uuid::Uuid;

use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a key and print it; it is shown only once
    Add {
        /// What the key is called: the name of its series
        #[arg(required_unless_present = "named", conflicts_with = "named")]
        label: Option<String>,
        /// The same
        #[arg(long = "label", value_name = "LABEL", id = "named")]
        named: Option<String>,
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
        /// What the key may do: ingest, proxy, read, deploy, admin; may be repeated [default: all but admin]
        #[arg(long = "scope", value_parser = parse_scope)]
        scopes: Vec<Scope>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the keys of a project, without the keys themselves
    List {
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a key with the label and scopes of another, print it, and end the other
    Rotate {
        /// Its id, or its label where only one key has it
        key: String,
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
        /// Leave the other key; `keys revoke` ends it once no program uses it
        #[arg(long)]
        keep: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a key within a second
    Revoke {
        /// Its id, or its label where only one key has it
        key: String,
        /// Slug of the project [default: default]
        #[arg(long)]
        project: Option<String>,
    },
}

fn parse_scope(word: &str) -> Result<Scope, String> {
    Scope::parse(word).ok_or_else(|| "must be ingest, proxy, read, deploy or admin".to_owned())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), Exit> {
    with_database(config, async |db| match &command {
        Command::Add {
            label,
            named,
            project: slug,
            scopes,
            json,
        } => {
            let project = project(db, slug.as_deref()).await?;
            let scopes = if scopes.is_empty() { Scope::DEFAULT } else { scopes };
            let label = label.as_deref().or(named.as_deref()).unwrap_or_default();
            add(db, &project, label, scopes, *json).await
        }
        Command::List { project: slug, json } => {
            let project = project(db, slug.as_deref()).await?;
            list(db, &project, *json).await
        }
        Command::Rotate {
            key,
            project: slug,
            keep,
            json,
        } => {
            let project = project(db, slug.as_deref()).await?;
            let old = active(db, &project, key).await?;
            if old.revoked_at.is_some() {
                return Err(Exit::Usage(format!("key `{}` is revoked already", old.label)));
            }
            add(db, &project, &old.label, &old.scopes, *json).await?;
            if *keep {
                return Ok(());
            }
            end(db, &project, &old).await
        }
        Command::Revoke { key, project: slug } => {
            let project = project(db, slug.as_deref()).await?;
            let key = active(db, &project, key).await?;
            end(db, &project, &key).await
        }
    })
    .await
}

async fn add(db: &Db, project: &Project, label: &str, scopes: &[Scope], as_json: bool) -> Result<(), Exit> {
    if !keys::is_label(label) {
        return Err(Exit::Usage(format!(
            "a label has 1 to {} characters and no line breaks",
            keys::MAX_LABEL_CHARS
        )));
    }
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let now = clock::now();
    let made = keys::add(db, project.id, label, &scopes, COMMAND_LINE, now).await?;
    if as_json {
        let mut value = serde_json::to_value(&made.key)?;
        value["project"] = json!(project.slug);
        value["key"] = json!(made.secret);
        output::json(&value);
    } else {
        output::note(&format!(
            "Key `{}` of project {}, shown only this once:",
            made.key.label, project.slug
        ));
        output::line(&made.secret);
    }
    Ok(())
}

async fn list(db: &Db, project: &Project, as_json: bool) -> Result<(), Exit> {
    let keys = keys::list(db, project.id).await?;
    if as_json {
        output::json(&json!({ "items": keys, "next_cursor": null }));
        return Ok(());
    }
    let rows: Vec<_> = keys.iter().map(row).collect();
    output::table(
        ["ID", "LABEL", "PREFIX", "SCOPES", "CREATED", "LAST USED", "STATE"],
        &rows,
    );
    Ok(())
}

fn row(key: &ApiKey) -> [String; 7] {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    [
        key.id.to_string(),
        key.label.clone(),
        format!("{}…", key.prefix),
        scopes.join(","),
        key.created_at.to_string(),
        key.last_used_at
            .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        if key.revoked_at.is_some() {
            "revoked"
        } else {
            "active"
        }
        .to_owned(),
    ]
}

/// The key with that id, or the active one with that label.
async fn active(db: &Db, project: &Project, wanted: &str) -> Result<ApiKey, Exit> {
    let all = keys::list(db, project.id).await?;
    let key = match wanted.parse::<Uuid>() {
        Ok(id) => all.iter().find(|key| key.id == KeyId(id)),
        Err(_) => one_by_label(&all, wanted)?,
    };
    key.cloned().ok_or_else(|| {
        Exit::NotFound(format!(
            "project {} has no active key `{wanted}`; `plumbline keys list` shows them",
            project.slug
        ))
    })
}

async fn end(db: &Db, project: &Project, key: &ApiKey) -> Result<(), Exit> {
    let now = clock::now();
    keys::revoke(db, project.id, key.id, COMMAND_LINE, now).await?;
    output::note(&format!(
        "Key `{}` ({}…) of project {} is revoked",
        key.label, key.prefix, project.slug
    ));
    Ok(())
}

/// The active key of that label, if exactly one has it.
fn one_by_label<'a>(keys: &'a [ApiKey], label: &str) -> Result<Option<&'a ApiKey>, Exit> {
    let matching: Vec<_> = keys
        .iter()
        .filter(|key| key.label == label && key.revoked_at.is_none())
        .collect();
    match matching.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let ids: Vec<_> = several
                .iter()
                .map(|key| format!("  {}  {}…", key.id, key.prefix))
                .collect();
            Err(Exit::Usage(format!(
                "{} keys are called `{label}`; name one by its id:\n{}",
                ids.len(),
                ids.join("\n")
            )))
        }
    }
}
