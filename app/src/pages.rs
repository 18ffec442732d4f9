//! One module per page. A page reads its URL, asks the server functions and lays out parts.

pub(crate) mod anomalies;
pub(crate) mod connect;
pub(crate) mod first_step;
pub(crate) mod login;
pub(crate) mod not_found;
pub(crate) mod on_demand;
pub(crate) mod projects;
pub(crate) mod prompt;
pub(crate) mod prompts;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod setup;
