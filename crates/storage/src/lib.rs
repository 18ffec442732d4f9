//! Plumbline's store: the only crate that knows SQL.
//!
//! **Invariants:** storage decides nothing (what to store is worked out by its callers); every statement names its
//! project; every transaction says for which projects it acts, and row-level security holds it to that.

pub mod anomalies;
pub mod audit;
pub mod backtest;
pub mod cost;
mod counts;
mod db;
pub mod deploys;
mod error;
pub mod feedback;
mod hours;
pub mod ingest;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod members;
mod migrate;
pub mod partitions;
pub mod password_resets;
pub mod prices;
mod probe;
pub mod projects;
pub mod prompts;
pub mod recount;
pub mod reprice;
pub mod runs;
pub mod scoring;
pub mod sequence;
pub mod series;
pub mod sessions;
pub mod steps;
pub mod users;

pub use db::{Connections, Db, Scope, Snapshot, Tx};
pub use error::{Error, Result};
pub use migrate::{MigrationState, let_act, migrate, migration_state};
pub use probe::{Probe, probe};
pub use sqlx::postgres::PgConnectOptions;
