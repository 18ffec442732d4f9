//! Storage against a real Postgres: one for this program, a database of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod audit;
mod batch;
mod deletion;
mod feedback;
mod filing;
mod partitions;
mod parts;
mod people;
mod plans;
mod prices;
mod recount;
mod schema;
mod scoring;
mod snapshots;
mod support;
mod tenancy;
