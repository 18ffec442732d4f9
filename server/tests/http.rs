//! The HTTP contract, against the real router and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/anomalies.rs"]
mod anomalies;
#[path = "http/app.rs"]
mod app;
#[path = "http/attack.rs"]
mod attack;
#[path = "http/backtest.rs"]
mod backtest;
#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/cardinality.rs"]
mod cardinality;
#[path = "http/conditions.rs"]
mod conditions;
#[path = "http/connections.rs"]
mod connections;
#[path = "http/contract.rs"]
mod contract;
#[path = "http/cost.rs"]
mod cost;
#[path = "http/cross_site.rs"]
mod cross_site;
#[path = "http/deletion.rs"]
mod deletion;
#[path = "http/demo.rs"]
mod demo;
#[path = "http/deploys.rs"]
mod deploys;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/jobs.rs"]
mod jobs;
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
#[path = "http/pricing.rs"]
mod pricing;
#[path = "http/proxy.rs"]
mod proxy;
#[path = "http/proxy_keys.rs"]
mod proxy_keys;
#[path = "http/proxy_limits.rs"]
mod proxy_limits;
#[path = "http/proxy_metering.rs"]
mod proxy_metering;
#[path = "http/proxy_secrets.rs"]
mod proxy_secrets;
#[path = "http/proxy_streams.rs"]
mod proxy_streams;
#[path = "http/read.rs"]
mod read;
#[path = "http/recount.rs"]
mod recount;
#[path = "http/reprice.rs"]
mod reprice;
#[path = "http/reprice_jobs.rs"]
mod reprice_jobs;
#[path = "http/scoring.rs"]
mod scoring;
#[path = "http/scoring_form.rs"]
mod scoring_form;
#[path = "http/scoring_history.rs"]
mod scoring_history;
#[path = "http/search.rs"]
mod search;
#[path = "http/series.rs"]
mod series;
#[path = "http/sessions.rs"]
mod sessions;
#[path = "http/supervision.rs"]
mod supervision;
#[path = "http/tenancy.rs"]
mod tenancy;
#[path = "http/unpriced.rs"]
mod unpriced;
#[path = "http/upstream.rs"]
mod upstream;
