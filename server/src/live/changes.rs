//! What changed lately, numbered: a page says what it was rendered after, and hears whether it has missed something.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ProjectId;
use storage::live::ChangeEvent;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::position::LivePosition;

/// Changes that are remembered, up to 8 kB each. Who was rendered before all of them has missed something.
const MAX_REMEMBERED: usize = 1_024;
/// Changes that a slow subscriber may be behind.
const MAX_BEHIND: usize = 4_096;

/// The changes that this process has heard of. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Changes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Of this start of this process: others number otherwise.
    epoch: Uuid,
    sender: broadcast::Sender<Numbered>,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    number: u64,
    /// Those that pages hear of, oldest first.
    remembered: VecDeque<Numbered>,
    /// The number of the last one that is not remembered any more.
    forgotten: u64,
}

/// A change with its place among all of them.
#[derive(Clone, Debug)]
pub struct Numbered {
    number: u64,
    /// What changed.
    pub change: ChangeEvent,
}

/// What a page needs that connects.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) receiver: broadcast::Receiver<Numbered>,
    /// After which change it begins.
    pub(super) position: LivePosition,
    /// Something that the page shows may have changed before.
    pub(super) has_missed: bool,
}

impl Changes {
    pub(super) fn new() -> Self {
        let (sender, _) = broadcast::channel(MAX_BEHIND);
        Self(Arc::new(Shared {
            epoch: Uuid::now_v7(),
            sender,
            latest: Mutex::default(),
        }))
    }

    /// Hands a change to all subscribers.
    pub(super) fn send(&self, change: ChangeEvent) {
        let mut latest = self.lock();
        latest.number += 1;
        let numbered = Numbered {
            number: latest.number,
            change,
        };
        if matches!(
            numbered.change,
            ChangeEvent::Runs { .. } | ChangeEvent::Incidents(_) | ChangeEvent::Gap
        ) {
            latest.remembered.push_back(numbered.clone());
        }
        if latest.remembered.len() > MAX_REMEMBERED
            && let Some(oldest) = latest.remembered.pop_front()
        {
            latest.forgotten = oldest.number;
        }
        // Under the lock, so that who subscribes finds each change either remembered or sent. Without subscribers the send
        // fails, which is fine.
        let _no_subscriber = self.0.sender.send(numbered);
    }

    /// After which change something is read that is read from now on.
    pub(super) fn position(&self) -> LivePosition {
        self.position_of(self.lock().number)
    }

    /// Where a change that was received stands.
    pub(super) fn position_of(&self, number: u64) -> LivePosition {
        LivePosition {
            epoch: self.0.epoch,
            number,
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Numbered> {
        self.0.sender.subscribe()
    }

    /// The changes from now on, for who knows everything up to `since` of a project, or of one run of it.
    pub(super) fn subscribe_since(
        &self,
        since: Option<LivePosition>,
        project: ProjectId,
        run: Option<&str>,
    ) -> Subscription {
        let latest = self.lock();
        let has_missed = since.is_none_or(|since| {
            since.epoch != self.0.epoch
                || since.number < latest.forgotten
                || latest
                    .remembered
                    .iter()
                    .rev()
                    .take_while(|numbered| numbered.number > since.number)
                    .any(|numbered| concerns(&numbered.change, project, run))
        });
        Subscription {
            receiver: self.0.sender.subscribe(),
            position: self.position_of(latest.number),
            has_missed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbered {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// Whether a page of a project, or of one run of it, may show something else after a change.
fn concerns(change: &ChangeEvent, project: ProjectId, run: Option<&str>) -> bool {
    match change {
        ChangeEvent::Gap => true,
        ChangeEvent::Runs {
            project: of, run_ids, ..
        } => *of == project && run.is_none_or(|run| run_ids.iter().any(|id| id == run)),
        ChangeEvent::Incidents(of) => *of == project && run.is_none(),
        ChangeEvent::Access | ChangeEvent::Jobs | ChangeEvent::Prices | ChangeEvent::Settings(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));

    fn runs(project: u128, run_id: &str) -> ChangeEvent {
        ChangeEvent::Runs {
            stored_by: Some(Uuid::nil()),
            project: ProjectId(Uuid::from_u128(project)),
            run_ids: vec![run_id.to_owned()],
        }
    }

    fn has_missed(changes: &Changes, since: LivePosition, run: Option<&str>) -> bool {
        changes.subscribe_since(Some(since), PROJECT, run).has_missed
    }

    #[test]
    fn only_what_concerns_a_page_is_missed() {
        let changes = Changes::new();
        changes.send(runs(1, "mine"));
        let rendered = changes.position();
        assert!(!has_missed(&changes, rendered, None));
        changes.send(runs(2, "mine"));
        changes.send(ChangeEvent::Access);
        assert!(!has_missed(&changes, rendered, None));
        changes.send(runs(1, "other"));
        assert!(has_missed(&changes, rendered, None));
        assert!(!has_missed(&changes, rendered, Some("mine")));
        changes.send(runs(1, "mine"));
        assert!(has_missed(&changes, rendered, Some("mine")));
        assert!(!has_missed(&changes, changes.position(), Some("mine")));
        changes.send(ChangeEvent::Gap);
        assert!(has_missed(&changes, rendered, Some("nobody's")));
    }

    #[test]
    fn who_knows_nothing_of_this_process_has_missed_something() {
        let changes = Changes::new();
        let other = Changes::new().position();
        assert!(has_missed(&changes, other, None));
        assert!(changes.subscribe_since(None, PROJECT, None).has_missed);
        let rendered = changes.position();
        for _ in 0..MAX_REMEMBERED {
            changes.send(runs(2, "r"));
        }
        assert!(!has_missed(&changes, rendered, None), "all of them are known");
        changes.send(runs(2, "r"));
        assert!(
            has_missed(&changes, rendered, None),
            "nobody knows what the first was"
        );
    }
}
