//! The HTTP contract, against the real router and a real Postgres.

#[path = "http/app.rs"]
mod app;
#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/live.rs"]
mod live;
#[path = "http/overload.rs"]
mod overload;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/read.rs"]
mod read;
#[path = "http/recount.rs"]
mod recount;
