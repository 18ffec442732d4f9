//! Sessions of signed-in people, found by the SHA-256 of their cookie's token.

use domain::{Timestamp, UserId};

use crate::users::User;
use crate::{Db, Result, Scope};

/// A session that has not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: User,
    /// When it was last prolonged.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is prolonged.
    pub expires_at: Timestamp,
}

/// Begins a session.
pub async fn create(
    db: &Db,
    token_sha256: &[u8],
    user: UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!(
        "insert into web_sessions (token_sha256, user_id, created_at, last_seen_at, expires_at)
         values ($1, $2, $3, $3, $4)",
        token_sha256,
        user.0,
        now.to_offset_date_time(),
        expires_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// The session of a token, unless it has expired by `now`.
pub async fn find(db: &Db, token_sha256: &[u8], now: Timestamp) -> Result<Option<Session>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "select u.user_id, u.email, u.name, s.last_seen_at, s.expires_at from web_sessions s join users u using (user_id)
         where s.token_sha256 = $1 and s.expires_at > $2",
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| Session {
        user: User {
            id: UserId(row.user_id),
            email: row.email,
            name: row.name,
        },
        last_seen_at: Timestamp::from_offset_date_time(row.last_seen_at),
        expires_at: Timestamp::from_offset_date_time(row.expires_at),
    }))
}

/// Prolongs a session to `expires_at`.
pub async fn touch(db: &Db, token_sha256: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!(
        "update web_sessions set last_seen_at = $2, expires_at = $3 where token_sha256 = $1",
        token_sha256,
        now.to_offset_date_time(),
        expires_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Ends one session; nothing happens when there is none.
pub async fn delete(db: &Db, token_sha256: &[u8]) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!("delete from web_sessions where token_sha256 = $1", token_sha256)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Ends every session of a person.
pub async fn delete_of_user(db: &Db, user: UserId) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!("delete from web_sessions where user_id = $1", user.0)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Deletes the sessions that have expired by `now`; returns how many.
pub async fn delete_expired(db: &Db, now: Timestamp) -> Result<u64> {
    let mut tx = db.begin(Scope::All).await?;
    let done = sqlx::query!(
        "delete from web_sessions where expires_at <= $1",
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
