//! What runs have done so far: which calls they made, how often, and what that cost.
//!
//! A run is known as the database has it, plus what this process has scored since. When another process stores steps of
//! it, it is outdated: it serves a batch in progress, and is read again for the next one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use domain::{NanoUsd, NewStep};
use storage::scoring::{RunCalls, RunDone};

use super::RunBefore;
use crate::derived_step::DerivedStep;

/// What a project's runs may take in memory. The least recently used are evicted first, and read again
/// when they have another step.
const MAX_BYTES: usize = 1 << 20;
/// Different calls that are counted for one run. Beyond it the half that was not made for longest is evicted: such a
/// call counts from one again.
const MAX_CALLS: usize = 4_096;

/// The very same call: its step, its tool and its whole prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call(u64);

impl Call {
    pub(super) fn new(name: &str, prompt: Option<i64>, tool_name: Option<&str>) -> Self {
        let mut hash = DefaultHasher::new();
        (name, prompt, tool_name).hash(&mut hash);
        Self(hash.finish())
    }

    /// The call of a step that has just come.
    pub(super) fn of(step: &NewStep, derived: &DerivedStep) -> Self {
        Self::new(&step.name, derived.prompt, step.tool_name.as_deref())
    }

    fn of_stored(calls: &RunCalls) -> Self {
        Self::new(&calls.name, calls.prompt, calls.tool_name.as_deref())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    times: u32,
    /// How many calls the run had made when this was made last.
    last: u32,
}

#[derive(Debug, Default)]
pub(super) struct RunProgress {
    calls: HashMap<Call, Count>,
    made: u32,
    cost: Option<NanoUsd>,
}

impl RunProgress {
    /// A run as the database has it.
    pub(super) fn of_stored(done: &RunDone) -> Self {
        let mut run = Self {
            cost: done.cost,
            ..Self::default()
        };
        for calls in &done.calls {
            run.count(
                Call::of_stored(calls),
                u32::try_from(calls.times).unwrap_or(u32::MAX),
            );
        }
        run
    }

    /// What it had done before a step that makes this call.
    pub(super) fn before(&self, call: Call) -> RunBefore {
        RunBefore {
            same_calls: self
                .calls
                .get(&call)
                .map_or(1, |count| count.times.saturating_add(1)),
            cost: self.cost,
        }
    }

    fn add(&mut self, call: Call, cost: Option<NanoUsd>) {
        self.count(call, 1);
        if let Some(cost) = cost {
            self.cost = Some(self.cost.unwrap_or_default().saturating_add(cost));
        }
    }

    fn remove(&mut self, call: Call, cost: Option<NanoUsd>) {
        if let Some(count) = self.calls.get_mut(&call) {
            count.times = count.times.saturating_sub(1);
        }
        if let (Some(sum), Some(cost)) = (self.cost, cost) {
            self.cost = Some(NanoUsd(sum.0.saturating_sub(cost.0)));
        }
    }

    fn count(&mut self, call: Call, times: u32) {
        self.made = self.made.wrapping_add(1);
        let count = self.calls.entry(call).or_default();
        count.times = count.times.saturating_add(times);
        count.last = self.made;
        if self.calls.len() > MAX_CALLS {
            let age = |count: &Count| self.made.wrapping_sub(count.last);
            let mut ages: Vec<u32> = self.calls.values().map(age).collect();
            let (_, middle, _) = ages.select_nth_unstable(MAX_CALLS / 2);
            let middle = *middle;
            self.calls
                .retain(|_, count| self.made.wrapping_sub(count.last) < middle);
        }
    }
}

/// A run in memory.
#[derive(Debug)]
struct Known {
    run: RunProgress,
    touched: u64,
    /// Which reading of the run it is.
    reading: u64,
    is_outdated: bool,
}

impl Known {
    fn size_bytes(&self, run_id: &str) -> usize {
        const CALL_BYTES: usize = size_of::<(Call, Count)>() + 1;
        const TOUCH_BYTES: usize = 2 * size_of::<(u64, Arc<str>)>();
        size_of::<(Arc<str>, Self)>() + TOUCH_BYTES + run_id.len() + self.run.calls.capacity() * CALL_BYTES
    }
}

/// A step that was counted for its run, and for which reading of it.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    run_id: Arc<str>,
    reading: u64,
    call: Call,
    cost: Option<NanoUsd>,
}

/// A project's runs.
#[derive(Debug, Default)]
pub(super) struct RunCache {
    runs: HashMap<Arc<str>, Known>,
    by_touch: BTreeMap<u64, Arc<str>>,
    touches: u64,
    generation: u64,
    bytes: usize,
}

impl RunCache {
    /// Whether a run is cached; counts as a use of it.
    pub(super) fn knows(&mut self, run_id: &str) -> bool {
        let is_known = self.runs.get(run_id).is_some_and(|known| !known.is_outdated);
        if is_known {
            self.touch(run_id);
        }
        is_known
    }

    /// What a run has done is this.
    pub(super) fn replace(&mut self, run_id: &str, run: RunProgress) {
        let id = self.touch(run_id);
        self.generation += 1;
        if let Some(known) = self.runs.get_mut(&id) {
            self.bytes -= known.size_bytes(&id);
            known.run = run;
            known.reading = self.generation;
            known.is_outdated = false;
            self.bytes += known.size_bytes(&id);
        }
    }

    /// What a run had done before a step that makes this call.
    pub(super) fn before(&self, run_id: &str, call: Call) -> RunBefore {
        let run = self.runs.get(run_id).map(|known| &known.run);
        run.unwrap_or(&RunProgress::default()).before(call)
    }

    /// Counts a step. Of a run that is not known, which is read before its next batch, nothing before it counts.
    pub(super) fn add(&mut self, run_id: &str, call: Call, cost: Option<NanoUsd>) -> Counted {
        let run_id = match self.runs.get_key_value(run_id) {
            Some((known, _)) => Arc::clone(known),
            None => self.touch(run_id),
        };
        let mut reading = 0;
        if let Some(known) = self.runs.get_mut(&run_id) {
            self.bytes -= known.size_bytes(&run_id);
            known.run.add(call, cost);
            reading = known.reading;
            self.bytes += known.size_bytes(&run_id);
        }
        Counted {
            run_id,
            reading,
            call,
            cost,
        }
    }

    /// A counted step is stored. A run that was read since may or may not have it.
    pub(super) fn confirm(&mut self, counted: &Counted) {
        if let Some(known) = self.runs.get_mut(&counted.run_id) {
            known.is_outdated |= known.reading != counted.reading;
        }
    }

    /// A counted step is not going to be stored.
    pub(super) fn undo(&mut self, counted: &Counted) {
        if let Some(known) = self.runs.get_mut(&counted.run_id)
            && known.reading == counted.reading
        {
            known.run.remove(counted.call, counted.cost);
        }
    }

    /// Others have stored steps of a run.
    pub(super) fn outdate(&mut self, run_id: &str) {
        if let Some(known) = self.runs.get_mut(run_id) {
            known.is_outdated = true;
        }
    }

    /// What others have stored is unknown.
    pub(super) fn outdate_all(&mut self) {
        self.runs.values_mut().for_each(|known| known.is_outdated = true);
    }

    /// Evicts what is too much. Not while a batch is scored: it would miss what was read for it.
    pub(super) fn trim(&mut self) {
        while self.bytes > MAX_BYTES
            && let Some((_, oldest)) = self.by_touch.pop_first()
        {
            if let Some(known) = self.runs.remove(&oldest) {
                self.bytes -= known.size_bytes(&oldest);
            }
        }
    }

    /// About how many bytes all of it takes.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Makes a run the one that was touched last. One that was not there is outdated until it is read.
    fn touch(&mut self, run_id: &str) -> Arc<str> {
        self.touches += 1;
        let known = self
            .runs
            .get_mut(run_id)
            .map(|known| std::mem::replace(&mut known.touched, self.touches));
        let id = known
            .and_then(|touched| self.by_touch.remove(&touched))
            .unwrap_or_else(|| Arc::from(run_id));
        self.by_touch.insert(self.touches, Arc::clone(&id));
        if known.is_none() {
            let new = Known {
                run: RunProgress::default(),
                touched: self.touches,
                reading: 0,
                is_outdated: true,
            };
            self.bytes += new.size_bytes(&id);
            self.runs.insert(Arc::clone(&id), new);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Call {
        Call::new(name, None, None)
    }

    fn one(runs: &mut RunCache, run_id: &str) -> Counted {
        runs.add(run_id, call("search"), Some(NanoUsd(5)))
    }

    fn same_calls(runs: &RunCache, run_id: &str) -> u32 {
        runs.before(run_id, call("search")).same_calls
    }

    #[test]
    fn the_least_recently_used_runs_are_evicted() {
        let mut runs = RunCache::default();
        runs.replace("first", RunProgress::default());
        one(&mut runs, "first");
        for n in 0..20_000 {
            runs.replace(&format!("run-{n}"), RunProgress::default());
            one(&mut runs, &format!("run-{n}"));
            // Who asks has a step of it.
            assert!(runs.knows("first"));
            runs.trim();
        }
        assert_eq!(runs.before("first", call("search")).cost, Some(NanoUsd(5)));
        assert!(!runs.knows("run-0"));
        assert!(runs.size_bytes() <= MAX_BYTES);
        assert_eq!(runs.runs.len(), runs.by_touch.len());
        let counted: usize = runs.runs.iter().map(|(id, known)| known.size_bytes(id)).sum();
        assert_eq!(counted, runs.size_bytes());
    }

    #[test]
    fn a_run_that_never_ends_takes_no_more_and_more_memory() {
        let mut runs = RunCache::default();
        runs.replace("prod", RunProgress::default());
        for n in 0..100_000 {
            runs.add("prod", call(&format!("step-{n}")), Some(NanoUsd(1)));
            runs.add("prod", call("loop"), None);
        }
        assert!(runs.size_bytes() < 256 * 1_024, "{}", runs.size_bytes());
        let before = runs.before("prod", call("loop"));
        assert_eq!(
            (before.same_calls, before.cost),
            (100_001, Some(NanoUsd(100_000)))
        );
        assert_eq!(runs.before("prod", call("step-99999")).same_calls, 2);
    }

    #[test]
    fn what_is_undone_never_counted() {
        let mut runs = RunCache::default();
        runs.replace("r", RunProgress::default());
        one(&mut runs, "r");
        let undone = one(&mut runs, "r");
        runs.undo(&undone);
        let before = runs.before("r", call("search"));
        assert_eq!((before.same_calls, before.cost), (2, Some(NanoUsd(5))));
    }

    #[test]
    fn a_run_that_was_read_while_a_step_of_it_was_stored_is_read_again() {
        let mut runs = RunCache::default();
        runs.replace("r", RunProgress::default());
        let (stored, undone) = (one(&mut runs, "r"), one(&mut runs, "r"));
        runs.outdate("r");
        assert_eq!(
            same_calls(&runs, "r"),
            3,
            "it serves the batch that is being scored"
        );
        assert!(!runs.knows("r"));
        runs.replace("r", RunProgress::default());
        runs.undo(&undone);
        assert!(runs.knows("r"));
        assert_eq!(same_calls(&runs, "r"), 1);
        runs.confirm(&stored);
        assert!(!runs.knows("r"), "whether it was read with that step is unknown");
    }
}
