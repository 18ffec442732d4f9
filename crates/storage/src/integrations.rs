//! What a project is connected to: what is set, how it goes, whose turn it is to ask. Secrets are sealed by the caller.

mod commits;
mod hooks;
mod sealing;
mod turns;

use domain::github::ConnectionState;
use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use commits::{CommitPull, commit_pulls, keep_commit_pull};
pub use hooks::{Delivery, Heard, Hooked, by_remote, by_slug, hear};
pub use sealing::{SecretOf, StoredSecret, reseal};
pub use turns::{Claimed, Outcome, claim, finish, keep_claim, next_due};

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, Tx};

/// The kind of the connection to GitHub.
pub const GITHUB: &str = "github";
/// The secret that is sent to the address in the option [`API_URL`].
const TOKEN: &str = "token";
const API_URL: &str = "api_url";

/// A connection, without its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// What is set.
    pub options: Value,
    pub paused_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When something was set last.
    pub updated_at: Timestamp,
    /// When it is asked next.
    pub due_at: Timestamp,
    /// Whether it is being asked, or was when its process ended.
    pub is_claimed: bool,
    pub last_attempt_at: Option<Timestamp>,
    pub last_ok_at: Option<Timestamp>,
    /// Why the last attempt did not get through, for people.
    pub last_error: Option<String>,
    /// Attempts in a row that failed; being told to wait is no failure.
    pub failures: i32,
    /// When the last webhook came.
    pub last_event_at: Option<Timestamp>,
    /// What it said.
    pub last_event: Option<String>,
    pub secrets: Vec<ShownSecret>,
}

impl Integration {
    /// In a word.
    pub fn state(&self) -> ConnectionState {
        match (self.paused_at, self.last_ok_at) {
            (Some(_), _) => ConnectionState::Paused,
            (None, _) if self.failures > 0 => ConnectionState::Failing,
            (None, Some(_)) => ConnectionState::Ok,
            (None, None) => ConnectionState::New,
        }
    }
}

/// What may be known of a stored secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSecret {
    pub name: String,
    /// Its last characters.
    pub shown: Option<String>,
    pub set_at: Timestamp,
}

/// A project's connection of this kind.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, kind: &str) -> Result<Option<Integration>> {
    let row = sqlx::query!(
        "select options, paused_at, created_at, updated_at, due_at, claim is not null as \"is_claimed!\",
           last_attempt_at, last_ok_at, last_error, failures, last_event_at, last_event
         from integrations where project_id = $1 and kind = $2",
        project.0,
        kind
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secrets = sqlx::query!(
        "select name, shown, set_at from integration_secrets where project_id = $1 and kind = $2 order by name",
        project.0,
        kind
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let at = |time: Option<OffsetDateTime>| time.map(Timestamp::from_offset_date_time);
    Ok(Some(Integration {
        options: row.options,
        paused_at: at(row.paused_at),
        created_at: Timestamp::from_offset_date_time(row.created_at),
        updated_at: Timestamp::from_offset_date_time(row.updated_at),
        due_at: Timestamp::from_offset_date_time(row.due_at),
        is_claimed: row.is_claimed,
        last_attempt_at: at(row.last_attempt_at),
        last_ok_at: at(row.last_ok_at),
        last_error: row.last_error,
        failures: row.failures,
        last_event_at: at(row.last_event_at),
        last_event: row.last_event,
        secrets: secrets
            .into_iter()
            .map(|secret| ShownSecret {
                name: secret.name,
                shown: secret.shown,
                set_at: Timestamp::from_offset_date_time(secret.set_at),
            })
            .collect(),
    }))
}

/// A connection of any kind, as a list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    pub kind: String,
    /// What it is connected to, where that is no secret; blank otherwise.
    pub remote: String,
    pub is_paused: bool,
    pub last_attempt_at: Option<Timestamp>,
    /// Why the last attempt did not get through, for people.
    pub last_error: Option<String>,
}

/// Everything that a project is connected to, by kind.
pub async fn list(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<Connected>> {
    let rows = sqlx::query!(
        "select kind, remote, paused_at is not null as \"is_paused!\", last_attempt_at, last_error from integrations
         where project_id = $1 order by kind",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Connected {
            kind: row.kind,
            remote: row.remote,
            is_paused: row.is_paused,
            last_attempt_at: row.last_attempt_at.map(Timestamp::from_offset_date_time),
            last_error: row.last_error,
        })
        .collect())
}

/// What is set from now on.
#[derive(Clone, Copy, Debug)]
pub struct NewSettings<'a> {
    /// What it is connected to, in lower case.
    pub remote: &'a str,
    pub options: &'a Value,
    pub is_paused: bool,
    /// Secrets that are set or, without a value, taken away; others stay.
    pub secrets: &'a [NewSecret<'a>],
}

/// A secret that is set or taken away.
#[derive(Clone, Debug)]
pub struct NewSecret<'a> {
    pub name: &'a str,
    /// As it is stored.
    pub sealed: Option<Vec<u8>>,
    /// Its last characters.
    pub shown: Option<String>,
}

/// Sets a connection up, or changes it. Then it is asked at once, from the beginning where it is connected to something
/// else or counts other things. Another `api_url` without a token drops the token there is: it is for the address that it
/// was entered for. `NotFound` where the project is gone.
pub async fn save(
    db: &Db,
    project: ProjectId,
    kind: &str,
    new: &NewSettings<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    lock_project(&mut tx, project).await?;
    let at = now.to_offset_date_time();
    let before = sqlx::query!(
        "select options, paused_at from integrations where project_id = $1 and kind = $2 for update",
        project.0,
        kind
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into integrations as i (project_id, kind, remote, options, paused_at, created_at, updated_at, due_at, cursor)
         values ($1, $2, $3, $4, case when $5 then $6::timestamptz end, $6, $6, $6, '{}')
         on conflict (project_id, kind) do update set remote = excluded.remote, options = excluded.options,
           paused_at = case when $5 then coalesce(i.paused_at, $6) end, updated_at = $6, due_at = $6, claim = null,
           cursor = case when i.options = excluded.options then i.cursor else '{}'::jsonb end,
           last_error = null, failures = 0",
        project.0,
        kind,
        new.remote,
        new.options,
        new.is_paused,
        at
    )
    .execute(&mut *tx)
    .await?;
    let is_moved = before
        .as_ref()
        .is_some_and(|before| before.options.get(API_URL) != new.options.get(API_URL));
    let drops_token = is_moved && !new.secrets.iter().any(|secret| secret.name == TOKEN);
    let dropped = drops_token.then_some(NewSecret {
        name: TOKEN,
        sealed: None,
        shown: None,
    });
    for secret in new.secrets.iter().chain(&dropped) {
        write_secret(&mut tx, project, kind, secret, now).await?;
    }
    // What was answered to the settings before says nothing of these.
    sqlx::query!(
        "update trace_states set limited_until = null, retry_at = null, last_error = null
         where project_id = $1 and $2 = 'sentry'",
        project.0,
        kind
    )
    .execute(&mut *tx)
    .await?;
    let changed_secrets: Vec<&str> = new
        .secrets
        .iter()
        .chain(&dropped)
        .map(|secret| secret.name)
        .collect();
    let is_new = before.is_none();
    let is_changed = before.is_none_or(|before| {
        before.options != *new.options
            || before.paused_at.is_some() != new.is_paused
            || !changed_secrets.is_empty()
    });
    if is_changed {
        let action = if is_new {
            "integration.make"
        } else {
            "integration.change"
        };
        let details =
            json!({ "options": new.options, "paused": new.is_paused, "secrets_changed": changed_secrets });
        audit::record_within(&mut tx, project, &Entry::new(actor, action, kind, details), now).await?;
    }
    Ok(tx.commit().await?)
}

async fn write_secret(
    tx: &mut Tx,
    project: ProjectId,
    kind: &str,
    secret: &NewSecret<'_>,
    now: Timestamp,
) -> Result<()> {
    match &secret.sealed {
        Some(sealed) => {
            sqlx::query!(
                "insert into integration_secrets (project_id, kind, name, sealed, shown, set_at)
                 values ($1, $2, $3, $4, $5, $6)
                 on conflict (project_id, kind, name) do update set sealed = excluded.sealed, shown = excluded.shown,
                   set_at = excluded.set_at",
                project.0,
                kind,
                secret.name,
                sealed,
                secret.shown,
                now.to_offset_date_time()
            )
            .execute(&mut **tx)
            .await?;
        }
        None => {
            sqlx::query!(
                "delete from integration_secrets where project_id = $1 and kind = $2 and name = $3",
                project.0,
                kind,
                secret.name
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

/// Removes a connection with its secrets; what came by it stays. `NotFound` when there is none.
pub async fn remove(db: &Db, project: ProjectId, kind: &str, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let removed = sqlx::query!(
        "delete from integrations where project_id = $1 and kind = $2",
        project.0,
        kind
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if removed == 0 {
        return Err(Error::NotFound);
    }
    sqlx::query!(
        "delete from integration_secrets where project_id = $1 and kind = $2",
        project.0,
        kind
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(actor, "integration.remove", kind, json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Makes it due at once, unless it is being asked. `NotFound` when there is none, or it is paused.
pub async fn ask_now(db: &Db, project: ProjectId, kind: &str, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let asked = sqlx::query!(
        "update integrations set due_at = case when claim is null then least(due_at, $3) else due_at end
         where project_id = $1 and kind = $2 and paused_at is null",
        project.0,
        kind,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if asked == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "integration.sync", kind, json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// A secret as it is stored.
pub async fn sealed(db: &Db, project: ProjectId, kind: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let mut tx = db.project(project).await?;
    let sealed = sqlx::query_scalar!(
        "select sealed from integration_secrets where project_id = $1 and kind = $2 and name = $3",
        project.0,
        kind,
        name
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(sealed)
}

/// Holds the project's row as every batch does: nothing is written for one that is being deleted.
async fn lock_project(tx: &mut Tx, project: ProjectId) -> Result<()> {
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    is_there.map(|_| ()).ok_or(Error::NotFound)
}
