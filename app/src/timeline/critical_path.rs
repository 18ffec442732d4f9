//! The chain of steps that decided how long the run took, and the one that decided what it cost.

use domain::skeleton::Skeleton;

use super::layout::Layout;

/// Which rows lie on the critical path by time: walking back from the end of the run, at each moment the step
/// that ended last before it. A row with children is on the path through them.
pub(crate) fn by_time(layout: &Layout, skeleton: &Skeleton, now_us: i64) -> Vec<bool> {
    let mut on_path = vec![false; layout.rows.len()];
    let children = children(layout);
    let tops = tops(layout);
    let step_of = |row: usize| &skeleton.steps[layout.rows[row].step];
    let Some(last) = tops.iter().map(|row| step_of(*row).end_us(now_us)).max() else {
        return on_path;
    };
    let mut open = vec![(tops.as_slice(), last)];
    while let Some((siblings, until)) = open.pop() {
        // A child that outlives its parent counts up to the parent's end.
        let mut by_end: Vec<(i64, usize)> = siblings
            .iter()
            .map(|row| (step_of(*row).end_us(now_us).min(until), *row))
            .collect();
        by_end.sort_by(|a, b| b.cmp(a));
        let mut covered_from = until;
        for (end, row) in by_end {
            let start = step_of(row).started_us;
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

/// Which rows lie on the critical path by cost: from the costliest top-level step down, at each step its costliest
/// child, what is in it included, as long as that costs more than the step itself.
pub(crate) fn by_cost(layout: &Layout, skeleton: &Skeleton) -> Vec<bool> {
    let mut on_path = vec![false; layout.rows.len()];
    let mut with_children: Vec<i64> = vec![0; layout.rows.len()];
    // Children come after their parents.
    for (row, place) in layout.rows.iter().enumerate().rev() {
        let own = skeleton.steps[place.step].cost_nano_usd.unwrap_or(0).max(0);
        with_children[row] = with_children[row].saturating_add(own);
        if let Some(parent) = place.parent {
            with_children[parent] = with_children[parent].saturating_add(with_children[row]);
        }
    }
    let children = children(layout);
    let costliest = |rows: &[usize]| {
        // The first of equals.
        let found = rows.iter().rev().copied().max_by_key(|row| with_children[*row]);
        found.filter(|row| with_children[*row] > 0)
    };
    let mut here = costliest(&tops(layout));
    while let Some(row) = here {
        on_path[row] = true;
        let own = skeleton.steps[layout.rows[row].step].cost_nano_usd.unwrap_or(0);
        here = costliest(&children[row]).filter(|child| with_children[*child] > own);
    }
    on_path
}

fn tops(layout: &Layout) -> Vec<usize> {
    (0..layout.rows.len())
        .filter(|row| layout.rows[*row].parent.is_none())
        .collect()
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
    use proptest::prelude::*;

    use domain::NanoUsd;

    use crate::timeline::sample::{BEGIN, skeleton, step};

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
            let layout = Layout::of(&skeleton(&steps));
            let on_path = by_time(&layout, &skeleton(&steps), BEGIN.micros());
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

    #[test]
    fn the_path_by_cost_follows_the_money() {
        let check = |list: &[(&str, &str, i64)], expected: &str| {
            let steps: Vec<_> = list
                .iter()
                .enumerate()
                .map(|(at, (id, parent, cost))| {
                    let mut step = step(id, (!parent.is_empty()).then_some(*parent), at as i64, 1);
                    step.cost_nano_usd = (*cost > 0).then_some(NanoUsd(*cost));
                    step
                })
                .collect();
            let skeleton = skeleton(&steps);
            let layout = Layout::of(&skeleton);
            let on_path = by_cost(&layout, &skeleton);
            let ids: Vec<&str> = (0..layout.rows.len())
                .filter(|row| on_path[*row])
                .map(|row| skeleton.id_of(layout.rows[row].step))
                .collect();
            assert_eq!(ids.join(" "), expected);
        };
        check(&[], "");
        check(&[("a", "", 0)], "");
        check(&[("r", "", 0), ("a", "r", 5), ("b", "r", 9)], "r b");
        // Many cheap ones together are dearer than one.
        check(
            &[
                ("r", "", 0),
                ("a", "r", 5),
                ("b", "r", 0),
                ("c", "b", 3),
                ("d", "b", 4),
            ],
            "r b d",
        );
        // What a step costs itself is not its children's.
        check(&[("r", "", 90), ("a", "r", 5)], "r");
        check(&[("a", "b", 1), ("b", "a", 2)], "a b");
    }

    proptest! {
        #[test]
        fn a_path_is_a_chain_from_the_top(links in prop::collection::vec((0usize..12, 0i64..50, 0i64..40, 0i64..9), 1..40)) {
            let steps: Vec<_> = links
                .iter()
                .enumerate()
                .map(|(at, (parent, start, length, cost))| {
                    let parent = (*parent < at).then(|| parent.to_string());
                    let mut step = step(&at.to_string(), parent.as_deref(), *start, *length);
                    step.cost_nano_usd = Some(NanoUsd(*cost));
                    step
                })
                .collect();
            let skeleton = skeleton(&steps);
            let layout = Layout::of(&skeleton);
            for on_path in [by_time(&layout, &skeleton, BEGIN.micros()), by_cost(&layout, &skeleton)] {
                for row in (0..on_path.len()).filter(|row| on_path[*row]) {
                    prop_assert!(layout.rows[row].parent.is_none_or(|parent| on_path[parent]));
                }
            }
            // By cost one child at most is on it.
            let by_cost = by_cost(&layout, &skeleton);
            let mut seen = std::collections::HashSet::new();
            for row in (0..by_cost.len()).filter(|row| by_cost[*row]) {
                prop_assert!(seen.insert(layout.rows[row].parent));
            }
        }
    }
}
