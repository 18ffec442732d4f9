//! What Plumbline computes about a step, from its figures and texts alone.
//!
//! Entry points: [`score()`] judges a step, [`History`] is what it is judged against, [`codes`] is the table of
//! everything it can find, [`backtest`] judges many stored steps again with other rules, and [`histogram`] keeps
//! latencies so that they can be merged.
//!
//! **Invariant:** no clock, no I/O, no randomness, no panic on any input, time linear in the size of the texts.
//! The same arguments give the same answer on the server and in the browser.

#![warn(missing_docs)]

pub mod alignment;
pub mod analysis;
pub mod answer;
pub mod backtest;
mod band;
pub mod bills;
mod brackets;
pub mod citations;
pub mod codes;
pub mod compare;
pub mod detectors;
pub mod facts;
mod findings;
pub mod fingerprint;
pub mod flow;
pub mod forecast;
pub mod half_surrogates;
pub mod histogram;
pub mod history;
pub mod incidents;
pub mod json_scan;
mod layer1;
mod layer2;
mod layer3;
mod layer4;
mod layer5;
pub mod limits;
pub mod masking;
mod named_keys;
mod options;
mod placeholder;
pub mod pricing;
pub mod prompt;
mod quotation;
mod reading;
pub mod redaction;
mod refusal;
mod repetition;
mod request;
mod requested_format;
pub mod rollout;
pub mod rules;
mod sample;
mod schema;
pub mod score;
mod scoring;
pub mod series;
mod series_key;
pub mod shape;
pub mod skeleton_wire;
pub mod usage;
pub mod usual_range;
mod words;

pub use band::usual_band;
pub use facts::{StepFacts, ToolCall};
pub use histogram::Histogram;
pub use history::{History, RecentStep, RecentSteps, StepRecord};
pub use limits::{LimitSource, Limits, MetricLimit};
pub use rules::{LimitMode, ManualLimits, RULE_VERSION, Rules, Threshold};
pub use score::Score;
pub use scoring::{score, score_every_layer};
pub use series_key::SeriesKey;
pub use shape::Shape;
