//! The HTTP contract, against the real router and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/alert_answers.rs"]
mod alert_answers;
#[path = "http/alert_channels.rs"]
mod alert_channels;
#[path = "http/alert_email.rs"]
mod alert_email;
#[path = "http/alert_news.rs"]
mod alert_news;
#[path = "http/alert_receiver.rs"]
mod alert_receiver;
#[path = "http/alert_traces.rs"]
mod alert_traces;
#[path = "http/alerts.rs"]
mod alerts;
#[path = "http/analyses.rs"]
mod analyses;
#[path = "http/anomalies.rs"]
mod anomalies;
#[path = "http/app.rs"]
mod app;
#[path = "http/ask.rs"]
mod ask;
#[path = "http/attack.rs"]
mod attack;
#[path = "http/backtest.rs"]
mod backtest;
#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/bills.rs"]
mod bills;
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
#[path = "http/day_histograms.rs"]
mod day_histograms;
#[path = "http/deletion.rs"]
mod deletion;
#[path = "http/demo.rs"]
mod demo;
#[path = "http/deploys.rs"]
mod deploys;
#[path = "http/detectors.rs"]
mod detectors;
#[path = "http/detectors_model.rs"]
mod detectors_model;
#[path = "http/detectors_told.rs"]
mod detectors_told;
#[path = "http/encryption.rs"]
mod encryption;
#[path = "http/figures.rs"]
mod figures;
#[path = "http/findings.rs"]
mod findings;
#[path = "http/fixes.rs"]
mod fixes;
#[path = "http/forecast.rs"]
mod forecast;
#[path = "http/github_hooks.rs"]
mod github_hooks;
#[path = "http/github_stand_in.rs"]
mod github_stand_in;
#[path = "http/github_sync.rs"]
mod github_sync;
#[path = "http/github_turns.rs"]
mod github_turns;
#[path = "http/incident_hours.rs"]
mod incident_hours;
#[path = "http/incident_settings.rs"]
mod incident_settings;
#[path = "http/incidents.rs"]
mod incidents;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/inquiry_contract.rs"]
mod inquiry_contract;
#[path = "http/investigations.rs"]
mod investigations;
#[path = "http/jobs.rs"]
mod jobs;
#[path = "http/key_limits.rs"]
mod key_limits;
#[path = "http/keys.rs"]
mod keys;
#[path = "http/live.rs"]
mod live;
#[path = "http/mcp.rs"]
mod mcp;
#[path = "http/model_keys.rs"]
mod model_keys;
#[path = "http/model_stand_in.rs"]
mod model_stand_in;
#[path = "http/models.rs"]
mod models;
#[path = "http/openid.rs"]
mod openid;
#[path = "http/openid_stand_in.rs"]
mod openid_stand_in;
#[path = "http/operators.rs"]
mod operators;
#[path = "http/otlp.rs"]
mod otlp;
#[path = "http/otlp_growing.rs"]
mod otlp_growing;
#[path = "http/otlp_grpc.rs"]
mod otlp_grpc;
#[path = "http/otlp_hostile.rs"]
mod otlp_hostile;
#[path = "http/otlp_refused.rs"]
mod otlp_refused;
#[path = "http/otlp_usage.rs"]
mod otlp_usage;
#[path = "http/outbound.rs"]
mod outbound;
#[path = "http/overload.rs"]
mod overload;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/people.rs"]
mod people;
#[path = "http/pricing.rs"]
mod pricing;
#[path = "http/private_targets.rs"]
mod private_targets;
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
#[path = "http/redaction.rs"]
mod redaction;
#[path = "http/reprice.rs"]
mod reprice;
#[path = "http/reprice_jobs.rs"]
mod reprice_jobs;
#[path = "http/retention.rs"]
mod retention;
#[path = "http/run_groups.rs"]
mod run_groups;
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
#[path = "http/share_makers.rs"]
mod share_makers;
#[path = "http/shares.rs"]
mod shares;
#[path = "http/skeleton.rs"]
mod skeleton;
#[path = "http/smtp_stand_in.rs"]
mod smtp_stand_in;
#[path = "http/supervision.rs"]
mod supervision;
#[path = "http/tenancy.rs"]
mod tenancy;
#[path = "http/truth.rs"]
mod truth;
#[path = "http/unpriced.rs"]
mod unpriced;
#[path = "http/upstream.rs"]
mod upstream;
#[path = "http/user_data.rs"]
mod user_data;
#[path = "http/watcher.rs"]
mod watcher;
