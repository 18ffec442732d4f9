//! A fix for an incident, as a model proposed it: files of a repository before and after.

use serde::{Deserialize, Serialize};

/// What a model proposed, held to the files as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixDraft {
    /// In one line.
    pub title: String,
    /// Why this is to help, in the model's words.
    pub explanation: String,
    /// The files that it changes.
    pub files: Vec<FixedFile>,
}

/// A file that a fix changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedFile {
    /// Its path in the repository.
    pub path: String,
    /// What git calls the text that was read: a file that is another by then is not written.
    pub blob_sha: String,
    /// Its text as it was read.
    pub before: String,
    /// Its text with the fix.
    pub after: String,
}
