//! The audit log as pages, the API and the command line show it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRow {
    /// UUIDv7.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// The slug of the project as it was then, also of one that is gone; `None` where it concerns the server.
    pub project: Option<String>,
    /// Who: an e-mail, a key's label, `command line`, `server`, `local` on a server without accounts; for sign-ins
    /// that failed the address they came from.
    pub actor: String,
    /// What was done, such as `key.revoke`.
    pub action: String,
    /// To what: an id, an e-mail, a label.
    pub subject: String,
    /// What else there is to say; an object.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub details: Value,
}

/// Which rows are wanted. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Part of who did it or of to whom it was done, in any case; blank is everybody.
    pub who: String,
    /// An action, or a group of [`ACTION_GROUPS`]; blank is everything.
    pub what: String,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// The words before the dot of an action, and what they are about.
pub const ACTION_GROUPS: &[(&str, &str)] = &[
    ("sign_in", "Sign-ins"),
    ("session", "Sessions ended"),
    ("password", "Passwords"),
    ("account", "Accounts"),
    ("invitation", "Invitations"),
    ("member", "Members"),
    ("key", "Keys"),
    ("project", "Projects"),
    ("scoring", "Scoring"),
    ("code", "Muted codes"),
    ("price", "Prices"),
    ("condition", "Marks of conditions"),
    ("job", "Jobs"),
    ("deploy", "Deploys"),
    ("share", "Share links"),
    ("integration", "Integrations"),
    ("incident", "Incidents"),
    ("incidents", "Settings of incidents"),
    ("alert", "Alerts"),
    ("budget", "Budgets"),
    ("models", "Model providers"),
    ("analysis", "Analyses"),
    ("spans", "Plain spans"),
    ("user", "Data of users"),
    ("watcher", "Watcher"),
    ("chat", "Ask"),
    ("detector", "Detectors"),
    ("finding", "Marks of findings"),
    ("encryption", "Encryption of texts"),
    ("redaction", "Redaction"),
    ("retention", "Retention"),
    ("secrets", "Keys of this server"),
    ("database", "Database"),
];

/// The end of a page of rows; the next one begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCursor {
    /// Of the last row.
    pub at: Timestamp,
    /// Of the last row.
    pub id: Uuid,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.micros(), self.id.simple())
    }
}

/// It is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the audit log")]
pub struct InvalidCursor;

impl FromStr for AuditCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let read = || {
            let (micros, id) = text.split_once('.')?;
            Some(Self {
                at: Timestamp::from_micros(micros.parse().ok()?),
                id: Uuid::try_parse(id).ok()?,
            })
        };
        read().ok_or(InvalidCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = AuditCursor {
            at: Timestamp::from_micros(1_764_000_000_000_001),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "1", "1.x", "x.00000000000000000000000000000007"] {
            assert_eq!(wrong.parse::<AuditCursor>(), Err(InvalidCursor), "{wrong}");
        }
    }
}
