//! What can be done about a condition wherever it is shown: say whether it is real, mute its code.

mod feedback;
mod mute;

pub(crate) use self::feedback::FeedbackButtons;
pub(crate) use self::mute::{MuteForm, MuteOutcome};

/// The name of a code; its number where this build does not know it.
pub(crate) fn code_name(code: u16) -> String {
    engine::codes::find(code).map_or_else(|| code.to_string(), |code| code.name.to_owned())
}
