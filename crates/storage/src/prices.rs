//! Dated prices: the shipped rows, which have no project, and the projects' own.

mod history;
mod of_run;
mod read;
mod unpriced;
mod write;

pub use history::{ModelDay, model_days};
pub use of_run::{BilledStep, billed_steps, with_ids};
pub use read::{StoredPrice, behind_step, every_shipped, of_project, own, shipped};
pub use unpriced::unpriced_models;
pub use write::{
    NewOverride, OWN_PREFIX, Replaced, delete_override, edition, replace_shipped, save_override,
};
