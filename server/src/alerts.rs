//! Alerts. What a batch's steps are worth telling is worked out before its commit ([`triggers`]) and written with it; who
//! delivers it takes a channel, sends, and writes down what was answered ([`delivery`]).
//!
//! **Invariants:** an alert is committed with what caused it or not at all. One process speaks to a channel at a time.
//! Delivery is at least once, under the same id on every attempt.

mod backoff;
mod budgets;
mod channels;
pub mod delivery;
mod email;
mod facts;
mod findings;
mod incidents;
mod key_limits;
mod message;
mod plan;
mod plans;
mod reply;
pub mod send;
mod sentry;
mod slack;
mod traces;
mod triggers;
mod webhook;

pub use budgets::look as look_at_budgets;
pub use channels::{ChannelDraft, SaveError, SecretText, Wrong, save_channel, shown_secret};
pub use findings::FindingAlerts;
pub use incidents::{IncidentAlerts, IncidentNews};
pub use key_limits::look as look_at_key_limits;
pub use plan::settings_of;
pub use plans::{Alerts, BatchAlerts};

pub use reply::{Reply, Verdict};
pub use send::Sender;
pub use traces::{run as send_traces, send_due as send_due_traces};
pub use triggers::{Told, ToldStep};
