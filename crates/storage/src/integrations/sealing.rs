//! Stored secrets, of integrations, of providers of models and of sealed texts, sealed with another key than before.

use domain::{ProjectId, Timestamp};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Result, Scope, Tx};

/// A secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    pub project_id: ProjectId,
    pub of: SecretOf,
    pub sealed: Vec<u8>,
}

/// What a secret is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretOf {
    /// A connection.
    Integration {
        /// Such as `github`.
        kind: String,
        /// Such as `token`.
        name: String,
    },
    /// A provider of models, by its id: its key.
    ModelProvider(String),
    /// The project's texts: the key that they are sealed with.
    Payloads,
}

/// Replaces every stored secret by what `seal` makes of it, all of them or none. Returns how many there are, or why one of
/// them can't be sealed again.
pub async fn reseal<E>(
    db: &Db,
    seal: impl Fn(&StoredSecret) -> std::result::Result<Vec<u8>, E>,
    actor: &str,
    now: Timestamp,
) -> Result<std::result::Result<usize, E>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query!(
        "select project_id, kind, name, sealed from integration_secrets order by project_id, kind, name for update"
    )
    .fetch_all(&mut *tx)
    .await?;
    let integrations = rows.into_iter().map(|row| StoredSecret {
        project_id: ProjectId(row.project_id),
        of: SecretOf::Integration {
            kind: row.kind,
            name: row.name,
        },
        sealed: row.sealed,
    });
    let rows = sqlx::query!(
        "select project_id, provider_id, sealed_key as \"sealed!\" from model_providers where sealed_key is not null
         order by project_id, provider_id for update"
    )
    .fetch_all(&mut *tx)
    .await?;
    let models = rows.into_iter().map(|row| StoredSecret {
        project_id: ProjectId(row.project_id),
        of: SecretOf::ModelProvider(row.provider_id),
        sealed: row.sealed,
    });
    let rows = sqlx::query!("select project_id, sealed_key from payload_keys order by project_id for update")
        .fetch_all(&mut *tx)
        .await?;
    let payloads = rows.into_iter().map(|row| StoredSecret {
        project_id: ProjectId(row.project_id),
        of: SecretOf::Payloads,
        sealed: row.sealed_key,
    });
    let mut resealed = 0;
    for stored in integrations.chain(models).chain(payloads) {
        match seal(&stored) {
            Ok(sealed) => replace(&mut tx, &stored, &sealed).await?,
            Err(cause) => return Ok(Err(cause)),
        }
        resealed += 1;
    }
    let entry = Entry::new(actor, "secrets.rotate", "secrets", json!({ "secrets": resealed }));
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok(Ok(resealed))
}

async fn replace(tx: &mut Tx, stored: &StoredSecret, sealed: &[u8]) -> Result<()> {
    let project = stored.project_id.0;
    match &stored.of {
        SecretOf::Integration { kind, name } => sqlx::query!(
            "update integration_secrets set sealed = $4 where project_id = $1 and kind = $2 and name = $3",
            project,
            kind.as_str(),
            name.as_str(),
            sealed
        )
        .execute(&mut **tx)
        .await?,
        SecretOf::ModelProvider(provider) => {
            sqlx::query!(
                "update model_providers set sealed_key = $3 where project_id = $1 and provider_id = $2",
                project,
                provider.as_str(),
                sealed
            )
            .execute(&mut **tx)
            .await?
        }
        SecretOf::Payloads => {
            sqlx::query!(
                "update payload_keys set sealed_key = $2 where project_id = $1",
                project,
                sealed
            )
            .execute(&mut **tx)
            .await?
        }
    };
    Ok(())
}
