//! Before and after of several deploys, for the pages that show them.

use domain::{Deploy, ProjectId, Timestamp};
use engine::rollout::{self, RolloutEffect};
use storage::Snapshot;

use crate::error::ApiError;

/// What each of `wanted` that went live moved. `known` are all deploys that may cut their windows.
pub(crate) async fn compare(
    snapshot: &mut Snapshot,
    project: ProjectId,
    wanted: &[Deploy],
    known: &[Deploy],
    now: Timestamp,
) -> Result<Vec<(Deploy, RolloutEffect)>, ApiError> {
    let compared: Vec<&Deploy> = wanted.iter().filter(|deploy| deploy.went_live()).collect();
    let windows: Vec<rollout::Windows> = compared
        .iter()
        .map(|deploy| rollout::windows(deploy, known, now))
        .collect();
    let sides: Vec<(Timestamp, Timestamp)> = windows.iter().flat_map(rollout::Windows::sides).collect();
    let rows = storage::series::windows(snapshot, project, &sides).await?;
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
