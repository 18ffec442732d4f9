//! Scores one step: hands the engine what it has to know of it.

use domain::{NanoUsd, NewStep, Place, StepKind};
use engine::answer::Answer;
use engine::{History, Rules, Score, StepFacts, StepRecord};

use crate::derived_step::DerivedStep;

/// What a run had done before a step.
#[derive(Clone, Copy, Debug)]
pub struct RunBefore {
    /// How often the very same call came, the step included.
    pub same_calls: u32,
    /// What it had cost.
    pub cost: Option<NanoUsd>,
}

/// Scores a step; the record is what a history keeps of it.
pub fn score_step(
    step: &NewStep,
    derived: &DerivedStep,
    run: RunBefore,
    history: &History,
    rules: &Rules,
) -> (Score, StepRecord) {
    let output = step.output.as_deref();
    let answer = if step.kind == StepKind::Llm {
        engine::answer::read(output, step.input.as_deref().unwrap_or(""))
    } else {
        Answer::verbatim(output)
    };
    let template = template_word(derived.template.as_ref().map(<[u8; 32]>::as_slice));
    let facts = StepFacts {
        output: answer.text.as_deref(),
        answers_without_text: answer.has_other_content,
        tool_calls: &answer.tool_calls(),
        output_schema: answer.output_schema.as_ref(),
        template: &template,
        context_window: derived.context_window,
        same_calls_in_run: run.same_calls,
        run_cost_before: run.cost,
        ..StepFacts::of(step, derived.tokens, derived.cost)
    };
    let mut score = engine::score(&facts, history, rules);
    let record = StepRecord::of(&facts, &score);
    // Bytes of a text that was taken out of a message are not bytes of the output that is shown.
    if answer.is_message {
        for condition in &mut score.conditions {
            condition.place = condition
                .place
                .take()
                .filter(|place| !matches!(place, Place::Bytes { .. }));
        }
    }
    (score, record)
}

/// The key of a template in a history; blank where there is none.
pub(super) fn template_word(fingerprint: Option<&[u8]>) -> String {
    fingerprint.map(engine::fingerprint::hex).unwrap_or_default()
}
