//! What detectors find in a finished run: which runs they judge, the rules, and what is shown to a model and held to.
//!
//! **Invariant:** a quote of a finding occurs in the text it is said to stand in.

mod answer;
mod conditions;
mod context;
mod ending;
mod found;
mod quotes;
mod rules;
mod sampling;
mod wanted;

pub use answer::{AnswerError, ModelAnswer, answer_schema, read_answer};
pub use conditions::{all_hold, metadata_keys};
pub use context::{Context, ContextPart, chosen_steps, context};
pub use ending::final_step;
pub use found::Found;
pub use quotes::{Claimed, Verified, locate, verify};
pub use rules::judge;
pub use sampling::is_sampled;
pub use wanted::wanted_texts;
