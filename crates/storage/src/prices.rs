//! Dated prices: the shipped rows, which have no project, and the projects' own.

mod read;
mod unpriced;
mod write;

pub use read::{StoredPrice, behind_step, of_project, own, shipped};
pub use unpriced::unpriced_models;
pub use write::{
    NewOverride, OWN_PREFIX, Replaced, delete_override, edition, replace_shipped, save_override,
};
