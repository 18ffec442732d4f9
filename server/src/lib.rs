//! HTTP, ingest pipeline, command line: everything behind the `plumbline` binary.

pub mod api;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod delete_project;
pub mod error;
mod heavy;
pub mod ingest;
pub mod jobs;
pub mod live;
pub mod maintenance;
pub mod metrics;
pub mod pipeline;
pub mod price_file;
pub mod prices;
pub mod prompts;
pub mod proxy;
pub mod reprice;
pub mod router;
pub mod scoring;
pub mod serving;
pub mod site;
pub mod state;
pub mod supervise;
pub mod web;
