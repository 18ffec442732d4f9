//! What handlers share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use storage::Connections;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::config::{self, Config};
use crate::database::Database;
use crate::ingest::BodyBudget;
use crate::live::{ChangeListener, LiveHub};
use crate::metrics::Metrics;
use crate::pipeline::{DatabaseWriter, Pipeline, PipelineSettings, ProjectCaches};
use crate::prices::Prices;
use crate::proxy::recorder::{Backlog, Recorder};
use crate::proxy::upstream::Upstreams;
use crate::read_limits::ReadLimits;
use crate::scoring::Scoring;
use crate::supervise::Supervisor;

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
        let Connections { ingest, pages } =
            Connections::connect_lazy(&database.server_options(), config.db_connections);
        let metrics = Arc::new(Metrics::default());
        let supervisor = Supervisor::new(tasks.clone(), shutdown.clone());
        let auth = Auth::new(ingest.clone(), &config, tasks);
        let (usage_flusher, stopping) = (auth.clone(), shutdown.clone());
        supervisor.supervise("key_usage", move || {
            usage_flusher.clone().run_usage_flush(stopping.clone())
        });
        let caches = ProjectCaches::new(&ingest);
        let jobs_wake = Arc::new(Notify::new());
        let listener = ChangeListener::new(
            database.server_options(),
            auth.clone(),
            caches.clone(),
            Arc::clone(&jobs_wake),
        );
        let live = LiveHub::start(ingest.clone(), listener, &supervisor, &shutdown);
        let settings = PipelineSettings {
            max_queued_steps: config.queue_steps,
            max_queued_bytes: config.queue_bytes,
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
            &supervisor,
            &shutdown,
        );
        Ok(Self(Arc::new(Shared {
            upstreams: Upstreams::new(&config)?,
            recorder,
            supervisor,
            jobs_wake,
            db: pages,
            ingest_db: ingest,
            auth,
            scoring: caches.scoring,
            prices: caches.prices,
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

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}
