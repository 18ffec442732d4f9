//! What the parts of the back-test share.

use leptos::prelude::*;

use super::Page;
use super::session::{SessionLoader, SessionState, SharedSession, Trial};
use crate::api::scoring::ScoringView;

/// Steps, rules and what becomes of the steps by them.
#[derive(Clone, Copy)]
pub(super) struct BacktestContext {
    pub(super) page: Page,
    pub(super) view: StoredValue<ScoringView>,
    pub(super) session: SessionLoader,
    /// What the rules of form and slider would have said; `None` until the steps are here.
    pub(super) tried: Memo<Option<Trial>>,
    /// From how many points a step is critical: with the rules in force, and as tried.
    pub(super) thresholds: Memo<(i32, i32)>,
}

impl BacktestContext {
    /// Calls `look` with the steps and what would become of them.
    pub(super) fn with<T>(self, look: impl FnOnce(&SharedSession, &Trial) -> T) -> Option<T> {
        self.session.state.with(|state| {
            let SessionState::Ready(session) = state else {
                return None;
            };
            self.tried
                .with(|tried| tried.as_ref().map(|tried| look(session, tried)))
        })
    }
}
