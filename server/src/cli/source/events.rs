//! Which runs change, as it happens: told by the database, or by a server's stream of events.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use domain::ProjectId;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use storage::live::{ChangeEvent, Listener};
use tokio::time::{sleep, timeout};

use super::answered;
use super::remote::Remote;
use crate::cli::Exit;

/// A stream sends something every 15 seconds; one that is silent for longer is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long to wait before connecting again: at once after the first loss, then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest event: run ids are short.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Change {
    /// This run.
    Run(String),
    /// Any run may have.
    Gap,
}

/// Where changes are heard of.
pub(in crate::cli) enum Changes {
    Local(LocalChanges),
    Remote(RemoteChanges),
}

impl Changes {
    /// The next change; waits for it.
    pub(in crate::cli) async fn next(&mut self) -> Result<Change, Exit> {
        match self {
            Self::Local(changes) => changes.next().await,
            Self::Remote(changes) => changes.next().await,
        }
    }

    /// The next of those that were heard already.
    pub(in crate::cli) fn ready(&mut self) -> Option<Change> {
        match self {
            Self::Local(changes) => changes.heard.pop_front(),
            Self::Remote(changes) => changes.heard(),
        }
    }
}

/// Notifications of the database.
pub(in crate::cli) struct LocalChanges {
    listener: Listener,
    project: ProjectId,
    heard: VecDeque<Change>,
}

impl LocalChanges {
    pub(super) fn new(listener: Listener, project: ProjectId) -> Self {
        Self {
            listener,
            project,
            heard: VecDeque::new(),
        }
    }

    async fn next(&mut self) -> Result<Change, Exit> {
        loop {
            if let Some(change) = self.heard.pop_front() {
                return Ok(change);
            }
            match self.listener.next().await? {
                ChangeEvent::Runs { project, run_ids, .. } if project == self.project => {
                    self.heard.extend(run_ids.into_iter().map(Change::Run));
                }
                ChangeEvent::Gap => return Ok(Change::Gap),
                _ => {}
            }
        }
    }
}

/// The stream of a server, opened again whenever it ends.
pub(in crate::cli) struct RemoteChanges {
    remote: Remote,
    stream: Option<Incoming>,
    events: Events,
    /// The id of the last event.
    since: Option<String>,
    wait: Duration,
}

impl RemoteChanges {
    pub(super) async fn connect(remote: Remote) -> Result<Self, Exit> {
        let mut changes = Self {
            remote,
            stream: None,
            events: Events::default(),
            since: None,
            wait: FIRST_WAIT,
        };
        changes.open().await?;
        Ok(changes)
    }

    async fn open(&mut self) -> Result<(), Exit> {
        let since = self.since.as_deref().map(|since| ("since", since));
        let target = match domain::filter::encode_query(since) {
            query if query.is_empty() => "/api/live".to_owned(),
            query => format!("/api/live?{query}"),
        };
        let response = self.remote.send(&target, "text/event-stream").await?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = response.into_body().collect().await?.to_bytes();
            return answered(status, &body).map(|_| ());
        }
        self.events = Events::default();
        self.stream = Some(response.into_body());
        Ok(())
    }

    /// The next change out of what was received.
    fn heard(&mut self) -> Option<Change> {
        while let Some(event) = self.events.next() {
            if event.id.is_some() {
                self.since = event.id;
            }
            match event.name.as_str() {
                "hello" => self.wait = FIRST_WAIT,
                "gap" => return Some(Change::Gap),
                "run" => {
                    if let Ok(run) = serde_json::from_str::<ChangedRun>(&event.data) {
                        return Some(Change::Run(run.run_id));
                    }
                }
                _ => {}
            }
        }
        None
    }

    async fn next(&mut self) -> Result<Change, Exit> {
        loop {
            if let Some(change) = self.heard() {
                return Ok(change);
            }
            if !self.more().await {
                self.stream = None;
                sleep(self.wait).await;
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
                match self.open().await {
                    // It restarts, or the network is away: what was missed comes as a gap.
                    Err(Exit::Failed(_)) | Ok(()) => {}
                    Err(refused) => return Err(refused),
                }
            }
        }
    }

    /// Reads some more of the stream; false when there is none.
    async fn more(&mut self) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        match timeout(SILENCE, stream.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.events.push(&data);
                }
                self.events.unread.len() <= MAX_EVENT_BYTES
            }
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct ChangedRun {
    run_id: String,
}

/// Server-sent events out of the bytes of a stream.
#[derive(Debug, Default)]
struct Events {
    unread: BytesMut,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
    id: Option<String>,
}

impl Events {
    fn push(&mut self, bytes: &Bytes) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next event that is whole. Comments are none.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.unread.windows(2).position(|pair| pair == b"\n\n")?;
            let text = self.unread.split_to(end + 2);
            let mut event = Event::default();
            for line in String::from_utf8_lossy(&text).lines() {
                let Some((field, value)) = line.split_once(':') else {
                    continue;
                };
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => event.name = value.to_owned(),
                    "data" => event.data.push_str(value),
                    "id" => event.id = Some(value.to_owned()),
                    _ => {}
                }
            }
            if !event.name.is_empty() {
                return Some(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_of_a_stream_however_it_is_cut() {
        let stream = b"event: hello\nid: 7-1\ndata: {}\n\n:\n\nevent: run\nid: 7-2\ndata: {\"run_id\":\"a: b\"}\n\nevent: r";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                events.push(&Bytes::copy_from_slice(part));
                found.extend(std::iter::from_fn(|| events.next()));
            }
            let names: Vec<_> = found.iter().map(|event| event.name.as_str()).collect();
            assert_eq!(names, ["hello", "run"], "{cut}");
            assert_eq!(found[1].data, "{\"run_id\":\"a: b\"}");
            assert_eq!(found[1].id.as_deref(), Some("7-2"));
        }
    }
}
