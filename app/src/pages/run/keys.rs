//! Keys of the run page.

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::Page;
use super::query::RunQuery;
use crate::keyboard::use_keys;
use crate::ui::links::{page_href, run_href};

/// A place to go to in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Line(isize),
    First,
    Last,
    Out,
    In,
    Problem { forward: bool },
}

/// j k ↑ ↓ move, ← → fold or climb, n N visit the problems, [ ] fold and unfold a level, { } go to the runs beside this
/// one, t switches to the table, Esc closes the step and then the run. The drawing has keys of its own.
pub(super) fn use_run_keys(page: Page) {
    let Page {
        slug, run, query, go, ..
    } = page;
    let navigate = use_navigate();
    use_keys(move |key| {
        let here = query.get_untracked();
        let reading = run.get_untracked();
        let in_tree = focus_is_in_tree();
        let to = match key {
            "j" => Move::Line(1),
            "k" => Move::Line(-1),
            "n" => Move::Problem { forward: true },
            "N" => Move::Problem { forward: false },
            "ArrowDown" if in_tree => Move::Line(1),
            "ArrowUp" if in_tree => Move::Line(-1),
            "ArrowLeft" if in_tree => Move::Out,
            "ArrowRight" if in_tree => Move::In,
            "Home" if in_tree => Move::First,
            "End" if in_tree => Move::Last,
            "[" | "]" => {
                let level = next_level(&reading, here.level, key == "]");
                let folded = Vec::new();
                go.run((
                    RunQuery {
                        level,
                        folded,
                        ..here
                    },
                    true,
                ));
                return true;
            }
            "{" | "}" => {
                let neighbours = &reading.view.neighbours;
                let beside = if key == "{" {
                    &neighbours.newer
                } else {
                    &neighbours.older
                };
                if let Some(id) = beside {
                    navigate(&run_href(&slug.read_untracked(), id), Default::default());
                }
                return beside.is_some();
            }
            "t" => {
                let as_table = !here.as_table;
                go.run((RunQuery { as_table, ..here }, true));
                return true;
            }
            "Escape" if here.step.is_some() => {
                go.run((here.with_step(None), true));
                return true;
            }
            "Escape" => {
                navigate(&page_href(&slug.read_untracked(), "runs"), Default::default());
                return true;
            }
            _ => return false,
        };
        match target(&reading, &here, to) {
            Some(query) => {
                go.run((query, true));
                true
            }
            None => false,
        }
    });
}

/// One level more or less of a run; `None` when nothing is folded.
pub(super) fn next_level(run: &super::Run, level: Option<usize>, deeper: bool) -> Option<usize> {
    let parents = (0..run.layout.rows.len()).filter(|row| run.layout.is_parent(*row));
    // Levels of parents: folding below the deepest of them hides something.
    let deepest = parents
        .map(|row| run.layout.rows[row].depth + 1)
        .max()
        .unwrap_or(0);
    match (level, deeper) {
        (None, true) => None,
        (None, false) => Some(deepest).filter(|level| *level > 0),
        (Some(level), true) => Some(level + 1).filter(|level| *level <= deepest),
        (Some(level), false) => Some(level.saturating_sub(1).max(1)),
    }
}

/// The state of the page after a move; `None` when there is nowhere to go.
fn target(run: &super::Run, here: &RunQuery, to: Move) -> Option<RunQuery> {
    let folds = run.folds(here);
    let lines = run.layout.lines(&folds);
    let rows: Vec<usize> = lines.iter().filter_map(|line| line.first_row()).collect();
    let selected = here.step.as_deref().and_then(|id| run.find(id));
    // Inside a fold the line that it is folded into is where one is.
    let position = selected.and_then(|row| rows.partition_point(|first| *first <= row).checked_sub(1));
    let select = |row: usize| {
        let mut query = here.with_step(Some(run.id_of(row)));
        // A step inside a fold can't be shown without unfolding what contains it.
        for above in run
            .layout
            .ancestors(row)
            .filter(|above| folds.is_folded(&run.layout, *above))
        {
            query = query.with_fold_toggled(run.id_of(above));
        }
        Some(query)
    };
    let fold = |row: usize| Some(here.with_fold_toggled(run.id_of(row)));
    let can_fold = |row: usize| run.layout.is_parent(row) || run.layout.group_end(row).is_some();
    let is_folded = |row: usize| folds.is_folded(&run.layout, row);
    match (to, selected) {
        (Move::Problem { forward }, _) => select(run.next_problem(selected, forward)?),
        (Move::First, _) => select(*rows.first()?),
        (Move::Last, _) => select(*rows.last()?),
        (Move::Line(by), _) => match position {
            Some(at) => select(*rows.get(at.checked_add_signed(by)?)?),
            None => select(*rows.first()?),
        },
        (Move::Out, Some(row)) if can_fold(row) && !is_folded(row) => fold(row),
        (Move::Out, Some(row)) => select(run.layout.rows.get(row)?.parent?),
        (Move::In, Some(row)) if is_folded(row) => fold(row),
        (Move::In, Some(row)) if run.layout.is_parent(row) => select(row + 1),
        (Move::Out | Move::In, _) => None,
    }
}

fn focus_is_in_tree() -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        document()
            .active_element()
            .is_some_and(|active| active.closest(".wf-tree").is_ok_and(|found| found.is_some()))
    }
    #[cfg(not(target_arch = "wasm32"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::run::model::tests::run;
    use crate::timeline::sample::step;

    #[test]
    fn moves() {
        let reading = run(vec![
            step("a", None, 0, 9),
            step("b", Some("a"), 1, 2),
            step("c", Some("b"), 1, 1),
            step("d", Some("a"), 4, 1),
            step("x", Some("gone"), 5, 1),
        ]);
        let check = |here: &str, to: Move, expected: Option<&str>| {
            let pairs = crate::query_string::pairs(here);
            let here = RunQuery::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            let found = target(&reading, &here, to).map(|q| q.to_query());
            assert_eq!(found.as_deref(), expected, "{here:?} {to:?}");
        };
        check("", Move::Line(1), Some("step=a"));
        check("step=a", Move::Line(1), Some("step=b"));
        check("step=b&fold=b", Move::Line(1), Some("step=d&fold=b"));
        check("step=d", Move::Line(1), Some("step=x"));
        check("step=x", Move::Line(1), None);
        check("step=a", Move::Line(-1), None);
        check("step=a", Move::Out, Some("step=a&fold=a"));
        check("step=a&fold=a", Move::In, Some("step=a"));
        check("step=a", Move::In, Some("step=b"));
        check("step=c", Move::Out, Some("step=b"));
        check("step=x", Move::Out, None);
        check("", Move::In, None);
        check("", Move::Last, Some("step=x"));
        check("step=a", Move::Problem { forward: true }, None);
    }

    #[test]
    fn a_problem_inside_a_fold_is_unfolded() {
        let mut bad = step("c", Some("b"), 1, 1);
        bad.status = domain::StepStatus::Error;
        let reading = run(vec![step("a", None, 0, 9), step("b", Some("a"), 1, 2), bad]);
        let here = RunQuery::from_pairs([("fold", "a"), ("fold", "b"), ("fold", "other")]);
        let found = target(&reading, &here, Move::Problem { forward: true });
        assert_eq!(found.map(|q| q.to_query()).as_deref(), Some("step=c&fold=other"));
    }

    #[test]
    fn levels() {
        let reading = run(vec![
            step("a", None, 0, 9),
            step("b", Some("a"), 1, 2),
            step("c", Some("b"), 1, 1),
        ]);
        let check = |level: Option<usize>, deeper: bool, expected: Option<usize>| {
            assert_eq!(
                next_level(&reading, level, deeper),
                expected,
                "{level:?} {deeper}"
            );
        };
        check(None, false, Some(2));
        check(Some(2), false, Some(1));
        check(Some(1), false, Some(1));
        check(Some(1), true, Some(2));
        check(Some(2), true, None);
        check(None, true, None);
        assert_eq!(next_level(&run(vec![step("a", None, 0, 1)]), None, false), None);
    }
}
