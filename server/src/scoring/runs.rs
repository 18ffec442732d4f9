//! What runs have done so far: which calls they made, how often, and what that cost.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use domain::{NanoUsd, NewStep};
use storage::scoring::RunCall;

use super::RunBefore;
use crate::pipeline::Figures;

/// Runs that are remembered, per project. One that comes again after it was forgotten is read from the database.
const REMEMBERED_RUNS: usize = 2_000;

/// The very same call: its step, its tool and its whole prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call(u64);

impl Call {
    fn new(name: &str, prompt: Option<&[u8]>, tool_name: Option<&str>) -> Self {
        let mut hash = DefaultHasher::new();
        (name, prompt, tool_name).hash(&mut hash);
        Self(hash.finish())
    }
}

/// The call of a step that has just come.
pub(super) fn call(step: &NewStep, figures: &Figures) -> Call {
    let prompt = figures.prompt.as_ref().map(<[u8; 32]>::as_slice);
    Call::new(&step.name, prompt, step.tool_name.as_deref())
}

/// The call of a stored step.
pub(super) fn stored_call(call: &RunCall) -> Call {
    Call::new(&call.name, call.prompt.as_deref(), call.tool_name.as_deref())
}

/// One run. It may be told of a step twice: by who scored it, and by the database.
#[derive(Debug, Default)]
pub(super) struct RunSoFar {
    touched: u64,
    counted: HashSet<i64>,
    calls: HashMap<Call, u32>,
    cost: Option<NanoUsd>,
}

impl RunSoFar {
    /// Counts the step that arrived then, once.
    pub(super) fn add(&mut self, arrival: i64, call: Call, cost: Option<NanoUsd>) {
        if !self.counted.insert(arrival) {
            return;
        }
        *self.calls.entry(call).or_insert(0) += 1;
        if let Some(cost) = cost {
            self.cost = Some(self.cost.unwrap_or_default().saturating_add(cost));
        }
    }

    /// What it had done before a step that makes this call.
    pub(super) fn before(&self, call: Call) -> RunBefore {
        RunBefore {
            same_calls: self.calls.get(&call).map_or(1, |calls| calls + 1),
            cost: self.cost,
        }
    }
}

/// A project's runs. The ones that were touched longest ago are forgotten first.
#[derive(Debug, Default)]
pub(super) struct RunsSoFar {
    runs: HashMap<Arc<str>, RunSoFar>,
    by_touch: BTreeMap<u64, Arc<str>>,
    touches: u64,
}

impl RunsSoFar {
    /// A run that has a step now: as it is remembered, otherwise as one that has done nothing yet.
    pub(super) fn of(&mut self, run_id: &str) -> &mut RunSoFar {
        self.touches += 1;
        let known = self.runs.get(run_id).map(|run| run.touched);
        if known.is_none()
            && self.runs.len() >= REMEMBERED_RUNS
            && let Some((_, oldest)) = self.by_touch.pop_first()
        {
            self.runs.remove(&oldest);
        }
        let run_id: Arc<str> = known
            .and_then(|touched| self.by_touch.remove(&touched))
            .unwrap_or_else(|| Arc::from(run_id));
        self.by_touch.insert(self.touches, Arc::clone(&run_id));
        let run = self.runs.entry(run_id).or_default();
        run.touched = self.touches;
        run
    }

    /// A run that is remembered.
    pub(super) fn get_mut(&mut self, run_id: &str) -> Option<&mut RunSoFar> {
        self.runs.get_mut(run_id)
    }

    /// Whether a run is remembered; it is not forgotten soon, then.
    pub(super) fn knows(&mut self, run_id: &str) -> bool {
        let is_known = self.runs.contains_key(run_id);
        if is_known {
            self.of(run_id);
        }
        is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_untouched_run_is_forgotten() {
        let mut runs = RunsSoFar::default();
        let call = Call::new("step", None, None);
        runs.of("first").add(1, call, Some(NanoUsd(1)));
        for i in 0..REMEMBERED_RUNS - 1 {
            runs.of(&format!("run-{i}"));
        }
        // Who asks has a step of it.
        assert!(runs.knows("first"));
        runs.of("one more");
        assert_eq!(runs.of("first").before(call).cost, Some(NanoUsd(1)));
        assert!(!runs.knows("run-0"));
        assert_eq!(runs.runs.len(), REMEMBERED_RUNS);
        assert_eq!(runs.by_touch.len(), REMEMBERED_RUNS);
    }

    #[test]
    fn a_step_counts_once() {
        let mut run = RunSoFar::default();
        let (search, answer) = (Call::new("search", None, None), Call::new("answer", None, None));
        for arrival in [7, 3, 7, 3] {
            run.add(arrival, search, Some(NanoUsd(5)));
        }
        assert_eq!(run.before(search).same_calls, 3);
        assert_eq!(run.before(answer).same_calls, 1);
        assert_eq!(run.before(answer).cost, Some(NanoUsd(10)));
    }
}
