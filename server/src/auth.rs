//! Who is asking, and what they may do.
//!
//! Programs send a key, people have a session. While no account exists, anyone who reaches a server on loopback may
//! do everything. **Invariants:** a key that is malformed, unknown or revoked is never ignored; what was revoked
//! ends within a second in every process; a project of others does not exist.

mod attempts;
pub mod binding;
mod browser;
mod client_address;
pub mod cookie;
pub mod credentials;
mod failure_log;
mod forwarded;
pub mod guard;
pub mod headers;
mod instance;
mod key;
pub mod openid;
mod outage;
pub mod password;
mod proxy_caller;
mod refreshing_cache;
mod reveal;
mod settings;
mod share_links;
mod sign_in;
pub mod token;
mod visitor;

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::http::HeaderMap;
use domain::{KeyId, Project, ProjectId, Role, Scope, Timestamp, UserId};
use storage::Db;
use storage::keys::FoundKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use binding::binding_allowed;
pub(crate) use client_address::Client;
pub use reveal::Reveal;
pub use settings::Settings;
pub(crate) use visitor::role_is_too_low;
pub use visitor::{Visitor, viewer};

use crate::clock;
use crate::config::Config;
use crate::error::{HttpError, HttpResult};
use attempts::Attempts;
use failure_log::FailureLog;
use key::{KeyUsage, Presented};
use password::Passwords;
use refreshing_cache::{Generation, RefreshingCache};

const MAX_CACHED_KEYS: u64 = 10_000;
/// The label of steps that came without a key.
const KEYLESS_LABEL: &str = "default";
/// What the audit log calls the server itself.
const SERVER: &str = "server";
/// The label of a project's first key.
const FIRST_KEY_LABEL: &str = "default";
const USAGE_FLUSH_INTERVAL: Duration = Duration::from_secs(10);

/// Decides who is asking. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
    /// Secrets that a page may show once.
    pub reveal: Arc<Reveal>,
}

struct Inner {
    db: Db,
    settings: Settings,
    generation: Generation,
    keys: RefreshingCache<[u8; 32], Option<Arc<FoundKey>>>,
    instance_state: RefreshingCache<(), Arc<InstanceState>>,
    used: KeyUsage,
    attempts: Arc<Attempts>,
    failure_log: FailureLog,
    unlisted_proxy: Once,
    passwords: Passwords,
    csrf: guard::Csrf,
}

/// What every request depends on: whether anybody has an account, and which project takes steps without a key.
#[derive(Clone, Debug)]
struct InstanceState {
    /// Or a provider makes one for whoever signs in.
    accounts_exist: bool,
    /// The project of requests without a key.
    keyless: Option<Project>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// Whose request it is, for what programs call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The project it acts on.
    pub project_id: ProjectId,
    /// The name of the series its steps belong to; for a signed-in person their address.
    pub key_label: String,
    /// The key, if one was sent.
    pub key_id: Option<KeyId>,
}

impl Auth {
    /// As the configuration says.
    pub fn new(db: Db, config: &Config, tasks: &TaskTracker) -> Self {
        Self::with_settings(db, tasks, Settings::of(config))
    }

    /// As `settings` says.
    pub fn with_settings(db: Db, tasks: &TaskTracker, settings: Settings) -> Self {
        let generation = Generation::default();
        let outage = Arc::default();
        let inner = Inner {
            csrf: guard::csrf(settings.public_url.as_deref()),
            db,
            settings,
            keys: RefreshingCache::new(
                MAX_CACHED_KEYS,
                generation.clone(),
                Arc::clone(&outage),
                tasks.clone(),
            ),
            instance_state: RefreshingCache::new(1, generation.clone(), outage, tasks.clone()),
            generation,
            used: KeyUsage::default(),
            attempts: Arc::default(),
            failure_log: FailureLog::default(),
            unlisted_proxy: Once::new(),
            passwords: Passwords::default(),
        };
        Self {
            inner: Arc::new(inner),
            reveal: Arc::default(),
        }
    }

    /// Invalidates every look-up, also what would be served stale while the database is away: keys, members or accounts changed.
    pub fn invalidate(&self) {
        self.inner.generation.bump();
    }

    /// Whether an account exists, or a provider makes one for whoever signs in.
    pub async fn accounts_exist(&self) -> HttpResult<bool> {
        Ok(self.instance_state().await?.accounts_exist)
    }

    /// Whether anyone who reaches this server has full access: no account exists, and only this machine or
    /// an authenticating proxy reaches it.
    async fn is_open(&self) -> HttpResult<bool> {
        let reachable = self.inner.settings.loopback || self.inner.settings.behind_auth_proxy;
        Ok(reachable && !self.accounts_exist().await?)
    }

    fn presented<'a>(&self, headers: &'a HeaderMap) -> Presented<'a> {
        key::presented(headers, self.inner.settings.behind_auth_proxy)
    }

    async fn instance_state(&self) -> HttpResult<Arc<InstanceState>> {
        let state = &self.inner.instance_state;
        state
            .get((), || self.fetch_instance_state())
            .await
            .map_err(shared_error)
    }

    fn fetch_instance_state(
        &self,
    ) -> impl Future<Output = storage::Result<Arc<InstanceState>>> + Send + 'static {
        let db = self.inner.db.clone();
        // Whoever configures a provider wants people to sign in, the first one as well.
        let has_provider = self.inner.settings.ways_in.provider.is_some();
        async move {
            let accounts_exist = has_provider || storage::users::count(&db).await? > 0;
            let keyless = storage::projects::keyless(&db).await?;
            Ok(Arc::new(InstanceState {
                accounts_exist,
                keyless,
            }))
        }
    }

    /// Makes the first key of a project that has none; a form of its empty page shows it once.
    pub async fn offer_first_key(&self, project: &Project, now: Timestamp) -> storage::Result<()> {
        let db = &self.inner.db;
        if storage::keys::list(db, project.id).await?.is_empty() {
            let made =
                storage::keys::add(db, project.id, FIRST_KEY_LABEL, Scope::DEFAULT, SERVER, now).await?;
            self.reveal.put_first(project.id, made.secret);
        }
        Ok(())
    }

    /// The caller of what only programs call. A key must have the scope `required`. Without a key, a server
    /// on loopback that has no accounts acts on the project `default`.
    pub async fn key_actor(&self, headers: &HeaderMap, required: Scope) -> HttpResult<Caller> {
        match self.presented(headers) {
            Presented::Key(text) => self.caller_of_key(text, required).await,
            Presented::Malformed => Err(HttpError::unauthorized(key::MALFORMED)),
            Presented::OtherScheme => Err(HttpError::unauthorized(key::OTHER_SCHEME)),
            // Behind a proxy the program's own request did not have to pass a person's sign-in.
            Presented::Nothing if !self.inner.settings.behind_auth_proxy && self.is_open().await? => {
                let project = self.keyless_project().await?;
                Ok(Caller {
                    project_id: project.id,
                    key_label: KEYLESS_LABEL.to_owned(),
                    key_id: None,
                })
            }
            Presented::Nothing => Err(HttpError::unauthorized(key::MISSING)),
        }
    }

    /// The caller of what programs and people read: a key with scope `read`, else the signed-in person, on the
    /// project `slug` or their first one.
    pub async fn reader(&self, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
        self.api_caller(headers, slug, Scope::Read, Role::Viewer).await
    }

    /// The caller of what programs may do with a key of scope `required` and people with the role `role`.
    pub async fn api_caller(
        &self,
        headers: &HeaderMap,
        slug: Option<&str>,
        required: Scope,
        role: Role,
    ) -> HttpResult<Caller> {
        match self.presented(headers) {
            Presented::Key(text) => {
                let caller = self.caller_of_key(text, required).await?;
                self.require_own_project(&caller, slug).await?;
                Ok(caller)
            }
            Presented::Malformed => Err(HttpError::unauthorized(key::MALFORMED)),
            Presented::OtherScheme | Presented::Nothing => self.person(headers, slug, role).await,
        }
    }

    async fn person(&self, headers: &HeaderMap, slug: Option<&str>, role: Role) -> HttpResult<Caller> {
        let visitor = Visitor::find(self, headers, clock::now()).await?;
        if visitor.is_anonymous() {
            return Err(HttpError::unauthorized(key::MISSING));
        }
        let project = match slug {
            Some(slug) => visitor.project(slug, role)?.clone(),
            // Reading makes no project: only a step without a key does.
            None if visitor.viewer.open => match &self.instance_state().await?.keyless {
                Some(project) => project.clone(),
                None => return Err(HttpError::not_found("project")),
            },
            None => match visitor.viewer.projects.first() {
                Some((project, has)) if *has >= role => project.clone(),
                Some(_) => return Err(role_is_too_low(role)),
                None => return Err(HttpError::not_found("project")),
            },
        };
        let key_label = match &visitor.viewer.user {
            Some(user) => user.email.clone(),
            None => KEYLESS_LABEL.to_owned(),
        };
        Ok(Caller {
            project_id: project.id,
            key_label,
            key_id: None,
        })
    }

    /// A key that names a project has to name its own.
    async fn require_own_project(&self, caller: &Caller, slug: Option<&str>) -> HttpResult<()> {
        let Some(slug) = slug else { return Ok(()) };
        let own = storage::projects::get(&self.inner.db, caller.project_id).await?;
        if own.slug == slug {
            Ok(())
        } else {
            Err(HttpError::not_found("project"))
        }
    }

    async fn keyless_project(&self) -> HttpResult<Project> {
        match &self.instance_state().await?.keyless {
            Some(project) => Ok(project.clone()),
            None => Ok(storage::projects::ensure_default(&self.inner.db, clock::now()).await?),
        }
    }

    async fn caller_of_key(&self, text: &str, required: Scope) -> HttpResult<Caller> {
        let found = self
            .look_up(storage::keys::secret::sha256(text))
            .await
            .map_err(shared_error)?;
        self.caller_of(found.as_deref(), required)
    }

    /// The SHA-256 of the key that a request brings, known or not.
    pub(crate) fn presented_key(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        match self.presented(headers) {
            Presented::Key(text) => Some(storage::keys::secret::sha256(text)),
            Presented::Malformed | Presented::OtherScheme | Presented::Nothing => None,
        }
    }

    /// Whose session a request brings, if anybody's. Nobody's where there are no accounts.
    pub(crate) async fn signed_in_user(&self, headers: &HeaderMap) -> HttpResult<Option<UserId>> {
        if !self.accounts_exist().await? || !self.has_session_cookie(headers) {
            return Ok(None);
        }
        let visitor = Visitor::find(self, headers, clock::now()).await?;
        Ok(visitor.viewer.user.map(|user| user.id))
    }

    fn has_session_cookie(&self, headers: &HeaderMap) -> bool {
        !cookie::sessions(headers, self.inner.settings.is_https()).is_empty()
    }

    /// An error unless what was presented is a key that may be used.
    async fn known_key(&self, presented: Presented<'_>) -> HttpResult<()> {
        let Presented::Key(text) = presented else {
            return Err(HttpError::unauthorized(key::MALFORMED));
        };
        match self.look_up(storage::keys::secret::sha256(text)).await {
            Ok(Some(key)) if key.revoked => Err(HttpError::unauthorized(key::revoked(&key.label))),
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(HttpError::unauthorized(key::UNKNOWN)),
            Err(cause) => Err(shared_error(cause)),
        }
    }

    async fn look_up(&self, sha256: [u8; 32]) -> Result<Option<Arc<FoundKey>>, Arc<storage::Error>> {
        self.inner.keys.get(sha256, || self.fetch_key(sha256)).await
    }

    fn fetch_key(
        &self,
        sha256: [u8; 32],
    ) -> impl Future<Output = storage::Result<Option<Arc<FoundKey>>>> + Send + 'static {
        let db = self.inner.db.clone();
        async move { Ok(storage::keys::find(&db, &sha256).await?.map(Arc::new)) }
    }

    /// What a key that was looked up may do.
    fn caller_of(&self, found: Option<&FoundKey>, required: Scope) -> HttpResult<Caller> {
        let Some(key) = found else {
            return Err(HttpError::unauthorized(key::UNKNOWN));
        };
        if key.revoked {
            return Err(HttpError::unauthorized(key::revoked(&key.label)));
        }
        if !key.scopes.contains(&required) {
            return Err(HttpError::forbidden(key::lacks_scope(&key.label, required)));
        }
        self.inner.used.note(key.project_id, key.id, clock::now());
        Ok(Caller {
            project_id: key.project_id,
            key_label: key.label.clone(),
            key_id: Some(key.id),
        })
    }

    /// Writes every few seconds which keys were used and which failures were counted, and deletes expired sessions; returns after `shutdown`, having
    /// written the last uses.
    pub async fn run_usage_flush(self, shutdown: CancellationToken) {
        loop {
            let ends = tokio::select! {
                () = tokio::time::sleep(USAGE_FLUSH_INTERVAL) => false,
                () = shutdown.cancelled() => true,
            };
            if let Err(cause) = self.flush_usage(ends).await {
                tracing::debug!(error = ?cause, "last uses of keys not written; tried again");
            }
            if ends {
                return;
            }
        }
    }

    async fn flush_usage(&self, is_last: bool) -> storage::Result<()> {
        let now = clock::now();
        self.flush_failures(now, is_last).await?;
        let used = self.inner.used.unflushed();
        if !used.is_empty() {
            storage::keys::touch(&self.inner.db, &used, now).await?;
            self.inner.used.mark_flushed(&used);
        }
        storage::sessions::delete_expired(&self.inner.db, now)
            .await
            .map(|_| ())
    }
}

/// The error of a look-up that several requests waited for.
fn shared_error(cause: Arc<storage::Error>) -> HttpError {
    let template = if cause.is_transient() {
        HttpError::overloaded("The database does not answer; try again in a moment")
    } else {
        HttpError::internal(anyhow::anyhow!("look-up failed"))
    };
    HttpError {
        cause: Some(cause.into()),
        ..template
    }
}
