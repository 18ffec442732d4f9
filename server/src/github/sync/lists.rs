//! The lists that a sync reads: deployments with their states, runs of workflows, releases.

use std::collections::BTreeMap;

use domain::deploy::{Deploy, DeployStatus};
use domain::filter::percent_encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use storage::deploys;

use super::{DAY_MICROS, MINUTE_MICROS, Stop, Sync};
use crate::github::records::{DEPLOYMENT_ID, Deployment, DeploymentState, RUN_ID, Release, Run};
use crate::github::rest::Fetched;
use crate::outbound::TargetUrl;

/// Pages of a list that one sync reads.
const MAX_PAGES: u32 = 50;
/// How long it is asked how a deploy ended.
const OPEN_DAYS: i64 = 7;
/// The clocks are not one.
const CLOCK_GAP_MICROS: i64 = 2 * MINUTE_MICROS;

/// A list that is read page by page, the latest first.
struct List {
    name: String,
    next: Option<TargetUrl>,
    pages: u32,
    /// Of its first page.
    etag: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct CommitId {
    sha: String,
}

impl Sync<'_> {
    pub(super) async fn deployments(&mut self) -> Result<(), Stop> {
        let mut list = self.list("deployments", "/deployments?per_page=100")?;
        while let Some(page) = self.page::<Vec<Deployment>>(&mut list).await? {
            let is_last = page.iter().all(|one| one.created_at < self.from);
            let wanted: Vec<Deployment> = page
                .into_iter()
                .filter(|one| one.created_at >= self.from && one.counts(self.options))
                .collect();
            let known = self.known(wanted.iter().map(Deployment::deploy_id)).await?;
            self.seen.extend(wanted.iter().map(Deployment::deploy_id));
            let mut reports = Vec::new();
            for deployment in &wanted {
                if self.is_news(known.get(&deployment.deploy_id()), deployment) {
                    let states = self.states(deployment.id).await?;
                    reports.extend(deployment.with_states(self.options, &states));
                }
            }
            self.apply(reports).await?;
            if is_last {
                break;
            }
        }
        self.finish(list);
        self.open_deployments().await
    }

    /// Whether its states have to be read.
    fn is_news(&self, known: Option<&Deploy>, deployment: &Deployment) -> bool {
        let is_open = known.is_none_or(|deploy| deploy.status == DeployStatus::InProgress);
        let changed_since = self.cursor.synced_to.is_some_and(|at| {
            let from = at.plus_micros(-CLOCK_GAP_MICROS);
            deployment.updated_at.is_some_and(|updated| updated >= from)
        });
        self.is_forced || is_open || changed_since
    }

    /// Those of which no end is known, wherever the list has them by now.
    async fn open_deployments(&mut self) -> Result<(), Stop> {
        let mut reports = Vec::new();
        for deploy in self.open(DEPLOYMENT_ID).await? {
            let number = deploy.id.strip_prefix(DEPLOYMENT_ID).map(str::parse::<u64>);
            let Some(Ok(id)) = number.filter(|_| !self.seen.contains(&deploy.id)) else {
                continue;
            };
            let now = self.may_ask().await?;
            let found: Option<Deployment> = self.rest.find(&format!("/deployments/{id}"), now).await?;
            if let Some(deployment) = found {
                let states = self.states(id).await?;
                reports.extend(deployment.with_states(self.options, &states));
            }
        }
        self.apply(reports).await
    }

    async fn states(&mut self, id: u64) -> Result<Vec<DeploymentState>, Stop> {
        let now = self.may_ask().await?;
        let path = format!("/deployments/{id}/statuses?per_page=100");
        let mut states: Vec<DeploymentState> = self.rest.find(&path, now).await?.unwrap_or_default();
        states.sort_by_key(|state| std::cmp::Reverse(state.created_at));
        Ok(states)
    }

    pub(super) async fn runs(&mut self, file: &str) -> Result<(), Stop> {
        let branch = match &self.options.branch {
            Some(branch) => format!("&branch={}", percent_encode(branch)),
            None => String::new(),
        };
        let path = format!("/actions/workflows/{file}/runs?per_page=100{branch}");
        let mut list = self.list(&format!("runs of {file}"), &path)?;
        while let Some(page) = self.page::<Runs>(&mut list).await? {
            let runs = page.workflow_runs;
            let is_last = runs.iter().all(|run| run.created_at < self.from);
            // One that is run again stays where it was in the list.
            let is_recent = |run: &Run| run.began_at() >= self.from;
            let wanted: Vec<&Run> = runs
                .iter()
                .filter(|run| is_recent(run) && run.counts(self.options))
                .collect();
            self.seen.extend(wanted.iter().map(|run| run.deploy_id()));
            let reports = wanted
                .into_iter()
                .filter_map(|run| run.report(self.options))
                .collect();
            self.apply(reports).await?;
            if is_last {
                break;
            }
        }
        self.finish(list);
        Ok(())
    }

    /// Runs of which no end is known and that no list has any more.
    pub(super) async fn open_runs(&mut self) -> Result<(), Stop> {
        let mut reports = Vec::new();
        for deploy in self.open(RUN_ID).await? {
            if self.seen.contains(&deploy.id) {
                continue;
            }
            let rest = deploy.id.strip_prefix(RUN_ID).unwrap_or_default();
            let (id, attempt) = rest.split_once('-').unwrap_or((rest, "1"));
            let (Ok(id), Ok(attempt)) = (id.parse::<u64>(), attempt.parse::<u64>()) else {
                continue;
            };
            let now = self.may_ask().await?;
            let found: Option<Run> = self
                .rest
                .find(&format!("/actions/runs/{id}/attempts/{attempt}"), now)
                .await?;
            reports.extend(found.and_then(|run| run.report(self.options)));
        }
        self.apply(reports).await
    }

    pub(super) async fn releases(&mut self) -> Result<(), Stop> {
        let mut list = self.list("releases", "/releases?per_page=100")?;
        while let Some(page) = self.page::<Vec<Release>>(&mut list).await? {
            let from = self.from;
            let is_recent = |release: &Release| {
                release
                    .published_at
                    .or(release.created_at)
                    .is_none_or(|at| at >= from)
            };
            let is_last = !page.iter().any(is_recent);
            let wanted: Vec<Release> = page
                .into_iter()
                .filter(|release| release.is_out() && is_recent(release))
                .collect();
            let known = self.known(wanted.iter().map(Release::deploy_id)).await?;
            let mut reports = Vec::new();
            for release in &wanted {
                let sha = match (known.get(&release.deploy_id()), release.named_sha()) {
                    (Some(deploy), _) => Some(deploy.sha.clone()),
                    (None, Some(sha)) => Some(sha),
                    (None, None) => self.sha_of_tag(&release.tag_name).await?,
                };
                reports.extend(sha.map(|sha| release.report(self.options, sha)));
            }
            self.apply(reports).await?;
            if is_last {
                break;
            }
        }
        self.finish(list);
        Ok(())
    }

    async fn sha_of_tag(&mut self, tag: &str) -> Result<Option<String>, Stop> {
        let now = self.may_ask().await?;
        // Also a tag whose name is one of a branch.
        let path = format!("/commits/refs%2Ftags%2F{}", percent_encode(tag));
        let found: Option<CommitId> = self.rest.find(&path, now).await?;
        Ok(found.and_then(|commit| domain::deploy::parse_sha(&commit.sha)))
    }

    fn list(&self, name: &str, path_and_query: &str) -> Result<List, Stop> {
        Ok(List {
            name: name.to_owned(),
            next: Some(self.rest.of_repository(path_and_query)?),
            pages: 0,
            etag: None,
        })
    }

    /// The next page of a list; `None` after the last, and where the first is what it was when it was read to its end.
    async fn page<T: DeserializeOwned>(&mut self, list: &mut List) -> Result<Option<T>, Stop> {
        let Some(target) = list.next.take().filter(|_| list.pages < MAX_PAGES) else {
            return Ok(None);
        };
        let now = self.may_ask().await?;
        let is_first = list.pages == 0;
        let known = self.cursor.etags.get(&list.name);
        let etag = known.filter(|_| is_first && !self.is_forced).cloned();
        list.pages += 1;
        match self.rest.fetch(&target, etag.as_deref(), now).await? {
            Fetched::Unchanged => {
                list.etag = etag;
                Ok(None)
            }
            Fetched::Page(page) => {
                if is_first {
                    list.etag = page.etag;
                }
                list.next = page.next;
                Ok(Some(page.value))
            }
        }
    }

    /// A list is read as far as it has to be.
    fn finish(&mut self, list: List) {
        match list.etag {
            Some(etag) => _ = self.cursor.etags.insert(list.name, etag),
            None => _ = self.cursor.etags.remove(&list.name),
        }
    }

    async fn known(&self, ids: impl Iterator<Item = String>) -> Result<BTreeMap<String, Deploy>, Stop> {
        let ids: Vec<String> = ids.collect();
        let known = deploys::by_ids(self.db, self.project, &ids).await?;
        Ok(known
            .into_iter()
            .map(|deploy| (deploy.id.clone(), deploy))
            .collect())
    }

    async fn open(&self, id_begin: &str) -> Result<Vec<Deploy>, Stop> {
        let since = self.began_at.plus_micros(-OPEN_DAYS * DAY_MICROS);
        Ok(deploys::open_since(self.db, self.project, id_begin, since).await?)
    }
}
