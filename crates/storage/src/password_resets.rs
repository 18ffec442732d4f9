//! Links by which people set a new password, made by whoever runs the server.

use domain::{Timestamp, UserId};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::users::{self, User};
use crate::{Db, Error, Result, Scope, live};

/// Makes a link; the one that the person had ends. The password stays until the link is used.
pub async fn make(
    db: &Db,
    user: &User,
    token_sha256: &[u8],
    expires_at: Timestamp,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!(
        "insert into password_resets (user_id, token_sha256, created_at, expires_at) values ($1, $2, $3, $4)
         on conflict (user_id) do update set token_sha256 = excluded.token_sha256, created_at = excluded.created_at,
           expires_at = excluded.expires_at",
        user.id.0,
        token_sha256,
        now.to_offset_date_time(),
        expires_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "expires_at": expires_at });
    let entry = Entry::new(actor, "password.reset_link", &user.email, details);
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Whose link it is, as long as it is good at `now`.
pub async fn find(db: &Db, token_sha256: &[u8], now: Timestamp) -> Result<Option<User>> {
    let mut tx = db.begin(Scope::All).await?;
    let user = sqlx::query_scalar!(
        "select user_id from password_resets where token_sha256 = $1 and expires_at > $2",
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    match user {
        Some(user) => Ok(Some(users::get_within(&mut tx, UserId(user)).await?)),
        None => Ok(None),
    }
}

/// Uses a link: sets the password, given by its hash, and ends every session. `Error::NotFound` for a link that is not
/// good any more.
pub async fn redeem(db: &Db, token_sha256: &[u8], password_hash: &str, now: Timestamp) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    let user = sqlx::query_scalar!(
        "delete from password_resets where token_sha256 = $1 and expires_at > $2 returning user_id",
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let user = users::get_within(&mut tx, UserId(user)).await?;
    let entry = Entry::new(&user.email, "password.reset", &user.email, json!({}));
    users::set_password_within(&mut tx, user.id, password_hash, None, entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}
