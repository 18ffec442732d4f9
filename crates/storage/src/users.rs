//! Accounts of people.

use domain::{ProjectId, Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::OnConstraint as _;
use crate::{Db, Error, Result, Scope, Tx, live};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// What they sign in with, in lower case.
    pub email: String,
    /// What to call them.
    pub name: String,
}

/// A person who is to get an account.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// What they sign in with; compared in lower case.
    pub email: &'a str,
    /// What to call them.
    pub name: &'a str,
    /// The hash of their password, as PHC text.
    pub password_hash: &'a str,
}

/// How addresses are compared and stored.
pub fn normalise_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// How many accounts there are.
pub async fn count(db: &Db) -> Result<i64> {
    let mut tx = db.begin(Scope::All).await?;
    Ok(sqlx::query_scalar!("select count(*) as \"count!\" from users")
        .fetch_one(&mut *tx)
        .await?)
}

/// Makes an account. `Error::Conflict("users_email_key")` when the address has one.
pub async fn create(db: &Db, user: NewUser<'_>, now: Timestamp) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    let user = insert(&mut tx, user, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}

/// Makes the very first account, an admin of every project there is.
/// `Error::Conflict("users_exist")` when there is an account already.
pub async fn create_first(db: &Db, user: NewUser<'_>, actor: &str, now: Timestamp) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    // Two people may send the form at once: the second one waits here and then finds an account.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('plumbline first account'))")
        .fetch_one(&mut *tx)
        .await?;
    let exists = sqlx::query_scalar!("select exists (select from users) as \"exists!\"")
        .fetch_one(&mut *tx)
        .await?;
    if exists {
        return Err(Error::Conflict("users_exist"));
    }
    let user = insert(&mut tx, user, now).await?;
    let projects = sqlx::query_scalar!(
        "insert into memberships (project_id, user_id, role, created_at)
         select project_id, $1, 'admin', $2 from projects where deleted_at is null returning project_id",
        user.id.0,
        now.to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    let entry = Entry::new(actor, "account.first", &user.email, json!({}));
    for project in projects {
        audit::record_within(&mut tx, ProjectId(project), &entry, now).await?;
    }
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}

async fn insert(tx: &mut Tx, user: NewUser<'_>, now: Timestamp) -> Result<User> {
    let id = UserId(Uuid::now_v7());
    let email = normalise_email(user.email);
    sqlx::query!(
        "insert into users (user_id, email, name, password_hash, created_at) values ($1, $2, $3, $4, $5)",
        id.0,
        email,
        user.name,
        user.password_hash,
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await
    .on_constraint("users_email_key")?;
    Ok(User {
        id,
        email,
        name: user.name.to_owned(),
    })
}

/// The person with this address and the hash of their password.
pub async fn by_email(db: &Db, email: &str) -> Result<Option<(User, String)>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "select user_id, email, name, password_hash from users where email = $1",
        normalise_email(email)
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| {
        (
            User {
                id: UserId(row.user_id),
                email: row.email,
                name: row.name,
            },
            row.password_hash,
        )
    }))
}

pub async fn get(db: &Db, user: UserId) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    get_within(&mut tx, user).await
}

pub(crate) async fn get_within(tx: &mut Tx, user: UserId) -> Result<User> {
    let row = sqlx::query!(
        "select user_id, email, name from users where user_id = $1",
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(User {
        id: UserId(row.user_id),
        email: row.email,
        name: row.name,
    })
}

/// Sets a password, given by its hash, and ends every session of the person.
pub async fn set_password(db: &Db, user: UserId, password_hash: &str) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    let done = sqlx::query!(
        "update users set password_hash = $2 where user_id = $1",
        user.0,
        password_hash
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    sqlx::query!("delete from web_sessions where user_id = $1", user.0)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    live::notify_access(db).await
}
