//! Whose call through the proxy it is. `Authorization` is the provider's there, so our key has a header of its own.
//!
//! A call must not fail because our database is away: stale entries are served then (stale-if-error). A revocation
//! cannot happen meanwhile, because it is written there; one that was notified before invalidates the entry.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use domain::Scope;
use moka::future::Cache;
use storage::keys::{FoundKey, MAX_LABEL_CHARS, secret};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::credentials::{Credentials, looks_like_a_provider_key};
use super::key::{self, KEY_HEADER};
use super::refreshing_cache::Generation;
use super::{Auth, Caller, InstanceState, KEYLESS_LABEL, MAX_CACHED_KEYS, guard, shared_error};
use crate::error::{HttpError, HttpResult};

/// What programs send that were written for llmtrace.
const KEY_ALIAS: &str = "x-llmtrace-key";
/// How long a look-up may take where a stale entry could be served.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(250);
/// How long it may take after that before it is given up.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a database that did not answer is not asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long stale entries are served while the database is away.
const STALE_TTL: Duration = Duration::from_secs(3_600);

const MISSING: &str = "Send a Plumbline key in the header X-Plumbline-Key, beside the provider's own; create one with `plumbline keys add` or in the dashboard under Settings, Keys";
const ELSEWHERE: &str = "Without a key this server accepts calls only from programs on this machine, under its own host names such as http://localhost. Send one in the header X-Plumbline-Key";
const NOT_OURS: &str = "The header X-Plumbline-Key contains what looks like a provider's key, so nothing was forwarded or stored. That key belongs where the provider's SDK puts it; without accounts this header is a label such as `checkout`";

/// Keys and instance state as last read, served while the database is away. A change invalidates them.
pub(super) struct StaleCache {
    keys: Cache<[u8; 32], Versioned<FoundKey>>,
    instance_state: Mutex<Option<Versioned<InstanceState>>>,
    generation: Generation,
    /// The database did not answer; one call asks again after that.
    unavailable_until: Mutex<Option<Instant>>,
    lookup_timeout: Duration,
    query_timeout: Duration,
}

/// A value, and the generation in which it was fetched.
type Versioned<T> = (Arc<T>, u64);

/// How a call that could use a stale entry refreshes it.
enum RefreshMode {
    /// It looks up and waits for the answer, up to the time-out.
    Wait,
    /// It refreshes in the background, for later calls, and goes on with the stale entry.
    Background,
    /// It goes on with the stale entry.
    Skip,
}

impl StaleCache {
    pub(super) fn new(generation: Generation) -> Self {
        let keys = Cache::builder()
            .max_capacity(MAX_CACHED_KEYS)
            .time_to_live(STALE_TTL)
            .build();
        Self {
            keys,
            instance_state: Mutex::default(),
            generation,
            unavailable_until: Mutex::default(),
            lookup_timeout: LOOKUP_TIMEOUT,
            query_timeout: QUERY_TIMEOUT,
        }
    }

    fn refresh_mode(&self) -> RefreshMode {
        let mut unavailable_until = locked(&self.unavailable_until);
        match *unavailable_until {
            None => RefreshMode::Wait,
            Some(until) if Instant::now() < until => RefreshMode::Skip,
            Some(_) => {
                *unavailable_until = Some(Instant::now() + RETRY_INTERVAL);
                RefreshMode::Background
            }
        }
    }

    fn record_answered(&self, answers: bool) {
        *locked(&self.unavailable_until) = (!answers).then(|| Instant::now() + RETRY_INTERVAL);
    }

    /// Asks the database and notes whether it answers, so that calls need not find out each for itself. A question
    /// that hangs, because a connection died unnoticed, ends as if there were no database.
    pub(super) async fn observe<T>(
        &self,
        question: impl Future<Output = storage::Result<T>>,
    ) -> storage::Result<T> {
        let mut question = pin!(question);
        let answered = match timeout(self.lookup_timeout, question.as_mut()).await {
            Ok(answered) => answered,
            Err(_) => {
                self.record_answered(false);
                let late = timeout(self.query_timeout, question).await;
                late.unwrap_or_else(|_elapsed| Err(storage::Error::no_answer()))
            }
        };
        self.record_answered(!answered.as_ref().is_err_and(storage::Error::is_transient));
        answered
    }

    pub(super) fn store_instance_state(&self, instance_state: &Arc<InstanceState>, generation: u64) {
        *locked(&self.instance_state) = Some((Arc::clone(instance_state), generation));
    }

    pub(super) async fn store_key(&self, sha256: [u8; 32], found: Option<&Arc<FoundKey>>, generation: u64) {
        match found {
            Some(key) => self.keys.insert(sha256, (Arc::clone(key), generation)).await,
            None => self.keys.invalidate(&sha256).await,
        }
    }

    fn instance_state(&self) -> Option<Arc<InstanceState>> {
        let versioned = locked(&self.instance_state).clone();
        versioned.and_then(|versioned| self.if_current(versioned))
    }

    async fn key(&self, sha256: &[u8; 32]) -> Option<Arc<FoundKey>> {
        self.if_current(self.keys.get(sha256).await?)
    }

    fn if_current<T>(&self, (known, generation): Versioned<T>) -> Option<Arc<T>> {
        (generation == self.generation.current()).then_some(known)
    }

    /// What `look` returns; where the database does not answer, `known`. A look-up that took too long goes on in
    /// `tasks`, for later calls.
    async fn fetch_or_stale<T: Send + 'static>(
        &self,
        tasks: &TaskTracker,
        known: T,
        look: impl Future<Output = Result<T, Arc<storage::Error>>> + Send + 'static,
    ) -> HttpResult<T> {
        match self.refresh_mode() {
            RefreshMode::Wait => match timeout(self.lookup_timeout, tasks.spawn(look)).await {
                Ok(Ok(Ok(found))) => Ok(found),
                Ok(Ok(Err(cause))) if !cause.is_transient() => Err(shared_error(cause)),
                Ok(Err(panicked)) => Err(HttpError::internal(panicked)),
                Ok(Ok(Err(_))) | Err(_) => Ok(known),
            },
            RefreshMode::Background => {
                tasks.spawn(look);
                Ok(known)
            }
            RefreshMode::Skip => Ok(known),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        let inner = &self.inner;
        let cached = inner.keys.cached(sha256, || self.fetch_key(sha256)).await;
        let found = match cached {
            Some(found) => found,
            None => match inner.stale_cache.key(&sha256).await {
                Some(known) => {
                    let auth = self.clone();
                    let look = async move { auth.look_up(sha256).await };
                    inner
                        .stale_cache
                        .fetch_or_stale(&inner.tasks, Some(known), look)
                        .await?
                }
                None => self.look_up(sha256).await.map_err(shared_error)?,
            },
        };
        self.caller_of(found.as_deref(), required)
    }

    /// The instance state; while the database is away, the last known one.
    pub(super) async fn instance_state_or_stale(&self) -> HttpResult<Arc<InstanceState>> {
        let inner = &self.inner;
        if let Some(cached) = inner
            .instance_state
            .cached((), || self.fetch_instance_state())
            .await
        {
            return Ok(cached);
        }
        let Some(known) = inner.stale_cache.instance_state() else {
            return self.instance_state().await;
        };
        let auth = self.clone();
        let look = async move { auth.load_instance_state().await };
        inner.stale_cache.fetch_or_stale(&inner.tasks, known, look).await
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    type Look = Result<u32, Arc<storage::Error>>;

    /// One that waits for a hundredth of a second at most.
    fn without_waiting() -> StaleCache {
        StaleCache {
            lookup_timeout: Duration::from_millis(5),
            query_timeout: Duration::from_millis(5),
            ..StaleCache::new(Generation::default())
        }
    }

    #[tokio::test]
    async fn while_the_database_is_away_no_call_waits_for_it() {
        let (stale_cache, tasks) = (StaleCache::new(Generation::default()), TaskTracker::new());
        stale_cache.record_answered(false);
        // `now_or_never`: what waits for anything fails here.
        let known = || {
            stale_cache
                .fetch_or_stale(&tasks, 1, pending::<Look>())
                .now_or_never()
        };
        assert_eq!(known().unwrap().unwrap(), 1);

        *locked(&stale_cache.unavailable_until) = Some(Instant::now());
        assert_eq!(
            known().unwrap().unwrap(),
            1,
            "who asks again does not wait either"
        );
        assert!(
            matches!(stale_cache.refresh_mode(), RefreshMode::Skip),
            "and is the only one"
        );
    }

    #[tokio::test]
    async fn a_query_that_hangs_times_out_and_is_recorded() {
        let (stale_cache, tasks) = (without_waiting(), TaskTracker::new());
        assert_eq!(
            stale_cache
                .fetch_or_stale(&tasks, 1, pending::<Look>())
                .await
                .unwrap(),
            1
        );
        let given_up = stale_cache.observe(pending::<storage::Result<()>>()).await;
        assert!(given_up.unwrap_err().is_transient());
        assert!(matches!(stale_cache.refresh_mode(), RefreshMode::Skip));
    }

    #[tokio::test]
    async fn a_late_answer_ends_the_outage() {
        let stale_cache = StaleCache {
            lookup_timeout: Duration::ZERO,
            ..StaleCache::new(Generation::default())
        };
        let (answer, answered) = oneshot::channel();
        let question = async { answered.await.map_err(|_gone| storage::Error::NotFound) };
        let noticed = async {
            while !matches!(stale_cache.refresh_mode(), RefreshMode::Skip) {
                tokio::task::yield_now().await;
            }
            answer.send(2).unwrap();
        };
        let (late, ()) = tokio::join!(stale_cache.observe(question), noticed);
        assert_eq!(late.unwrap(), 2);
        assert!(matches!(stale_cache.refresh_mode(), RefreshMode::Wait));
    }

    #[tokio::test]
    async fn while_it_answers_its_answer_counts() {
        let (stale_cache, tasks) = (StaleCache::new(Generation::default()), TaskTracker::new());
        assert_eq!(
            stale_cache
                .fetch_or_stale(&tasks, 1, async { Ok(2) })
                .await
                .unwrap(),
            2
        );
        assert!(matches!(stale_cache.refresh_mode(), RefreshMode::Wait));
    }

    #[test]
    fn a_stale_entry_from_before_a_change_is_invalid() {
        let generation = Generation::default();
        let stale_cache = StaleCache::new(generation.clone());
        let instance_state = Arc::new(InstanceState {
            accounts_exist: false,
            keyless: None,
        });
        let before = generation.current();
        stale_cache.store_instance_state(&instance_state, before);
        assert!(stale_cache.instance_state().is_some());
        generation.bump();
        assert!(stale_cache.instance_state().is_none());
        stale_cache.store_instance_state(&instance_state, before);
        assert!(
            stale_cache.instance_state().is_none(),
            "an answer that was on its way"
        );
    }
}
