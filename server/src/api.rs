//! What programs read: runs, the ledger, health.

pub(crate) mod backtest;
pub(crate) mod cost;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod ledger;
mod query;
pub(crate) mod runs;
pub(crate) mod scoring;
