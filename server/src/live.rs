//! News for open pages: which runs changed. Batches publish, every server process hears it through the database,
//! and each open page gets what concerns it as server-sent events. A page then reads again; nothing else travels.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use domain::ProjectId;
use futures::stream::{Stream, StreamExt as _};
use serde::Deserialize;
use storage::live::{Listener, News};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::auth::Auth;
use crate::error::{HttpError, HttpResult};
use crate::metrics::Metrics;
use crate::pipeline::Memory;
use crate::state::AppState;

/// How long changes gather before they are told: one message instead of one per batch.
const GATHER: Duration = Duration::from_millis(100);
/// A connection ends after this time and the page opens another, which checks again who is asking.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

type Changed = BTreeMap<ProjectId, BTreeSet<String>>;

/// Where batches publish and pages subscribe.
#[derive(Clone, Debug)]
pub struct LiveHub {
    changed: mpsc::Sender<Changed>,
    news: broadcast::Sender<News>,
    shutdown: CancellationToken,
}

impl LiveHub {
    /// Starts the two tasks: one tells the database, one hears it.
    pub fn start(
        db: storage::Db,
        options: storage::PgConnectOptions,
        auth: Auth,
        memory: Memory,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Self {
        let (changed, receiver) = mpsc::channel(1_024);
        let (news, _) = broadcast::channel(4_096);
        let origin = Uuid::now_v7();
        tasks.spawn(tell(db, origin, receiver, shutdown.clone()));
        let ear = Ear {
            options,
            auth,
            memory,
            origin,
            news: news.clone(),
        };
        tasks.spawn(hear(ear, shutdown.clone()));
        Self {
            changed,
            news,
            shutdown: shutdown.clone(),
        }
    }

    /// Says that runs changed. Never waits: when the teller can't keep up, pages learn of it with the next change.
    pub fn publish(&self, changed: Changed) {
        if !changed.is_empty() && self.changed.try_send(changed).is_err() {
            tracing::debug!("live news dropped: the teller is behind");
        }
    }
}

async fn tell(
    db: storage::Db,
    origin: Uuid,
    mut receiver: mpsc::Receiver<Changed>,
    shutdown: CancellationToken,
) {
    loop {
        let first = tokio::select! {
            changed = receiver.recv() => changed,
            () = shutdown.cancelled() => None,
        };
        let Some(mut gathered) = first else { return };
        tokio::time::sleep(GATHER).await;
        while let Ok(more) = receiver.try_recv() {
            for (project, run_ids) in more {
                gathered.entry(project).or_default().extend(run_ids);
            }
        }
        for (project, run_ids) in &gathered {
            let run_ids: Vec<&str> = run_ids.iter().map(String::as_str).collect();
            if let Err(cause) = storage::live::notify_runs(&db, origin, *project, &run_ids).await {
                tracing::debug!(error = ?cause, "live news not told");
            }
        }
    }
}

/// What hears the news, and what it makes of it before pages do.
struct Ear {
    options: storage::PgConnectOptions,
    auth: Auth,
    memory: Memory,
    origin: Uuid,
    news: broadcast::Sender<News>,
}

async fn hear(ear: Ear, shutdown: CancellationToken) {
    loop {
        let ended = tokio::select! {
            Err(cause) = ear.hear_until_lost() => cause,
            () = shutdown.cancelled() => return,
        };
        tracing::warn!(error = ?ended, "live news interrupted; listening again in a second");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

impl Ear {
    async fn hear_until_lost(&self) -> storage::Result<Infallible> {
        let mut listener = Listener::connect(&self.options).await?;
        // Whatever was said while nobody listened is lost: everybody reads again.
        let mut heard = News::Gap;
        loop {
            self.take_note(&heard);
            // Without subscribers there is nobody to tell.
            let _nobody = self.news.send(heard);
            heard = listener.next().await?;
        }
    }

    /// Makes what this process remembers void where it no longer holds.
    fn take_note(&self, heard: &News) {
        match heard {
            News::Gap => {
                self.auth.forget();
                self.memory.forget_all();
            }
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
    let heard = tokio_stream::wrappers::BroadcastStream::new(state.live.news.subscribe());
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
        News::Access | News::Prices | News::Settings(_) => Vec::new(),
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
        metrics.live_connections.up();
        Self(metrics)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.live_connections.down();
    }
}
