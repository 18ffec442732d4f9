//! Plumbline's store: the only crate that knows SQL.
//!
//! **Invariants:** storage decides nothing (what to store is worked out by its callers); every statement names its
//! project; every transaction says for which projects it acts, and row-level security holds it to that.

pub mod alerts;
pub mod analyses;
pub mod anomalies;
pub mod audit;
pub mod backtest;
pub mod bills;
pub mod budgets;
pub mod call_counts;
pub mod chats;
pub mod cost;
mod counts;
pub mod day_histograms;
mod db;
pub mod demo_runs;
pub mod deploys;
pub mod detectors;
pub mod distribution;
mod error;
pub mod feedback;
pub mod findings;
pub mod fixes;
mod hours;
pub mod incidents;
pub mod ingest;
pub mod inquiries;
pub mod integrations;
pub mod invitations;
pub mod issues;
pub mod jobs;
pub mod key_limits;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod members;
mod migrate;
pub mod models;
pub mod openid;
pub mod partitions;
pub mod password_resets;
pub mod payloads;
pub mod prices;
mod probe;
pub mod projects;
pub mod prompts;
pub mod recount;
pub mod redaction;
pub mod relocation;
mod removal;
pub mod reprice;
pub mod retention;
pub mod runs;
pub mod scoring;
mod sealed;
pub mod sequence;
pub mod series;
pub mod sessions;
pub mod shares;
pub mod spans;
pub mod steps;
pub mod traces;
pub mod usage_parts;
pub mod user_data;
pub mod users;
pub mod watcher;

pub use db::{Connections, Db, OnReader, Scope, Snapshot, Tx};
pub use error::{Error, Result};
pub use migrate::{
    LockMode, MigrationPlan, MigrationState, PendingMigration, PlannedStatement, TableLock, Work,
    build_indexes, let_act, migrate, migration_plan, migration_state,
};
pub use probe::{Probe, probe};
pub use sqlx::postgres::PgConnectOptions;
