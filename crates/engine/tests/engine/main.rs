//! What the engine computes, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod analysis;
mod corpus;
mod failing_runs;
mod false_alarms;
mod incidents;
mod planted_claims;
mod price_rows;
mod pricing;
mod properties;
mod truth;
mod usage;
mod usage_table;
