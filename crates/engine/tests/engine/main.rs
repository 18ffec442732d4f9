//! What the engine computes, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod corpus;
mod incidents;
mod price_rows;
mod pricing;
mod properties;
mod usage;
