//! Links that show one run to people without an account.

use domain::{ProjectId, Share, ShareContent, Timestamp};
use serde_json::json;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot};

/// The most links one list has.
pub const MAX_ROWS: u32 = 500;
/// Links of one run that are good at the same time.
const MAX_WORKING: i64 = 100;
/// Who opens a link, in the audit log.
const WHOEVER_HOLDS_IT: &str = "share link";

/// A link that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewShare<'a> {
    /// Of the link's token.
    pub token_sha256: &'a [u8; 32],
    pub run_id: &'a str,
    pub content: ShareContent,
    /// Session, user and tags are left out.
    pub leaves_out_people: bool,
    /// The key's label is left out.
    pub leaves_out_key: bool,
    pub expires_at: Timestamp,
}

#[derive(FromRow)]
struct ShareRow {
    share_id: Uuid,
    run_id: String,
    content: String,
    leaves_out_people: bool,
    leaves_out_key: bool,
    created_by: String,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    last_opened_at: Option<OffsetDateTime>,
    open_count: i64,
}

impl From<ShareRow> for Share {
    fn from(row: ShareRow) -> Self {
        Self {
            id: row.share_id,
            run_id: row.run_id,
            // What nobody knows shows nothing.
            content: ShareContent::parse(&row.content).unwrap_or(ShareContent::Removed),
            leaves_out_people: row.leaves_out_people,
            leaves_out_key: row.leaves_out_key,
            created_by: row.created_by,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            expires_at: Timestamp::from_offset_date_time(row.expires_at),
            revoked_at: row.revoked_at.map(Timestamp::from_offset_date_time),
            last_opened_at: row.last_opened_at.map(Timestamp::from_offset_date_time),
            open_count: row.open_count,
        }
    }
}

/// Makes a link. [`Error::NotFound`] where the project has no such run, `Error::Conflict("share_links_working")` where
/// the run has too many that are good.
pub async fn make(
    db: &Db,
    project: ProjectId,
    new: NewShare<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<Share> {
    let share = Share {
        id: Uuid::now_v7(),
        run_id: new.run_id.to_owned(),
        content: new.content,
        leaves_out_people: new.leaves_out_people,
        leaves_out_key: new.leaves_out_key,
        created_by: actor.to_owned(),
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_opened_at: None,
        open_count: 0,
    };
    let mut tx = db.project(project).await?;
    let found = sqlx::query!(
        "select exists (select from runs where project_id = $1 and run_id = $2) as \"exists!\",
           (select count(*) from share_links
            where project_id = $1 and run_id = $2 and revoked_at is null and expires_at > $3) as \"working!\"",
        project.0,
        new.run_id,
        now.to_offset_date_time()
    )
    .fetch_one(&mut *tx)
    .await?;
    if !found.exists {
        return Err(Error::NotFound);
    }
    if found.working >= MAX_WORKING {
        return Err(Error::Conflict("share_links_working"));
    }
    sqlx::query!(
        "insert into share_links (project_id, share_id, created_at, expires_at, leaves_out_people, leaves_out_key,
           token_sha256, run_id, content, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        project.0,
        share.id,
        now.to_offset_date_time(),
        new.expires_at.to_offset_date_time(),
        new.leaves_out_people,
        new.leaves_out_key,
        &new.token_sha256[..],
        new.run_id,
        new.content.as_str(),
        actor
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "run": new.run_id, "content": new.content, "expires_at": new.expires_at });
    let entry = Entry::new(actor, "share.make", &share.id.to_string(), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(share)
}

/// The links of a project or of one of its runs, newest first; those that are not good any more as well.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: Option<&str>,
    limit: u32,
) -> Result<Vec<Share>> {
    let rows = sqlx::query_as!(
        ShareRow,
        "select share_id, run_id, content, leaves_out_people, leaves_out_key, created_by, created_at, expires_at,
           revoked_at, last_opened_at, open_count
         from share_links where project_id = $1 and ($2::text is null or run_id = $2)
         order by created_at desc, share_id desc limit $3",
        project.0,
        run_id,
        i64::from(limit.min(MAX_ROWS))
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows.into_iter().map(Share::from).collect())
}

/// Takes a link back, and says to which run it led; one that was taken back before stays so.
pub async fn revoke(db: &Db, project: ProjectId, share: Uuid, actor: &str, now: Timestamp) -> Result<String> {
    let mut tx = db.project(project).await?;
    let found = sqlx::query!(
        "select run_id, revoked_at from share_links where project_id = $1 and share_id = $2 for update",
        project.0,
        share
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    if found.revoked_at.is_some() {
        return Ok(found.run_id);
    }
    sqlx::query!(
        "update share_links set revoked_at = $3 where project_id = $1 and share_id = $2",
        project.0,
        share,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "run": found.run_id });
    let entry = Entry::new(actor, "share.revoke", &share.to_string(), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(found.run_id)
}

/// What a link opens at `now`; `None` for one that is unknown, expired or taken back, or whose run or project is gone.
/// One statement, whichever it is.
pub async fn find(db: &Db, token_sha256: &[u8; 32], now: Timestamp) -> Result<Option<(ProjectId, Share)>> {
    let mut snapshot = db.snapshot_of_everything().await?;
    let row = sqlx::query!(
        "select s.project_id, s.share_id, s.run_id, s.content, s.leaves_out_people, s.leaves_out_key, s.created_by,
           s.created_at, s.expires_at, s.revoked_at, s.last_opened_at, s.open_count
         from share_links s join projects p using (project_id)
         where s.token_sha256 = $1 and s.expires_at > $2 and s.revoked_at is null and p.deleted_at is null
           and exists (select from runs r where r.project_id = s.project_id and r.run_id = s.run_id)",
        &token_sha256[..],
        now.to_offset_date_time()
    )
    .fetch_optional(&mut snapshot)
    .await?;
    Ok(row.map(|row| {
        let share = ShareRow {
            share_id: row.share_id,
            run_id: row.run_id,
            content: row.content,
            leaves_out_people: row.leaves_out_people,
            leaves_out_key: row.leaves_out_key,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_opened_at: row.last_opened_at,
            open_count: row.open_count,
        };
        (ProjectId(row.project_id), share.into())
    }))
}

/// Counts that a link was opened; the first time is written down.
pub async fn note_opened(db: &Db, project: ProjectId, share: Uuid, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let opened = sqlx::query!(
        "update share_links set open_count = open_count + 1, last_opened_at = greatest(last_opened_at, $3)
         where project_id = $1 and share_id = $2 returning open_count, run_id",
        project.0,
        share,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(opened) = opened
        && opened.open_count == 1
    {
        let details = json!({ "run": opened.run_id });
        let entry = Entry::new(WHOEVER_HOLDS_IT, "share.open", &share.to_string(), details);
        audit::record_within(&mut tx, project, &entry, now).await?;
    }
    Ok(tx.commit().await?)
}
