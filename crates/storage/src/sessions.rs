//! Sessions of signed-in people, found by the SHA-256 of their cookie's token.

use domain::account::WebSession;
use domain::{Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::users::{self, User};
use crate::{Db, Error, Result, Scope, live};

/// A session that has not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: User,
    /// When it was last prolonged.
    pub last_seen_at: Timestamp,
    /// When it ends although it is used.
    pub ends_at: Timestamp,
}

/// A session that is to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub token_sha256: &'a [u8],
    pub user: UserId,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// When it ends although it is used.
    pub ends_at: Timestamp,
    /// Where the person signs in from, and in what.
    pub address: &'a str,
    pub browser: &'a str,
    /// Of a session that began at a provider.
    pub provider: Option<ProviderSession<'a>>,
}

/// What a session is called at the provider where it began.
#[derive(Clone, Copy, Debug)]
pub struct ProviderSession<'a> {
    /// What people call the provider, for the audit log.
    pub name: &'a str,
    pub issuer: &'a str,
    pub subject: &'a str,
    /// The provider's session, where it names them.
    pub sid: Option<&'a str>,
    /// The sealed token that ends the session there.
    pub id_token: Option<&'a [u8]>,
}

/// A session that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// It began at a provider.
    pub is_of_provider: bool,
    /// The sealed token that ends the session there.
    pub id_token: Option<Vec<u8>>,
}

/// Begins a session; those with the tokens `replaced` end.
pub async fn create(db: &Db, new: NewSession<'_>, replaced: &[Vec<u8>], now: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!("delete from web_sessions where token_sha256 = any ($1)", replaced)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into web_sessions (token_sha256, session_id, user_id, created_at, last_seen_at, expires_at, ends_at,
           address, browser, openid_issuer, openid_subject, openid_sid, openid_id_token)
         values ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.token_sha256,
        Uuid::now_v7(),
        new.user.0,
        now.to_offset_date_time(),
        new.expires_at.min(new.ends_at).to_offset_date_time(),
        new.ends_at.to_offset_date_time(),
        new.address,
        new.browser,
        new.provider.map(|provider| provider.issuer),
        new.provider.map(|provider| provider.subject),
        new.provider.and_then(|provider| provider.sid),
        new.provider.and_then(|provider| provider.id_token)
    )
    .execute(&mut *tx)
    .await?;
    let email = users::get_within(&mut tx, new.user).await?.email;
    let mut details = json!({ "address": new.address, "browser": new.browser });
    if let (Some(provider), Some(details)) = (new.provider, details.as_object_mut()) {
        details.insert("provider".to_owned(), provider.name.into());
    }
    audit::record_of_server_within(&mut tx, &Entry::new(&email, "sign_in", &email, details), now).await?;
    Ok(tx.commit().await?)
}

/// The session of a token, unless it has expired by `now`.
pub async fn find(db: &Db, token_sha256: &[u8], now: Timestamp) -> Result<Option<Session>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "select u.user_id, u.email, u.name, u.is_instance_admin, s.last_seen_at, s.ends_at
         from web_sessions s join users u using (user_id)
         where s.token_sha256 = $1 and s.expires_at > $2 and s.ends_at > $2",
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
            is_instance_admin: row.is_instance_admin,
        },
        last_seen_at: Timestamp::from_offset_date_time(row.last_seen_at),
        ends_at: Timestamp::from_offset_date_time(row.ends_at),
    }))
}

/// A person's sessions that have not expired by `now`, the one used last first. Each comes with whether `token_sha256`
/// is its token's.
pub async fn list(
    db: &Db,
    user: UserId,
    token_sha256: &[u8],
    now: Timestamp,
) -> Result<Vec<(WebSession, bool)>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query!(
        "select session_id, token_sha256 = $2 as \"is_current!\", created_at, last_seen_at, ends_at, address, browser
         from web_sessions where user_id = $1 and expires_at > $3
         order by last_seen_at desc, session_id desc limit 200",
        user.0,
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let session = WebSession {
                id: row.session_id,
                created_at: Timestamp::from_offset_date_time(row.created_at),
                last_seen_at: Timestamp::from_offset_date_time(row.last_seen_at),
                ends_at: Timestamp::from_offset_date_time(row.ends_at),
                address: row.address,
                browser: row.browser,
            };
            (session, row.is_current)
        })
        .collect())
}

/// Prolongs a session to `expires_at`, never beyond its end.
pub async fn touch(db: &Db, token_sha256: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!(
        "update web_sessions set last_seen_at = $2, expires_at = least($3, ends_at) where token_sha256 = $1",
        token_sha256,
        now.to_offset_date_time(),
        expires_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Signs out: ends the session of a token. Nothing happens when there is none.
pub async fn sign_out(db: &Db, token_sha256: &[u8], now: Timestamp) -> Result<Ended> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "delete from web_sessions s using users u where s.token_sha256 = $1 and u.user_id = s.user_id
         returning u.email, s.openid_issuer, s.openid_id_token",
        token_sha256
    )
    .fetch_optional(&mut *tx)
    .await?;
    let mut ended = Ended::default();
    if let Some(row) = row {
        let entry = Entry::new(&row.email, "session.sign_out", &row.email, json!({}));
        audit::record_of_server_within(&mut tx, &entry, now).await?;
        ended.is_of_provider = row.openid_issuer.is_some();
        ended.id_token = row.openid_id_token;
    }
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(ended)
}

/// Ends the sessions that a provider says are over: that of its session `sid`, or without one all of the person's.
/// Returns how many.
pub async fn end_of_provider(
    db: &Db,
    issuer: &str,
    subject: Option<&str>,
    sid: Option<&str>,
    now: Timestamp,
) -> Result<usize> {
    let mut tx = db.begin(Scope::All).await?;
    let ended = sqlx::query_scalar!(
        "delete from web_sessions s using users u
         where u.user_id = s.user_id and s.openid_issuer = $1
           and ($2::text is null or s.openid_subject = $2) and ($3::text is null or s.openid_sid = $3)
           and ($2::text is not null or $3::text is not null)
         returning u.email",
        issuer,
        subject,
        sid
    )
    .fetch_all(&mut *tx)
    .await?;
    for email in &ended {
        let entry = Entry::new(issuer, "session.end", email, json!({ "by": "the provider" }));
        audit::record_of_server_within(&mut tx, &entry, now).await?;
    }
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(ended.len())
}

/// Ends one of a person's own sessions.
pub async fn end(db: &Db, user: &User, session: Uuid, now: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    let ended = sqlx::query!(
        "delete from web_sessions where user_id = $1 and session_id = $2 returning address, browser",
        user.id.0,
        session
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let details = json!({ "address": ended.address, "browser": ended.browser });
    let entry = Entry::new(&user.email, "session.end", &user.email, details);
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Ends all sessions of a person, the one they ask in as well.
pub async fn end_all(db: &Db, user: &User, now: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    let ended = users::end_sessions_within(&mut tx, user.id, None).await?;
    let entry = Entry::new(
        &user.email,
        "session.end_all",
        &user.email,
        json!({ "sessions": ended }),
    );
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Deletes the sessions and links that have expired by `now`; returns how many sessions.
pub async fn delete_expired(db: &Db, now: Timestamp) -> Result<u64> {
    let mut tx = db.begin(Scope::All).await?;
    let at = now.to_offset_date_time();
    let done = sqlx::query!(
        "delete from web_sessions where expires_at <= $1 or ends_at <= $1",
        at
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from invitations where expires_at <= $1", at)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from password_resets where expires_at <= $1", at)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from openid_states where expires_at <= $1", at)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
