//! What handlers share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use storage::Connections;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alerts::{Alerts, Sender};
use crate::auth::Auth;
use crate::auth::openid::Provider;
use crate::change_listener::ChangeListener;
use crate::config::{self, Config};
use crate::database::Database;
use crate::detectors::{Detectors, Judge};
use crate::giving_way;
use crate::key_limits::KeyLimits;
use crate::live::LiveHub;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::outbound::Outbound;
use crate::payload_keys::PayloadKeys;
use crate::pipeline::{DatabaseWriter, Pipeline, PipelineSettings, ProjectCaches, WRITE_TIMEOUT};
use crate::prices::Prices;
use crate::proxy::Proxy;
use crate::proxy::recorder::{Backlog, Recorder};
use crate::proxy::upstream::Upstreams;
use crate::read_limits::ReadLimits;
use crate::redaction::Redaction;
use crate::request_body::BodyBudget;
use crate::scoring::Scoring;
use crate::secrets::Secrets;
use crate::supervise::Supervisor;
use crate::tools::Toolbox;

/// How much the bodies of all requests may take in memory.
const BODY_BUDGET_BYTES: usize = 256 * 1024 * 1024;

/// Everything a handler may need, behind one pointer: axum clones it several times for each request.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

/// What is behind it.
#[derive(Debug)]
pub struct Shared {
    /// The store, over the connections of pages, the API and jobs.
    pub db: storage::Db,
    /// The store, over connections that none of those can take.
    pub ingest_db: storage::Db,
    /// Who is asking.
    pub auth: Auth,
    /// Rules and histories.
    pub scoring: Scoring,
    /// What models cost.
    pub prices: Prices,
    /// The way in for steps.
    pub pipeline: Pipeline,
    /// Where calls through the proxy go.
    pub upstreams: Upstreams,
    /// Where they are recorded.
    pub recorder: Recorder,
    /// What reading may take.
    pub reads: ReadLimits,
    /// Live updates for open pages.
    pub live: LiveHub,
    /// How the background tasks are.
    pub supervisor: Supervisor,
    /// Notified when there may be a job to run.
    pub jobs_wake: Arc<Notify>,
    /// What keys may use.
    pub key_limits: KeyLimits,
    /// What each project hides.
    pub redaction: Redaction,
    /// Which projects' texts are sealed.
    pub payload_keys: PayloadKeys,
    /// Seals and opens the secrets of integrations.
    pub secrets: Secrets,
    /// Calls to addresses that settings name.
    pub outbound: Outbound,
    /// The provider that signs people in, where there is one.
    pub openid: Option<Provider>,
    /// Calls to language models with the projects' own keys.
    pub models: Models,
    /// Notified when there may be an analysis to write.
    pub analyses_wake: Arc<Notify>,
    /// Notified when a model is to look into something.
    pub inquiries_wake: Arc<Notify>,
    /// Notified when GitHub may be due to be asked.
    pub github_wake: Arc<Notify>,
    /// Who is told of what.
    pub alerts: Alerts,
    /// Whose runs are judged.
    pub detectors: Detectors,
    /// Figures for Prometheus.
    pub metrics: Arc<Metrics>,
    /// How much of all bodies may be in memory.
    pub body_budget: BodyBudget,
    pub config: Arc<Config>,
    /// What the data lies in, in words.
    pub database: Arc<str>,
    /// What leptos wants to know.
    pub leptos_options: LeptosOptions,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// Connects everything and starts the background tasks. They end after `shutdown`.
    pub async fn start(
        config: Arc<Config>,
        database: &Database,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let on_reader: Option<storage::OnReader> = database.is_private().then_some(giving_way::lower_process);
        let secrets = Secrets::of(&config)?;
        let Connections { ingest, pages } =
            Connections::connect_lazy(&database.server_options(), config.db_connections, on_reader);
        let opens: Arc<dyn storage::payloads::OpenPayloads> = Arc::new(secrets.clone());
        let (ingest, pages) = (
            ingest.opening_payloads(Arc::clone(&opens)),
            pages.opening_payloads(opens),
        );
        let metrics = Arc::new(Metrics::default());
        let supervisor = Supervisor::new(tasks.clone(), shutdown.clone());
        let auth = Auth::new(ingest.clone(), &config, tasks);
        let (usage_flusher, stopping) = (auth.clone(), shutdown.clone());
        supervisor.supervise("key_usage", move || {
            usage_flusher.clone().run_usage_flush(stopping.clone())
        });
        let redaction = Redaction::new(ingest.clone(), secrets.clone());
        let payload_keys = PayloadKeys::new(ingest.clone(), secrets.clone());
        let caches = ProjectCaches::new(&ingest, Some((redaction.clone(), payload_keys.clone())));
        let (key_limits, limits_db, stopping) = (caches.key_limits.clone(), ingest.clone(), shutdown.clone());
        let alerts_wake = Arc::clone(&caches.alerts.wake);
        supervisor.supervise("key_limits", move || {
            key_limits
                .clone()
                .run(limits_db.clone(), Arc::clone(&alerts_wake), stopping.clone())
        });
        let jobs_wake = Arc::new(Notify::new());
        let live = LiveHub::start(ingest.clone(), Arc::clone(&metrics), &supervisor, &shutdown);
        let listener = ChangeListener {
            options: database.server_options(),
            auth: auth.clone(),
            caches: caches.clone(),
            jobs_wake: Arc::clone(&jobs_wake),
            live: live.clone(),
        };
        let listening = shutdown.clone();
        supervisor.supervise("listener", move || listener.clone().run(listening.clone()));
        let settings = PipelineSettings {
            max_queued_steps: config.queue_steps,
            max_queued_bytes: config.queue_bytes,
            write_timeout: WRITE_TIMEOUT,
        };
        let writer = DatabaseWriter {
            db: ingest.clone(),
            caches: caches.clone(),
            metrics: Arc::clone(&metrics),
        };
        let pipeline = Pipeline::start(
            Arc::new(writer),
            live.clone(),
            Arc::clone(&metrics),
            &settings,
            &supervisor,
            &shutdown,
        );
        let spool = config.data.join("spool");
        let backlog = Backlog::open(&spool, config.spool_bytes, Arc::clone(&metrics)).await;
        let recorder = Recorder::start(
            ingest.clone(),
            pipeline.clone(),
            Arc::clone(&metrics),
            backlog,
            redaction.clone(),
            &supervisor,
            &shutdown,
        );
        let outbound = Outbound::new(config.allow_private_targets.clone())?;
        let openid = config
            .openid
            .clone()
            .zip(config.public_url.clone())
            .map(|(openid, url)| Provider::new(openid, url, outbound.clone(), secrets.clone()));
        let models = Models::new(
            pages.clone(),
            secrets.clone(),
            outbound.clone(),
            caches.prices.clone(),
            pipeline.clone(),
        );
        Ok(Self(Arc::new(Shared {
            upstreams: Upstreams::new(&config)?,
            secrets,
            key_limits: caches.key_limits,
            redaction,
            payload_keys,
            outbound,
            openid,
            models,
            analyses_wake: Arc::default(),
            inquiries_wake: Arc::default(),
            github_wake: Arc::default(),
            recorder,
            supervisor,
            jobs_wake,
            db: pages,
            ingest_db: ingest,
            auth,
            scoring: caches.scoring,
            prices: caches.prices,
            alerts: caches.alerts,
            detectors: caches.detectors,
            pipeline,
            reads: ReadLimits::new(Arc::clone(&metrics)),
            live,
            metrics,
            body_budget: BodyBudget::new(BODY_BUDGET_BYTES),
            database: database.description().into(),
            leptos_options: config::leptos_options(config.addr)?,
            config,
        })))
    }
}

impl AppState {
    /// Judges finished runs.
    pub fn judge(&self) -> Judge {
        Judge {
            db: self.db.clone(),
            models: self.models.clone(),
            alerts_wake: Arc::clone(&self.alerts.wake),
        }
    }

    /// Sends alerts, with links that begin as the server is called from outside.
    pub fn sender(&self) -> Sender {
        Sender::new(
            self.db.clone(),
            self.secrets.clone(),
            self.outbound.clone(),
            &self.origin(),
        )
    }

    /// How links begin that are followed from outside.
    pub fn origin(&self) -> String {
        match &self.config.public_url {
            Some(url) => url.clone(),
            None => format!("http://{}", self.config.addr),
        }
    }
}

impl AppState {
    /// What a call through the proxy passes.
    pub fn proxy(&self) -> Proxy<'_> {
        Proxy {
            auth: &self.auth,
            key_limits: &self.key_limits,
            redaction: &self.redaction,
            upstreams: &self.upstreams,
            recorder: &self.recorder,
            metrics: &self.metrics,
        }
    }

    /// Look-ups for models.
    pub fn toolbox(&self) -> Toolbox {
        Toolbox {
            db: self.db.clone(),
            secrets: self.secrets.clone(),
            outbound: self.outbound.clone(),
        }
    }
}

impl FromRef<AppState> for Auth {
    fn from_ref(state: &AppState) -> Self {
        state.auth.clone()
    }
}

impl FromRef<AppState> for Option<Provider> {
    fn from_ref(state: &AppState) -> Self {
        state.openid.clone()
    }
}

impl FromRef<AppState> for ReadLimits {
    fn from_ref(state: &AppState) -> Self {
        state.reads.clone()
    }
}

impl FromRef<AppState> for LiveHub {
    fn from_ref(state: &AppState) -> Self {
        state.live.clone()
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}

/// The store as pages and the API read it.
impl FromRef<AppState> for storage::Db {
    fn from_ref(state: &AppState) -> Self {
        state.db.clone()
    }
}
