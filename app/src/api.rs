//! Server functions, grouped by noun. Each authorises, reads one snapshot, and returns.

pub(crate) mod account;
pub(crate) mod anomalies;
pub(crate) mod audit;
pub(crate) mod commands;
pub(crate) mod deploys;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod members;
pub(crate) mod overview;
pub(crate) mod prices;
pub(crate) mod projects;
pub(crate) mod prompts;
#[cfg(feature = "ssr")]
pub(crate) mod rollouts;
pub(crate) mod runs;
pub(crate) mod scoring;
pub(crate) mod steps;
