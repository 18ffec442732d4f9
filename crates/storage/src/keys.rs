//! API keys. The key itself is never stored, only its SHA-256.

pub mod secret;

use std::fmt;

use domain::{ApiKey, KeyId, ProjectId, Scope, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Scope as Acting, live};

/// The longest label, in characters.
pub const MAX_LABEL_CHARS: usize = 100;

/// A key that was just made, with the only copy of what programs send.
#[derive(Clone)]
pub struct NewKey {
    /// What lists show of it.
    pub key: ApiKey,
    /// The key itself. It can't be read again.
    pub secret: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The key behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    pub project_id: ProjectId,
    pub id: KeyId,
    /// The name of the series its steps belong to.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Whether a key may be called that: 1 to 100 characters, some of them visible, none of them control characters.
pub fn is_label(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_LABEL_CHARS && !text.chars().any(char::is_control)
}

/// Makes a key. `Error::Conflict("api_keys_label")` when `is_label` refuses the label, `NotFound` when the project has
/// been deleted.
pub async fn add(
    db: &Db,
    project: ProjectId,
    label: &str,
    scopes: &[Scope],
    actor: &str,
    now: Timestamp,
) -> Result<NewKey> {
    if !is_label(label) {
        return Err(Error::Conflict("api_keys_label"));
    }
    let secret = secret::generate()
        .ok_or_else(|| Error::Internal(sqlx::Error::Protocol("no randomness for a key".to_owned())))?;
    let key = ApiKey {
        id: KeyId(Uuid::now_v7()),
        label: label.trim().to_owned(),
        prefix: secret[..secret::SHOWN_CHARS].to_owned(),
        scopes: scopes.to_vec(),
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let words: Vec<String> = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let mut tx = db.project(project).await?;
    // Deleting the project waits for this, or this for that.
    let held = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if held.is_none() {
        return Err(Error::NotFound);
    }
    sqlx::query!(
        "insert into api_keys (project_id, id, label, prefix, sha256, scopes, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        project.0,
        key.id.0,
        key.label,
        key.prefix,
        &secret::sha256(&secret)[..],
        &words,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "id": key.id, "scopes": key.scopes });
    let entry = Entry::new(actor, "key.make", &key.label, details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    // A process that has cached the key as unknown has to look again.
    live::notify_access(db).await?;
    Ok(NewKey { key, secret })
}

/// The keys of a project, newest first.
pub async fn list(db: &Db, project: ProjectId) -> Result<Vec<ApiKey>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "select id, label, prefix, scopes, created_at, last_used_at, revoked_at from api_keys
         where project_id = $1 order by created_at desc, id desc",
        project.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApiKey {
            id: KeyId(row.id),
            label: row.label,
            prefix: row.prefix,
            scopes: scopes(&row.scopes),
            created_at: Timestamp::from_offset_date_time(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp::from_offset_date_time),
            revoked_at: row.revoked_at.map(Timestamp::from_offset_date_time),
        })
        .collect())
}

/// Ends a key. Ending it again changes nothing.
pub async fn revoke(db: &Db, project: ProjectId, key: KeyId, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let done = sqlx::query!(
        "update api_keys set revoked_at = coalesce(revoked_at, $3) where project_id = $1 and id = $2",
        project.0,
        key.0,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "key.revoke", &key.to_string(), json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// The key with this SHA-256, revoked ones too; of a deleted project none.
pub async fn find(db: &Db, sha256: &[u8]) -> Result<Option<FoundKey>> {
    let mut tx = db.begin(Acting::All).await?;
    let row = sqlx::query!(
        "select k.project_id, k.id, k.label, k.scopes, k.revoked_at is not null as \"revoked!\" from api_keys k
         join projects p on p.project_id = k.project_id
         where k.sha256 = $1 and p.deleted_at is null",
        sha256
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| FoundKey {
        project_id: ProjectId(row.project_id),
        id: KeyId(row.id),
        label: row.label,
        scopes: scopes(&row.scopes),
        revoked: row.revoked,
    }))
}

/// Notes that keys were used in the minute of `at`. Rows that another process is writing are left to it.
pub async fn touch(db: &Db, keys: &[(ProjectId, KeyId)], at: Timestamp) -> Result<()> {
    let projects: Vec<Uuid> = keys.iter().map(|(project, _)| project.0).collect();
    let ids: Vec<Uuid> = keys.iter().map(|(_, id)| id.0).collect();
    let mut tx = db.begin(Acting::All).await?;
    sqlx::query!(
        "with due as (
           select k.project_id, k.id from api_keys k
           join unnest($1::uuid[], $2::uuid[]) as used (project_id, id) on used.project_id = k.project_id and used.id = k.id
           where k.last_used_at is null or k.last_used_at < $3
           for update of k skip locked
         )
         update api_keys k set last_used_at = $3 from due where k.project_id = due.project_id and k.id = due.id",
        &projects,
        &ids,
        at.minute().to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

fn scopes(words: &[String]) -> Vec<Scope> {
    words.iter().filter_map(|word| Scope::parse(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let check = |text: &str, expected: bool| assert_eq!(is_label(text), expected, "{text:?}");
        check("prod-frontend", true);
        check("日本", true);
        check(&"é".repeat(100), true);
        check(&"é".repeat(101), false);
        check("", false);
        check(" \u{a0}", false);
        check("a\nb", false);
    }
}
