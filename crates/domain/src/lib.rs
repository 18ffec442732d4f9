//! The words of Plumbline: ids, money, time, token usage, steps, runs, conditions, filters.
//!
//! **Invariant:** no clock, no I/O, no floating point for money. Everything here compiles to native and to WASM
//! and is what the server stores, what the API answers and what the pages show.

#![warn(missing_docs)]

pub mod account;
pub mod anomaly;
pub mod audit;
pub mod condition;
pub mod deploy;
pub mod filter;
pub mod id;
pub mod ledger;
pub mod money;
pub mod price;
pub mod prompt;
pub mod run;
pub mod series;
pub mod step;
pub mod text;
pub mod timestamp;
pub mod usage;

pub use account::{ApiKey, Project, Role, Scope};
pub use anomaly::{ConditionFilter, Verdict};
pub use condition::{ByteRange, Condition, Place, Sample, Severity};
pub use deploy::{Deploy, DeployRecord, DeployStatus};
pub use filter::{FilterError, RunFilter, Window};
pub use id::{KeyId, ProjectId, UserId};
pub use ledger::LedgerMinute;
pub use money::NanoUsd;
pub use price::UnpricedModel;
pub use prompt::{PromptDay, PromptTemplate, PromptUse};
pub use run::{RunProblem, RunStatus, RunSummary};
pub use series::{Metric, SeriesBy, SeriesFilter};
pub use step::{CostSource, NewStep, StepEvent, StepKind, StepPayload, StepStatus, StepSummary};
pub use timestamp::Timestamp;
pub use usage::TokenUsage;
