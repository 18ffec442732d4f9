//! The settings of a project.

pub(crate) mod general;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod members;
