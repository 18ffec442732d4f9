//! Runs of Plumbline's own: what models are asked for by us is recorded as steps of them. Their ids are spelled here alone,
//! because they are made where a model is asked and made again where what was asked about is deleted.

use std::fmt::Display;

/// What a run of our own is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnRunKind {
    /// The analysis of a run.
    Analysis,
    /// The investigation of an incident.
    Investigation,
    /// The questions of one chat.
    Chat,
    /// A fix that is drafted.
    Fix,
    /// What a detector asks of one run.
    Judgement,
    /// A test of a provider.
    Test,
}

impl OwnRunKind {
    /// What its ids begin with, and most of its steps are called: `plumbline-chat`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analysis => "plumbline-analysis",
            Self::Investigation => "plumbline-investigation",
            Self::Chat => "plumbline-chat",
            Self::Fix => "plumbline-fix",
            Self::Judgement => "plumbline-judgement",
            Self::Test => "plumbline-test",
        }
    }

    /// The id of the run that is about `subject`, such as the chat's id.
    pub fn run_id(self, subject: impl Display) -> String {
        format!("{}-{subject}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::OwnRunKind;

    /// Runs that are stored have these ids: another spelling would leave them behind when their subject is deleted.
    #[test]
    fn ids_stay_as_they_are_stored() {
        let ids = [
            (OwnRunKind::Analysis, "plumbline-analysis-7"),
            (OwnRunKind::Investigation, "plumbline-investigation-7"),
            (OwnRunKind::Chat, "plumbline-chat-7"),
            (OwnRunKind::Fix, "plumbline-fix-7"),
            (OwnRunKind::Judgement, "plumbline-judgement-7"),
            (OwnRunKind::Test, "plumbline-test-7"),
        ];
        for (kind, expected) in ids {
            assert_eq!(kind.run_id(7), expected);
        }
    }
}
