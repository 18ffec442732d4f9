//! A reservation for as long as its call goes on: whoever gives the call up leaves nothing reserved that was not sent.

use std::sync::atomic::{AtomicU8, Ordering};

use domain::{ProjectId, Timestamp};
use storage::Db;
use storage::models::{Reservation, Spent};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Nothing of it has reached the provider, or what did was refused.
const NOT_SENT: u8 = 0;
/// The provider may be at it.
const SENT: u8 = 1;
/// Nothing is reserved any more.
const OVER: u8 = 2;

/// What is reserved for a call. Dropped before the call was sent it gives that free; after that what the call costs is known
/// to the provider alone, so it stays reserved until [`storage::models::RESERVED_MICROS`] have passed.
pub(super) struct Held {
    db: Db,
    project: ProjectId,
    call_id: Uuid,
    state: AtomicU8,
}

impl Held {
    pub(super) fn new(db: Db, project: ProjectId, call_id: Uuid) -> Self {
        Self {
            db,
            project,
            call_id,
            state: AtomicU8::new(NOT_SENT),
        }
    }

    pub(super) fn call_id(&self) -> Uuid {
        self.call_id
    }

    pub(super) fn may_be_sent(&self) {
        self.state.store(SENT, Ordering::Release);
    }

    /// The provider has said no to what was sent, and is asked again later.
    pub(super) fn is_refused(&self) {
        self.state.store(NOT_SENT, Ordering::Release);
    }

    /// There is no reservation.
    pub(super) fn is_over(&self) {
        self.state.store(OVER, Ordering::Release);
    }

    /// Counts what the call came to in the place of the reservation, also where the caller does not wait for that.
    pub(super) async fn settle(
        &self,
        call: &Reservation<'_>,
        spent: Spent,
        at: Timestamp,
    ) -> storage::Result<()> {
        let (db, project) = (self.db.clone(), self.project);
        let (call_id, feature, most) = (call.call_id, call.feature, call.most);
        let [month, provider_id, model] = [call.month, call.provider_id, call.model].map(str::to_owned);
        let settled = TaskTracker::new().spawn(async move {
            let call = Reservation {
                call_id,
                month: &month,
                feature,
                provider_id: &provider_id,
                model: &model,
                most,
            };
            storage::models::settle(&db, project, &call, spent, at).await
        });
        self.is_over();
        settled
            .await
            .unwrap_or_else(|_ended| Err(storage::Error::no_answer()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Without a runtime the program ends, and the reservation after its time.
        if self.state.load(Ordering::Acquire) != NOT_SENT || Handle::try_current().is_err() {
            return;
        }
        let (db, project, call_id) = (self.db.clone(), self.project, self.call_id);
        TaskTracker::new().spawn(async move {
            if let Err(cause) = storage::models::release(&db, project, call_id).await {
                tracing::debug!(error = ?cause, "what was reserved for a call is given free after its time");
            }
        });
    }
}
