//! Reading deploys and what they moved.

use domain::Deploy;
use domain::deploy::FirstSeen;
use engine::compare::Effect;
use engine::rollout::RolloutEffect;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::api::incidents::ListedIncident;
use crate::error::ApiError;
use crate::models::overview_query::Range;

/// Deploys of one page of the list.
#[cfg(feature = "ssr")]
const DEPLOYS_PER_PAGE: u32 = 20;
/// Incidents of one deploy that are listed.
#[cfg(feature = "ssr")]
const FEW_INCIDENTS: u32 = 10;

/// A deploy of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedDeploy {
    pub(crate) deploy: Deploy,
    /// Measures of all calls before and after; none of one that did not go live.
    pub(crate) effects: Vec<Effect>,
    /// The key where something got clearly worse, and what.
    pub(crate) worst: Option<(String, Effect)>,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeploysView {
    /// The latest first.
    pub(crate) items: Vec<ListedDeploy>,
    /// Where the next page begins.
    pub(crate) next_cursor: Option<String>,
    /// Whether any deploy was ever recorded; read only when none was found.
    pub(crate) any: bool,
}

/// The list of deploys of a window.
#[server(prefix = "/ui", endpoint = "deploys/list", input = Json)]
pub(crate) async fn list_deploys(
    slug: String,
    range: Range,
    cursor: Option<String>,
) -> Result<DeploysView, ApiError> {
    use storage::deploys::{self, DeployFilter};

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let (from, to) = range.bounds(now);
    let filter = DeployFilter {
        from: Some(from),
        to: Some(to),
        sha: None,
    };
    let page = deploys::list(
        &mut snapshot,
        project,
        &filter,
        cursor.as_deref(),
        DEPLOYS_PER_PAGE,
    )
    .await?;
    // Those beside the page cut the windows of its ends.
    let mut known = page.items.clone();
    for end in [page.items.first(), page.items.last()].into_iter().flatten() {
        let around = deploys::around(&mut snapshot, project, end, engine::rollout::REACH_MICROS).await?;
        known.extend(around);
    }
    known.sort_by(|a, b| a.id.cmp(&b.id));
    known.dedup_by(|a, b| a.id == b.id);
    let all = domain::SeriesFilter::default();
    let moved = crate::api::rollouts::compare(&mut snapshot, project, &all, &page.items, &known, now).await?;
    let any = !page.items.is_empty()
        || !deploys::list(&mut snapshot, project, &DeployFilter::default(), None, 1)
            .await?
            .items
            .is_empty();
    let items = page.items.into_iter().map(|deploy| {
        let moved = moved
            .iter()
            .find(|(other, _)| other.id == deploy.id)
            .map(|(_, moved)| moved);
        ListedDeploy {
            effects: moved.map(|moved| moved.effects.clone()).unwrap_or_default(),
            worst: moved
                .and_then(RolloutEffect::worst)
                .map(|(key, effect)| (key.to_owned(), *effect)),
            deploy,
        }
    });
    Ok(DeploysView {
        items: items.collect(),
        next_cursor: page.next_cursor,
        any,
    })
}

/// The calls of one release around a deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReleaseRow {
    pub(crate) release: String,
    /// It is this deploy.
    pub(crate) is_this: bool,
    pub(crate) calls: i64,
    pub(crate) errors: i64,
    pub(crate) cost_per_call: Option<domain::NanoUsd>,
    /// The hours of its first and last call.
    pub(crate) first_hour: domain::Timestamp,
    pub(crate) last_hour: domain::Timestamp,
}

/// A deploy with everything it moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeployView {
    pub(crate) deploy: Deploy,
    pub(crate) moved: RolloutEffect,
    pub(crate) releases: Vec<ReleaseRow>,
    /// What calls named for the first time since its rollout began.
    pub(crate) first_seen: Vec<FirstSeen>,
    /// The deploy before it and the one after it, if they cut its windows.
    pub(crate) neighbours: (Option<Deploy>, Option<Deploy>),
    /// The incidents that it is named for, by the verdict or by people.
    pub(crate) incidents: Vec<ListedIncident>,
}

/// One deploy.
#[server(prefix = "/ui", endpoint = "deploys/get", input = Json)]
pub(crate) async fn read_deploy(slug: String, deploy_id: String) -> Result<DeployView, ApiError> {
    use domain::deploy::is_release_of;
    use storage::deploys;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let deploy = deploys::get(&mut snapshot, project, &deploy_id).await?;
    let around = deploys::around(&mut snapshot, project, &deploy, engine::rollout::REACH_MICROS).await?;
    let windows = engine::rollout::windows(&deploy, &around, now);
    let rows = storage::series::windows(&mut snapshot, project, &windows.sides()).await?;
    let (from, to) = (windows.before_from, windows.after_to);
    let releases = deploys::releases(&mut snapshot, project, from, to, &deploy.sha).await?;
    let first_seen = deploys::first_seen(&mut snapshot, project, deploy.began_at(), windows.after_to).await?;
    let named = storage::incidents::IncidentFilter {
        deploy_id: Some(deploy.id.clone()),
        ..storage::incidents::IncidentFilter::default()
    };
    let incidents = storage::incidents::list(&mut snapshot, project, &named, FEW_INCIDENTS).await?;
    let is_cut = |other: &&Deploy| other.went_live();
    let mut before = around
        .iter()
        .filter(is_cut)
        .filter(|other| other.at() == windows.before_from);
    let mut after = around
        .iter()
        .filter(is_cut)
        .filter(|other| windows.after_to == other.began_at() || windows.after_to == other.at());
    Ok(DeployView {
        incidents: incidents
            .iter()
            .filter_map(crate::api::incidents::listed)
            .collect(),
        first_seen,
        neighbours: (before.next().cloned(), after.next().cloned()),
        moved: engine::rollout::rollout_effect(windows, &rows),
        releases: releases
            .into_iter()
            .map(|release| ReleaseRow {
                is_this: is_release_of(&release.release, &deploy.sha),
                cost_per_call: release.cost_per_call(),
                release: release.release,
                calls: release.calls,
                errors: release.errors,
                first_hour: release.first_hour,
                last_hour: release.last_hour,
            })
            .collect(),
        deploy,
    })
}
