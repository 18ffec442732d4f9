//! The dashboard: pages, components and server functions. Native with `ssr`, WASM with `hydrate`.
//!
//! **Invariants:** all state of a page is in its URL; every page renders on the server with its data and works
//! without WASM; a server function authorises, reads one snapshot and returns; components hold no arithmetic.

#![expect(
    unreachable_pub,
    reason = "the component and server macros write public items"
)]
// Deeply nested view types are what the view macro produces.
#![recursion_limit = "256"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!(
    "features `ssr` and `hydrate` exclude each other: build the server and the browser half apart"
);

mod api;
mod chart;
mod context;
mod error;
mod keyboard;
mod live;
mod models;
mod pages;
mod payload;
mod query_string;
#[cfg(feature = "ssr")]
pub mod report;
mod request;
mod shell;
mod theme;
mod timeline;
mod ui;

pub use api::outbound::UpstreamCalls;
pub use api::projects::ServerFacts;
pub use context::{PageRequest, SiteUrls, Viewer, ViewerUser, WaysIn};
pub use error::ApiError;
#[cfg(target_arch = "wasm32")]
pub use pages::on_demand::code_is_here;
pub use pages::settings::incidents::draft::IncidentsDraft;
pub use pages::settings::redaction::draft::RedactionDraft;
pub use pages::settings::scoring::draft::ScoringDraft;
pub use shell::{App, shell};
pub use theme::Theme;

#[cfg(feature = "ssr")]
pub use api::analyses::source::{RunSource, read as read_run_source};
#[cfg(feature = "ssr")]
pub use api::detectors::trial::{Trial, try_detector};
#[cfg(feature = "ssr")]
pub use api::forecast::forecasts;
#[cfg(feature = "ssr")]
pub use api::scoring::RulesInForce;
#[cfg(feature = "ssr")]
pub use api::shares::OpenedShare;
#[cfg(feature = "ssr")]
pub use context::{CurrentSession, LinkHash, OneTimeSecrets};
