//! The chain of steps that decided how long the run took.

use domain::{StepSummary, Timestamp};

use super::layout::Layout;
use super::scale::drawn_end;

/// Which rows lie on the critical path by time: walking back from the end of the run, at each moment the step
/// that ended last before it. A row with children is on the path through them.
pub(crate) fn by_time(layout: &Layout, steps: &[StepSummary], now: Timestamp) -> Vec<bool> {
    let mut on_path = vec![false; layout.rows.len()];
    let children = children(layout);
    let tops: Vec<usize> = (0..layout.rows.len())
        .filter(|row| layout.rows[*row].parent.is_none())
        .collect();
    let end_of = |row: usize| drawn_end(&steps[layout.rows[row].step], now);
    let start_of = |row: usize| steps[layout.rows[row].step].started_at;

    let Some(last) = tops.iter().map(|row| end_of(*row)).max() else {
        return on_path;
    };
    let mut open = vec![(tops.as_slice(), last)];
    while let Some((siblings, until)) = open.pop() {
        // A child that outlives its parent counts up to the parent's end.
        let mut by_end: Vec<(Timestamp, usize)> = siblings
            .iter()
            .map(|row| (end_of(*row).min(until), *row))
            .collect();
        by_end.sort_by(|a, b| b.cmp(a));
        let mut covered_from = until;
        for (end, row) in by_end {
            let start = start_of(row);
            // Steps of no length decide nothing.
            if end > covered_from || start >= end {
                continue;
            }
            on_path[row] = true;
            covered_from = start;
            open.push((&children[row], end));
        }
    }
    on_path
}

fn children(layout: &Layout) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); layout.rows.len()];
    for (row, place) in layout.rows.iter().enumerate() {
        if let Some(parent) = place.parent {
            children[parent].push(row);
        }
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::{BEGIN, step};

    #[test]
    fn paths() {
        // Steps as (id, parent, start, length) in milliseconds.
        let check = |list: &[(&str, &str, i64, i64)], expected: &str| {
            let steps: Vec<_> = list
                .iter()
                .map(|(id, parent, start, length)| {
                    step(id, (!parent.is_empty()).then_some(*parent), *start, *length)
                })
                .collect();
            let layout = Layout::of(&steps);
            let on_path = by_time(&layout, &steps, BEGIN);
            let ids: Vec<&str> = layout
                .rows
                .iter()
                .zip(&on_path)
                .filter(|(_, on)| **on)
                .map(|(row, _)| steps[row.step].step_id.as_str())
                .collect();
            assert_eq!(ids.join(" "), expected);
        };
        check(&[], "");
        check(&[("a", "", 0, 10)], "a");
        // One after the other: all of them.
        check(
            &[("r", "", 0, 30), ("a", "r", 0, 10), ("b", "r", 12, 18)],
            "r a b",
        );
        // Side by side: the one that ended last.
        check(&[("r", "", 0, 30), ("a", "r", 0, 10), ("b", "r", 0, 30)], "r b");
        // The fan-out's slowest, then what followed.
        check(
            &[
                ("r", "", 0, 50),
                ("a", "r", 0, 20),
                ("b", "r", 0, 19),
                ("c", "r", 21, 29),
                ("d", "c", 25, 5),
            ],
            "r a c d",
        );
        // Zero length decides nothing; a child may outlive its parent.
        check(
            &[("r", "", 0, 10), ("z", "r", 5, 0), ("late", "r", 5, 90)],
            "r late",
        );
        // Cycles and missing parents end.
        check(
            &[("a", "b", 0, 10), ("b", "a", 0, 10), ("o", "gone", 10, 5)],
            "o a b",
        );
        check(&[("z", "", 0, 0)], "");
    }
}
