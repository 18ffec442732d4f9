//! Deploys: what shipped and when, and which release of a step is which deploy.

mod report;

use serde::{Deserialize, Serialize};

pub use report::DeployReport;

use crate::Timestamp;
use crate::step::words;

words!(
    /// How far a deploy got.
    DeployStatus {
        /// It is being rolled out.
        InProgress = "in_progress",
        /// It is live, or was.
        Success = "success",
        /// It did not become live.
        Failure = "failure",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
);

/// Digits of a sha that are enough to name it.
pub const MIN_SHA_DIGITS: usize = 7;
/// As many digits as a sha of SHA-256 has.
pub const MAX_SHA_DIGITS: usize = 64;

/// Something that shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deploy {
    /// The sender's id, else made of sha and environment.
    pub id: String,
    /// Lower case; short or full.
    pub sha: String,
    /// How far it got.
    pub status: DeployStatus,
    /// What it brings, in its author's words.
    pub title: Option<String>,
    /// Number of the pull request.
    pub pr_number: Option<i64>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where it can be looked at; `http` or `https`.
    pub url: Option<String>,
    /// Where it was rolled out to.
    pub environment: Option<String>,
    /// `owner/name`.
    pub repo: Option<String>,
    /// The branch it was built from.
    pub branch: Option<String>,
    /// When its rollout began.
    pub started_at: Option<Timestamp>,
    /// When it was live everywhere.
    pub completed_at: Option<Timestamp>,
    /// When it was first heard of.
    pub received_at: Timestamp,
}

/// A record of a deploy as it comes in: what it leaves out is not known, or was said before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployRecord {
    /// The sender's id.
    pub id: Option<String>,
    /// Hexadecimal digits.
    pub sha: String,
    /// How far it got.
    pub status: Option<DeployStatus>,
    /// What it brings.
    pub title: Option<String>,
    /// Number of the pull request.
    pub pr_number: Option<i64>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where it can be looked at.
    pub url: Option<String>,
    /// Where it is rolled out to.
    pub environment: Option<String>,
    /// `owner/name`.
    pub repo: Option<String>,
    /// The branch it was built from.
    pub branch: Option<String>,
    /// When its rollout began.
    pub started_at: Option<Timestamp>,
    /// When it was live everywhere.
    pub completed_at: Option<Timestamp>,
}

impl DeployRecord {
    /// The id it is kept under.
    pub fn deploy_id(&self) -> String {
        match (&self.id, &self.environment) {
            (Some(id), _) => id.clone(),
            (None, Some(environment)) => format!("{}@{environment}", self.sha),
            (None, None) => self.sha.clone(),
        }
    }

    /// What is known of the deploy after this record, which came at `received_at`, given what was `known` before it.
    /// A record corrects what it says and leaves the rest. One that says neither how far the deploy got nor when is
    /// one of a deploy that is live from now on.
    pub fn applied_to(self, known: Option<Deploy>, received_at: Timestamp) -> Deploy {
        let id = self.deploy_id();
        let before = known.as_ref();
        let status_before = before.map(|deploy| deploy.status);
        let status = match (self.status, status_before) {
            // Reports overtake each other: one of the beginning takes no end back.
            (Some(DeployStatus::InProgress), Some(ended)) => ended,
            (Some(status), _) => status,
            (None, Some(status)) if self.completed_at.is_none() => status,
            (None, _) => DeployStatus::Success,
        };
        let said = self
            .completed_at
            .or(before.and_then(|deploy| deploy.completed_at));
        let completed_at = match status {
            DeployStatus::InProgress => None,
            DeployStatus::Success => said.or(Some(received_at)),
            DeployStatus::Failure | DeployStatus::Cancelled => said,
        };
        let text = |new: Option<String>, old: fn(&Deploy) -> &Option<String>| {
            new.or_else(|| before.and_then(|deploy| old(deploy).clone()))
        };
        Deploy {
            id,
            status,
            completed_at,
            started_at: self.started_at.or(before.and_then(|deploy| deploy.started_at)),
            pr_number: self.pr_number.or(before.and_then(|deploy| deploy.pr_number)),
            title: text(self.title, |deploy| &deploy.title),
            author: text(self.author, |deploy| &deploy.author),
            url: text(self.url, |deploy| &deploy.url),
            environment: text(self.environment, |deploy| &deploy.environment),
            repo: text(self.repo, |deploy| &deploy.repo),
            branch: text(self.branch, |deploy| &deploy.branch),
            received_at: before.map_or(received_at, |deploy| deploy.received_at),
            sha: self.sha,
        }
    }
}

impl Deploy {
    /// When it went live; of one that did not, when it began or was heard of.
    pub fn at(&self) -> Timestamp {
        self.completed_at.or(self.started_at).unwrap_or(self.received_at)
    }

    /// When its rollout began; the end of it where nothing else is known.
    pub fn began_at(&self) -> Timestamp {
        self.started_at.unwrap_or_else(|| self.at())
    }

    /// Whether it may have changed anything: it is live, was, or is on its way.
    pub fn went_live(&self) -> bool {
        matches!(self.status, DeployStatus::Success | DeployStatus::InProgress)
    }

    /// What to call it in a few characters: `PR 2`, else the beginning of its sha.
    pub fn name(&self) -> String {
        match self.pr_number {
            Some(number) => format!("PR {number}"),
            None => self.short_sha().to_owned(),
        }
    }

    /// The first seven digits of its sha.
    pub fn short_sha(&self) -> &str {
        self.sha.get(..MIN_SHA_DIGITS).unwrap_or(&self.sha)
    }
}

/// Something that calls named for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FirstSeen {
    /// `model`, `step`, `release` or `template`.
    pub dimension: String,
    /// The value; a template in hex.
    pub value: String,
    /// When the first call that named it began.
    pub at: Timestamp,
}

/// Reads a sha, short or full and in any case; `None` when it is none.
pub fn parse_sha(text: &str) -> Option<String> {
    let text = text.trim();
    let is_sha = (MIN_SHA_DIGITS..=MAX_SHA_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_sha.then(|| text.to_ascii_lowercase())
}

/// Whether what a step says it ran is the deploy of this sha: one of the two begins with the other.
pub fn is_release_of(release: &str, sha: &str) -> bool {
    let release = release.trim();
    let shorter = release.len().min(sha.len());
    shorter >= MIN_SHA_DIGITS
        && release.as_bytes()[..shorter].eq_ignore_ascii_case(&sha.as_bytes()[..shorter])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + minute * 60_000_000)
    }

    fn record() -> DeployRecord {
        DeployRecord {
            sha: "c4e2117".to_owned(),
            ..DeployRecord::default()
        }
    }

    #[test]
    fn a_release_is_joined_by_the_beginning_of_the_sha() {
        let full = "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1";
        let check = |release: &str, sha: &str, expected: bool| {
            assert_eq!(is_release_of(release, sha), expected, "{release} {sha}");
        };
        check("c4e2117", full, true);
        check(full, "c4e2117", true);
        check("C4E2117A90", full, true);
        check(" c4e2117 ", full, true);
        check("c4e211", full, false);
        check("c4e2118", full, false);
        check("", full, false);
        check("größer als", full, false);
    }

    #[test]
    fn shas_are_read_in_any_case() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(parse_sha(text).as_deref(), expected);
        check("C4E2117", Some("c4e2117"));
        check(" c4e2117a ", Some("c4e2117a"));
        check("c4e211", None);
        check("c4e211g", None);
        check(&"a".repeat(65), None);
    }

    #[test]
    fn a_record_alone_is_of_a_deploy_that_is_live() {
        let deploy = record().applied_to(None, at(5));
        assert_eq!(
            (deploy.status, deploy.completed_at, deploy.id.as_str()),
            (DeployStatus::Success, Some(at(5)), "c4e2117")
        );
        let staged = DeployRecord {
            environment: Some("staging".to_owned()),
            ..record()
        };
        assert_eq!(staged.deploy_id(), "c4e2117@staging");
    }

    #[test]
    fn the_same_record_twice_changes_nothing() {
        let once = record().applied_to(None, at(5));
        assert_eq!(record().applied_to(Some(once.clone()), at(9)), once);
    }

    #[test]
    fn later_records_correct_what_they_say() {
        let began = DeployRecord {
            status: Some(DeployStatus::InProgress),
            title: Some("switch the model".to_owned()),
            started_at: Some(at(0)),
            ..record()
        };
        let deploy = began.applied_to(None, at(0));
        assert_eq!((deploy.completed_at, deploy.at()), (None, at(0)));
        let done = DeployRecord {
            completed_at: Some(at(7)),
            pr_number: Some(2),
            ..record()
        };
        let deploy = done.applied_to(Some(deploy), at(30));
        assert_eq!(
            (
                deploy.status,
                deploy.completed_at,
                deploy.began_at(),
                deploy.received_at
            ),
            (DeployStatus::Success, Some(at(7)), at(0), at(0))
        );
        assert_eq!(
            (deploy.title.as_deref(), deploy.name().as_str()),
            (Some("switch the model"), "PR 2")
        );
        let late = DeployRecord {
            status: Some(DeployStatus::InProgress),
            ..record()
        };
        assert_eq!(late.applied_to(Some(deploy.clone()), at(31)), deploy);
        let failed = DeployRecord {
            status: Some(DeployStatus::Failure),
            ..record()
        };
        let deploy = failed.applied_to(Some(deploy), at(31));
        assert!(!deploy.went_live());
        assert_eq!(deploy.completed_at, Some(at(7)));
    }
}
