//! Runs `corpus.json`: one row per step, with what scoring must find.

#[path = "../corpus/row.rs"]
mod row;

use std::collections::BTreeSet;

use self::row::corpus;
use engine::Rules;
use engine::codes::{self, Group};

#[test]
fn every_row_scores_as_expected() {
    let mut failures = Vec::new();
    for row in corpus() {
        let score = row.score(&row.rules);
        let found: Vec<u16> = score.conditions.iter().map(|condition| condition.code).collect();
        let expect = &row.expect;
        let holds = found == expect.codes
            && expect.total.is_none_or(|total| total == score.total)
            && expect.severity.is_none_or(|severity| severity == score.severity)
            && expect
                .threshold
                .is_none_or(|threshold| threshold == score.threshold)
            && expect
                .stopped_at_layer
                .is_none_or(|layer| layer == score.stopped_at_layer)
            && expect
                .prompt_shape
                .is_none_or(|shape| shape == score.prompt_shape)
            && expect
                .output_shape
                .is_none_or(|shape| shape == score.output_shape);
        if !holds {
            failures.push(format!("{}: {found:?} {score:#?}", row.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_code_has_a_row_that_hits() {
    let hit: BTreeSet<u16> = corpus().iter().flat_map(|row| row.expect.codes.clone()).collect();
    let missing: Vec<u16> = codes::ALL
        .iter()
        .map(|code| code.code)
        .filter(|code| !hit.contains(code))
        .collect();
    assert_eq!(missing, Vec::<u16>::new());
}

#[test]
fn without_the_extended_group_only_core_codes_fire() {
    for row in corpus() {
        let rules = Rules {
            extended: false,
            ..row.rules.clone()
        };
        for condition in row.score(&rules).conditions {
            assert_eq!(
                codes::find(condition.code).unwrap().group,
                Group::Core,
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn conditions_carry_evidence_that_points_into_the_output() {
    for row in corpus() {
        for condition in row.score(&row.rules).conditions {
            let output = row.step.output.as_deref().unwrap_or("");
            assert!(
                !condition.message.is_empty() && !condition.observed.is_empty(),
                "{condition:?}"
            );
            assert!(!condition.expected.is_empty(), "{condition:?}");
            for bytes in condition.place.iter().flat_map(domain::Place::bytes) {
                assert!(output.get(bytes).is_some(), "{}: {condition:?}", row.name);
            }
        }
    }
}
