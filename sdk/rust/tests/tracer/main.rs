//! The crate as programs use it, against a server that is made up.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod console;
mod file;
mod ingest_server;
mod program;
mod sending;
mod traces;
