//! What another system says of a deploy: some of it corrects what is known, some is only better than nothing.

use super::{Deploy, DeployRecord};

/// A report of a deploy by a system that knows it better than nobody, and worse than somebody: a title made of a commit
/// must not take away the one of the pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployReport {
    /// What corrects.
    pub record: DeployRecord,
    /// What holds as long as nothing else is known; its id and sha say nothing.
    pub otherwise: DeployRecord,
    /// Of a deploy that is not known it says nothing.
    pub only_corrects: bool,
}

impl DeployReport {
    /// The record that it is for a deploy of which this is `known`; `None` when it says nothing of it.
    pub fn record(self, known: Option<&Deploy>) -> Option<DeployRecord> {
        if self.only_corrects && known.is_none() {
            return None;
        }
        let (record, otherwise) = (self.record, self.otherwise);
        let text = |said: Option<String>, kept: fn(&Deploy) -> &Option<String>, other: Option<String>| {
            said.or_else(|| match known.and_then(|deploy| kept(deploy).as_ref()) {
                Some(_known) => None,
                None => other,
            })
        };
        let started_at = record.started_at.or_else(|| {
            otherwise
                .started_at
                .filter(|_| known.is_none_or(|deploy| deploy.started_at.is_none()))
        });
        let completed_at = record.completed_at.or_else(|| {
            otherwise
                .completed_at
                .filter(|_| known.is_none_or(|deploy| deploy.completed_at.is_none()))
        });
        let pr_number = record.pr_number.or_else(|| {
            otherwise
                .pr_number
                .filter(|_| known.is_none_or(|deploy| deploy.pr_number.is_none()))
        });
        Some(DeployRecord {
            id: record.id,
            sha: record.sha,
            status: record.status,
            title: text(record.title, |deploy| &deploy.title, otherwise.title),
            author: text(record.author, |deploy| &deploy.author, otherwise.author),
            url: text(record.url, |deploy| &deploy.url, otherwise.url),
            environment: text(
                record.environment,
                |deploy| &deploy.environment,
                otherwise.environment,
            ),
            repo: text(record.repo, |deploy| &deploy.repo, otherwise.repo),
            branch: text(record.branch, |deploy| &deploy.branch, otherwise.branch),
            pr_number,
            started_at,
            completed_at,
        })
    }
}

impl Deploy {
    /// The names of what is said otherwise in `other`, which is the same deploy at another time.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let differs = [
            ("sha", self.sha != other.sha),
            ("status", self.status != other.status),
            ("title", self.title != other.title),
            ("pr_number", self.pr_number != other.pr_number),
            ("author", self.author != other.author),
            ("url", self.url != other.url),
            ("environment", self.environment != other.environment),
            ("repo", self.repo != other.repo),
            ("branch", self.branch != other.branch),
            ("started_at", self.started_at != other.started_at),
            ("completed_at", self.completed_at != other.completed_at),
        ];
        differs
            .into_iter()
            .filter_map(|(name, differs)| differs.then_some(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn report(title: &str) -> DeployReport {
        DeployReport {
            record: DeployRecord {
                sha: "c4e2117".to_owned(),
                ..DeployRecord::default()
            },
            otherwise: DeployRecord {
                title: Some(title.to_owned()),
                pr_number: Some(7),
                started_at: Some(NOW.plus_micros(-60_000_000)),
                completed_at: Some(NOW),
                ..DeployRecord::default()
            },
            only_corrects: false,
        }
    }

    #[test]
    fn what_is_better_than_nothing_replaces_nothing() {
        let first = report("commit 7").record(None).unwrap().applied_to(None, NOW);
        assert_eq!(
            (first.title.as_deref(), first.pr_number, first.completed_at),
            (Some("commit 7"), Some(7), Some(NOW))
        );
        let mut corrects = report("ignored");
        corrects.record.title = Some("the pull request".to_owned());
        corrects.record.pr_number = Some(8);
        let second = corrects
            .record(Some(&first))
            .unwrap()
            .applied_to(Some(first.clone()), NOW);
        assert_eq!(
            (second.title.as_deref(), second.pr_number),
            (Some("the pull request"), Some(8))
        );
        assert_eq!(first.differences(&second), ["title", "pr_number"]);
        let later = NOW.plus_micros(5);
        let third = report("commit 9")
            .record(Some(&second))
            .unwrap()
            .applied_to(Some(second.clone()), later);
        assert_eq!(third, second);
    }

    #[test]
    fn a_correction_of_what_is_not_known_says_nothing() {
        let corrects = DeployReport {
            only_corrects: true,
            ..report("x")
        };
        assert_eq!(corrects.clone().record(None), None);
        let known = report("x").record(None).unwrap().applied_to(None, NOW);
        assert!(corrects.record(Some(&known)).is_some());
    }
}
