//! What a run ends with.

use std::collections::BTreeSet;

use domain::detector::JudgedStep;

/// The step that a run ends with: of the top-level steps with an output the one that ended last, of all steps where no
/// top-level one has an output.
pub fn final_step(steps: &[JudgedStep]) -> Option<&JudgedStep> {
    let ids: BTreeSet<&str> = steps.iter().map(|step| step.step_id.as_str()).collect();
    let is_top = |step: &JudgedStep| {
        step.parent_step_id
            .as_deref()
            .is_none_or(|parent| !ids.contains(parent))
    };
    steps
        .iter()
        .filter(|step| step.text_bytes.1 > 0)
        .max_by_key(|step| (is_top(step), step.ended_at, step.started_at))
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::detectors::rules::tests::step;

    #[test]
    fn a_run_ends_with_its_last_top_level_output() {
        let ended = |id: &str, parent: Option<&str>, at: i64, bytes: i64| JudgedStep {
            parent_step_id: parent.map(str::to_owned),
            ended_at: Some(Timestamp::from_micros(at)),
            text_bytes: (0, bytes),
            ..step(id, id)
        };
        let check = |steps: &[JudgedStep], expected: Option<&str>| {
            assert_eq!(final_step(steps).map(|step| step.step_id.as_str()), expected);
        };
        check(&[], None);
        check(&[ended("a", None, 9, 0)], None);
        check(
            &[
                ended("a", None, 5, 1),
                ended("b", Some("a"), 9, 1),
                ended("c", None, 7, 1),
            ],
            Some("c"),
        );
        check(&[ended("a", None, 5, 0), ended("b", Some("a"), 4, 1)], Some("b"));
    }
}
