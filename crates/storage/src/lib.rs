//! Plumbline's store: the only crate that knows SQL.
//!
//! **Invariants:** storage decides nothing (what to store is worked out by its callers); every statement names its
//! project; every transaction says for which projects it acts, and row-level security holds it to that.

#![warn(missing_docs)]

mod db;
mod error;
pub mod ingest;
pub mod ledger;
pub mod live;
mod migrate;
pub mod partitions;
pub mod runs;
pub mod steps;

pub use db::{Db, Scope, Tx};
pub use error::{Error, Result};
pub use migrate::{MigrationState, migrate, migration_state};
pub use sqlx::postgres::PgConnectOptions;
