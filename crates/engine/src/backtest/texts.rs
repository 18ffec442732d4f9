//! Steps whose texts are at hand: the rules about texts are asked again.

use domain::StepStatus;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::facts::StepFacts;
use crate::history::History;
use crate::rules::Rules;
use crate::scoring::score_every_layer;

/// The texts of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepText {
    /// Position in [`super::Recording::steps`].
    pub step: u32,
    /// How it ended.
    pub status: String,
    /// The prompt.
    pub prompt: Option<String>,
    /// What came back.
    pub output: Option<String>,
    /// The error text.
    pub error: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// True when a stream ended without its final event.
    pub stream_incomplete: bool,
}

impl StepText {
    /// The facts of the step, with its texts.
    pub(super) fn facts<'a>(&'a self, figures: StepFacts<'a>, run_id: Option<&'a String>) -> StepFacts<'a> {
        StepFacts {
            run_id: run_id.map_or("", String::as_str),
            status: StepStatus::parse(&self.status).unwrap_or(figures.status),
            prompt: self.prompt.as_deref().unwrap_or(""),
            output: self.output.as_deref(),
            error: self.error.as_deref(),
            stop_reason: self.stop_reason.as_deref(),
            stream_incomplete: self.stream_incomplete,
            ..figures
        }
    }
}

/// Codes that need something which is not stored (the counts as they were reported, the other calls of the run):
/// they stay as they were found.
fn stays(code: u16) -> bool {
    const CODES: [codes::Code; 4] = [
        codes::NEGATIVE_TOKENS,
        codes::TOKEN_ACCOUNTING_MISMATCH,
        codes::CONTEXT_NEAR_FULL,
        codes::DUPLICATE_CALL_LOOP,
    ];
    CODES.iter().any(|known| known.code == code)
}

/// The codes of a step whose texts are read again: it was scored up to a layer, with which `stored` were found; `known`
/// are those from its figures and as stored.
pub(super) fn text_codes(
    facts: &StepFacts<'_>,
    stopped_at_layer: Option<u8>,
    stored: &[u16],
    known: &[u16],
) -> Vec<u16> {
    let found = score_every_layer(facts, &History::new(), &Rules::default());
    let reached_layer_3 = stopped_at_layer.is_none_or(|layer| layer >= 3);
    let is_usual_refusal = |code: u16| {
        // Whether a step usually declines is known only where it was scored: there it was asked already.
        code == codes::REFUSAL.code && reached_layer_3 && !stored.contains(&code)
    };
    let is_of_limits = |code: u16| codes::find(code).is_none_or(|code| super::is_learned(code.code));
    let mut codes: Vec<u16> = found
        .conditions
        .iter()
        .map(|condition| condition.code)
        .filter(|code| !stays(*code) && !is_of_limits(*code) && !is_usual_refusal(*code))
        // Found with the run's other calls in mind, which these facts do not have.
        .filter(|code| *code != codes::RUN_COST_CUMULATIVE.code)
        .chain(
            known
                .iter()
                .copied()
                .filter(|code| stays(*code) || *code == codes::RUN_COST_CUMULATIVE.code),
        )
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[cfg(test)]
mod tests {
    use super::super::{Recording, Series, Step};
    use super::*;

    #[test]
    fn texts_are_read_again_also_beyond_where_scoring_stopped() {
        let check = |stored: Step, text: StepText, expected: &[u16]| {
            let recording = Recording {
                runs: vec!["r".to_owned()],
                series: vec![Series {
                    step_name: "answer".to_owned(),
                    model: "m".to_owned(),
                }],
                steps: vec![stored],
                texts: vec![text],
                ..Recording::default()
            };
            let rows = recording.rows();
            assert_eq!(rows[0].codes, expected, "{recording:?}");
            assert_eq!(rows[0].stopped_at_layer, None);
        };
        let text = |prompt: &str, output: &str| StepText {
            status: "ok".to_owned(),
            prompt: Some(prompt.to_owned()),
            output: Some(output.to_owned()),
            ..StepText::default()
        };
        let step = |codes: &[u16], stopped_at_layer: Option<u8>| Step {
            output_tokens: Some(9),
            codes: codes.to_vec(),
            stopped_at_layer,
            ..Step::default()
        };
        check(step(&[], None), text("Say hello.", "Hello, Mara."), &[]);
        // Stored with the code muted: the text still shows it.
        check(
            step(&[], None),
            text(
                "Answer yes or no: is it late?",
                "Probably, but it depends on the order.",
            ),
            &[2004, 3014],
        );
        // Stopped at layer 2: layer 3 is read now.
        check(
            step(&[2001], Some(2)),
            text("Return JSON with the key \"a\".", "{\"a\": ["),
            &[2001, 3011, 3014],
        );
        // What needs more than the texts stays as stored.
        check(
            step(&[1007, 4012], Some(1)),
            text("Say hello.", "Hello, Mara."),
            &[1007, 4012],
        );
        // A step that reached layer 3 without a refusal is one that usually declines.
        let refusal = "I'm sorry, but I can't help with that request.";
        check(step(&[], None), text("Say hello.", refusal), &[]);
        check(step(&[3018], None), text("Say hello.", refusal), &[3018]);
    }
}
