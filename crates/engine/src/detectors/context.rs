//! What of a run a model is shown: chosen, not dumped. First the sums and the list of steps, then the texts of those that
//! say most: the first and the last, what failed, what scored, what other steps rest on.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::detector::{JudgedRun, JudgedStep, StepTexts};
use domain::text::{counted, duration, first_line};
use domain::{StepKind, StepStatus};

use super::ending::final_step;

/// Steps whose texts are shown.
const MAX_STEPS: usize = 40;
/// Steps that are listed by name.
const MAX_LISTED: usize = 200;
/// Of each name, in characters.
const MAX_NAME_CHARS: usize = 80;
/// Of each error in the list, in characters.
const MAX_ERROR_CHARS: usize = 200;
/// The least that is shown of a text, where there is more.
const MIN_PART_BYTES: usize = 400;

/// One text of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextPart {
    /// Of what it is: `output of step s1 (generate-response)`.
    pub label: String,
    /// The text.
    pub text: String,
    /// How much of it is shown, in bytes.
    pub limit_bytes: usize,
}

/// What a model is shown of a run. All of it is untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Sums and steps, a line each.
    pub overview: String,
    /// The texts, by start of their steps.
    pub parts: Vec<ContextPart>,
    /// Steps of which no text is shown.
    pub left_out: usize,
}

/// The steps whose texts a model is to see, by start.
pub fn chosen_steps(run: &JudgedRun) -> Vec<String> {
    let steps = &run.steps;
    let last = final_step(steps).map(|step| step.step_id.as_str());
    let mut ranked: Vec<(usize, &JudgedStep)> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.text_bytes != (0, 0) || step.error.is_some())
        .collect();
    let first = ranked.first().map(|(at, _)| *at);
    ranked.sort_by_key(|(at, step)| {
        let is_end = Some(step.step_id.as_str()) == last || Some(*at) == first;
        let has_failed = step.status == StepStatus::Error;
        let is_source = matches!(step.kind, StepKind::Retrieval | StepKind::Tool);
        let weight = i64::from(is_end) * 1_000_000
            + i64::from(has_failed) * 100_000
            + i64::from(step.score.unwrap_or(0).clamp(0, 999)) * 100
            + i64::from(is_source) * 50;
        // Of equals the later ones: they are nearer to the result.
        (std::cmp::Reverse(weight), std::cmp::Reverse(*at))
    });
    ranked.truncate(MAX_STEPS);
    ranked.sort_by_key(|(at, _)| *at);
    ranked.into_iter().map(|(_, step)| step.step_id.clone()).collect()
}

/// What a model is shown, in `limit_bytes` all together. `texts` are those of [`chosen_steps`].
pub fn context(run: &JudgedRun, texts: &[StepTexts], limit_bytes: usize) -> Context {
    let mut overview = overview(run);
    overview.truncate(overview.floor_char_boundary(limit_bytes / 3));
    let mut parts: Vec<ContextPart> = texts.iter().flat_map(parts_of).collect();
    share(&mut parts, limit_bytes.saturating_sub(overview.len()));
    let shown: BTreeSet<&str> = texts.iter().map(|texts| texts.step_id.as_str()).collect();
    let left_out = run
        .steps
        .iter()
        .filter(|step| !shown.contains(step.step_id.as_str()))
        .count();
    Context {
        overview,
        parts,
        left_out,
    }
}

fn parts_of(texts: &StepTexts) -> Vec<ContextPart> {
    let of = |what: &str, text: &Option<String>| {
        let text = text.clone().filter(|text| !text.trim().is_empty())?;
        Some(ContextPart {
            label: format!(
                "{what} of step {} ({})",
                first_line(&texts.step_id, MAX_NAME_CHARS),
                first_line(&texts.step, MAX_NAME_CHARS)
            ),
            text,
            limit_bytes: 0,
        })
    };
    [
        of("input", &texts.input),
        of("output", &texts.output),
        of("error", &texts.error),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Shares what there is: short texts are shown whole, and long ones have equal parts of the rest. Those that nothing is
/// left for are taken away.
fn share(parts: &mut Vec<ContextPart>, limit_bytes: usize) {
    // Beside the text stand its label and its marks.
    let overhead = |part: &ContextPart| part.label.len() * 2 + 100;
    while !parts.is_empty() {
        let marks: usize = parts.iter().map(overhead).sum();
        let Some(room) = limit_bytes.checked_sub(marks) else {
            parts.remove(parts.len() / 2);
            continue;
        };
        let cut = fair_cut(parts, room);
        let is_fair = cut >= MIN_PART_BYTES || parts.iter().all(|part| part.text.len() <= cut);
        if is_fair {
            for part in parts.iter_mut() {
                part.limit_bytes = part.text.len().min(cut);
            }
            return;
        }
        parts.remove(parts.len() / 2);
    }
}

/// The length at which every longer text is cut so that all of them fit into `room`.
fn fair_cut(parts: &[ContextPart], room: usize) -> usize {
    let mut lengths: Vec<usize> = parts.iter().map(|part| part.text.len()).collect();
    lengths.sort_unstable();
    let mut left = room;
    for (nth, length) in lengths.iter().enumerate() {
        let each = left / (lengths.len() - nth);
        if *length > each {
            return each;
        }
        left -= length;
    }
    lengths.last().copied().unwrap_or(0)
}

fn overview(run: &JudgedRun) -> String {
    let summary = &run.summary;
    let mut text = format!(
        "run {}: {}, {}, {}, {}\n",
        first_line(&summary.name, MAX_NAME_CHARS),
        summary.status.as_str(),
        duration(summary.latency_ms),
        counted(summary.step_count, "step"),
        counted(summary.error_count, "failed step"),
    );
    for step in run.steps.iter().take(MAX_LISTED) {
        let parent = step.parent_step_id.as_deref().unwrap_or("none");
        // Writing to a text cannot fail.
        _ = writeln!(
            text,
            "step {}: {}, {}, {}, in {}{}",
            first_line(&step.step_id, MAX_NAME_CHARS),
            first_line(step.called(), MAX_NAME_CHARS),
            step.kind.as_str(),
            step.status.as_str(),
            first_line(parent, MAX_NAME_CHARS),
            step.error
                .as_deref()
                .map(|error| format!(", error: {}", first_line(error, MAX_ERROR_CHARS)))
                .unwrap_or_default()
        );
    }
    if let Some(more) = run.steps.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        _ = writeln!(
            text,
            "and {} more that are not listed",
            counted(more as i64, "step")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detectors::rules::tests::{run, step};

    #[test]
    fn the_first_the_last_and_the_failed_are_among_those_chosen() {
        let mut steps: Vec<JudgedStep> = (0..5_000)
            .map(|n| JudgedStep {
                text_bytes: (10, 10),
                ended_at: Some(domain::Timestamp::from_micros(n)),
                ..step(&format!("s{n}"), "work")
            })
            .collect();
        steps[2_500].status = StepStatus::Error;
        let chosen = chosen_steps(&run(steps));
        assert_eq!(chosen.len(), MAX_STEPS);
        for id in ["s0", "s2500", "s4999"] {
            assert!(chosen.iter().any(|chosen| chosen == id), "{id}");
        }
    }

    #[test]
    fn short_texts_are_whole_and_long_ones_cut_alike() {
        let part = |bytes: usize| ContextPart {
            label: String::new(),
            text: "x".repeat(bytes),
            limit_bytes: 0,
        };
        let mut parts = vec![part(100), part(9_000), part(5_000)];
        share(&mut parts, 4_400);
        let limits: Vec<_> = parts.iter().map(|part| part.limit_bytes).collect();
        assert_eq!(limits, [100, 2_000, 2_000]);
        let mut many: Vec<_> = (0..100).map(|_| part(9_000)).collect();
        share(&mut many, 10_000);
        assert_eq!(many.len(), 20);
        assert!(many.iter().all(|part| part.limit_bytes == 400));
    }

    proptest! {
        #[test]
        fn a_context_keeps_its_limit(sizes in prop::collection::vec(0usize..30_000, 0..40), limit in 0usize..60_000) {
            let texts: Vec<StepTexts> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| StepTexts {
                    step_id: format!("s{n}"),
                    output: Some("ä".repeat(*size)),
                    ..StepTexts::default()
                })
                .collect();
            let context = context(&run(vec![step("a", "b")]), &texts, limit);
            let shown: usize = context.parts.iter().map(|part| part.limit_bytes + part.label.len() * 2 + 100).sum();
            prop_assert!(shown + context.overview.len() <= limit.max(1));
        }
    }
}
