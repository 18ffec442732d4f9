//! What server functions and pages share: queries as URLs say them, and figures worked out from what was read. Pure:
//! nothing here knows leptos.

pub(crate) mod activity;
pub(crate) mod anomalies_query;
pub(crate) mod cost_words;
pub(crate) mod overview_query;
pub(crate) mod prompts;
pub(crate) mod rise;
pub(crate) mod rollout_words;
