//! Which texts of a run judging takes: the others are not read.

use domain::detector::{Definition, JudgedRun, Template};

use super::context::chosen_steps;
use super::ending::final_step;

/// The steps whose texts judging takes, in the order in which a model reads them.
pub fn wanted_texts(definition: &Definition, run: &JudgedRun) -> Vec<String> {
    match definition.template {
        Template::RequiredStep | Template::RepeatedTool | Template::SwallowedError => Vec::new(),
        Template::Schema => final_step(&run.steps)
            .map(|step| step.step_id.clone())
            .into_iter()
            .collect(),
        _ => chosen_steps(run),
    }
}
