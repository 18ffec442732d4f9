//! A link to one run, for people without an account.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::step::words;

words!(
    /// What a link shows of what was said: prompts, answers, attributes, errors.
    ShareContent {
        /// Word for word.
        Shown = "shown",
        /// Their shape: letters and digits are replaced.
        Masked = "masked",
        /// Nothing of them.
        Removed = "removed",
    }
);

/// How long a link is good unless something else is asked for, in days.
pub const DEFAULT_SHARE_DAYS: u32 = 7;
/// How long one may be good, in days.
pub const MAX_SHARE_DAYS: u32 = 365;

/// A link as lists show it. The link itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Names it where it is taken back.
    pub id: Uuid,
    /// The run it shows: the client's id.
    pub run_id: String,
    /// What it shows of prompts and answers.
    pub content: ShareContent,
    /// Session, user and tags are left out.
    pub leaves_out_people: bool,
    /// The key's label is left out.
    pub leaves_out_key: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was opened last; `None` when nobody has opened it.
    pub last_opened_at: Option<Timestamp>,
    /// How often it was opened.
    pub open_count: i64,
}

/// Whether a link opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareState {
    /// It does.
    Works,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl ShareState {
    /// The word in the API and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Share {
    /// Whether it opens anything at `now`.
    pub fn state(&self, now: Timestamp) -> ShareState {
        if self.revoked_at.is_some() {
            ShareState::Revoked
        } else if self.expires_at <= now {
            ShareState::Expired
        } else {
            ShareState::Works
        }
    }
}
