//! Deploys: what shipped.

mod write;

use domain::deploy::{Deploy, DeployStatus, FirstSeen, MAX_SHA_DIGITS, MIN_SHA_DIGITS};
use domain::{NanoUsd, ProjectId, Timestamp};
use sqlx::FromRow;
use time::OffsetDateTime;

pub use write::{Applied, Applying, Change, apply, delete, record};
pub(crate) use write::{apply_within, lock};

use crate::{Db, Error, Result, Snapshot};

/// The most deploys one page may have.
pub const MAX_PAGE: u32 = 500;
/// A deploy may be asked about by incidents that began so long before it: its day and the one before.
const BLAMED_MICROS: i64 = 48 * 3_600_000_000;

#[derive(FromRow)]
struct Row {
    deploy_id: String,
    sha: String,
    status: String,
    title: Option<String>,
    pr_number: Option<i64>,
    author: Option<String>,
    url: Option<String>,
    environment: Option<String>,
    repo: Option<String>,
    branch: Option<String>,
    started_at: Option<OffsetDateTime>,
    completed_at: Option<OffsetDateTime>,
    received_at: OffsetDateTime,
}

impl From<Row> for Deploy {
    fn from(row: Row) -> Self {
        Self {
            id: row.deploy_id,
            sha: row.sha,
            status: DeployStatus::parse(&row.status).unwrap_or(DeployStatus::Success),
            title: row.title,
            pr_number: row.pr_number,
            author: row.author,
            url: row.url,
            environment: row.environment,
            repo: row.repo,
            branch: row.branch,
            started_at: row.started_at.map(Timestamp::from_offset_date_time),
            completed_at: row.completed_at.map(Timestamp::from_offset_date_time),
            received_at: Timestamp::from_offset_date_time(row.received_at),
        }
    }
}

/// Which deploys. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployFilter {
    /// Live then or later.
    pub from: Option<Timestamp>,
    /// Live before.
    pub to: Option<Timestamp>,
    /// Lower case; the beginning of the deploy's sha, or a longer form of it.
    pub sha: Option<String>,
}

/// A page of deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployPage {
    /// The latest first.
    pub items: Vec<Deploy>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
}

/// One page of the list, by when they went live. A cursor that is none begins at the top.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &DeployFilter,
    cursor: Option<&str>,
    limit: u32,
) -> Result<DeployPage> {
    let limit = limit.clamp(1, MAX_PAGE);
    let before = cursor.and_then(parse_cursor);
    let rows = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys
         where project_id = $1
           and coalesce(completed_at, started_at, received_at) >= coalesce($2::timestamptz, '-infinity')
           and coalesce(completed_at, started_at, received_at) < coalesce($3::timestamptz, 'infinity')
           and ($4::text is null or starts_with(sha, $4) or starts_with($4, sha))
           and ($5::timestamptz is null or (coalesce(completed_at, started_at, received_at), deploy_id) < ($5, $6::text))
         order by coalesce(completed_at, started_at, received_at) desc, deploy_id desc
         limit $7",
        project.0,
        filter.from.map(Timestamp::to_offset_date_time),
        filter.to.map(Timestamp::to_offset_date_time),
        filter.sha.as_ref().map(|sha| sha.get(..MAX_SHA_DIGITS).unwrap_or(sha)),
        before.as_ref().map(|(at, _)| at.to_offset_date_time()),
        before.as_ref().map(|(_, id)| id.as_str()),
        i64::from(limit) + 1
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut items: Vec<Deploy> = rows.into_iter().map(Deploy::from).collect();
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(write_cursor);
    Ok(DeployPage { items, next_cursor })
}

fn write_cursor(last: &Deploy) -> String {
    format!("{}.{}", last.at().micros(), last.id)
}

fn parse_cursor(text: &str) -> Option<(Timestamp, String)> {
    let (micros, id) = text.split_once('.')?;
    Some((Timestamp::from_micros(micros.parse().ok()?), id.to_owned()))
}

/// One deploy. `NotFound` when there is none.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, deploy_id: &str) -> Result<Deploy> {
    let row = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys where project_id = $1 and deploy_id = $2",
        project.0,
        deploy_id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(Deploy::from).ok_or(Error::NotFound)
}

/// What is known of these deploys.
pub async fn by_ids(db: &Db, project: ProjectId, ids: &[String]) -> Result<Vec<Deploy>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys where project_id = $1 and deploy_id = any ($2)",
        project.0,
        ids
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(Deploy::from).collect())
}

/// The latest deploy whose id begins like this, among the project's latest two hundred.
pub async fn latest_of(
    snapshot: &mut Snapshot,
    project: ProjectId,
    id_begin: &str,
) -> Result<Option<Deploy>> {
    let row = sqlx::query_as!(
        Row,
        "select deploy_id as \"deploy_id!\", sha as \"sha!\", status as \"status!\", title, pr_number, author, url,
           environment, repo, branch, started_at, completed_at, received_at as \"received_at!\"
         from (
           select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
             completed_at, received_at
           from deploys where project_id = $1
           order by coalesce(completed_at, started_at, received_at) desc, deploy_id desc limit 200
         ) latest
         where starts_with(deploy_id, $2)
         order by coalesce(completed_at, started_at, received_at) desc, deploy_id desc limit 1",
        project.0,
        id_begin
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(Deploy::from))
}

/// The deploys whose id begins like this, that began at `since` or later and of which no end is known; at
/// most a hundred, the latest first.
pub async fn open_since(
    db: &Db,
    project: ProjectId,
    id_begin: &str,
    since: Timestamp,
) -> Result<Vec<Deploy>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys
         where project_id = $1 and coalesce(completed_at, started_at, received_at) >= $2
           and status = 'in_progress' and starts_with(deploy_id, $3)
         order by coalesce(completed_at, started_at, received_at) desc, deploy_id desc limit 100",
        project.0,
        since.to_offset_date_time(),
        id_begin
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(Deploy::from).collect())
}

/// The deploys that went live at most `reach_micros` before or after one, itself left out.
pub async fn around(
    snapshot: &mut Snapshot,
    project: ProjectId,
    deploy: &Deploy,
    reach_micros: i64,
) -> Result<Vec<Deploy>> {
    let filter = DeployFilter {
        from: Some(deploy.began_at().min(deploy.at()).plus_micros(-reach_micros)),
        to: Some(deploy.at().plus_micros(reach_micros)),
        sha: None,
    };
    let mut found = list(snapshot, project, &filter, None, MAX_PAGE).await?.items;
    found.retain(|other| other.id != deploy.id);
    Ok(found)
}

/// What the calls of one release did, from the sums by release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseSums {
    /// What they said they ran.
    pub release: String,
    pub calls: i64,
    pub errors: i64,
    /// Calls with a known cost.
    pub priced: i64,
    /// What those cost.
    pub cost_nano_usd: NanoUsd,
    /// The hour of the first call.
    pub first_hour: Timestamp,
    /// The hour of the last one.
    pub last_hour: Timestamp,
}

impl ReleaseSums {
    /// What a call with a known cost costs on average.
    pub fn cost_per_call(&self) -> Option<NanoUsd> {
        let cost = i128::from(self.cost_nano_usd.0);
        (self.priced > 0)
            .then(|| i64::try_from(cost / i128::from(self.priced)).ok())
            .flatten()
            .map(NanoUsd)
    }
}

/// The releases that model calls said they ran in the hours that `from..to` touches, in the order of their first call; of
/// more than a hundred those of this sha and those with the most calls. Nothing older than two weeks is there.
pub async fn releases(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    sha: &str,
) -> Result<Vec<ReleaseSums>> {
    let rows = sqlx::query!(
        "select release, sum(calls)::bigint as \"calls!\", sum(errors)::bigint as \"errors!\",
           sum(priced)::bigint as \"priced!\",
           greatest(least(sum(cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint as \"cost!\",
           min(hour) as \"first_hour!\", max(hour) as \"last_hour!\"
         from release_hours
         where project_id = $1 and hour >= $2 and hour < $3 and model is not null
         group by release
         -- As in `is_release_of`.
         order by least(octet_length(btrim(release)), octet_length($4)) >= $5
             and (starts_with(lower($4), lower(btrim(release))) or starts_with(lower(btrim(release)), lower($4))) desc,
           sum(calls) desc, release
         limit 100",
        project.0,
        from.hour().to_offset_date_time(),
        to.to_offset_date_time(),
        sha,
        MIN_SHA_DIGITS as i32
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut releases: Vec<ReleaseSums> = rows
        .into_iter()
        .map(|row| ReleaseSums {
            release: row.release,
            calls: row.calls,
            errors: row.errors,
            priced: row.priced,
            cost_nano_usd: NanoUsd(row.cost),
            first_hour: Timestamp::from_offset_date_time(row.first_hour),
            last_hour: Timestamp::from_offset_date_time(row.last_hour),
        })
        .collect();
    releases.sort_by(|a, b| (a.first_hour, &a.release).cmp(&(b.first_hour, &b.release)));
    Ok(releases)
}

/// The models, steps, releases and templates (in hex) that were first named in `from..to`, the earliest first, at most 25
/// of each: free text makes a template of each prompt.
pub async fn first_seen(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<FirstSeen>> {
    let rows = sqlx::query!(
        "select dimension as \"dimension!\", value as \"value!\", at as \"at!\" from (
           select s.*, row_number() over (partition by dimension order by at, value) as place from (
             select dimension, value, at from first_seen where project_id = $1 and at >= $2 and at < $3
             union all
             select 'template', encode(fingerprint, 'hex'), first_seen_at
             from prompt_texts where project_id = $1 and first_seen_at >= $2 and first_seen_at < $3
           ) s
         ) s
         where place <= 25
         order by at, dimension, value",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| FirstSeen {
            dimension: row.dimension,
            value: row.value,
            at: Timestamp::from_offset_date_time(row.at),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_may_have_dots() {
        assert_eq!(
            parse_cursor("1800000000000000.v1.2@production"),
            Some((
                Timestamp::from_micros(1_800_000_000_000_000),
                "v1.2@production".to_owned()
            ))
        );
        assert_eq!(parse_cursor("nonsense"), None);
    }
}
