//! What a project sets of its models: checked, keys sealed, stored.

use std::collections::BTreeSet;

use domain::models::is_provider_id;
use domain::{Feature, ModelChoice, NanoUsd, ProjectId, ProviderKind};
use storage::models::{MAX_REQUEST_BYTES, NewKey, NewProvider, NewSettings};

use crate::alerts::SecretText;
use crate::clock;
use crate::outbound::{BadTarget, Outbound};
use crate::secrets::{NoRandomness, Secrets, last_four};

/// Most providers of a project.
const MAX_PROVIDERS: usize = 20;
const MAX_KEY_BYTES: usize = 1_000;
const MAX_MODEL_BYTES: usize = 200;
/// The highest budget of a month.
const MAX_BUDGET: NanoUsd = NanoUsd(1_000_000 * 1_000_000_000);
/// Between what the limit of a request may lie, in bytes.
const REQUEST_BYTES: std::ops::RangeInclusive<i32> = 10_000..=2_000_000;

/// What a provider's key is sealed for.
pub fn key_field(provider: &str) -> String {
    format!("models.{provider}.api_key")
}

/// A provider as somebody wants it.
#[derive(Clone, Debug)]
pub struct ProviderDraft {
    pub id: String,
    pub kind: ProviderKind,
    /// `None`, or blank, is the kind's own address.
    pub base_url: Option<String>,
    /// `None`, or blank, leaves the stored one.
    pub api_key: Option<SecretText>,
}

/// All of what is set.
#[derive(Clone, Debug, Default)]
pub struct ModelsDraft {
    pub providers: Vec<ProviderDraft>,
    pub uses: Vec<(Feature, ModelChoice)>,
    pub budget: Option<NanoUsd>,
    /// `None` is the usual one.
    pub max_request_bytes: Option<i32>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: &'static str,
    /// The word for programs.
    pub code: &'static str,
    /// What it has to be.
    pub message: String,
}

/// Why the settings were not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{} is wrong", .0.field)]
    Wrong(Wrong),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error(transparent)]
    Database(#[from] storage::Error),
}

fn wrong(field: &'static str, message: impl Into<String>) -> SaveError {
    SaveError::Wrong(Wrong {
        field,
        code: "invalid_field",
        message: message.into(),
    })
}

/// Replaces what is set. Keys that are not named again stay where kind and address stay.
pub async fn save(
    db: &storage::Db,
    secrets: &Secrets,
    outbound: &Outbound,
    project: ProjectId,
    draft: &ModelsDraft,
    actor: &str,
) -> Result<(), SaveError> {
    if draft.providers.len() > MAX_PROVIDERS {
        return Err(wrong(
            "providers",
            format!("providers has at most {MAX_PROVIDERS} items"),
        ));
    }
    let mut ids = BTreeSet::new();
    let mut providers = Vec::new();
    for provider in &draft.providers {
        if !is_provider_id(&provider.id) {
            return Err(wrong(
                "id",
                "id is a word of a-z, 0-9 and -, at most 40 characters",
            ));
        }
        if !ids.insert(provider.id.as_str()) {
            return Err(wrong("id", format!("two providers have the id {}", provider.id)));
        }
        providers.push(NewProvider {
            provider_id: &provider.id,
            kind: provider.kind,
            base_url: checked_address(outbound, provider)?,
            key: key_of(secrets, project, provider)?,
        });
    }
    for (_, choice) in &draft.uses {
        check_choice(choice, &ids)?;
    }
    if draft
        .budget
        .is_some_and(|budget| budget.0 < 0 || budget > MAX_BUDGET)
    {
        return Err(wrong("budget_usd", "budget_usd is between 0 and 1000000"));
    }
    let max_request_bytes = draft.max_request_bytes.unwrap_or(MAX_REQUEST_BYTES);
    if !REQUEST_BYTES.contains(&max_request_bytes) {
        return Err(wrong(
            "max_request_bytes",
            format!(
                "max_request_bytes is {} to {}",
                REQUEST_BYTES.start(),
                REQUEST_BYTES.end()
            ),
        ));
    }
    let new = NewSettings {
        providers: &providers,
        uses: &draft.uses,
        budget: draft.budget,
        max_request_bytes,
    };
    storage::models::save(db, project, &new, actor, clock::now()).await?;
    Ok(())
}

/// The address, where it is another than the kind's own.
fn checked_address<'a>(
    outbound: &Outbound,
    provider: &'a ProviderDraft,
) -> Result<Option<&'a str>, SaveError> {
    let typed = provider
        .base_url
        .as_deref()
        .map(str::trim)
        .filter(|url| !url.is_empty());
    let typed = typed.map(|url| url.trim_end_matches('/'));
    let Some(url) = typed.filter(|url| Some(*url) != provider.kind.default_url()) else {
        return match provider.kind.default_url() {
            Some(_) => Ok(None),
            None => Err(wrong(
                "base_url",
                "base_url is missing: an OpenAI-compatible provider needs its address",
            )),
        };
    };
    outbound.target(url).map_err(|bad| {
        let code = match bad {
            BadTarget::Private => "private_target",
            BadTarget::Malformed | BadTarget::NotHttps => "invalid_field",
        };
        SaveError::Wrong(Wrong {
            field: "base_url",
            code,
            message: bad.to_string(),
        })
    })?;
    Ok(Some(url))
}

fn key_of(secrets: &Secrets, project: ProjectId, provider: &ProviderDraft) -> Result<NewKey, SaveError> {
    let typed = provider.api_key.as_ref().map(|key| key.0.trim());
    let Some(key) = typed.filter(|key| !key.is_empty()) else {
        return Ok(NewKey::Stays);
    };
    if key.len() > MAX_KEY_BYTES || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "api_key",
            format!("api_key is at most {MAX_KEY_BYTES} characters, without spaces"),
        ));
    }
    Ok(NewKey::Set {
        sealed: secrets.seal(project, &key_field(&provider.id), key)?,
        shown: last_four(key),
    })
}

fn check_choice(choice: &ModelChoice, ids: &BTreeSet<&str>) -> Result<(), SaveError> {
    if !ids.contains(choice.provider.as_str()) {
        return Err(wrong("uses", "uses name a provider that is not among providers"));
    }
    if choice.model.trim().is_empty()
        || choice.model.len() > MAX_MODEL_BYTES
        || choice.model.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err(wrong(
            "uses",
            format!("model is a name of at most {MAX_MODEL_BYTES} bytes"),
        ));
    }
    Ok(())
}
