//! Runs grouped by the application's own ids: sessions and users.

use serde::{Deserialize, Serialize};

use crate::step::words;
use crate::{NanoUsd, RunStatus, RunSummary, Severity, Timestamp, TokenUsage};

words!(
    /// Which id groups runs.
    RunGrouping {
        /// Runs of one conversation.
        Session = "session",
        /// Runs for one end user.
        User = "user",
    }
);

words!(
    /// The order of a list of groups.
    GroupOrder {
        /// The last seen first.
        Latest = "latest",
        /// The most expensive first, those of unknown cost last.
        Costliest = "cost",
    }
);

/// What the runs of one session or one user are together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunGroup {
    /// The application's id.
    pub id: String,
    /// The user of a session, the least where its runs disagree.
    pub user_id: Option<String>,
    /// How many sessions a user's runs belong to.
    pub sessions: i64,
    /// Label of the key that sent it, the least of several.
    pub key_label: String,
    /// How many runs; one that went on for days counts once a day, as in the list of runs.
    pub runs: i64,
    /// Runs of which a top-level step failed.
    pub failed_runs: i64,
    /// Runs that are not complete.
    pub running_runs: i64,
    /// Steps of all kinds.
    pub steps: i64,
    /// Failed steps.
    pub errors: i64,
    /// Model calls.
    pub calls: i64,
    /// Known tokens.
    pub tokens: TokenUsage,
    /// Known cost; `None` when none is.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps without a price.
    pub unpriced_steps: i64,
    /// The worst of all steps.
    pub severity: Severity,
    /// Start of its first run.
    pub first_seen_at: Timestamp,
    /// End of what ended last.
    pub last_seen_at: Timestamp,
}

/// One page of groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunGroupPage {
    /// In the order that was asked for.
    pub items: Vec<RunGroup>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Sums over all groups of a filter, its status and severity left aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTotals {
    /// How many groups.
    pub groups: i64,
    /// Those with a critical step.
    pub critical: i64,
    /// Those with a warning and nothing worse.
    pub warning: i64,
    /// Their runs.
    pub runs: i64,
    /// Known cost; `None` when none is.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps without a price.
    pub unpriced_steps: i64,
    /// As many runs as half of the groups have at most.
    pub median_runs: i64,
    /// As much as half of the groups of known cost cost at most.
    pub median_cost_nano_usd: Option<NanoUsd>,
    /// The group that cost most; `None` when no cost is known.
    pub costliest: Option<GroupCost>,
    /// Set when there are more runs than are grouped: everything is about those filed since then.
    pub grouped_since: Option<Timestamp>,
}

/// A group and what it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCost {
    /// The application's id.
    pub id: String,
    /// Known cost.
    pub cost: NanoUsd,
}

/// What stands beside a group in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupRuns {
    /// The newest runs of a session, the oldest of them first; none of a user's.
    pub newest: Vec<RunMark>,
    /// The run that went most wrong; `None` where nothing did.
    pub worst: Option<RunSummary>,
    /// When a user's first run began, whatever the window; `None` of a session.
    pub first_ever_at: Option<Timestamp>,
}

/// As much of a run as a mark of a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMark {
    /// When it began.
    pub started_at: Timestamp,
    /// How it went.
    pub status: RunStatus,
    /// That of its worst step.
    pub severity: Severity,
}
