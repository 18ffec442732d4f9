//! Storage against a real Postgres: one for this program, a database of its own for each test.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod alerts;
mod audit;
mod batch;
mod calls;
mod deletion;
mod deploys;
mod detectors;
mod distribution;
mod feedback;
mod filing;
mod inquiries;
mod integrations;
mod partitions;
mod parts;
mod payloads;
mod people;
mod plans;
mod prices;
mod recount;
mod retention;
mod schema;
mod scoring;
mod snapshots;
mod stuck;
mod support;
mod tenancy;
mod upgrade;
mod usage_parts;
mod user_data;
