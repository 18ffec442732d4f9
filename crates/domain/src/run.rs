//! A run: one end-to-end execution, summed up from its steps.

mod group;
mod list;

use serde::{Deserialize, Serialize};

pub use group::{
    GroupCost, GroupOrder, GroupRuns, GroupTotals, RunGroup, RunGroupPage, RunGrouping, RunMark,
};
pub use list::{ActivityBucket, Facets, Neighbours, RunPage, RunTotals};

use crate::step::words;
use crate::{NanoUsd, Severity, Timestamp, TokenUsage};

words!(
    /// The state of a run.
    RunStatus {
        /// Complete, and no top-level step failed: its root has ended and, where spans come one by one, nothing has come
        /// for [`QUIET_MICROS`].
        Ok = "ok",
        /// A top-level step failed.
        Error = "error",
        /// A top-level step is still missing or running, or more may come.
        Running = "running",
    }
);

/// How long nothing may have come of a run whose spans come one by one until it is complete, in microseconds. What comes
/// later opens it again for as long.
pub const QUIET_MICROS: i64 = 10 * 1_000_000;
/// How long after that a run is looked at again by whoever waits for its end, in microseconds: whoever ends its waiting
/// looks every second.
const ENDED_BY_MICROS: i64 = QUIET_MICROS + 2 * 1_000_000;
/// How late what ends the waiting may be beside a busy database, in microseconds after the last of the run.
const LATE_MICROS: i64 = 60 * 1_000_000;
/// A run of which nothing came for so long goes on no longer, whatever is missing of it, in microseconds.
pub const ABANDONED_MICROS: i64 = 600 * 1_000_000;

impl RunStatus {
    /// The state of a run with so many top-level steps, failed ones among them, and so many things that are waited for:
    /// steps that have not ended, and more that may come. A failure stays one, whatever else comes.
    pub const fn of(roots: i32, failed_roots: i32, awaited: i32) -> Self {
        if failed_roots > 0 {
            Self::Error
        } else if awaited > 0 || roots == 0 {
            Self::Running
        } else {
            Self::Ok
        }
    }

    /// When a run in this state that last changed at `changed_at` is to be looked at again by those who want complete
    /// runs alone; `None` when it is complete, or is taken for abandoned.
    pub const fn complete_by(self, changed_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let quiet = now.micros() - changed_at.micros();
        match self {
            Self::Running if quiet < QUIET_MICROS => Some(changed_at.plus_micros(ENDED_BY_MICROS)),
            // Whoever ends the waiting may be late.
            Self::Running if quiet < LATE_MICROS => Some(now.plus_micros(QUIET_MICROS)),
            Self::Running if quiet < ABANDONED_MICROS => Some(changed_at.plus_micros(ABANDONED_MICROS)),
            _ => None,
        }
    }
}

/// A run as lists show it. Maintained with its steps, never recomputed by a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The client's id.
    pub run_id: String,
    /// Name of the earliest top-level step.
    pub name: String,
    /// Where lists file the run: the start of the step that was received first. A run that goes on for more than a day
    /// has one row in lists for each day; the run itself is filed where the last is.
    pub partition_at: Timestamp,
    /// Earliest start of its steps.
    pub started_at: Timestamp,
    /// Latest end of its steps.
    pub ended_at: Timestamp,
    /// `ended_at` − `started_at`, in milliseconds.
    pub latency_ms: f64,
    /// `Running` until every received step has ended; `Error` when a top-level step failed.
    pub status: RunStatus,
    /// Label of the key that sent its first step.
    pub key_label: String,
    /// Environment of its first step.
    pub environment: Option<String>,
    /// Release of its first step.
    pub release: Option<String>,
    /// Session, where a step named one.
    pub session_id: Option<String>,
    /// End user, where a step named one.
    pub user_id: Option<String>,
    /// All labels its steps carry.
    pub tags: Vec<String>,
    /// The models that answered, sorted.
    pub models: Vec<String>,
    /// Number of steps.
    pub step_count: i64,
    /// Number of failed steps, at any depth.
    pub error_count: i64,
    /// Known token sums.
    pub tokens: TokenUsage,
    /// Sum of the known costs; `None` when nothing could be priced.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps that should have a cost but have none.
    pub unpriced_steps: i64,
    /// Highest score of its steps; `None` when no step has been scored.
    pub score_max: Option<i32>,
    /// Worst severity of its steps.
    pub severity: Severity,
    /// The step that went most wrong, when one did.
    pub problem: Option<RunProblem>,
}

impl RunSummary {
    /// This run with a later part of it: one that goes on for days is kept in parts.
    #[must_use]
    pub fn with_part(mut self, later: Self) -> Self {
        let badness = |run: &Self| (run.severity, run.score_max, run.status == RunStatus::Error);
        if badness(&later) > badness(&self) {
            self.problem = later.problem;
        }
        let either = |a: Option<String>, b: Option<String>| a.or(b);
        let unite = |list: &mut Vec<String>, more: Vec<String>| {
            list.extend(more);
            list.sort_unstable();
            list.dedup();
        };
        unite(&mut self.tags, later.tags);
        unite(&mut self.models, later.models);
        let is = |status| self.status == status || later.status == status;
        self.status = match () {
            () if is(RunStatus::Error) => RunStatus::Error,
            () if is(RunStatus::Running) => RunStatus::Running,
            () => RunStatus::Ok,
        };
        self.partition_at = later.partition_at;
        self.started_at = self.started_at.min(later.started_at);
        self.ended_at = self.ended_at.max(later.ended_at);
        self.latency_ms = self.ended_at.ms_since(self.started_at);
        self.environment = either(self.environment, later.environment);
        self.release = either(self.release, later.release);
        self.session_id = either(self.session_id, later.session_id);
        self.user_id = either(self.user_id, later.user_id);
        self.step_count += later.step_count;
        self.error_count += later.error_count;
        self.tokens = self.tokens.plus(&later.tokens);
        self.cost_nano_usd = crate::usage::known_sum(
            self.cost_nano_usd.map(|cost| cost.0),
            later.cost_nano_usd.map(|cost| cost.0),
        )
        .map(NanoUsd);
        self.unpriced_steps += later.unpriced_steps;
        self.score_max = self.score_max.max(later.score_max);
        self.severity = self.severity.max(later.severity);
        self
    }
}

/// What went wrong in a run, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunProblem {
    /// The step that the problem is on.
    pub step_id: String,
    /// Name of that step; may be blank.
    pub step_name: String,
    /// The gravest condition's code, when a rule found it.
    pub code: Option<u16>,
    /// The sentence: the condition's, or the error text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_complete_when_its_root_has_ended_and_nothing_more_may_come() {
        let check = |roots, failed, awaited, expected| {
            assert_eq!(RunStatus::of(roots, failed, awaited), expected);
        };
        check(1, 0, 0, RunStatus::Ok);
        check(2, 0, 1, RunStatus::Running);
        check(0, 0, 0, RunStatus::Running);
        check(1, 1, 0, RunStatus::Error);
        check(2, 1, 3, RunStatus::Error);
    }

    #[test]
    fn a_running_run_is_looked_at_when_it_may_be_complete_and_then_when_it_is_abandoned() {
        let begun = Timestamp::from_micros(1_764_500_000_000_000);
        let after = |status: RunStatus, seconds: i64| {
            let by = status.complete_by(begun, begun.plus_micros(seconds * 1_000_000))?;
            Some((by.micros() - begun.micros()) / 1_000_000)
        };
        assert_eq!(after(RunStatus::Running, 0), Some(12));
        assert_eq!(after(RunStatus::Running, 9), Some(12));
        assert_eq!(after(RunStatus::Running, 12), Some(22));
        assert_eq!(after(RunStatus::Running, 60), Some(600));
        assert_eq!(after(RunStatus::Running, 600), None);
        assert_eq!(after(RunStatus::Ok, 0), None);
        assert_eq!(after(RunStatus::Error, 0), None);
    }
}
