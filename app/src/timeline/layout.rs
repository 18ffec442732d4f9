//! Which row each step gets: depth, order, subtrees, and the forest of steps whose parent never came.
//!
//! **Invariant:** every step gets exactly one row, whatever its parent link says (missing, itself, a cycle).

use std::collections::{HashMap, HashSet};

use domain::{StepSummary, Timestamp};

/// One step's place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Position of the step in the list that was laid out.
    pub(crate) step: usize,
    /// 0 for a top-level step.
    pub(crate) depth: usize,
    /// Row of the parent; `None` at the top and for orphans.
    pub(crate) parent: Option<usize>,
    /// One past the last row of the subtree: `row + 1` for a leaf.
    pub(crate) subtree_end: usize,
}

/// All steps of a run as rows, parents before children, siblings by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) rows: Vec<Row>,
    /// First row of the forest whose parents were not received; equals `rows.len()` when there is none.
    pub(crate) orphans_from: usize,
}

/// A line of the drawing: a row, or the heading over the orphans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    Row(usize),
    /// "parent not received", over so many top rows.
    Orphans(usize),
}

impl Layout {
    /// Lays out the steps of a run.
    pub(crate) fn of(steps: &[StepSummary]) -> Self {
        let parents = parents(steps);
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
        let (mut tops, mut orphans) = (Vec::new(), Vec::new());
        for (index, parent) in parents.iter().enumerate() {
            match parent {
                Parent::None => tops.push(index),
                Parent::Missing => orphans.push(index),
                Parent::Step(parent) => children[*parent].push(index),
            }
        }
        let by_time = |a: &usize, b: &usize| order_key(&steps[*a]).cmp(&order_key(&steps[*b]));
        for list in children.iter_mut().chain([&mut tops, &mut orphans]) {
            list.sort_by(by_time);
        }

        let mut layout = Self {
            rows: Vec::with_capacity(steps.len()),
            orphans_from: 0,
        };
        let mut placed = vec![false; steps.len()];
        layout.place(&tops, &children, &mut placed);
        layout.orphans_from = layout.rows.len();
        layout.place(&orphans, &children, &mut placed);
        // What is left hangs in a cycle. Entering it at its earliest step shows all of it once.
        let mut in_cycles: Vec<usize> = (0..steps.len()).filter(|index| !placed[*index]).collect();
        in_cycles.sort_by(by_time);
        for index in in_cycles {
            if !placed[index] {
                layout.place(&[index], &children, &mut placed);
            }
        }
        layout
    }

    fn place(&mut self, tops: &[usize], children: &[Vec<usize>], placed: &mut [bool]) {
        // (step, depth, parent row); a stack instead of recursion, because depth is the client's choice.
        let mut stack: Vec<(usize, usize, Option<usize>)> =
            tops.iter().rev().map(|step| (*step, 0, None)).collect();
        let mut open: Vec<usize> = Vec::new();
        while let Some((step, depth, parent)) = stack.pop() {
            if std::mem::replace(&mut placed[step], true) {
                continue;
            }
            let row = self.rows.len();
            for closed in open.drain(depth.min(open.len())..) {
                self.rows[closed].subtree_end = row;
            }
            open.push(row);
            self.rows.push(Row {
                step,
                depth,
                parent,
                subtree_end: row + 1,
            });
            stack.extend(
                children[step]
                    .iter()
                    .rev()
                    .map(|child| (*child, depth + 1, Some(row))),
            );
        }
        let end = self.rows.len();
        for row in open {
            self.rows[row].subtree_end = end;
        }
    }

    /// Whether the row has children.
    pub(crate) fn is_parent(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|r| r.subtree_end > row + 1)
    }

    pub(crate) fn row_of(&self, steps: &[StepSummary], step_id: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| steps[row.step].step_id == step_id)
    }

    /// The lines that show while the subtrees of the steps in `folded` (ids) are folded.
    pub(crate) fn lines(&self, steps: &[StepSummary], folded: &HashSet<String>) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        let mut row = 0;
        while let Some(place) = self.rows.get(row) {
            if row == self.orphans_from {
                let tops = self.rows[row..].iter().filter(|r| r.depth == 0).count();
                lines.push(Line::Orphans(tops));
            }
            lines.push(Line::Row(row));
            row = if !folded.is_empty() && folded.contains(&steps[place.step].step_id) {
                place.subtree_end
            } else {
                row + 1
            };
        }
        lines
    }

    /// The rows above a row, nearest first.
    pub(crate) fn ancestors(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.rows.get(row).and_then(|r| r.parent), |row| {
            self.rows[*row].parent
        })
    }
}

enum Parent {
    None,
    Missing,
    Step(usize),
}

fn parents(steps: &[StepSummary]) -> Vec<Parent> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        by_id.entry(&step.step_id).or_insert(index);
    }
    steps
        .iter()
        .enumerate()
        .map(|(index, step)| match step.parent_step_id.as_deref() {
            None => Parent::None,
            Some(id) => match by_id.get(id) {
                Some(parent) if *parent != index => Parent::Step(*parent),
                _ => Parent::Missing,
            },
        })
        .collect()
}

fn order_key(step: &StepSummary) -> (Timestamp, i32, &str) {
    (
        step.started_at,
        step.step_index.unwrap_or(i32::MAX),
        &step.step_id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::step;

    /// Steps as `id<parent@start`; rows as indented ids, orphans after `|`.
    fn drawn(text: &str, folded: &[&str]) -> String {
        let steps: Vec<_> = text
            .split_whitespace()
            .map(|word| {
                let (id, start_ms) = word.split_once('@').unwrap_or((word, "0"));
                let (id, parent) = id.split_once('<').map_or((id, None), |(id, p)| (id, Some(p)));
                step(id, parent, start_ms.parse().unwrap(), 10)
            })
            .collect();
        let layout = Layout::of(&steps);
        assert_eq!(layout.rows.len(), steps.len(), "every step has one row");
        let folded = folded.iter().map(|id| (*id).to_owned()).collect();
        let words: Vec<String> = layout
            .lines(&steps, &folded)
            .iter()
            .map(|line| match line {
                Line::Orphans(n) => format!("|{n}"),
                Line::Row(row) => {
                    let row = layout.rows[*row];
                    format!("{}{}", ".".repeat(row.depth), steps[row.step].step_id)
                }
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn rows() {
        let check = |text: &str, expected: &str| assert_eq!(drawn(text, &[]), expected, "{text}");
        check("", "");
        check("a", "a");
        check("a b<a c<b d<a", "a .b ..c .d");
        check("c<b d<a@5 b<a@1 a", "a .b ..c .d");
        check("b@2 a@1", "a b");
        check("a x<gone y<x z<lost", "a |2 x .y z");
        check("x<gone", "|1 x");
        check("a<a", "|1 a");
        check("a<b b<a", "|1 a .b");
        check("r a<c b<a c<b x<b", "r |1 a .b ..c ..x");
        check("a<b@2 b<a@1 q<q", "|2 q b .a");
        check("a a", "a a");
    }

    #[test]
    fn folding_hides_the_subtree_only() {
        let check = |folded: &[&str], expected: &str| {
            assert_eq!(drawn("a b<a c<b d<a e", folded), expected);
        };
        check(&[], "a .b ..c .d e");
        check(&["b"], "a .b .d e");
        check(&["a"], "a e");
        check(&["c", "nobody"], "a .b ..c .d e");
    }

    #[test]
    fn deep_and_wide_runs_are_laid_out() {
        let mut steps = vec![step("0", None, 0, 1)];
        for n in 1..5_000 {
            steps.push(step(&n.to_string(), Some(&(n - 1).to_string()), n, 1));
        }
        let layout = Layout::of(&steps);
        assert_eq!(layout.rows.last().map(|r| r.depth), Some(4_999));
        assert_eq!(layout.rows[0].subtree_end, 5_000);
        assert_eq!(layout.ancestors(4_999).count(), 4_999);
    }
}
