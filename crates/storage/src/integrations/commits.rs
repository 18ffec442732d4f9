//! Which pull request a commit came with, so that it is asked once.

use domain::{ProjectId, Timestamp};

use crate::{Db, Result};

/// What is known of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitPull {
    pub sha: String,
    /// `None` where it came with none.
    pub pr_number: Option<i64>,
    pub title: Option<String>,
    pub author: Option<String>,
    pub url: Option<String>,
}

/// What is known of these commits of a repository.
pub async fn commit_pulls(
    db: &Db,
    project: ProjectId,
    remote: &str,
    shas: &[String],
) -> Result<Vec<CommitPull>> {
    let mut tx = db.project(project).await?;
    let known = sqlx::query_as!(
        CommitPull,
        "select sha, pr_number, title, author, url from commit_pulls
         where project_id = $1 and remote = $2 and sha = any ($3)",
        project.0,
        remote,
        shas
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(known)
}

/// Remembers what was said of a commit.
pub async fn keep_commit_pull(
    db: &Db,
    project: ProjectId,
    remote: &str,
    pull: &CommitPull,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into commit_pulls (project_id, remote, sha, pr_number, title, author, url, asked_at)
         select $1, $2, $3, $4, $5, $6, $7, $8
         where exists (select from projects where project_id = $1 and deleted_at is null)
         on conflict (project_id, remote, sha) do update set pr_number = excluded.pr_number, title = excluded.title,
           author = excluded.author, url = excluded.url, asked_at = excluded.asked_at",
        project.0,
        remote,
        pull.sha,
        pull.pr_number,
        pull.title,
        pull.author,
        pull.url,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
