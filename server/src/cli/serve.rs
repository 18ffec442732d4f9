//! `plumbline serve`: everything started in order, and stopped in the reverse order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Exit, output};
use crate::alerts::{delivery, send_traces};
use crate::config::Config;
use crate::database::Database;
use crate::detectors;
use crate::inquiries::{self, Inquiries};
use crate::state::AppState;
use crate::{
    analyses, auth, clock, day_histograms, github, incidents, jobs, maintenance, open_files, price_file,
    router, serving, waiting_runs, watcher,
};

/// How long requests under way may take after the server began to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the background tasks may take after that: the last batches are written in it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Where it listens; the port is the real one where 0 was asked for.
    pub addr: SocketAddr,
    /// Its database, for people.
    pub database: String,
}

/// Runs a server until `shutdown`: then it stops accepting, finishes what it is at, writes what it has received, and
/// stops its Postgres. Says through `ready` when it answers.
pub async fn serve(
    config: Config,
    shutdown: CancellationToken,
    ready: oneshot::Sender<Ready>,
) -> anyhow::Result<()> {
    open_files::raise_limit();
    let listener = TcpListener::bind(config.addr).await.with_context(|| {
        format!(
            "cannot listen on {}; is another server on that port? --addr chooses another",
            config.addr
        )
    })?;
    let database = Database::start(&config).await?;
    let served = Box::pin(run(Arc::new(config), listener, &database, shutdown, ready)).await;
    let stopped = database.stop().await;
    served.and(stopped)
}

async fn run(
    config: Arc<Config>,
    listener: TcpListener,
    database: &Database,
    shutdown: CancellationToken,
    ready: oneshot::Sender<Ready>,
) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    // Requests under way still need the background tasks, so these are stopped later.
    let background = CancellationToken::new();
    let mut pool = None;
    let mut recorder = None;
    let served = async {
        let state = Box::pin(AppState::start(
            Arc::clone(&config),
            database,
            &tasks,
            background.clone(),
        ))
        .await?;
        pool = Some(state.db.clone());
        recorder = Some(state.recorder.clone());
        let now = clock::now();
        // This week's partitions are there before its first step: made later, they would be in the steps' way.
        if let Err(cause) = storage::partitions::maintain(&database.options(), now).await {
            tracing::warn!(error = ?cause, "partitions not maintained; the default partitions take what comes");
        }
        price_file::load_shipped(&state.db, now).await?;
        let project = storage::projects::ensure_default(&state.db, now).await?;
        state.auth.offer_first_key(&project, now).await?;
        // Where a provider signs people in, nobody else gets in without an account either.
        let accounts_exist = storage::users::count(&state.db).await? > 0 || config.openid.is_some();
        auth::binding_allowed(config.addr, accounts_exist, config.behind_auth_proxy)
            .map_err(anyhow::Error::msg)?;
        if let Some(addr) = config.otlp_grpc_addr.0 {
            auth::binding_allowed(addr, accounts_exist, config.behind_auth_proxy)
                .map_err(anyhow::Error::msg)?;
            answer_grpc(addr, &state, &tasks, shutdown.clone()).await;
        }
        start_periodic_tasks(&state, database.options(), &background);
        let answering = Ready {
            addr: listener.local_addr()?,
            database: database.description(),
        };
        // A dropped receiver is fine.
        ready.send(answering).ok();
        answer(listener, state, shutdown).await
    }
    .await;
    if let Some(recorder) = recorder {
        // Calls under way end now, and while the pipeline still writes.
        recorder.finish().await;
    }
    background.cancel();
    tasks.close();
    let ended = async {
        tasks.wait().await;
        if let Some(pool) = pool {
            pool.close().await;
        }
    };
    if timeout(FLUSH_TIMEOUT, ended).await.is_err() {
        tracing::error!(
            tasks = tasks.len(),
            "background tasks did not end in time; stopping without them"
        );
    }
    served
}

/// Starts what runs beside requests and batches: maintenance, jobs, incidents, detectors, syncs with GitHub, deliveries of alerts.
pub fn start_periodic_tasks(
    state: &AppState,
    options: storage::PgConnectOptions,
    shutdown: &CancellationToken,
) {
    let (audit_retention_days, stopping) = (state.config.audit_retention_days, shutdown.clone());
    state.supervisor.supervise("maintenance", move || {
        maintenance::run(options.clone(), audit_retention_days, stopping.clone())
    });
    let (db, stopping) = (state.db.clone(), shutdown.clone());
    state.supervisor.supervise("day histograms", move || {
        day_histograms::run(db.clone(), stopping.clone())
    });
    let (db, live, stopping) = (state.db.clone(), state.live.clone(), shutdown.clone());
    state.supervisor.supervise("waiting_runs", move || {
        waiting_runs::run(db.clone(), live.clone(), stopping.clone())
    });
    let (db, wake, stopping) = (state.db.clone(), Arc::clone(&state.jobs_wake), shutdown.clone());
    let failures = state.metrics.job_failures.clone();
    state.supervisor.supervise("jobs", move || {
        jobs::run(db.clone(), failures.clone(), Arc::clone(&wake), stopping.clone())
    });
    let (db, wake, stopping) = (state.db.clone(), Arc::clone(&state.alerts.wake), shutdown.clone());
    state.supervisor.supervise("incidents", move || {
        incidents::run(db.clone(), Arc::clone(&wake), stopping.clone())
    });
    let (judge, wake, stopping) = (state.judge(), Arc::clone(&state.detectors.wake), shutdown.clone());
    state.supervisor.supervise("detectors", move || {
        detectors::run(judge.clone(), Arc::clone(&wake), stopping.clone())
    });
    let syncing = github::task::Syncing {
        db: state.db.clone(),
        secrets: state.secrets.clone(),
        outbound: state.outbound.clone(),
    };
    let (wake, stopping) = (Arc::clone(&state.github_wake), shutdown.clone());
    state.supervisor.supervise("github_sync", move || {
        github::task::run(syncing.clone(), Arc::clone(&wake), stopping.clone())
    });
    let inquiries = Inquiries {
        toolbox: state.toolbox(),
        models: state.models.clone(),
    };
    let watching = watcher::Watching {
        toolbox: state.toolbox(),
        origin: state.origin(),
        inquiries_wake: Arc::clone(&state.inquiries_wake),
    };
    let stopping = shutdown.clone();
    state.supervisor.supervise("watcher", move || {
        watcher::run(watching.clone(), stopping.clone())
    });
    let (wake, stopping) = (Arc::clone(&state.inquiries_wake), shutdown.clone());
    state.supervisor.supervise("inquiries", move || {
        inquiries::run(inquiries.clone(), Arc::clone(&wake), stopping.clone())
    });
    let (sender, wake, stopping) = (
        state.sender(),
        Arc::clone(&state.alerts.traces_wake),
        shutdown.clone(),
    );
    state.supervisor.supervise("traces", move || {
        send_traces(sender.clone(), Arc::clone(&wake), stopping.clone())
    });
    for name in analyses::WORKERS {
        let (models, wake, stopping) = (
            state.models.clone(),
            Arc::clone(&state.analyses_wake),
            shutdown.clone(),
        );
        state.supervisor.supervise(name, move || {
            analyses::run(models.clone(), Arc::clone(&wake), stopping.clone())
        });
    }
    let (sender, wake, stopping) = (state.sender(), Arc::clone(&state.alerts.wake), shutdown.clone());
    state.supervisor.supervise("alerts", move || {
        delivery::run(sender.clone(), Arc::clone(&wake), stopping.clone())
    });
}

/// Takes OpenTelemetry over gRPC. Whoever runs a collector beside has that port taken, and is served over HTTP.
async fn answer_grpc(addr: SocketAddr, state: &AppState, tasks: &TaskTracker, shutdown: CancellationToken) {
    match TcpListener::bind(addr).await {
        Ok(listener) => {
            let at = listener.local_addr().unwrap_or(addr);
            tracing::info!(addr = %at, "OpenTelemetry is taken over gRPC");
            tasks.spawn(serving::grpc::serve(listener, state.clone(), shutdown));
        }
        Err(cause) => tracing::warn!(
            %addr,
            %cause,
            "OpenTelemetry is not taken over gRPC; PLUMBLINE_OTLP_GRPC_ADDR names another address, or off"
        ),
    }
}

async fn answer(listener: TcpListener, state: AppState, shutdown: CancellationToken) -> anyhow::Result<()> {
    // An answer that comes in small chunks must not wait for the acknowledgement of each.
    let listener = listener.tap_io(|connection| {
        if let Err(cause) = connection.set_nodelay(true) {
            tracing::debug!(%cause, "a connection is slower than it could be");
        }
    });
    let router = router::router(state.clone(), shutdown.clone());
    let server = serving::serve(listener, state, router, shutdown.clone());
    let patience = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        () = server => Ok(()),
        () = patience => {
            tracing::warn!("requests still under way after {} s are cut", DRAIN_TIMEOUT.as_secs());
            Ok(())
        }
    }
}

/// The command: runs a server until a signal and says where it is.
pub(super) async fn command(config: Config) -> Result<(), Exit> {
    let begun = Instant::now();
    let shutdown = CancellationToken::new();
    let signals = TaskTracker::new();
    signals.spawn(stop_on_signal(shutdown.clone()));
    let banner = Banner::new(&config);
    let (ready, answers) = oneshot::channel();
    signals.spawn(async move {
        if let Ok(ready) = answers.await {
            banner.print(&ready, begun.elapsed());
        }
    });
    Ok(Box::pin(serve(config, shutdown, ready)).await?)
}

/// The first signal stops the server in good order, the second one at once.
async fn stop_on_signal(shutdown: CancellationToken) {
    let listen =
        |kind| signal(kind).inspect_err(|cause| tracing::warn!(%cause, "cannot listen for a signal"));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (
        listen(SignalKind::terminate()),
        listen(SignalKind::interrupt()),
        listen(SignalKind::hangup()),
    ) else {
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        if shutdown.is_cancelled() {
            output::note("stopped at once; a private Postgres runs on until the next start");
            std::process::exit(130);
        }
        output::note("stopping; once more to stop at once");
        shutdown.cancel();
    }
}

/// What people see of a start.
struct Banner {
    data: String,
    public_url: Option<String>,
}

impl Banner {
    fn new(config: &Config) -> Self {
        let data = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
        Self {
            data: data.display().to_string(),
            public_url: config.public_url.clone(),
        }
    }

    fn print(&self, ready: &Ready, took: Duration) {
        let url = self
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", ready.addr));
        output::note(&format!(
            "\n  Plumbline {}\n  dashboard  {url}\n  data       {}\n  database   {}\n  ready in   {:.1} s\n",
            env!("CARGO_PKG_VERSION"),
            self.data,
            ready.database,
            took.as_secs_f64()
        ));
    }
}
