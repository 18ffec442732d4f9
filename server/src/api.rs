//! What programs read: runs, series, deploys, the ledger, the audit log, health.

pub(crate) mod audit;
pub(crate) mod backtest;
pub(crate) mod cost;
mod csv;
pub(crate) mod deploys;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod ledger;
mod query;
pub(crate) mod runs;
pub(crate) mod scoring;
pub(crate) mod series;
