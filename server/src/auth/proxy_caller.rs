//! Whose call through the proxy it is. `Authorization` is the provider's there, so our key has a header of its own.
//!
//! A call must not fail because our database is away: stale entries are served then (stale-if-error). A revocation
//! cannot happen meanwhile, because it is written there; one that was notified before invalidates the entry.

use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use domain::Scope;
use storage::keys::{MAX_LABEL_CHARS, secret};

use super::credentials::{Credentials, looks_like_a_provider_key};
use super::key::{self, KEY_HEADER};
use super::{Auth, Caller, InstanceState, KEYLESS_LABEL, guard, shared_error};
use crate::error::{HttpError, HttpResult};

/// What programs send that were written for llmtrace.
const KEY_ALIAS: &str = "x-llmtrace-key";
const MISSING: &str = "Send a Plumbline key in the header X-Plumbline-Key, beside the provider's own; create one with `plumbline keys add` or in the dashboard under Settings, Keys";
const ELSEWHERE: &str = "Without a key this server accepts calls only from programs on this machine, under its own host names such as http://localhost. Send one in the header X-Plumbline-Key";
const NOT_OURS: &str = "The header X-Plumbline-Key contains what looks like a provider's key, so nothing was forwarded or stored. That key belongs where the provider's SDK puts it; without accounts this header is a label such as `checkout`";

impl Auth {
    /// The caller of the proxy: a key with the scope `proxy`. Where a server on loopback has no accounts, calls without
    /// a key act on the project `default`, and what is no key, nor a provider's, is a label.
    pub async fn proxy_caller(&self, uri: &Uri, headers: &HeaderMap) -> HttpResult<Caller> {
        let sent = headers.get(KEY_HEADER).or_else(|| headers.get(KEY_ALIAS));
        let text = sent.map(|value| value.to_str().unwrap_or_default().trim());
        match text {
            Some(text) if secret::is_well_formed(text) => self.key_or_stale(text, Scope::Proxy).await,
            Some(text) if text.starts_with(secret::PREFIX) => Err(HttpError::unauthorized(key::MALFORMED)),
            label => {
                let reachable = self.inner.settings.loopback && !self.inner.settings.behind_auth_proxy;
                let instance_state = if reachable {
                    Some(self.instance_state_or_stale().await?)
                } else {
                    None
                };
                match instance_state {
                    Some(instance_state) if !instance_state.accounts_exist => {
                        self.keyless_proxy_caller(instance_state, label, uri, headers)
                            .await
                    }
                    _ => Err(HttpError::unauthorized(MISSING)),
                }
            }
        }
    }

    /// The caller of a key with the scope `required`, known or as last known while the database is away.
    pub(super) async fn key_or_stale(&self, text: &str, required: Scope) -> HttpResult<Caller> {
        let sha256 = secret::sha256(text);
        let keys = &self.inner.keys;
        // What is unknown may have become a key in another process.
        let found = keys
            .get_or_stale(sha256, Option::is_some, || self.fetch_key(sha256))
            .await;
        self.caller_of(found.map_err(shared_error)?.as_deref(), required)
    }

    /// The instance state; while the database is away, the last known one.
    pub(super) async fn instance_state_or_stale(&self) -> HttpResult<Arc<InstanceState>> {
        let state = &self.inner.instance_state;
        let known = state
            .get_or_stale((), |_| true, || self.fetch_instance_state())
            .await;
        known.map_err(shared_error)
    }

    async fn keyless_proxy_caller(
        &self,
        instance_state: Arc<InstanceState>,
        label: Option<&str>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> HttpResult<Caller> {
        // A web site open in a browser must not send calls to the server on the same machine.
        if !guard::names_loopback(uri, headers) || is_cross_site(headers) {
            return Err(HttpError::unauthorized(ELSEWHERE));
        }
        // Labels are stored and shown in clear.
        let is_secret =
            |label: &str| looks_like_a_provider_key(label) || Credentials::of(uri, headers).are_in(label);
        if label.is_some_and(is_secret) {
            return Err(HttpError::unauthorized(NOT_OURS));
        }
        let project_id = match &instance_state.keyless {
            Some(project) => project.id,
            None => self.keyless_project().await?.id,
        };
        let label: String = label
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_LABEL_CHARS)
            .collect();
        Ok(Caller {
            project_id,
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
