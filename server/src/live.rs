//! News for open pages: which runs changed. Batches publish, every server process hears it through the database,
//! and each open page gets what concerns it as server-sent events. A page then reads again; nothing else travels.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use domain::ProjectId;
use futures::stream::{Stream, StreamExt as _};
use serde::Deserialize;
use storage::live::{Listener, News};
use tokio::sync::{Mutex, Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::Auth;
use crate::error::{HttpError, HttpResult};
use crate::metrics::Metrics;
use crate::pipeline::Memory;
use crate::state::AppState;
use crate::supervise::Supervisor;

/// How long changes gather before they are told: one message instead of one per batch.
const GATHER: Duration = Duration::from_millis(100);
/// How often it is tried to tell other processes that they missed a change.
const NOTIFY_RETRY: Duration = Duration::from_secs(1);
/// A connection ends after this time and the page opens another, which checks again who is asking.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

type Changed = BTreeMap<ProjectId, BTreeSet<String>>;

/// Where batches publish and pages subscribe.
#[derive(Clone, Debug)]
pub struct LiveHub {
    changed: mpsc::Sender<Changed>,
    news: broadcast::Sender<News>,
    missed: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl LiveHub {
    /// Starts the two tasks: one notifies the database, one listens to it.
    pub fn start(
        db: storage::Db,
        listener: ChangeListener,
        supervisor: &Supervisor,
        shutdown: &CancellationToken,
    ) -> Self {
        let (changed, receiver) = mpsc::channel(1_024);
        let news = listener.news.clone();
        let notifier = Notifier {
            db,
            origin: listener.origin,
            news: news.clone(),
            receiver: Arc::new(Mutex::new(receiver)),
            missed: Arc::default(),
            shutdown: shutdown.clone(),
        };
        let missed = Arc::clone(&notifier.missed);
        supervisor.supervise("notifier", move || notifier.clone().run());
        let listening = shutdown.clone();
        supervisor.supervise("listener", move || listener.clone().run(listening.clone()));
        Self {
            changed,
            news,
            missed,
            shutdown: shutdown.clone(),
        }
    }

    /// What this process hears from now on, after it has dropped what no longer holds.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Says that runs changed. Never waits: when the notifier can't keep up, pages read everything again.
    pub fn publish(&self, changed: Changed) {
        if !changed.is_empty() && self.changed.try_send(changed).is_err() {
            note_missed(&self.missed, &self.news);
        }
    }
}

/// A change could not be told: the pages of this process read again at once, those of all others as soon as the
/// database takes notifications.
fn note_missed(missed: &AtomicBool, news: &broadcast::Sender<News>) {
    tracing::debug!("changes were not notified; pages read everything again");
    missed.store(true, Ordering::Release);
    // Without subscribers there is nobody to tell.
    let _nobody = news.send(News::Gap);
}

/// Tells every process which runs changed.
#[derive(Clone)]
struct Notifier {
    db: storage::Db,
    origin: Uuid,
    news: broadcast::Sender<News>,
    receiver: Arc<Mutex<mpsc::Receiver<Changed>>>,
    /// Some change was not told.
    missed: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl Notifier {
    async fn run(self) {
        let mut receiver = self.receiver.lock().await;
        loop {
            let missed = self.missed.load(Ordering::Acquire);
            tokio::select! {
                changed = receiver.recv() => {
                    let Some(mut gathered) = changed else { return };
                    // Counts as missed until it is told, whatever becomes of this task.
                    let told = Untold::new(&self);
                    tokio::time::sleep(GATHER).await;
                    while let Ok(more) = receiver.try_recv() {
                        for (project, run_ids) in more {
                            gathered.entry(project).or_default().extend(run_ids);
                        }
                    }
                    if self.notify(&gathered).await.is_ok() {
                        told.done();
                    }
                }
                () = tokio::time::sleep(NOTIFY_RETRY), if missed => {
                    if storage::live::notify_gap(&self.db).await.is_ok() {
                        self.missed.store(false, Ordering::Release);
                    }
                }
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    async fn notify(&self, gathered: &Changed) -> storage::Result<()> {
        for (project, run_ids) in gathered {
            let run_ids: Vec<&str> = run_ids.iter().map(String::as_str).collect();
            storage::live::notify_runs(&self.db, self.origin, *project, &run_ids).await?;
        }
        Ok(())
    }
}

/// Changes that are being told. Dropped before they are, they have been missed.
struct Untold<'a>(Option<&'a Notifier>);

impl<'a> Untold<'a> {
    fn new(notifier: &'a Notifier) -> Self {
        Self(Some(notifier))
    }

    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        if let Some(notifier) = self.0 {
            note_missed(&notifier.missed, &notifier.news);
        }
    }
}

/// Listens to what other processes and this one notify, and drops what no longer holds before pages hear of it.
#[derive(Clone)]
pub struct ChangeListener {
    options: storage::PgConnectOptions,
    auth: Auth,
    memory: Memory,
    jobs_wake: Arc<Notify>,
    origin: Uuid,
    news: broadcast::Sender<News>,
}

impl ChangeListener {
    /// Listens to nothing yet. `jobs_wake` is notified when there may be a job to run.
    pub fn new(
        options: storage::PgConnectOptions,
        auth: Auth,
        memory: Memory,
        jobs_wake: Arc<Notify>,
    ) -> Self {
        let (news, _) = broadcast::channel(4_096);
        Self {
            options,
            auth,
            memory,
            jobs_wake,
            origin: Uuid::now_v7(),
            news,
        }
    }

    async fn run(self, shutdown: CancellationToken) {
        loop {
            let ended = tokio::select! {
                Err(cause) = self.listen_until_lost() => cause,
                () = shutdown.cancelled() => return,
            };
            tracing::warn!(error = ?ended, "live news interrupted; listening again in a second");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn listen_until_lost(&self) -> storage::Result<Infallible> {
        let mut listener = Listener::connect(&self.options).await?;
        // Whatever was said while nobody listened is lost: everybody reads again.
        let mut heard = News::Gap;
        loop {
            self.invalidate(&heard);
            // Without subscribers there is nobody to tell.
            let _nobody = self.news.send(heard);
            heard = listener.next().await?;
        }
    }

    /// Makes what this process remembers void where it no longer holds.
    fn invalidate(&self, heard: &News) {
        match heard {
            News::Gap => {
                self.auth.forget();
                self.memory.forget_all();
                self.jobs_wake.notify_one();
            }
            News::Jobs => self.jobs_wake.notify_one(),
            News::Access => self.auth.forget(),
            News::Settings(project) => self.memory.forget(*project),
            News::Prices => self.memory.prices.forget_all(),
            News::Runs { origin, project, .. } if *origin != self.origin => {
                self.memory.scoring.ask_for_news(*project)
            }
            News::Runs { .. } => {}
        }
    }
}

/// What a page wants to hear of.
#[derive(Debug, Deserialize)]
pub struct LiveQuery {
    run: Option<String>,
}

/// `GET /live/{slug}?run=`: `hello` once, then `run` with `{"run_id"}` for each run that changed, or `gap` when
/// anything may have.
pub async fn events(
    State(state): State<AppState>,
    Extension(viewer): Extension<app::Viewer>,
    Path(slug): Path<String>,
    Query(query): Query<LiveQuery>,
) -> HttpResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let project = viewer
        .project(&slug)
        .map(|(project, _)| project.id)
        .ok_or_else(|| HttpError::not_found("project"))?;
    let connection = Connection::open(Arc::clone(&state.metrics));
    let heard = tokio_stream::wrappers::BroadcastStream::new(state.live.subscribe());
    // Somebody may just have lost their access: the page connects again and is checked again.
    let heard = heard.take_while(|news| futures::future::ready(!matches!(news, Ok(News::Access))));
    let events = heard.flat_map(move |news| {
        let _held_open = &connection;
        futures::stream::iter(events_of(
            news.unwrap_or(News::Gap),
            project,
            query.run.as_deref(),
        ))
    });
    let hello = futures::stream::iter([Event::default().event("hello").data("{}")]);
    let end = {
        let shutdown = state.live.shutdown.clone();
        async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(CONNECTION_LIFE) => {}
            }
        }
    };
    let stream = hello.chain(events).map(Ok).take_until(end);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn events_of(news: News, project: ProjectId, run: Option<&str>) -> Vec<Event> {
    match news {
        News::Access | News::Jobs | News::Prices | News::Settings(_) => Vec::new(),
        News::Gap => vec![Event::default().event("gap").data("{}")],
        News::Runs {
            project: of_project, ..
        } if of_project != project => Vec::new(),
        News::Runs { run_ids, .. } => run_ids
            .iter()
            .filter(|run_id| run.is_none_or(|run| run == *run_id))
            .map(|run_id| {
                Event::default()
                    .event("run")
                    .data(serde_json::json!({ "run_id": run_id }).to_string())
            })
            .collect(),
    }
}

/// Counts an open connection for as long as it lives.
struct Connection(Arc<Metrics>);

impl Connection {
    fn open(metrics: Arc<Metrics>) -> Self {
        metrics.live_connections.inc();
        Self(metrics)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.live_connections.dec();
    }
}
