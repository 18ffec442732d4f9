//! One module per page. A page reads its URL, asks the server functions and lays out parts; what several pages show
//! is in a module of its own, and no two know each other in a circle.

pub(crate) mod account;
pub(crate) mod anomalies;
pub(crate) mod cells;
pub(crate) mod conditions;
pub(crate) mod connect;
pub(crate) mod deploy;
pub(crate) mod deploys;
pub(crate) mod effects;
pub(crate) mod first_step;
pub(crate) mod invite;
pub(crate) mod ledger_sums;
pub(crate) mod login;
pub(crate) mod on_demand;
pub(crate) mod overview;
pub(crate) mod projects;
pub(crate) mod prompt;
pub(crate) mod prompts;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod setup;
