//! What storage knows of sealed texts: where each belongs, and who opens them. No key, and no cipher.

use std::fmt;

use domain::ProjectId;

/// What a sealed text belongs to; it opens as no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPlace<'a> {
    pub run_id: &'a str,
    pub step_id: &'a str,
    pub field: Field,
}

/// Which text of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Input,
    Output,
    PromptTemplate,
    /// Attributes of an event, as JSON, by the event's place in its step.
    EventAttributes(i32),
}

/// The texts of one step, sealed; `None` where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedTexts {
    pub input: Option<Vec<u8>>,
    pub output: Option<Vec<u8>>,
    pub prompt_template: Option<Vec<u8>>,
    /// For each event of the step.
    pub event_attributes: Vec<Option<Vec<u8>>>,
}

/// Why a sealed text, or a project's key, can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    #[error("the texts of this project are sealed with another key than this server has; give it that key")]
    OtherKey,
    #[error("a sealed text is damaged, or belongs to another step")]
    Damaged,
    #[error("the key of this project's sealed texts is not in the database")]
    NoKey,
    #[error("the system has no randomness to seal with")]
    NoRandomness,
}

/// Opens the keys of projects. Made where the server's own key is.
pub trait OpenPayloads: fmt::Debug + Send + Sync {
    /// A project's key, out of what is stored of it.
    fn key(&self, project: ProjectId, sealed_key: &[u8]) -> Result<Box<dyn PayloadKey>, Unopened>;
}

/// Opens the texts of one project.
pub trait PayloadKey: Send + Sync {
    /// The text that was sealed for this place.
    fn open(&self, place: TextPlace<'_>, sealed: &[u8]) -> Result<String, Unopened>;
}
