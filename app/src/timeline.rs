//! The timeline of a run: where each step lies in time and in the tree, and how that is drawn.

pub(crate) mod critical_path;
pub(crate) mod draw;
pub(crate) mod groups;
pub(crate) mod layout;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod scale;
