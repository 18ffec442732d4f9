//! What an open page listens to: a stream of server-sent events, as many as a viewer needs and the server can hold.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use domain::ProjectId;
use futures::stream::{Stream, StreamExt as _};
use serde::Deserialize;
use storage::live::ChangeEvent;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::LiveHub;
use super::changes::Subscription;
use crate::auth::Auth;
use crate::error::{HttpError, HttpResult};
use crate::metrics::Metrics;
use crate::read_limits::{Reader, reader_at};

/// A stream ends after this time and the page opens another, which checks again who is asking.
const MAX_STREAM_AGE: Duration = Duration::from_secs(600);
/// Streams of one viewer at a time: a page has one, and a browser opens six connections to a host.
const MAX_PER_VIEWER: usize = 12;
/// Streams in all.
const MAX_IN_ALL: usize = 2_000;
/// How long a page that gave way to a newer one waits before it connects again.
const RECONNECT_LATER: Duration = Duration::from_secs(30);

/// What a page subscribes to, or a program.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// Changes of this run alone.
    run: Option<String>,
    /// After which change it was rendered: the id of the last event it received, or what the page came with. Whether
    /// something has changed since is then the first event.
    since: Option<String>,
}

/// `GET /live/{slug}?run=&since=`: `gap` when what it shows may have changed since then, `hello`, then `run` with
/// `{"run_id"}` for each run that changed, `incidents` when those did, or `gap` when anything may have.
pub async fn events(
    State(auth): State<Auth>,
    State(live): State<LiveHub>,
    Extension(viewer): Extension<app::Viewer>,
    Path(slug): Path<String>,
    Query(query): Query<LiveQuery>,
    request: Request,
) -> HttpResult<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let project = viewer
        .project(&slug)
        .map(|(project, _)| project.id)
        .ok_or_else(|| HttpError::not_found("project"))?;
    let reader = match &viewer.user {
        Some(user) => Reader::User(user.id),
        None => reader_at(&auth, request).await.0,
    };
    changes_of(&live, project, reader, query)
}

/// What changes in a project from now on, for one reader.
pub fn changes_of(
    live: &LiveHub,
    project: ProjectId,
    reader: Reader,
    query: LiveQuery,
) -> HttpResult<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let stream = OpenStreams::open(&live.streams, reader, Arc::clone(&live.metrics))
        .ok_or_else(|| HttpError::overloaded("Too many pages listen for changes; try again in a moment"))?;
    let gives_way = stream.gives_way.clone();
    let changes = live.changes.clone();
    let since = query.since.as_deref().map(|since| since.parse().ok());
    let Subscription {
        receiver,
        position,
        has_missed,
    } = changes.subscribe_since(since.flatten(), project, query.run.as_deref());
    // Who says nothing of what it knows is told nothing of it.
    let missed = (has_missed && since.is_some()).then(|| Event::default().event("gap").data("{}"));
    let hello = Event::default()
        .event("hello")
        .id(position.to_string())
        .data("{}");
    let first = futures::stream::iter(missed.into_iter().chain([hello]));
    // Access may just have been revoked: the page reconnects and is checked again.
    let received = BroadcastStream::new(receiver).take_while(|received| {
        let is_access = received
            .as_ref()
            .is_ok_and(|numbered| numbered.change == ChangeEvent::Access);
        futures::future::ready(!is_access)
    });
    let events = received.flat_map(move |received| {
        let _held_open = &stream;
        let (change, id) = match received {
            Ok(numbered) => {
                let id = changes.position_of(numbered.number()).to_string();
                (numbered.change, Some(id))
            }
            Err(_lagged) => (ChangeEvent::Gap, None),
        };
        let events = events_of(change, project, query.run.as_deref());
        futures::stream::iter(events.into_iter().map(move |event| match &id {
            Some(id) => event.id(id),
            None => event,
        }))
    });
    let given_way = gives_way.clone();
    // Browsers connect again at once where nothing says when.
    let later = futures::stream::once(async move {
        given_way
            .is_cancelled()
            .then(|| Event::default().retry(RECONNECT_LATER))
    })
    .filter_map(futures::future::ready);
    let shutdown = live.shutdown.clone();
    let end = async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = gives_way.cancelled() => {}
            () = tokio::time::sleep(MAX_STREAM_AGE) => {}
        }
    };
    let stream = first.chain(events).take_until(end).chain(later).map(Ok);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Counts a stream of something else among those that are open. It ends when it gives way to a newer one of its reader.
pub fn among_open<S: Stream>(
    live: &LiveHub,
    reader: Reader,
    events: S,
) -> HttpResult<impl Stream<Item = S::Item> + use<S>> {
    let stream = OpenStreams::open(&live.streams, reader, Arc::clone(&live.metrics))
        .ok_or_else(|| HttpError::overloaded("Too many streams are open; try again in a moment"))?;
    let gives_way = stream.gives_way.clone();
    let events = events.map(move |event| {
        let _held_open = &stream;
        event
    });
    Ok(events.take_until(gives_way.cancelled_owned()))
}

fn events_of(change: ChangeEvent, project: ProjectId, run: Option<&str>) -> Vec<Event> {
    match change {
        ChangeEvent::Access | ChangeEvent::Jobs | ChangeEvent::Prices | ChangeEvent::Settings(_) => {
            Vec::new()
        }
        ChangeEvent::Gap => vec![Event::default().event("gap").data("{}")],
        ChangeEvent::Incidents(of_project) if of_project == project && run.is_none() => {
            vec![Event::default().event("incidents").data("{}")]
        }
        ChangeEvent::Incidents(_) => Vec::new(),
        ChangeEvent::Runs {
            project: of_project, ..
        } if of_project != project => Vec::new(),
        ChangeEvent::Runs { run_ids, .. } => run_ids
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

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct OpenStreams(Mutex<ByViewer>);

#[derive(Debug, Default)]
struct ByViewer {
    count: usize,
    /// Oldest first.
    streams: BTreeMap<Reader, VecDeque<(u64, CancellationToken)>>,
    next_id: u64,
}

/// An open stream, counted for as long as it lives.
#[derive(Debug)]
struct OpenStream {
    streams: Arc<OpenStreams>,
    reader: Reader,
    id: u64,
    /// A newer one of the same viewer takes its place.
    gives_way: CancellationToken,
    metrics: Arc<Metrics>,
}

impl OpenStreams {
    /// A viewer's new stream takes the place of their oldest where they have too many, or all together have; `None` where
    /// all have too many and this viewer none.
    fn open(streams: &Arc<Self>, reader: Reader, metrics: Arc<Metrics>) -> Option<OpenStream> {
        let mut open = streams.locked();
        let is_full = open.count >= MAX_IN_ALL;
        let own = open.streams.entry(reader).or_default();
        if is_full || own.len() >= MAX_PER_VIEWER {
            match own.pop_front() {
                Some((_, oldest)) => {
                    oldest.cancel();
                    metrics.closed_live_connections.inc();
                    open.count -= 1;
                }
                None => {
                    open.streams.remove(&reader);
                    return None;
                }
            }
        }
        let id = open.next_id;
        open.next_id += 1;
        open.count += 1;
        let gives_way = CancellationToken::new();
        let own = open.streams.entry(reader).or_default();
        own.push_back((id, gives_way.clone()));
        metrics.live_connections.inc();
        Some(OpenStream {
            streams: Arc::clone(streams),
            reader,
            id,
            gives_way,
            metrics,
        })
    }

    fn locked(&self) -> MutexGuard<'_, ByViewer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.locked();
        if let Some(own) = open.streams.get_mut(&self.reader) {
            let before = own.len();
            own.retain(|(id, _)| *id != self.id);
            let removed = before - own.len();
            if own.is_empty() {
                open.streams.remove(&self.reader);
            }
            open.count -= removed;
        }
        self.metrics.live_connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewers_newest_streams_stay_and_nobody_elses_end() {
        let (streams, metrics) = (Arc::<OpenStreams>::default(), Arc::<Metrics>::default());
        let open = |n: u8| OpenStreams::open(&streams, Reader::Key([n; 32]), Arc::clone(&metrics));
        let other = open(2).unwrap();
        let own: Vec<OpenStream> = (0..MAX_PER_VIEWER + 3).map(|_| open(1).unwrap()).collect();
        let closed = own
            .iter()
            .filter(|stream| stream.gives_way.is_cancelled())
            .count();
        assert_eq!(closed, 3);
        assert!(own[..3].iter().all(|stream| stream.gives_way.is_cancelled()));
        assert!(!other.gives_way.is_cancelled());
        assert_eq!(streams.locked().count, MAX_PER_VIEWER + 1);
        drop((own, other));
        assert_eq!(streams.locked().count, 0);
        assert!(streams.locked().streams.is_empty());
        assert_eq!(metrics.live_connections.get(), 0);
    }

    #[test]
    fn where_all_are_too_many_only_a_viewers_own_gives_way() {
        let (streams, metrics) = (Arc::<OpenStreams>::default(), Arc::<Metrics>::default());
        let viewer = |n: usize| Reader::Network(std::net::Ipv4Addr::from_bits(n as u32).into());
        let open = |n: usize| OpenStreams::open(&streams, viewer(n), Arc::clone(&metrics));
        let all: Vec<OpenStream> = (0..MAX_IN_ALL).map(|n| open(n / 10).unwrap()).collect();
        assert!(open(MAX_IN_ALL).is_none());
        let newer = open(0).unwrap();
        assert!(all[0].gives_way.is_cancelled());
        assert_eq!(streams.locked().count, MAX_IN_ALL);
        drop((all, newer));
        assert_eq!(streams.locked().count, 0);
    }
}
