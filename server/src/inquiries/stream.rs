//! What happens in an inquiry as server-sent events, from its beginning on, whenever a reader comes: `tool`, `text`,
//! `verdict`, `error`, and `done` at its end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use domain::{ProjectId, Role, Scope};
use futures::Stream;
use serde_json::json;
use storage::Db;
use storage::inquiries;
use storage::live::ChangeEvent;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::answer::shown;
use crate::auth::Auth;
use crate::error::HttpResult;
use crate::live::{LiveHub, Numbered, among_open};
use crate::read_limits::Reader;

/// How often it is looked for news of which nobody told.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A stream ends after this time, and its reader opens another.
const MAX_AGE: Duration = Duration::from_secs(900);

/// How whoever reads has shown that they may.
pub(crate) struct Asker {
    auth: Auth,
    headers: HeaderMap,
    slug: Option<String>,
    needs: (Scope, Role),
}

impl Asker {
    /// The sender of a request with these headers for this project, which needs such a key or role.
    pub(crate) fn new(auth: &Auth, headers: &HeaderMap, slug: Option<&str>, needs: (Scope, Role)) -> Self {
        Self {
            auth: auth.clone(),
            headers: headers.clone(),
            slug: slug.map(str::to_owned),
            needs,
        }
    }

    /// False where the key was revoked, the person left or was signed out, and where that can't be told.
    async fn may_still_read(&self, project: ProjectId) -> bool {
        let (scope, role) = self.needs;
        let caller = self
            .auth
            .api_caller(&self.headers, self.slug.as_deref(), scope, role)
            .await;
        caller.is_ok_and(|caller| caller.project_id == project)
    }
}

struct Reading {
    db: Db,
    asker: Asker,
    changes: broadcast::Receiver<Numbered>,
    project: ProjectId,
    id: Uuid,
    /// The last event that was read.
    seq: i32,
    ready: VecDeque<Event>,
    is_over: bool,
    begun: Instant,
}

/// Events of an inquiry after event `after`, 0 for all, to a reader, for as long as they may read them.
pub(crate) fn events(
    (db, live): (&Db, &LiveHub),
    (reader, asker): (Reader, Asker),
    project: ProjectId,
    (id, after): (Uuid, i32),
) -> HttpResult<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let reading = Reading {
        db: db.clone(),
        asker,
        changes: live.subscribe(),
        project,
        id,
        seq: after,
        ready: VecDeque::new(),
        is_over: false,
        begun: Instant::now(),
    };
    let stream = futures::stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(event) = reading.ready.pop_front() {
                return Some((Ok::<Event, Infallible>(event), reading));
            }
            if reading.is_over || reading.begun.elapsed() > MAX_AGE {
                return None;
            }
            match reading.look().await {
                Ok(()) if !reading.ready.is_empty() => {}
                Ok(()) => {
                    let may_have_lost_access = reading.wait().await;
                    if may_have_lost_access && !reading.asker.may_still_read(reading.project).await {
                        return None;
                    }
                }
                // Deleted meanwhile.
                Err(storage::Error::NotFound) => return None,
                Err(cause) => {
                    tracing::debug!(error = ?cause, "an inquiry can't be read; its reader comes again");
                    return None;
                }
            }
        }
    });
    let stream = among_open(live, reader, stream)?;
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Reading {
    /// Waits until somebody who works at an inquiry of the project tells of news, or for a while. Returns whether keys,
    /// members or sessions may have changed.
    async fn wait(&mut self) -> bool {
        let project = self.project;
        let changes = &mut self.changes;
        let told = async move {
            loop {
                match changes.recv().await {
                    Ok(Numbered {
                        change: ChangeEvent::Incidents(of_project),
                        ..
                    }) if of_project == project => return false,
                    Ok(Numbered {
                        change: ChangeEvent::Access | ChangeEvent::Gap,
                        ..
                    })
                    | Err(RecvError::Lagged(_)) => return true,
                    Ok(_) => {}
                    // Nobody tells any more.
                    Err(RecvError::Closed) => std::future::pending::<()>().await,
                }
            }
        };
        tokio::select! {
            may_have_lost_access = told => may_have_lost_access,
            () = sleep(LOOK_INTERVAL) => false,
        }
    }

    /// Reads what has happened since. The state is read first and the events after it in the same snapshot, so that none is
    /// missed before `done`.
    async fn look(&mut self) -> storage::Result<()> {
        let mut snapshot = self.db.snapshot(self.project).await?;
        let inquiry = inquiries::get(&mut snapshot, self.project, self.id).await?;
        let news = inquiries::shown_events(&mut snapshot, self.project, self.id, self.seq).await?;
        for event in &news {
            self.seq = event.seq;
            let sent = Event::default()
                .id(event.seq.to_string())
                .event(event.kind.as_str())
                .data(shown(event).to_string());
            self.ready.push_back(sent);
        }
        if inquiry.state.is_over() {
            self.is_over = true;
            let data = json!({ "id": inquiry.id, "state": inquiry.state, "model": inquiry.model,
                "cost_usd": inquiry.cost.map(domain::NanoUsd::to_decimal) });
            self.ready
                .push_back(Event::default().event("done").data(data.to_string()));
        }
        Ok(())
    }
}
