//! Whose call through the proxy it is. `Authorization` is the provider's there, so our key has a header of its own.
//!
//! A call must not fail because our database is away: who was known is still known then. A revocation cannot happen
//! meanwhile, because it is written there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use domain::Scope;
use moka::future::Cache;
use std::sync::Arc;
use storage::keys::{FoundKey, MAX_LABEL_CHARS, secret};
use tokio::time::{Instant, timeout};

use super::credentials::{Credentials, looks_like_a_provider_key};
use super::key::{self, KEY_HEADER};
use super::{Auth, Caller, Ground, KEYLESS_LABEL, MAX_REMEMBERED_KEYS, guard, shared_error};
use crate::error::{HttpError, HttpResult};

/// What programs send that were written for llmtrace.
const KEY_ALIAS: &str = "x-llmtrace-key";
/// How long a look-up may take where the answer was known before.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long nobody asks a database that did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How long somebody stays known whom nobody can look up.
const LONGEST_OUTAGE: Duration = Duration::from_secs(3_600);

const MISSING: &str = "Send a key of Plumbline's in the header X-Plumbline-Key, beside the provider's own; `plumbline keys add` makes one, and so does the dashboard under Settings, Keys";
const ELSEWHERE: &str = "Without a key this server takes calls only from programs on this machine, under its own names such as http://localhost. Send one in the header X-Plumbline-Key";
const NOT_OURS: &str = "The header X-Plumbline-Key holds what reads like a provider's key, so nothing was sent on and nothing was kept. That key belongs where the provider's SDK puts it; here, without accounts, stands a label such as `checkout`";

/// Who was known when the database last answered.
pub(super) struct LastKnown {
    keys: Cache<[u8; 32], Arc<FoundKey>>,
    ground: Mutex<Option<Ground>>,
    /// The database did not answer; one call asks again after that.
    away_until: Mutex<Option<Instant>>,
}

impl Default for LastKnown {
    fn default() -> Self {
        let keys = Cache::builder()
            .max_capacity(MAX_REMEMBERED_KEYS)
            .time_to_live(LONGEST_OUTAGE)
            .build();
        Self {
            keys,
            ground: Mutex::default(),
            away_until: Mutex::default(),
        }
    }
}

impl LastKnown {
    /// Whether a call should ask the database, though it could do without.
    fn is_worth_asking(&self) -> bool {
        let mut away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        match *away_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                // This one asks; the others go on with what they know.
                *away_until = Some(Instant::now() + RETRY);
                true
            }
        }
    }

    fn note(&self, answers: bool) {
        let mut away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        *away_until = (!answers).then(|| Instant::now() + RETRY);
    }

    /// The answer of `look`; where the database does not give one, `known`.
    async fn or<T>(
        &self,
        known: Option<T>,
        look: impl Future<Output = Result<T, Arc<storage::Error>>>,
    ) -> HttpResult<T> {
        let Some(known) = known else {
            return look.await.map_err(shared_error);
        };
        if !self.is_worth_asking() {
            return Ok(known);
        }
        match timeout(PATIENCE, look).await {
            Ok(Ok(found)) => {
                self.note(true);
                Ok(found)
            }
            Ok(Err(cause)) if !cause.is_transient() => Err(shared_error(cause)),
            Ok(Err(_)) | Err(_) => {
                self.note(false);
                Ok(known)
            }
        }
    }
}

impl Auth {
    /// The caller of the proxy: a key with the scope `proxy`. Where a server on loopback has no accounts, calls without
    /// a key act on the project `default`, and what is no key, nor a provider's, is a label.
    pub async fn proxy_caller(&self, uri: &Uri, headers: &HeaderMap) -> HttpResult<Caller> {
        let sent = headers.get(KEY_HEADER).or_else(|| headers.get(KEY_ALIAS));
        let text = sent.map(|value| value.to_str().unwrap_or_default().trim());
        match text {
            Some(text) if secret::is_well_formed(text) => self.proxy_key(text).await,
            Some(text) if text.starts_with(secret::PREFIX) => Err(HttpError::unauthorized(key::MALFORMED)),
            label => {
                let reachable = self.inner.settings.loopback && !self.inner.settings.behind_auth_proxy;
                let ground = if reachable {
                    Some(self.last_known_ground().await?)
                } else {
                    None
                };
                match ground {
                    Some(ground) if !ground.accounts_exist => {
                        self.keyless_proxy_caller(ground, label, uri, headers).await
                    }
                    _ => Err(HttpError::unauthorized(MISSING)),
                }
            }
        }
    }

    async fn proxy_key(&self, text: &str) -> HttpResult<Caller> {
        let sha256 = secret::sha256(text);
        let last_known = &self.inner.last_known;
        let known = last_known.keys.get(&sha256).await;
        let was_known = known.is_some();
        let found = last_known.or(known.map(Some), self.look_up(sha256)).await?;
        match &found {
            Some(key) => last_known.keys.insert(sha256, Arc::clone(key)).await,
            None if was_known => last_known.keys.invalidate(&sha256).await,
            None => {}
        }
        self.caller_of(found.as_deref(), Scope::Proxy)
    }

    /// What everybody stands on; while the database is away, what they stood on before.
    pub(super) async fn last_known_ground(&self) -> HttpResult<Ground> {
        let last_known = &self.inner.last_known;
        let known = last_known
            .ground
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let ground = last_known.or(known, self.look_at_ground()).await?;
        *last_known.ground.lock().unwrap_or_else(PoisonError::into_inner) = Some(ground.clone());
        Ok(ground)
    }

    async fn keyless_proxy_caller(
        &self,
        ground: Ground,
        label: Option<&str>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> HttpResult<Caller> {
        // A web site in somebody's browser must not fill their server with calls.
        if !guard::names_loopback(uri, headers) || is_cross_site(headers) {
            return Err(HttpError::unauthorized(ELSEWHERE));
        }
        // Labels are stored and shown in clear.
        let is_secret =
            |label: &str| looks_like_a_provider_key(label) || Credentials::of(uri, headers).are_in(label);
        if label.is_some_and(is_secret) {
            return Err(HttpError::unauthorized(NOT_OURS));
        }
        let project = match ground.keyless {
            Some(project) => project,
            None => self.keyless_project().await?,
        };
        let label: String = label
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_LABEL_CHARS)
            .collect();
        Ok(Caller {
            project_id: project.id,
            key_label: if label.trim().is_empty() {
                KEYLESS_LABEL.to_owned()
            } else {
                label
            },
            key_id: None,
        })
    }
}

/// Whether a browser says that another site's page sends this. Programs say neither.
fn is_cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = |text: &str| text.parse::<Authority>().ok();
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| host(origin.split_once("://")?.1));
    let own = headers.get(header::HOST).and_then(|own| host(own.to_str().ok()?));
    origin.is_none() || origin != own
}
