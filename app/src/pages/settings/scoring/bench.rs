//! What the parts of the back-test share.

use leptos::prelude::*;

use super::Page;
use super::lab::{LabReader, LabState, SharedLab, Tried};
use crate::api::scoring::ScoringView;

/// Steps, rules and what becomes of the steps by them.
#[derive(Clone, Copy)]
pub(super) struct Bench {
    pub(super) page: Page,
    pub(super) view: StoredValue<ScoringView>,
    /// The steps.
    pub(super) lab: LabReader,
    /// What the rules of form and slider would have said; `None` until the steps are here.
    pub(super) tried: Memo<Option<Tried>>,
    /// From how many points a step is critical: with the rules in force, and as tried.
    pub(super) thresholds: Memo<(i32, i32)>,
}

impl Bench {
    /// Calls `look` with the steps and what would become of them.
    pub(super) fn with<T>(self, look: impl FnOnce(&SharedLab, &Tried) -> T) -> Option<T> {
        self.lab.state.with(|state| {
            let LabState::Ready(lab) = state else { return None };
            self.tried
                .with(|tried| tried.as_ref().map(|tried| look(lab, tried)))
        })
    }
}
