//! Before and after of several deploys, for the pages that show them.

use domain::{Deploy, ProjectId, SeriesFilter, Timestamp};
use engine::rollout::{self, RolloutEffect};
use storage::Snapshot;
use storage::series::{Grain, windows_of};

use crate::error::ApiError;
use crate::models::rollout_words::switch_words;

/// What each of `wanted` that went live moved, by key, among the calls that `filter` lets through. Steps, models and
/// templates are not told apart: [`switched`] reads those of the one that is named. `known` are all deploys that may cut their windows.
pub(crate) async fn compare(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    wanted: &[Deploy],
    known: &[Deploy],
    now: Timestamp,
) -> storage::Result<Vec<(Deploy, RolloutEffect)>> {
    let compared: Vec<&Deploy> = wanted.iter().filter(|deploy| deploy.went_live()).collect();
    let windows: Vec<rollout::Windows> = compared
        .iter()
        .map(|deploy| rollout::windows(deploy, known, now))
        .collect();
    let sides: Vec<(Timestamp, Timestamp)> = windows.iter().flat_map(rollout::Windows::sides).collect();
    let rows = windows_of(snapshot, project, filter, Grain::Key, &sides).await?;
    Ok(compared
        .into_iter()
        .zip(windows)
        .enumerate()
        .map(|(index, (deploy, windows))| {
            let of_deploy = rows.iter().filter(|row| row.window / 2 == index);
            (deploy.clone(), rollout::rollout_effect(windows, of_deploy))
        })
        .collect())
}

/// The model or prompt that the calls of a key, or without one all of them, moved to between two windows, in words.
pub(crate) async fn switched(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    windows: rollout::Windows,
    key: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let filter = match key {
        Some(key) => filter.clone().with(domain::SeriesBy::Key, Some(key.to_owned())),
        None => filter.clone(),
    };
    let rows = windows_of(snapshot, project, &filter, Grain::Series, &windows.sides()).await?;
    let moved = rollout::rollout_effect(windows, &rows);
    Ok(switch_words(&moved.models).or_else(|| switch_words(&moved.templates)))
}
