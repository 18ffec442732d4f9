//! Plumbline's store: the only crate that knows SQL.
//!
//! **Invariants:** storage decides nothing (what to store is worked out by its callers); every statement names its
//! project; every transaction says for which projects it acts, and row-level security holds it to that.

#![warn(missing_docs)]

pub mod audit;
mod db;
mod error;
pub mod ingest;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod members;
mod migrate;
pub mod partitions;
mod probe;
pub mod projects;
pub mod recount;
pub mod runs;
pub mod scoring;
pub mod sessions;
pub mod steps;
pub mod users;

pub use db::{Db, Scope, Tx};
pub use error::{Error, Result};
pub use migrate::{MigrationState, migrate, migration_state};
pub use probe::{Probe, probe};
pub use sqlx::postgres::PgConnectOptions;
