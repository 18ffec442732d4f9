//! Whose call through the proxy it is. `Authorization` is the provider's there, so our key has a header of its own.
//!
//! A call must not fail because our database is away: who was known is still known then. A revocation cannot happen
//! meanwhile, because it is written there; one that was heard of before ends what was known.

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
use super::fresh::Changes;
use super::key::{self, KEY_HEADER};
use super::{Auth, Caller, Ground, KEYLESS_LABEL, MAX_REMEMBERED_KEYS, guard, shared_error};
use crate::error::{HttpError, HttpResult};

/// What programs send that were written for llmtrace.
const KEY_ALIAS: &str = "x-llmtrace-key";
/// How long a look-up may take where the answer was known before.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it may take after that before it is given up.
const LONGEST_QUESTION: Duration = Duration::from_secs(4);
/// How long nobody asks a database that did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How long somebody stays known whom nobody can look up.
const LONGEST_OUTAGE: Duration = Duration::from_secs(3_600);

const MISSING: &str = "Send a Plumbline key in the header X-Plumbline-Key, beside the provider's own; create one with `plumbline keys add` or in the dashboard under Settings, Keys";
const ELSEWHERE: &str = "Without a key this server accepts calls only from programs on this machine, under its own host names such as http://localhost. Send one in the header X-Plumbline-Key";
const NOT_OURS: &str = "The header X-Plumbline-Key contains what looks like a provider's key, so nothing was forwarded or stored. That key belongs where the provider's SDK puts it; without accounts this header is a label such as `checkout`";

/// Who was known when the database last answered. What was noted before a change does not count after it.
pub(super) struct LastKnown {
    keys: Cache<[u8; 32], Noted<FoundKey>>,
    ground: Mutex<Option<Noted<Ground>>>,
    changes: Changes,
    /// The database did not answer; one call asks again after that.
    away_until: Mutex<Option<Instant>>,
    patience: Duration,
    longest_question: Duration,
}

/// Something known, and how many changes there had been when it was asked for.
type Noted<T> = (Arc<T>, u64);

/// What a call does that could go on with what was known.
enum Asking {
    /// It asks and waits for the answer, for a moment.
    Waiting,
    /// It asks for those who come later and goes on.
    InPassing,
    /// It goes on.
    Not,
}

impl LastKnown {
    pub(super) fn new(changes: Changes) -> Self {
        let keys = Cache::builder()
            .max_capacity(MAX_REMEMBERED_KEYS)
            .time_to_live(LONGEST_OUTAGE)
            .build();
        Self {
            keys,
            ground: Mutex::default(),
            changes,
            away_until: Mutex::default(),
            patience: PATIENCE,
            longest_question: LONGEST_QUESTION,
        }
    }

    fn asking(&self) -> Asking {
        let mut away_until = locked(&self.away_until);
        match *away_until {
            None => Asking::Waiting,
            Some(until) if Instant::now() < until => Asking::Not,
            Some(_) => {
                *away_until = Some(Instant::now() + RETRY);
                Asking::InPassing
            }
        }
    }

    fn note(&self, answers: bool) {
        *locked(&self.away_until) = (!answers).then(|| Instant::now() + RETRY);
    }

    /// Asks the database and notes whether it answers, so that calls need not find out each for itself. A question
    /// that hangs, because a connection died unnoticed, ends as if there were no database.
    pub(super) async fn noting<T>(
        &self,
        question: impl Future<Output = storage::Result<T>>,
    ) -> storage::Result<T> {
        let mut question = pin!(question);
        let answered = match timeout(self.patience, question.as_mut()).await {
            Ok(answered) => answered,
            Err(_) => {
                self.note(false);
                let late = timeout(self.longest_question, question).await;
                late.unwrap_or_else(|_elapsed| Err(storage::Error::no_answer()))
            }
        };
        self.note(!answered.as_ref().is_err_and(storage::Error::is_transient));
        answered
    }

    pub(super) fn note_ground(&self, ground: &Arc<Ground>, changes: u64) {
        *locked(&self.ground) = Some((Arc::clone(ground), changes));
    }

    pub(super) async fn note_key(&self, sha256: [u8; 32], found: Option<&Arc<FoundKey>>, changes: u64) {
        match found {
            Some(key) => self.keys.insert(sha256, (Arc::clone(key), changes)).await,
            None => self.keys.invalidate(&sha256).await,
        }
    }

    fn ground(&self) -> Option<Arc<Ground>> {
        let noted = locked(&self.ground).clone();
        noted.and_then(|noted| self.counts(noted))
    }

    async fn key(&self, sha256: &[u8; 32]) -> Option<Arc<FoundKey>> {
        self.counts(self.keys.get(sha256).await?)
    }

    fn counts<T>(&self, (known, changes): Noted<T>) -> Option<Arc<T>> {
        (changes == self.changes.count()).then_some(known)
    }

    /// The answer of `look`; where the database does not give one, `known`. A look that took too long goes on in
    /// `tasks`: its answer is for those who come later.
    async fn or<T: Send + 'static>(
        &self,
        tasks: &TaskTracker,
        known: T,
        look: impl Future<Output = Result<T, Arc<storage::Error>>> + Send + 'static,
    ) -> HttpResult<T> {
        match self.asking() {
            Asking::Waiting => match timeout(self.patience, tasks.spawn(look)).await {
                Ok(Ok(Ok(found))) => Ok(found),
                Ok(Ok(Err(cause))) if !cause.is_transient() => Err(shared_error(cause)),
                Ok(Err(panicked)) => Err(HttpError::internal(panicked)),
                Ok(Ok(Err(_))) | Err(_) => Ok(known),
            },
            Asking::InPassing => {
                tasks.spawn(look);
                Ok(known)
            }
            Asking::Not => Ok(known),
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
        let inner = &self.inner;
        let fresh = inner.keys.remembered(sha256, || self.ask_for_key(sha256)).await;
        let found = match fresh {
            Some(found) => found,
            None => match inner.last_known.key(&sha256).await {
                Some(known) => {
                    let auth = self.clone();
                    let look = async move { auth.look_up(sha256).await };
                    inner.last_known.or(&inner.tasks, Some(known), look).await?
                }
                None => self.look_up(sha256).await.map_err(shared_error)?,
            },
        };
        self.caller_of(found.as_deref(), Scope::Proxy)
    }

    /// What everybody stands on; while the database is away, what they stood on before.
    pub(super) async fn last_known_ground(&self) -> HttpResult<Arc<Ground>> {
        let inner = &self.inner;
        if let Some(fresh) = inner.ground.remembered((), || self.ask_for_ground()).await {
            return Ok(fresh);
        }
        let Some(known) = inner.last_known.ground() else {
            return self.ground().await;
        };
        let auth = self.clone();
        let look = async move { auth.look_at_ground().await };
        inner.last_known.or(&inner.tasks, known, look).await
    }

    async fn keyless_proxy_caller(
        &self,
        ground: Arc<Ground>,
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
        let project_id = match &ground.keyless {
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
    fn impatient() -> LastKnown {
        LastKnown {
            patience: Duration::from_millis(5),
            longest_question: Duration::from_millis(5),
            ..LastKnown::new(Changes::default())
        }
    }

    #[tokio::test]
    async fn while_the_database_is_away_no_call_waits_for_it() {
        let (last_known, tasks) = (LastKnown::new(Changes::default()), TaskTracker::new());
        last_known.note(false);
        // `now_or_never`: what waits for anything fails here.
        let known = || last_known.or(&tasks, 1, pending::<Look>()).now_or_never();
        assert_eq!(known().unwrap().unwrap(), 1);

        *locked(&last_known.away_until) = Some(Instant::now());
        assert_eq!(
            known().unwrap().unwrap(),
            1,
            "who asks again does not wait either"
        );
        assert!(matches!(last_known.asking(), Asking::Not), "and is the only one");
    }

    #[tokio::test]
    async fn a_question_that_hangs_is_noted_and_given_up() {
        let (last_known, tasks) = (impatient(), TaskTracker::new());
        assert_eq!(last_known.or(&tasks, 1, pending::<Look>()).await.unwrap(), 1);
        let given_up = last_known.noting(pending::<storage::Result<()>>()).await;
        assert!(given_up.unwrap_err().is_transient());
        assert!(matches!(last_known.asking(), Asking::Not));
    }

    #[tokio::test]
    async fn a_late_answer_ends_the_outage() {
        let last_known = LastKnown {
            patience: Duration::ZERO,
            ..LastKnown::new(Changes::default())
        };
        let (answer, answered) = oneshot::channel();
        let question = async { answered.await.map_err(|_gone| storage::Error::NotFound) };
        let noticed = async {
            while !matches!(last_known.asking(), Asking::Not) {
                tokio::task::yield_now().await;
            }
            answer.send(2).unwrap();
        };
        let (late, ()) = tokio::join!(last_known.noting(question), noticed);
        assert_eq!(late.unwrap(), 2);
        assert!(matches!(last_known.asking(), Asking::Waiting));
    }

    #[tokio::test]
    async fn while_it_answers_its_answer_counts() {
        let (last_known, tasks) = (LastKnown::new(Changes::default()), TaskTracker::new());
        assert_eq!(last_known.or(&tasks, 1, async { Ok(2) }).await.unwrap(), 2);
        assert!(matches!(last_known.asking(), Asking::Waiting));
    }

    #[test]
    fn what_was_known_before_a_change_does_not_count() {
        let changes = Changes::default();
        let last_known = LastKnown::new(changes.clone());
        let ground = Arc::new(Ground {
            accounts_exist: false,
            keyless: None,
        });
        let before = changes.count();
        last_known.note_ground(&ground, before);
        assert!(last_known.ground().is_some());
        changes.one_more();
        assert!(last_known.ground().is_none());
        last_known.note_ground(&ground, before);
        assert!(last_known.ground().is_none(), "an answer that was on its way");
    }
}
