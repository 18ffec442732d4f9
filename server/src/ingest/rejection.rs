//! Why something that was sent is not kept.

use crate::step_builder::Invalid;

/// Why a step or a body was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The field, where one is to blame.
    pub(crate) field: Option<String>,
    /// What it must be.
    pub(crate) message: String,
    /// The word in the error's code and in the ledger.
    pub(crate) reason: &'static str,
    /// How many steps were refused with it; a body that can't be read counts as one.
    pub(crate) steps: usize,
}

impl Rejection {
    pub(super) fn field(name: &str, message: String) -> Self {
        Self {
            field: Some(name.to_owned()),
            message,
            reason: "invalid_field",
            steps: 1,
        }
    }

    pub(super) fn json(bytes: &[u8], cause: &serde_json::Error) -> Self {
        Self {
            field: None,
            message: format!("The body is not valid JSON at byte {}", byte_of(bytes, cause)),
            reason: "invalid_json",
            steps: 1,
        }
    }
}

impl From<Invalid> for Rejection {
    fn from(invalid: Invalid) -> Self {
        Self::field(invalid.field, format!("{} {}", invalid.field, invalid.problem))
    }
}

/// Where in a body serde_json stopped; it counts lines and, within them, bytes.
fn byte_of(bytes: &[u8], cause: &serde_json::Error) -> usize {
    let before = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(cause.line().saturating_sub(1));
    let at = before.map(<[u8]>::len).sum::<usize>() + cause.column();
    at.min(bytes.len())
}
