//! A sync: what GitHub lists, from the latest back to where the last sync began, written down page by page. What was
//! written stays when it ends early; the next one begins at the same place.

mod lists;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::deploy::DeployReport;
use domain::github::GithubOptions;
use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::deploys::{self, Applying, Change};
use storage::integrations::{self, CommitPull, GITHUB};
use tokio::time::Instant;
use uuid::Uuid;

use super::records::{Pull, pull_of, with_pull};
use super::rest::{Rest, RestError};
use crate::clock;

/// What the audit log calls it.
const ACTOR: &str = "GitHub sync";
const MINUTE_MICROS: i64 = 60_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// How far the first sync goes back.
const FIRST_DAYS: i64 = 30;
/// How far before the last sync the next one begins: what GitHub lists late is found.
const OVERLAP_MICROS: i64 = 60 * MINUTE_MICROS;
/// How long a claim holds, and how soon it is made to hold on.
pub(super) const CLAIM_MICROS: i64 = 2 * MINUTE_MICROS;
const KEEP_AFTER: Duration = Duration::from_secs(20);
/// Calls of one sync: a fifth of what GitHub allows in an hour. It goes on a little later.
const MAX_CALLS: u32 = 1_000;

/// Where syncs go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// Everything up to then is written down.
    pub synced_to: Option<Timestamp>,
    /// By which the first page of each list is asked for again.
    pub etags: BTreeMap<String, String>,
}

/// What a sync came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Questions to GitHub.
    pub calls: u32,
    /// What counts as a deploy.
    pub seen: u32,
    /// Deploys that were not known.
    pub recorded: u32,
    /// Deploys of which something is known otherwise now.
    pub corrected: u32,
}

/// Why a sync ended before it was through.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error(transparent)]
    Github(#[from] RestError),
    /// Enough for now.
    #[error("a sync makes at most {MAX_CALLS} calls; it goes on in a minute")]
    Enough,
    /// Somebody changed the connection, or another process took over.
    #[error("the connection to GitHub was changed meanwhile")]
    ClaimLost,
    /// This process ends.
    #[error("the server was stopped meanwhile")]
    Shutdown,
    #[error(transparent)]
    Database(#[from] storage::Error),
}

/// A sync under way.
pub struct Sync<'a> {
    pub db: &'a Db,
    pub rest: Rest<'a>,
    pub options: &'a GithubOptions,
    pub project: ProjectId,
    pub claim: Uuid,
    pub cursor: Cursor,
    pub totals: Totals,
    /// What was made before is left alone.
    from: Timestamp,
    /// Everything from there on is read again, known or not.
    is_forced: bool,
    began_at: Timestamp,
    kept_at: Instant,
    /// The ids of deploys that the lists had.
    seen: BTreeSet<String>,
}

impl<'a> Sync<'a> {
    /// Goes on where `cursor` says, or reads everything again that was made at `since` or later.
    pub fn new(
        db: &'a Db,
        rest: Rest<'a>,
        options: &'a GithubOptions,
        claim: (ProjectId, Uuid),
        cursor: Cursor,
        since: Option<Timestamp>,
    ) -> Self {
        let now = clock::now();
        let usual = match cursor.synced_to {
            Some(at) => at.plus_micros(-OVERLAP_MICROS),
            None => now.plus_micros(-FIRST_DAYS * DAY_MICROS),
        };
        Self {
            db,
            rest,
            options,
            project: claim.0,
            claim: claim.1,
            cursor,
            totals: Totals::default(),
            from: since.unwrap_or(usual),
            is_forced: since.is_some(),
            began_at: now,
            kept_at: Instant::now(),
            seen: BTreeSet::new(),
        }
    }

    /// Reads every list that counts. What is found stays written down, however it ends.
    pub async fn run(&mut self) -> Result<(), Stop> {
        let done = self.read_lists().await;
        self.totals.calls = self.rest.calls;
        done?;
        self.cursor.synced_to = Some(self.began_at);
        Ok(())
    }

    async fn read_lists(&mut self) -> Result<(), Stop> {
        if self.options.deployments {
            self.deployments().await?;
        }
        for file in &self.options.workflows {
            self.runs(file).await?;
        }
        if !self.options.workflows.is_empty() {
            self.open_runs().await?;
        }
        if self.options.releases {
            self.releases().await?;
        }
        Ok(())
    }

    /// Before each question: whether it may be asked, and whether this process still is the one to ask.
    async fn may_ask(&mut self) -> Result<Timestamp, Stop> {
        if self.rest.calls >= MAX_CALLS {
            return Err(Stop::Enough);
        }
        let now = clock::now();
        if self.kept_at.elapsed() >= KEEP_AFTER {
            self.keep(now).await?;
        }
        Ok(now)
    }

    async fn keep(&mut self, now: Timestamp) -> Result<(), Stop> {
        let until = now.plus_micros(CLAIM_MICROS);
        if !integrations::keep_claim(self.db, self.project, GITHUB, self.claim, until).await? {
            return Err(Stop::ClaimLost);
        }
        self.kept_at = Instant::now();
        Ok(())
    }

    /// Writes down what reports say, with the pull requests of their commits.
    async fn apply(&mut self, reports: Vec<DeployReport>) -> Result<(), Stop> {
        if reports.is_empty() {
            return Ok(());
        }
        self.totals.seen += u32::try_from(reports.len()).unwrap_or(u32::MAX);
        let pulls = self.pulls(&reports).await?;
        let now = clock::now();
        // A sync that others have taken over writes nothing.
        self.keep(now).await?;
        let reports = reports
            .into_iter()
            .map(|report| match pulls.get(&report.record.sha) {
                Some(pull) => with_pull(report, pull),
                None => report,
            })
            .collect();
        let by = Applying {
            actor: ACTOR,
            subject: &self.options.repository,
        };
        for applied in deploys::apply(self.db, self.project, reports, by, now).await? {
            match applied.change {
                Change::New => self.totals.recorded += 1,
                Change::Corrected(_) => self.totals.corrected += 1,
                Change::Nothing => {}
            }
        }
        Ok(())
    }

    /// The pull requests of the reports' commits, each asked for once.
    async fn pulls(&mut self, reports: &[DeployReport]) -> Result<BTreeMap<String, CommitPull>, Stop> {
        let mut shas: Vec<String> = reports.iter().map(|report| report.record.sha.clone()).collect();
        shas.sort();
        shas.dedup();
        let remote = self.options.repository.to_ascii_lowercase();
        let known = integrations::commit_pulls(self.db, self.project, &remote, &shas).await?;
        let mut pulls: BTreeMap<String, CommitPull> =
            known.into_iter().map(|pull| (pull.sha.clone(), pull)).collect();
        for sha in shas {
            if pulls.contains_key(&sha) {
                continue;
            }
            let now = self.may_ask().await?;
            let found: Option<Vec<Pull>> = self
                .rest
                .find(&format!("/commits/{sha}/pulls?per_page=100"), now)
                .await?;
            let pull = pull_of(&sha, &found.unwrap_or_default());
            integrations::keep_commit_pull(self.db, self.project, &remote, &pull, now).await?;
            pulls.insert(sha, pull);
        }
        Ok(pulls)
    }
}
