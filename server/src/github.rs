//! Deploys from GitHub: webhooks tell at once, a sync every few minutes asks for what was missed. Both say the same of a
//! deploy, whichever comes first and however often.

pub mod connection;
pub mod contents;
pub mod issues;
pub mod pulls;
mod records;
pub mod rest;
pub mod signature;
pub mod sync;
pub mod task;
pub mod webhook;

/// The secret of webhooks, by its name in storage.
pub const WEBHOOK_SECRET: &str = "webhook_secret";
/// The token for the API, by its name in storage.
pub const TOKEN: &str = "token";

/// The field that a stored secret is bound to.
pub(crate) fn field(name: &str) -> String {
    format!("{}.{name}", storage::integrations::GITHUB)
}
