//! The models that a project asks with keys of its own: providers, which model is for what, the budget. Keys are sealed by
//! the caller.

mod usage;

use domain::{Feature, ModelChoice, NanoUsd, ProjectId, ProviderKind, Timestamp};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use usage::{
    RESERVED_MICROS, Reservation, Reserved, Spent, UsageRow, last_calls, months, release, reserve, settle,
    spent, usage,
};

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, Tx};

/// The largest request to a model unless a project sets another limit, in bytes.
pub const MAX_REQUEST_BYTES: i32 = 200_000;

/// A provider, without its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    pub provider_id: String,
    pub kind: ProviderKind,
    /// `None` is the kind's own address.
    pub base_url: Option<String>,
    pub has_key: bool,
    /// The last characters of the key.
    pub key_shown: Option<String>,
    pub key_set_at: Option<Timestamp>,
    pub key_set_by: Option<String>,
    pub tested_at: Option<Timestamp>,
    /// What the last test was answered.
    pub tested: Option<Value>,
}

/// What a project has set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// By id.
    pub providers: Vec<Provider>,
    /// Which model is for what.
    pub uses: Vec<(Feature, ModelChoice)>,
    /// What all calls of a month may cost.
    pub budget: Option<NanoUsd>,
    /// The largest request, in bytes.
    pub max_request_bytes: i32,
}

/// What a project has set; nothing where it has set nothing.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Settings> {
    let providers = sqlx::query!(
        "select provider_id, kind, base_url, sealed_key is not null as \"has_key!\", key_shown, key_set_at, key_set_by,
           tested_at, tested
         from model_providers where project_id = $1 order by provider_id",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let uses = sqlx::query!(
        "select feature, provider_id, model from model_uses where project_id = $1 order by feature",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let own = sqlx::query!(
        "select budget_nano_usd, max_request_bytes from model_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    let at = |time: Option<OffsetDateTime>| time.map(Timestamp::from_offset_date_time);
    Ok(Settings {
        providers: providers
            .into_iter()
            .map(|row| Provider {
                kind: ProviderKind::parse(&row.kind).unwrap_or(ProviderKind::OpenAiCompatible),
                provider_id: row.provider_id,
                base_url: row.base_url,
                has_key: row.has_key,
                key_shown: row.key_shown,
                key_set_at: at(row.key_set_at),
                key_set_by: row.key_set_by,
                tested_at: at(row.tested_at),
                tested: row.tested,
            })
            .collect(),
        uses: uses
            .into_iter()
            .filter_map(|row| {
                let choice = ModelChoice {
                    provider: row.provider_id,
                    model: row.model,
                };
                Some((Feature::parse(&row.feature)?, choice))
            })
            .collect(),
        budget: own.as_ref().and_then(|own| own.budget_nano_usd).map(NanoUsd),
        max_request_bytes: own.map_or(MAX_REQUEST_BYTES, |own| own.max_request_bytes),
    })
}

/// A provider as it is to be.
#[derive(Clone, Debug)]
pub struct NewProvider<'a> {
    pub provider_id: &'a str,
    pub kind: ProviderKind,
    pub base_url: Option<&'a str>,
    pub key: NewKey,
}

/// What becomes of a provider's key.
#[derive(Clone, Debug)]
pub enum NewKey {
    /// It stays, unless the provider's kind or address changes: a key is for the address that it was entered for.
    Stays,
    /// Another one.
    Set {
        /// As it is stored.
        sealed: Vec<u8>,
        /// Its last characters.
        shown: Option<String>,
    },
}

/// What is set from now on; what is not named is gone, keys first of all.
#[derive(Clone, Debug)]
pub struct NewSettings<'a> {
    pub providers: &'a [NewProvider<'a>],
    pub uses: &'a [(Feature, ModelChoice)],
    pub budget: Option<NanoUsd>,
    pub max_request_bytes: i32,
}

/// Replaces the settings. `NotFound` where the project is gone.
pub async fn save(
    db: &Db,
    project: ProjectId,
    new: &NewSettings<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    lock_project(&mut tx, project).await?;
    let kept: Vec<String> = new
        .providers
        .iter()
        .map(|provider| provider.provider_id.to_owned())
        .collect();
    let removed = sqlx::query_scalar!(
        "delete from model_providers where project_id = $1 and not provider_id = any ($2) returning provider_id",
        project.0,
        &kept
    )
    .fetch_all(&mut *tx)
    .await?;
    for provider in new.providers {
        write_provider(&mut tx, project, provider, actor, now).await?;
    }
    sqlx::query!("delete from model_uses where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    for (feature, choice) in new.uses {
        sqlx::query!(
            "insert into model_uses (project_id, feature, provider_id, model) values ($1, $2, $3, $4)",
            project.0,
            feature.as_str(),
            choice.provider,
            choice.model
        )
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query!(
        "insert into model_settings (project_id, budget_nano_usd, max_request_bytes) values ($1, $2, $3)
         on conflict (project_id) do update set budget_nano_usd = excluded.budget_nano_usd,
           max_request_bytes = excluded.max_request_bytes",
        project.0,
        new.budget.map(|budget| budget.0),
        new.max_request_bytes
    )
    .execute(&mut *tx)
    .await?;
    let keys: Vec<&str> = new
        .providers
        .iter()
        .filter(|provider| matches!(provider.key, NewKey::Set { .. }))
        .map(|provider| provider.provider_id)
        .collect();
    let uses: serde_json::Map<String, Value> = new
        .uses
        .iter()
        .map(|(feature, choice)| (feature.as_str().to_owned(), json!(choice)))
        .collect();
    let details = json!({
        "providers": kept,
        "removed": removed,
        "keys_set": keys,
        "uses": uses,
        "budget_usd": new.budget.map(NanoUsd::to_decimal),
        "max_request_bytes": new.max_request_bytes,
    });
    let entry = Entry::new(actor, "models.change", "models", details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

async fn write_provider(
    tx: &mut Tx,
    project: ProjectId,
    provider: &NewProvider<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into model_providers as p (project_id, provider_id, kind, base_url) values ($1, $2, $3, $4)
         on conflict (project_id, provider_id) do update set kind = excluded.kind, base_url = excluded.base_url,
           sealed_key = null, key_shown = null, key_set_at = null, key_set_by = null, tested_at = null, tested = null
         where p.kind <> excluded.kind or p.base_url is distinct from excluded.base_url",
        project.0,
        provider.provider_id,
        provider.kind.as_str(),
        provider.base_url
    )
    .execute(&mut **tx)
    .await?;
    if let NewKey::Set { sealed, shown } = &provider.key {
        sqlx::query!(
            "update model_providers set sealed_key = $3, key_shown = $4, key_set_at = $5, key_set_by = $6,
               tested_at = null, tested = null
             where project_id = $1 and provider_id = $2",
            project.0,
            provider.provider_id,
            sealed,
            shown.as_deref(),
            now.to_offset_date_time(),
            actor
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Keeps what a test was answered, and writes down who made it.
pub async fn keep_test(
    db: &Db,
    project: ProjectId,
    provider_id: &str,
    answer: &Value,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update model_providers set tested_at = $3, tested = $4 where project_id = $1 and provider_id = $2",
        project.0,
        provider_id,
        now.to_offset_date_time(),
        answer
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(actor, "models.test", provider_id, json!({ "ok": answer["ok"] }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub kind: ProviderKind,
    pub base_url: Option<String>,
    /// The key as it is stored.
    pub sealed_key: Option<Vec<u8>>,
    /// The largest request, in bytes.
    pub max_request_bytes: i32,
}

/// The model that is for this use; `None` where none is chosen.
pub async fn choice(db: &Db, project: ProjectId, feature: Feature) -> Result<Option<ModelChoice>> {
    let mut tx = db.project(project).await?;
    let row = sqlx::query!(
        "select provider_id, model from model_uses where project_id = $1 and feature = $2",
        project.0,
        feature.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| ModelChoice {
        provider: row.provider_id,
        model: row.model,
    }))
}

/// Where calls of a provider go; `None` where there is no such provider.
pub async fn route(db: &Db, project: ProjectId, provider_id: &str) -> Result<Option<Route>> {
    let mut tx = db.project(project).await?;
    let row = sqlx::query!(
        "select p.kind, p.base_url, p.sealed_key, s.max_request_bytes as \"max_request_bytes?\"
         from model_providers p left join model_settings s on s.project_id = p.project_id
         where p.project_id = $1 and p.provider_id = $2",
        project.0,
        provider_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.and_then(|row| {
        Some(Route {
            kind: ProviderKind::parse(&row.kind)?,
            base_url: row.base_url,
            sealed_key: row.sealed_key,
            max_request_bytes: row.max_request_bytes.unwrap_or(MAX_REQUEST_BYTES),
        })
    }))
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
