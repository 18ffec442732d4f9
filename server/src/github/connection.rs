//! A project's connection to GitHub: read from storage, changed by people, with its secrets.

use domain::ProjectId;
use domain::github::{GithubOptions, is_workflow_file, parse_names, parse_repository};
use serde_json::Value;
use storage::Db;
use storage::integrations::{self, GITHUB, NewSecret, NewSettings};

use super::rest::{Rest, RestError};
use super::{TOKEN, WEBHOOK_SECRET, field};
use crate::clock;
use crate::outbound::Outbound;
use crate::secrets::{NoRandomness, OpenError, Secrets, last_four};

/// Longest secret, in characters.
const MAX_SECRET_CHARS: usize = 500;
/// Shortest secret of webhooks that is given and not made.
const MIN_WEBHOOK_SECRET_CHARS: usize = 16;

/// What somebody wants, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub repository: String,
    pub api_url: String,
    pub deployments: bool,
    pub environments: String,
    pub workflows: String,
    pub branch: String,
    pub releases: bool,
    pub is_paused: bool,
    /// A new one; `None` keeps the one there is unless `api_url` is another, an empty one takes it away.
    pub token: Option<String>,
    pub webhook_secret: Option<String>,
}

/// What is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field.
    pub field: &'static str,
    /// What it has to be.
    pub message: String,
}

fn wrong(field: &'static str, message: impl Into<String>) -> Wrong {
    Wrong {
        field,
        message: message.into(),
    }
}

/// What is stored, as options. Unreadable ones count nothing.
pub fn options_of(stored: &Value) -> GithubOptions {
    serde_json::from_value(stored.clone()).unwrap_or_else(|_unreadable| GithubOptions {
        deployments: false,
        ..GithubOptions::default()
    })
}

impl Draft {
    /// The options that it asks for.
    pub fn options(&self, outbound: &Outbound) -> Result<GithubOptions, Wrong> {
        let repository = parse_repository(&self.repository)
            .ok_or_else(|| wrong("repository", "repository must look like owner/name"))?;
        let api_url = match self.api_url.trim() {
            "" => domain::github::DEFAULT_API_URL.to_owned(),
            url => {
                let target = outbound
                    .target(url)
                    .map_err(|bad| wrong("api_url", bad.to_string()))?;
                if target.uri().query().is_some() {
                    return Err(wrong("api_url", "api_url must have no query"));
                }
                target.to_string()
            }
        };
        let names = |field: &'static str, text: &str| {
            parse_names(text).ok_or_else(|| {
                let message = format!(
                    "{field} must be at most {} names of at most {} characters, with commas between them",
                    domain::github::MAX_NAMED,
                    domain::github::MAX_NAME_CHARS
                );
                wrong(field, message)
            })
        };
        let workflows = names("workflows", &self.workflows)?;
        // Their whole path is what GitHub shows.
        let workflows: Vec<String> = workflows
            .iter()
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect();
        if workflows.iter().any(|file| !is_workflow_file(file)) {
            return Err(wrong(
                "workflows",
                "workflows must be names of files such as deploy.yml",
            ));
        }
        let branches = names("branch", &self.branch)?;
        if branches.len() > 1 {
            return Err(wrong("branch", "branch must be one branch, or empty"));
        }
        let options = GithubOptions {
            repository,
            api_url,
            deployments: self.deployments,
            environments: names("environments", &self.environments)?,
            workflows,
            branch: branches.into_iter().next(),
            releases: self.releases,
        };
        if options.counts_something() {
            Ok(options)
        } else {
            Err(wrong(
                "deployments",
                "Something has to count as a deploy: deployments, a workflow, or releases",
            ))
        }
    }

    fn secrets(&self) -> Result<Vec<(&'static str, Option<&str>)>, Wrong> {
        let mut all = Vec::new();
        for (name, secret) in [(TOKEN, &self.token), (WEBHOOK_SECRET, &self.webhook_secret)] {
            let Some(secret) = secret.as_deref().map(str::trim) else {
                continue;
            };
            if secret.is_empty() {
                all.push((name, None));
                continue;
            }
            let length = secret.chars().count();
            // It becomes a header, or is copied by hand.
            if length > MAX_SECRET_CHARS || !secret.chars().all(|c| c.is_ascii_graphic()) {
                return Err(wrong(
                    name,
                    format!("{name} must be at most {MAX_SECRET_CHARS} characters without space"),
                ));
            }
            if name == WEBHOOK_SECRET && length < MIN_WEBHOOK_SECRET_CHARS {
                return Err(wrong(
                    name,
                    format!("{name} must have {MIN_WEBHOOK_SECRET_CHARS} characters or more"),
                ));
            }
            all.push((name, Some(secret)));
        }
        Ok(all)
    }
}

/// Why a connection was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{} is wrong", .0.field)]
    Wrong(Wrong),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Database(#[from] storage::Error),
}

impl From<Wrong> for SaveError {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// Stores what a draft asks for, its secrets sealed.
pub async fn save(
    db: &Db,
    secrets: &Secrets,
    outbound: &Outbound,
    project: ProjectId,
    draft: &Draft,
    actor: &str,
) -> Result<(), SaveError> {
    let options = draft.options(outbound)?;
    let mut sealed = Vec::new();
    for (name, secret) in draft.secrets()? {
        sealed.push(NewSecret {
            name,
            sealed: match secret {
                Some(secret) => Some(secrets.seal(project, &field(name), secret)?),
                None => None,
            },
            shown: secret.and_then(last_four),
        });
    }
    let stored = serde_json::to_value(&options).unwrap_or_default();
    let new = NewSettings {
        remote: &options.repository.to_ascii_lowercase(),
        options: &stored,
        is_paused: draft.is_paused,
        secrets: &sealed,
    };
    Ok(integrations::save(db, project, GITHUB, &new, actor, clock::now()).await?)
}

/// The project's token, if there is one.
pub async fn token(
    db: &Db,
    secrets: &Secrets,
    project: ProjectId,
) -> storage::Result<Result<Option<String>, OpenError>> {
    let sealed = integrations::sealed(db, project, GITHUB, TOKEN).await?;
    Ok(sealed
        .map(|sealed| secrets.open(project, &field(TOKEN), &sealed))
        .transpose())
}

/// Why the project's repository can't be asked, in words for people.
#[derive(Debug, thiserror::Error)]
pub enum NoRest {
    #[error("No GitHub repository is connected to this project; Settings, Integrations connects one")]
    NotConnected,
    #[error("The token for GitHub can't be used: {0}")]
    Token(#[from] OpenError),
    #[error(transparent)]
    Rest(#[from] RestError),
    #[error("The database does not answer")]
    Database(#[from] storage::Error),
}

/// Asks about the project's repository.
pub async fn rest<'a>(
    db: &Db,
    secrets: &Secrets,
    outbound: &'a Outbound,
    project: ProjectId,
) -> Result<Rest<'a>, NoRest> {
    let mut snapshot = db.snapshot(project).await?;
    let connection = integrations::get(&mut snapshot, project, GITHUB).await?;
    drop(snapshot);
    let options = options_of(&connection.ok_or(NoRest::NotConnected)?.options);
    let token = token(db, secrets, project).await??;
    Ok(Rest::new(outbound, &options.api_url, &options.repository, token)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            repository: "https://github.com/acme/support".to_owned(),
            deployments: true,
            environments: "production, staging".to_owned(),
            workflows: ".github/workflows/deploy.yml".to_owned(),
            branch: " main ".to_owned(),
            ..Draft::default()
        }
    }

    #[test]
    fn a_draft_is_read_as_people_write() {
        let outbound = Outbound::new(crate::config::Networks::default()).unwrap();
        let options = draft().options(&outbound).unwrap();
        assert_eq!(
            options,
            GithubOptions {
                repository: "acme/support".to_owned(),
                environments: vec!["production".to_owned(), "staging".to_owned()],
                workflows: vec!["deploy.yml".to_owned()],
                branch: Some("main".to_owned()),
                ..GithubOptions::default()
            }
        );
        let check = |change: fn(&mut Draft), field: &str, words: &str| {
            let mut changed = draft();
            change(&mut changed);
            let wrong = changed
                .options(&outbound)
                .and_then(|_| changed.secrets().map(|_| ()))
                .unwrap_err();
            assert_eq!(wrong.field, field, "{wrong:?}");
            assert!(wrong.message.contains(words), "{wrong:?}");
        };
        check(
            |draft| draft.repository = "acme".to_owned(),
            "repository",
            "owner/name",
        );
        check(
            |draft| draft.api_url = "http://github.acme.dev".to_owned(),
            "api_url",
            "https://",
        );
        check(
            |draft| draft.api_url = "https://10.0.0.1".to_owned(),
            "api_url",
            "no public address",
        );
        check(
            |draft| draft.api_url = "https://github.acme.dev?x=1".to_owned(),
            "api_url",
            "no query",
        );
        check(
            |draft| draft.workflows = "deploy".to_owned(),
            "workflows",
            "deploy.yml",
        );
        check(|draft| draft.branch = "a,b".to_owned(), "branch", "one branch");
        check(
            |draft| {
                draft.deployments = false;
                draft.workflows.clear();
            },
            "deployments",
            "has to count",
        );
        check(
            |draft| draft.token = Some("a b".to_owned()),
            "token",
            "without space",
        );
        check(
            |draft| draft.webhook_secret = Some("short".to_owned()),
            "webhook_secret",
            "16 characters",
        );
    }
}
