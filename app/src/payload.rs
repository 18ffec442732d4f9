//! The texts of a step: as a conversation, as JSON, as they stand, with the offending bytes marked.

pub(crate) mod budget;
pub(crate) mod chat;
pub(crate) mod lex;
pub(crate) mod markdown;
pub(crate) mod marks;
pub(crate) mod state_diff;
pub(crate) mod text;
pub(crate) mod tree;
#[cfg(any(feature = "ssr", test))]
pub(crate) mod turn;
