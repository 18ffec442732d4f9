//! Alerts: an outbox. A row is written in the transaction that caused it; delivering it is somebody else's work, who
//! takes the channel for a while, and writes down what was answered.

mod budgets;
mod history;
mod key_limits;
mod list;
mod outbox;
mod settings;
mod turns;

pub use budgets::{BudgetNews, tell_budgets, told_budgets};
pub use history::{incident_news, past_steps};
pub use key_limits::{KeyLimitNews, tell_key_limits};
pub use list::{
    AlertPage, Counts, Waiting, attempts, counts, last_attempts, latest_content, page, resend, waiting,
};
pub(crate) use outbox::insert_within;
pub use outbox::{NewAlert, record_done};
pub use settings::{Plan, PlannedChannel, plan, save_settings, settings};
pub use turns::{
    Claimed, ClaimedAlert, Delivered, Digest, Outcome, Turn, claim, delete_expired, drop_forgotten, finish,
    next_due, note_test,
};
