//! Words of incidents: how they stand, and what people do with them.

use serde::{Deserialize, Serialize};

use crate::step::words;

words!(
    /// How an incident stands.
    IncidentStatus {
        /// It goes on.
        Open = "open",
        /// It is over.
        Closed = "closed",
        /// It became normal.
        Accepted = "accepted",
    }
);

words!(
    /// What people say of the cause that an incident's verdict names.
    CauseAnswer {
        /// It was this deploy.
        Confirmed = "confirmed",
        /// It was not what the verdict says.
        Refused = "refused",
    }
);

words!(
    /// What happened to an incident after it was found.
    IncidentEventKind {
        /// The verdict changed.
        Verdict = "verdict",
        /// Somebody looks after it.
        Acknowledged = "acknowledged",
        /// Somebody wrote something down.
        Note = "note",
        /// Somebody closed it.
        Closed = "closed",
        /// Somebody said that it is normal from now on.
        Accepted = "accepted",
        /// Somebody took closing or accepting back.
        Reopened = "reopened",
        /// Somebody said which deploy it was.
        Confirmed = "confirmed",
        /// Somebody said that it was not what the verdict says.
        Refused = "refused",
    }
);

/// Longest note, in characters.
pub const MAX_NOTE_CHARS: usize = 2_000;

/// Something that people do with an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentChange {
    /// Somebody looks after it.
    Acknowledge,
    /// Text that is kept with it.
    Note(String),
    /// It is set to this; open takes an earlier setting back.
    Settle(IncidentStatus),
    /// It was this deploy.
    Confirm(String),
    /// It was not what the verdict says.
    Refuse,
}

impl IncidentChange {
    /// What is written into its history.
    pub const fn kind(&self) -> IncidentEventKind {
        match self {
            Self::Acknowledge => IncidentEventKind::Acknowledged,
            Self::Note(_) => IncidentEventKind::Note,
            Self::Settle(IncidentStatus::Open) => IncidentEventKind::Reopened,
            Self::Settle(IncidentStatus::Closed) => IncidentEventKind::Closed,
            Self::Settle(IncidentStatus::Accepted) => IncidentEventKind::Accepted,
            Self::Confirm(_) => IncidentEventKind::Confirmed,
            Self::Refuse => IncidentEventKind::Refused,
        }
    }
}
