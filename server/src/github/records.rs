//! GitHub's objects as far as they are read, in webhooks and from the API alike, and what each says of a deploy. Every
//! text in them is somebody else's: it is cut, and addresses have to be of the web.

use domain::deploy::{DeployRecord, DeployReport, DeployStatus, parse_sha};
use domain::github::{GithubOptions, pr_of_commit};
use domain::{Timestamp, text};
use serde::Deserialize;

/// How the ids of deploys begin that are GitHub's deployments.
pub(super) const DEPLOYMENT_ID: &str = "github-deployment-";
/// Of runs of workflows.
pub(super) const RUN_ID: &str = "github-run-";
/// Of releases.
pub(super) const RELEASE_ID: &str = "github-release-";
/// Longest text that is kept, in characters; as of records that are sent.
const MAX_CHARS: usize = 500;
/// Digits of a full sha.
const FULL_SHA: [usize; 2] = [40, 64];

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Deployment {
    pub(super) id: u64,
    pub(super) sha: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    environment: Option<String>,
    description: Option<String>,
    creator: Option<Account>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct DeploymentState {
    pub(super) state: String,
    pub(super) created_at: Timestamp,
    environment_url: Option<String>,
    log_url: Option<String>,
    target_url: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Run {
    pub(super) id: u64,
    name: Option<String>,
    display_title: Option<String>,
    pub(super) head_branch: Option<String>,
    pub(super) head_sha: String,
    /// Of the workflow's file.
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) event: String,
    status: Option<String>,
    conclusion: Option<String>,
    html_url: Option<String>,
    run_attempt: Option<u64>,
    pub(super) created_at: Timestamp,
    run_started_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    actor: Option<Account>,
    head_commit: Option<Commit>,
    pull_requests: Option<Vec<PullOfRun>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Commit {
    message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct PullOfRun {
    number: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Release {
    pub(super) id: u64,
    pub(super) tag_name: String,
    target_commitish: Option<String>,
    name: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
    pub(super) created_at: Option<Timestamp>,
    pub(super) published_at: Option<Timestamp>,
    html_url: Option<String>,
    author: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    number: i64,
    title: Option<String>,
    html_url: Option<String>,
    user: Option<Account>,
    merged_at: Option<Timestamp>,
}

/// Which pull request a commit came with: the merged one, where several hold it.
pub(super) fn pull_of(sha: &str, pulls: &[Pull]) -> storage::integrations::CommitPull {
    let pull = pulls
        .iter()
        .find(|pull| pull.merged_at.is_some())
        .or(pulls.first());
    storage::integrations::CommitPull {
        sha: sha.to_owned(),
        pr_number: pull.map(|pull| pull.number).filter(|number| *number > 0),
        title: pull.and_then(|pull| cut(pull.title.as_deref())),
        author: pull.and_then(|pull| login(pull.user.as_ref())),
        url: pull.and_then(|pull| web(pull.html_url.as_deref())),
    }
}

/// Fills in what a pull request says; of its commits nobody knows better.
pub(super) fn with_pull(mut report: DeployReport, pull: &storage::integrations::CommitPull) -> DeployReport {
    if pull.pr_number.is_some() {
        let record = &mut report.record;
        record.pr_number = pull.pr_number;
        record.title = pull.title.clone().or(record.title.take());
        record.author = pull.author.clone().or(record.author.take());
        record.url = pull.url.clone().or(record.url.take());
    }
    report
}

impl Deployment {
    pub(super) fn deploy_id(&self) -> String {
        format!("{DEPLOYMENT_ID}{}", self.id)
    }

    pub(super) fn counts(&self, options: &GithubOptions) -> bool {
        options.counts_environment(self.environment.as_deref())
    }

    /// What is known of it by itself; `run` is that of the workflow that made it.
    fn report(&self, options: &GithubOptions, run: Option<&Run>) -> Option<DeployReport> {
        let sha = parse_sha(&self.sha)?;
        Some(DeployReport {
            record: DeployRecord {
                id: Some(self.deploy_id()),
                environment: cut(self.environment.as_deref()),
                repo: Some(options.repository.clone()),
                sha: sha.clone(),
                ..DeployRecord::default()
            },
            otherwise: DeployRecord {
                title: run
                    .and_then(Run::title)
                    .or_else(|| cut(self.description.as_deref())),
                author: login(self.creator.as_ref()),
                branch: run
                    .and_then(|run| cut(run.head_branch.as_deref()))
                    // A ref may be a sha, a tag or a branch.
                    .or_else(|| cut(self.reference.as_deref().filter(|name| parse_sha(name).is_none()))),
                pr_number: run.and_then(Run::pr_number),
                url: Some(format!("{}/commit/{sha}", options.web_url())),
                ..DeployRecord::default()
            },
            only_corrects: false,
        })
    }

    /// When it is made known.
    pub(super) fn made(&self, options: &GithubOptions, run: Option<&Run>) -> Option<DeployReport> {
        let mut report = self.report(options, run)?;
        report.record.status = Some(DeployStatus::InProgress);
        Some(report)
    }

    /// When its state changes. That it is not live any more says nothing of when it was.
    pub(super) fn changed(
        &self,
        options: &GithubOptions,
        run: Option<&Run>,
        state: &DeploymentState,
    ) -> Option<DeployReport> {
        let status = match state.state.as_str() {
            "success" => DeployStatus::Success,
            "failure" | "error" => DeployStatus::Failure,
            "in_progress" | "queued" | "pending" => DeployStatus::InProgress,
            _ => return None,
        };
        let mut report = self.report(options, run)?;
        report.record.status = Some(status);
        state.say_where(&mut report);
        match status {
            DeployStatus::Success => {
                report.record.completed_at = Some(state.created_at);
                report.otherwise.started_at = Some(self.created_at);
            }
            DeployStatus::InProgress if state.state == "in_progress" => {
                report.otherwise.started_at = Some(state.created_at);
            }
            _ => {}
        }
        Some(report)
    }

    /// From all of its states, the latest first.
    pub(super) fn with_states(
        &self,
        options: &GithubOptions,
        states: &[DeploymentState],
    ) -> Option<DeployReport> {
        let mut report = self.report(options, None)?;
        let began = states.iter().rev().find(|state| state.state == "in_progress");
        report.record.started_at = began.map(|state| state.created_at);
        report.otherwise.started_at = Some(self.created_at).filter(|_| !states.is_empty());
        // The last time that it went live.
        let live = states.iter().find(|state| state.state == "success");
        let latest = states.first();
        report.record.status = Some(match latest.map(|state| state.state.as_str()) {
            Some("success") => DeployStatus::Success,
            Some("failure" | "error") => DeployStatus::Failure,
            // Another one is live in its place, or it never was.
            Some("inactive") if live.is_some() => DeployStatus::Success,
            Some("inactive") => DeployStatus::Cancelled,
            _ => DeployStatus::InProgress,
        });
        if report.record.status == Some(DeployStatus::Success) {
            report.record.completed_at = live.map(|state| state.created_at);
        }
        if let Some(latest) = latest {
            latest.say_where(&mut report);
        }
        Some(report)
    }
}

impl DeploymentState {
    fn say_where(&self, report: &mut DeployReport) {
        let named = [&self.log_url, &self.target_url, &self.environment_url]
            .into_iter()
            .find_map(|url| web(url.as_deref()));
        if let Some(url) = named {
            report.otherwise.url = Some(url);
        }
    }
}

impl Run {
    /// When its latest attempt began.
    pub(super) fn began_at(&self) -> Timestamp {
        self.run_started_at
            .unwrap_or(self.created_at)
            .max(self.created_at)
    }

    /// Each attempt ships by itself.
    pub(super) fn deploy_id(&self) -> String {
        match self.run_attempt {
            Some(attempt) if attempt > 1 => format!("{RUN_ID}{}-{attempt}", self.id),
            _ => format!("{RUN_ID}{}", self.id),
        }
    }

    pub(super) fn counts(&self, options: &GithubOptions) -> bool {
        options.counts_run(&self.path, self.head_branch.as_deref(), &self.event)
    }

    fn title(&self) -> Option<String> {
        let commit = self
            .head_commit
            .as_ref()
            .and_then(|commit| commit.message.as_deref());
        cut(commit.and_then(|message| message.lines().next()))
            .or_else(|| cut(self.display_title.as_deref()))
            .or_else(|| cut(self.name.as_deref()))
    }

    fn pr_number(&self) -> Option<i64> {
        let mut named = self.pull_requests.iter().flatten().map(|pull| pull.number);
        let commit = self
            .head_commit
            .as_ref()
            .and_then(|commit| commit.message.as_deref());
        named
            .find(|number| *number > 0)
            .or_else(|| commit.and_then(pr_of_commit))
    }

    pub(super) fn report(&self, options: &GithubOptions) -> Option<DeployReport> {
        let sha = parse_sha(&self.head_sha)?;
        let is_over = self.status.as_deref() == Some("completed");
        let (status, only_corrects) = match self.conclusion.as_deref().filter(|_| is_over) {
            None if is_over => return None,
            None => (DeployStatus::InProgress, false),
            Some("success") => (DeployStatus::Success, false),
            Some("failure" | "timed_out" | "startup_failure") => (DeployStatus::Failure, false),
            Some("cancelled") => (DeployStatus::Cancelled, false),
            // Skipped, neutral, stale, waiting for somebody: nothing shipped.
            Some(_) => (DeployStatus::Cancelled, true),
        };
        let ended = self.updated_at.filter(|_| status == DeployStatus::Success);
        Some(DeployReport {
            record: DeployRecord {
                id: Some(self.deploy_id()),
                sha,
                status: Some(status),
                repo: Some(options.repository.clone()),
                branch: cut(self.head_branch.as_deref()),
                started_at: self.run_started_at.or(Some(self.created_at)),
                ..DeployRecord::default()
            },
            otherwise: DeployRecord {
                title: self.title(),
                author: login(self.actor.as_ref()),
                url: web(self.html_url.as_deref()),
                pr_number: self.pr_number(),
                // What happens to a run later, such as its logs being deleted, moves the time too.
                completed_at: ended,
                ..DeployRecord::default()
            },
            only_corrects,
        })
    }
}

impl Release {
    pub(super) fn deploy_id(&self) -> String {
        format!("{RELEASE_ID}{}", self.id)
    }

    /// Published, and meant for everybody.
    pub(super) fn is_out(&self) -> bool {
        !self.draft && !self.prerelease && self.published_at.is_some()
    }

    /// Its commit, where it says it; most name a branch.
    pub(super) fn named_sha(&self) -> Option<String> {
        let named = self.target_commitish.as_deref()?;
        parse_sha(named).filter(|sha| FULL_SHA.contains(&sha.len()))
    }

    pub(super) fn report(&self, options: &GithubOptions, sha: String) -> DeployReport {
        let title = cut(self.name.as_deref()).or_else(|| cut(Some(&self.tag_name)));
        DeployReport {
            record: DeployRecord {
                id: Some(self.deploy_id()),
                sha,
                status: Some(DeployStatus::Success),
                repo: Some(options.repository.clone()),
                title,
                author: login(self.author.as_ref()),
                url: web(self.html_url.as_deref()),
                completed_at: self.published_at,
                ..DeployRecord::default()
            },
            ..DeployReport::default()
        }
    }
}

/// A text as it is kept; `None` when nothing is left of it.
fn cut(text: Option<&str>) -> Option<String> {
    let clean: String = text?.chars().filter(|c| *c != '\0').collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| text::first_line(clean, MAX_CHARS))
}

fn login(account: Option<&Account>) -> Option<String> {
    cut(account.map(|account| account.login.as_str()))
}

/// An address that may become a link.
fn web(url: Option<&str>) -> Option<String> {
    let url = url?.trim();
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let fits = url.chars().count() <= MAX_CHARS && !url.chars().any(char::is_control);
    (is_web && fits).then(|| url.to_owned())
}

#[cfg(test)]
mod tests;
