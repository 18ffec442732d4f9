//! The repository's own rules, where no compiler holds them. Each failure says what to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "tidy/advisories.rs"]
mod advisories;
#[path = "tidy/boundaries.rs"]
mod boundaries;
#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/style.rs"]
mod style;
#[path = "tidy/time_limits.rs"]
mod time_limits;
