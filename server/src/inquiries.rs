//! Inquiries: an incident that is investigated, a question that is asked in a chat. A model answers them by looking things
//! up, in rounds; each look-up and each thing it says is stored as it happens, for readers that come late and for the
//! process that goes on after a restart.
//!
//! **Invariants:** one process works at an inquiry at a time, by a lease that ends by itself. A model only ever reads, and
//! only of the inquiry's own project.

mod agent;
pub(crate) mod answer;
pub(crate) mod bill;
mod chat;
mod conversation;
mod investigation;
mod refusal;
pub(crate) mod stream;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use domain::{InquiryEventKind, WorkState};
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};
use storage::inquiries::{self, Subject, Taken};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::models::{ModelError, Models};
use crate::tools::Toolbox;

pub(crate) use refusal::refusal;
pub(crate) use verdict::of_rules as verdict_of_rules;

/// How often it is looked whether an inquiry waits, should nobody have told.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How long a lease is, in microseconds, and how often it is renewed.
const LEASE_MICROS: i64 = 45_000_000;
const RENEW_INTERVAL: Duration = Duration::from_secs(15);
/// Inquiries that one process works at at a time. Most of the time they wait for models; a project has few of them, so that
/// providers that hang keep no place from others.
const AT_A_TIME: usize = 16;
/// How often an inquiry is begun before it is given up: each time its process died.
const MAX_ATTEMPTS: u32 = 5;

/// What working at inquiries needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inquiries {
    pub toolbox: Toolbox,
    pub models: Models,
}

/// Why an inquiry is not worked at any more.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// It was deleted, or another process has taken over.
    #[error("the lease is lost")]
    LeaseLost,
    #[error(transparent)]
    Database(#[from] storage::Error),
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is nothing to answer it from, in words for people.
    #[error("{0}")]
    Impossible(String),
}

/// Writes down what happens in one inquiry.
struct Journal<'a> {
    inquiries: &'a Inquiries,
    taken: &'a Taken,
}

impl Journal<'_> {
    async fn note(&self, kind: InquiryEventKind, data: Value) -> Result<(), Stop> {
        let db = &self.inquiries.toolbox.db;
        // Text of elsewhere may have what the database can't keep.
        let data = agent::without_nul(data);
        if !inquiries::add_event(db, self.taken, kind, &data, clock::now()).await? {
            return Err(Stop::LeaseLost);
        }
        tell(db, self.taken).await;
        Ok(())
    }

    /// Something that we say, and no model.
    async fn remark(&self, round: u32, text: &str) -> Result<(), Stop> {
        self.note(
            InquiryEventKind::Text,
            json!({ "round": round, "text": text, "by": "plumbline" }),
        )
        .await
    }
}

/// Open pages read again.
async fn tell(db: &storage::Db, taken: &Taken) {
    if let Err(cause) = storage::live::notify_incidents(db, taken.project_id).await {
        tracing::debug!(error = ?cause, "an inquiry went on, and open pages could not be told");
    }
}

/// Works at inquiries until `shutdown`, after which another process goes on at once. `wake` is notified when one may wait.
pub async fn run(inquiries: Inquiries, wake: Arc<Notify>, shutdown: CancellationToken) {
    let mut working = FuturesUnordered::new();
    loop {
        while working.len() < AT_A_TIME && !shutdown.is_cancelled() {
            let now = clock::now();
            match inquiries::take(&inquiries.toolbox.db, now, now.plus_micros(LEASE_MICROS)).await {
                Ok(Some(taken)) => working.push(inquiries.work(taken, &shutdown)),
                Ok(None) => break,
                Err(cause) => {
                    tracing::warn!(error = ?cause, "inquiries are not looked at: the database does not answer");
                    break;
                }
            }
        }
        tokio::select! {
            biased;
            Some(()) = working.next() => {}
            () = shutdown.cancelled(), if working.is_empty() => return,
            () = wake.notified(), if working.len() < AT_A_TIME => {}
            () = sleep(POLL_INTERVAL) => {}
        }
    }
}

impl Inquiries {
    /// Works at one inquiry until it is over, the lease is lost or `shutdown`.
    async fn work(&self, taken: Taken, shutdown: &CancellationToken) {
        let db = &self.toolbox.db;
        let journal = Journal {
            inquiries: self,
            taken: &taken,
        };
        let ended = tokio::select! {
            biased;
            ended = Box::pin(self.answer(&journal)) => ended,
            lost = keep_lease(db, &taken) => Err(lost),
            () = shutdown.cancelled() => {
                self.finish(&taken, WorkState::Queued).await;
                return;
            }
        };
        let (state, error) = match ended {
            Ok(()) => (WorkState::Done, None),
            Err(Stop::LeaseLost) => return,
            Err(Stop::Model(cause)) => (cause.state(), Some(cause.to_string())),
            Err(Stop::Impossible(words)) => (WorkState::Failed, Some(words)),
            // The lease ends, and whoever is free then goes on.
            Err(Stop::Database(cause)) => {
                tracing::warn!(project.id = %taken.project_id, inquiry.id = %taken.inquiry.id, error = ?cause, "an inquiry has to wait: the database does not answer");
                return;
            }
        };
        if let Some(message) = error {
            tracing::info!(project.id = %taken.project_id, inquiry.id = %taken.inquiry.id, message, "an inquiry ended without an answer");
            if let Err(cause) = journal
                .note(InquiryEventKind::Error, json!({ "message": message }))
                .await
            {
                tracing::warn!(error = %cause, "why an inquiry ended could not be noted");
            }
        }
        self.finish(&taken, state).await;
    }

    async fn answer(&self, journal: &Journal<'_>) -> Result<(), Stop> {
        let taken = journal.taken;
        if taken.inquiry.attempts > MAX_ATTEMPTS {
            return Err(Stop::Impossible(
                "The server stopped several times while it worked at this; ask again".to_owned(),
            ));
        }
        match &taken.inquiry.subject {
            Subject::Incident(incident) => investigation::investigate(self, journal, *incident).await,
            Subject::Chat { chat_id, question } => chat::reply(self, journal, *chat_id, question).await,
        }
    }

    async fn finish(&self, taken: &Taken, state: WorkState) {
        let db = &self.toolbox.db;
        if let Err(cause) = inquiries::finish(db, taken, state, clock::now()).await {
            tracing::warn!(inquiry.id = %taken.inquiry.id, error = ?cause, "how an inquiry ended could not be noted; its lease ends by itself");
        }
        tell(db, taken).await;
    }
}

/// Renews the lease for as long as it is waited for; returns why it can't.
async fn keep_lease(db: &storage::Db, taken: &Taken) -> Stop {
    loop {
        sleep(RENEW_INTERVAL).await;
        match inquiries::keep(db, taken, clock::now().plus_micros(LEASE_MICROS)).await {
            Ok(true) => {}
            Ok(false) => return Stop::LeaseLost,
            // The next renewal may come in time.
            Err(cause) => tracing::debug!(error = ?cause, "the lease of an inquiry is not renewed"),
        }
    }
}
