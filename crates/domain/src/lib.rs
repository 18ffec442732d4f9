//! The words of Plumbline: ids, money, time, token usage, steps, runs, conditions, filters.
//!
//! **Invariant:** no clock, no I/O, no floating point for money. Everything here compiles to native and to WASM
//! and is what the server stores, what the API answers and what the pages show.

#![warn(missing_docs)]

pub mod account;
pub mod alert;
pub mod anomaly;
pub mod audit;
pub mod bill;
pub mod condition;
pub mod deploy;
pub mod detector;
pub mod filter;
pub mod fix;
pub mod github;
pub mod id;
pub mod incident;
pub mod inquiry;
pub mod key_limit;
pub mod ledger;
pub mod models;
pub mod money;
pub mod own_run;
pub mod price;
pub mod prompt;
pub mod run;
pub mod series;
pub mod share;
pub mod skeleton;
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
pub use incident::{CauseAnswer, IncidentChange, IncidentEventKind, IncidentStatus};
pub use inquiry::{InquiryEventKind, WatchAction, WatchSeverity};
pub use ledger::{LedgerMinute, StatedCost, UsageShape};
pub use models::{Feature, ModelChoice, ProviderKind, WorkState};
pub use money::NanoUsd;
pub use own_run::OwnRunKind;
pub use price::UnpricedModel;
pub use prompt::{PromptDay, PromptTemplate, PromptUse};
pub use run::{RunProblem, RunStatus, RunSummary};
pub use series::{Metric, SeriesBy, SeriesFilter};
pub use share::{Share, ShareContent, ShareState};
pub use step::{CostSource, NewStep, StepEvent, StepKind, StepPayload, StepStatus, StepSummary};
pub use timestamp::Timestamp;
pub use usage::{TokenUsage, UsageDetails};
