//! The HTTP contract, against the real router and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/app.rs"]
mod app;
#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/cross_site.rs"]
mod cross_site;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/keys.rs"]
mod keys;
#[path = "http/live.rs"]
mod live;
#[path = "http/overload.rs"]
mod overload;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/people.rs"]
mod people;
#[path = "http/read.rs"]
mod read;
#[path = "http/recount.rs"]
mod recount;
#[path = "http/scoring.rs"]
mod scoring;
#[path = "http/sessions.rs"]
mod sessions;
#[path = "http/tenancy.rs"]
mod tenancy;
