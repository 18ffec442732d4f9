//! The first screen of a long run: what the server renders of it.

use std::collections::BTreeSet;

use domain::RunSummary;
use domain::skeleton::Skeleton;

use super::RunPart;
use crate::timeline::critical_path;
use crate::timeline::groups::by_name_and_model;
use crate::timeline::layout::{Folds, Layout, Line};
use crate::timeline::overview::strip;

/// Lines of one page.
pub(crate) const LINES: usize = 300;
/// Steps with problems whose conditions are read.
const PROBLEMS: usize = 200;
/// Groups that are sent.
const GROUPS: usize = 20;
/// Calls of a folded line that are sent.
const CALLS_OF_A_LINE: usize = 40;

/// The lines from `first_line` on, and the ids of the steps whose conditions the page speaks of.
pub(super) fn of_long_run(
    skeleton: &Skeleton,
    run: &RunSummary,
    first_line: usize,
    now_us: i64,
) -> (RunPart, Vec<String>) {
    let layout = Layout::of(skeleton);
    let lines = layout.lines(&Folds::of(&layout, skeleton, &[], None, true));
    let first_line = first_line.min(lines.len().saturating_sub(1));
    let on_path = critical_path::by_time(&layout, skeleton, now_us);
    let mut rows: BTreeSet<usize> = BTreeSet::new();
    for line in lines.iter().skip(first_line).take(LINES) {
        match line {
            Line::Row(row) => _ = rows.insert(*row),
            Line::Group(first, end) => rows.extend((*first..*end).take(CALLS_OF_A_LINE)),
            Line::Orphans(_) => {}
        }
    }
    let above: Vec<usize> = rows.iter().flat_map(|row| layout.ancestors(*row)).collect();
    rows.extend(above);
    let places: Vec<usize> = rows.iter().map(|row| layout.rows[*row].step).collect();
    let groups = by_name_and_model(&layout, skeleton, now_us);
    let part = RunPart {
        skeleton: skeleton.part(&places),
        on_path: rows.iter().map(|row| on_path[*row]).collect(),
        first_line: first_line as u32,
        line_count: lines.len() as u32,
        bounds: skeleton.bounds(now_us),
        strip: strip(&layout, skeleton, now_us),
        group_count: groups.len() as u32,
        groups: groups.into_iter().take(GROUPS).collect(),
    };
    (part, problems(&layout, skeleton, run))
}

/// The gravest steps, the one that the run is about first, each with what contains it.
fn problems(layout: &Layout, skeleton: &Skeleton, run: &RunSummary) -> Vec<String> {
    let named = run
        .problem
        .as_ref()
        .and_then(|problem| layout.row_of(skeleton, &problem.step_id));
    let step = |row: usize| &skeleton.steps[layout.rows[row].step];
    let mut rows: Vec<usize> = (0..layout.rows.len())
        .filter(|row| step(*row).is_problem())
        .collect();
    rows.sort_by_key(|row| {
        let step = step(*row);
        std::cmp::Reverse((step.is_grave(), step.score.unwrap_or(0), std::cmp::Reverse(*row)))
    });
    rows.truncate(PROBLEMS);
    rows.splice(0..0, named);
    let above: Vec<usize> = rows
        .iter()
        .take(20)
        .flat_map(|row| layout.ancestors(*row))
        .collect();
    rows.extend(above);
    let rows: BTreeSet<usize> = rows.into_iter().collect();
    rows.into_iter()
        .map(|row| skeleton.id_of(layout.rows[row].step).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::StepStatus;

    use super::*;
    use crate::timeline::sample::{BEGIN, run_summary, skeleton, step};

    #[test]
    fn a_part_is_bounded_and_knows_what_failed() {
        let mut steps = vec![step("root", None, 0, 60_000)];
        for batch in 0..300 {
            let id = format!("b{batch}");
            steps.push(step(&id, Some("root"), batch * 100, 90));
            steps.extend((0..9).map(|n| step(&format!("{id}-{n}"), Some(&id), batch * 100 + n, 5)));
        }
        steps[2_000].status = StepStatus::Error;
        let skeleton = skeleton(&steps);
        let check = |first_line: usize, first: &str| {
            let (part, problems) = of_long_run(&skeleton, &run_summary("r", 0), first_line, BEGIN.micros());
            assert!(
                part.skeleton.steps.len() <= LINES + 3,
                "{}",
                part.skeleton.steps.len()
            );
            assert!(part.skeleton.is_sound());
            assert_eq!(part.line_count, 3_001);
            assert!(part.skeleton.find(first).is_some(), "{first}");
            // What contains it comes along.
            assert_eq!(part.skeleton.id_of(0), "root");
            assert!(problems.contains(&steps[2_000].step_id) && problems.len() < 5);
        };
        check(0, "b0");
        check(1_500, &steps[1_500].step_id);
        check(999_999, "b299-8");
    }
}
