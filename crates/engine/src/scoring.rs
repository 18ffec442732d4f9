//! Scoring a step: the layers in order, until the threshold is reached.

use crate::facts::StepFacts;
use crate::findings::Findings;
use crate::history::{History, StepSamples};
use crate::limits::{Limits, threshold};
use crate::reading::Reading;
use crate::rules::Rules;
use crate::score::{Score, severity};
use crate::{layer1, layer2, layer3, layer4, layer5};

/// Scores a step against what came before it. Push the step to the history afterwards, never before.
pub fn score(facts: &StepFacts<'_>, history: &History, rules: &Rules) -> Score {
    evaluate(facts, history, rules, StopEarly::Yes)
}

/// All conditions of a step, as if no threshold stopped the layers: what a back-test starts from.
/// `stopped_at_layer` and severity are those of [`score`].
pub fn score_every_layer(facts: &StepFacts<'_>, history: &History, rules: &Rules) -> Score {
    evaluate(facts, history, rules, StopEarly::No)
}

fn evaluate(facts: &StepFacts<'_>, history: &History, rules: &Rules, stop_early: StopEarly) -> Score {
    let judged = Evaluation {
        facts,
        limits: &Limits::of(&history.recent, rules),
        samples: history.samples_of(facts.series()),
        rules,
    };
    judged.until(threshold(&history.recent, rules), stop_early)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StopEarly {
    Yes,
    No,
}

struct Evaluation<'a> {
    facts: &'a StepFacts<'a>,
    limits: &'a Limits,
    samples: Option<&'a StepSamples>,
    rules: &'a Rules,
}

impl Evaluation<'_> {
    fn until(&self, threshold: i32, stop_early: StopEarly) -> Score {
        let reading = Reading::of(self.facts);
        let mut findings = Findings::new(self.rules);
        let mut stopped_at_layer = None;
        for layer in 1..=5 {
            match layer {
                1 => layer1::evaluate(&reading, &mut findings),
                2 => layer2::evaluate(&reading, &mut findings),
                3 => layer3::evaluate(&reading, self.samples, &mut findings),
                4 => layer4::evaluate(&reading, self.limits, self.samples, &mut findings),
                _ => layer5::evaluate(&reading, self.samples, &mut findings),
            }
            if findings.total >= threshold && stopped_at_layer.is_none() {
                stopped_at_layer = Some(layer);
                if stop_early == StopEarly::Yes {
                    break;
                }
            }
        }
        let Findings {
            conditions, total, ..
        } = findings;
        Score {
            total,
            severity: severity(
                total,
                threshold,
                conditions.iter().any(|condition| condition.layer == 1),
            ),
            threshold,
            stopped_at_layer,
            prompt_shape: reading.requested.shape(),
            output_shape: reading.shape,
            conditions,
        }
    }
}
