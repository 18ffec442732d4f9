//! Deploys: what shipped.

use domain::deploy::{Deploy, DeployRecord, DeployStatus, FirstSeen, MAX_SHA_DIGITS};
use domain::{NanoUsd, ProjectId, Timestamp};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{Db, Error, Result, Snapshot};

/// The most deploys one page may have.
pub const MAX_PAGE: u32 = 500;

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

/// Writes what a record says and returns the deploy as it is known now. The same record again changes nothing.
pub async fn record(db: &Db, project: ProjectId, record: DeployRecord, now: Timestamp) -> Result<Deploy> {
    let mut tx = db.project(project).await?;
    // Two records of one deploy at the same moment: the second has to see the first.
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::text || ' deploys', 0))::text as locked",
        project.to_string()
    )
    .fetch_one(&mut *tx)
    .await?;
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    let known = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys where project_id = $1 and deploy_id = $2",
        project.0,
        record.deploy_id()
    )
    .fetch_optional(&mut *tx)
    .await?
    .map(Deploy::from);
    let deploy = record.applied_to(known.clone(), now);
    if known.as_ref() != Some(&deploy) {
        sqlx::query!(
            "insert into deploys (project_id, deploy_id, sha, status, title, pr_number, author, url, environment, repo,
               branch, started_at, completed_at, received_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             on conflict (project_id, deploy_id) do update set sha = excluded.sha, status = excluded.status,
               title = excluded.title, pr_number = excluded.pr_number, author = excluded.author, url = excluded.url,
               environment = excluded.environment, repo = excluded.repo, branch = excluded.branch,
               started_at = excluded.started_at, completed_at = excluded.completed_at,
               updated_at = excluded.updated_at",
            project.0,
            deploy.id,
            deploy.sha,
            deploy.status.as_str(),
            deploy.title,
            deploy.pr_number,
            deploy.author,
            deploy.url,
            deploy.environment,
            deploy.repo,
            deploy.branch,
            deploy.started_at.map(Timestamp::to_offset_date_time),
            deploy.completed_at.map(Timestamp::to_offset_date_time),
            deploy.received_at.to_offset_date_time(),
            now.to_offset_date_time()
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(deploy)
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

/// The releases that model calls said they ran in the hours that `from..to` touches, in the order of their first call.
/// Nothing older than two weeks is there.
pub async fn releases(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<ReleaseSums>> {
    let rows = sqlx::query!(
        "select release, sum(calls)::bigint as \"calls!\", sum(errors)::bigint as \"errors!\",
           sum(priced)::bigint as \"priced!\",
           greatest(least(sum(cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint as \"cost!\",
           min(hour) as \"first_hour!\", max(hour) as \"last_hour!\"
         from release_hours
         where project_id = $1 and hour >= $2 and hour < $3 and model is not null
         group by release
         order by min(hour), release
         limit 100",
        project.0,
        from.hour().to_offset_date_time(),
        to.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
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
        .collect())
}

/// The models, steps, releases and templates (in hex) that were first named in `from..to`, the earliest first, at most a
/// hundred.
pub async fn first_seen(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<FirstSeen>> {
    let rows = sqlx::query!(
        "select dimension as \"dimension!\", value as \"value!\", at as \"at!\" from (
           select dimension, value, at from first_seen where project_id = $1 and at >= $2 and at < $3
           union all
           select 'template', encode(fingerprint, 'hex'), first_seen_at
           from prompt_texts where project_id = $1 and first_seen_at >= $2 and first_seen_at < $3
         ) s
         order by at, dimension, value limit 100",
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

/// Forgets a deploy. What calls did by release stays: a record that comes again finds it. `NotFound` when there is none.
pub async fn delete(db: &Db, project: ProjectId, deploy_id: &str) -> Result<()> {
    let mut tx = db.project(project).await?;
    let deleted = sqlx::query!(
        "delete from deploys where project_id = $1 and deploy_id = $2",
        project.0,
        deploy_id
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if deleted == 0 {
        return Err(Error::NotFound);
    }
    tx.commit().await?;
    Ok(())
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
