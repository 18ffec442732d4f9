//! Which row each step gets: depth, order, subtrees, and the forest of steps whose parent never came.
//!
//! **Invariant:** every step gets exactly one row, whatever its parent link says (missing, itself, a cycle).

use std::collections::HashSet;

use domain::skeleton::{Parent, Skeleton};

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
    /// For the first row of calls that can be folded into one line: one past the last of them. 0 for every other row.
    group_ends: Vec<usize>,
    /// The row of each step.
    row_of_step: Vec<usize>,
}

/// A line of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    Row(usize),
    /// Calls of one name side by side, folded: the first row, and one past the last.
    Group(usize, usize),
    /// "parent not received", over so many top rows.
    Orphans(usize),
}

impl Line {
    /// The rows whose bars lie on the line; of a row that is folded, its whole subtree.
    pub(crate) fn first_row(self) -> Option<usize> {
        match self {
            Self::Row(row) | Self::Group(row, _) => Some(row),
            Self::Orphans(_) => None,
        }
    }
}

/// What is folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folds {
    /// Rows and groups that are the other way round than the rest of this says.
    toggled: HashSet<usize>,
    /// Everything deeper than so many levels is folded.
    level: Option<usize>,
    /// Repeated calls are one line.
    groups: bool,
}

impl Folds {
    /// Folds of a run: steps by their ids, a level, repeated calls.
    pub(crate) fn of(
        layout: &Layout,
        skeleton: &Skeleton,
        ids: &[String],
        level: Option<usize>,
        groups: bool,
    ) -> Self {
        let toggled = ids.iter().filter_map(|id| layout.row_of(skeleton, id)).collect();
        Self {
            toggled,
            level,
            groups,
        }
    }

    /// Whether the line that begins with this row hides others.
    pub(crate) fn is_folded(&self, layout: &Layout, row: usize) -> bool {
        let Some(place) = layout.rows.get(row) else {
            return false;
        };
        let by_rule = match layout.group_end(row) {
            Some(_) => self.groups,
            None if !layout.is_parent(row) => return false,
            None => self.level.is_some_and(|level| place.depth + 1 >= level),
        };
        by_rule != self.toggled.contains(&row)
    }
}

impl Layout {
    /// Lays out the steps of a run.
    pub(crate) fn of(skeleton: &Skeleton) -> Self {
        Self::laid_out(skeleton, skeleton.steps.len() > LONG_RUN)
    }

    /// Lays out a part of a long run as the whole would be.
    pub(crate) fn of_long_part(skeleton: &Skeleton) -> Self {
        Self::laid_out(skeleton, true)
    }

    fn laid_out(skeleton: &Skeleton, is_long: bool) -> Self {
        let steps = &skeleton.steps;
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
        let (mut tops, mut orphans) = (Vec::new(), Vec::new());
        for (index, step) in steps.iter().enumerate() {
            match step.parent {
                Parent::None => tops.push(index),
                Parent::Foreign(_) => orphans.push(index),
                Parent::Step(parent) => match children.get_mut(parent as usize) {
                    Some(list) => list.push(index),
                    None => orphans.push(index),
                },
            }
        }
        for list in children.iter_mut().chain([&mut tops, &mut orphans]) {
            list.sort_by_key(|step| (steps[*step].started_us, *step));
        }

        let mut layout = Self {
            rows: Vec::with_capacity(steps.len()),
            ..Self::default()
        };
        let mut placed = vec![false; steps.len()];
        layout.place(&tops, &children, &mut placed);
        layout.orphans_from = layout.rows.len();
        layout.place(&orphans, &children, &mut placed);
        // What is left hangs in a cycle. Entering it at its earliest step shows all of it once.
        let mut in_cycles: Vec<usize> = (0..steps.len()).filter(|index| !placed[*index]).collect();
        in_cycles.sort_by_key(|step| (steps[*step].started_us, *step));
        for index in in_cycles {
            if !placed[index] {
                layout.place(&[index], &children, &mut placed);
            }
        }
        layout.row_of_step = vec![0; steps.len()];
        for (row, place) in layout.rows.iter().enumerate() {
            layout.row_of_step[place.step] = row;
        }
        layout.group_ends = group_ends(&layout, skeleton, is_long);
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

    /// One past the last of the calls that this row begins and that can be folded into one line.
    pub(crate) fn group_end(&self, row: usize) -> Option<usize> {
        self.group_ends.get(row).copied().filter(|end| *end > 0)
    }

    pub(crate) fn row_of(&self, skeleton: &Skeleton, step_id: &str) -> Option<usize> {
        self.row_of_step.get(skeleton.find(step_id)?).copied()
    }

    /// The row of a step, by its place in the list that was laid out.
    pub(crate) fn row_of_place(&self, step: usize) -> Option<usize> {
        self.row_of_step.get(step).copied()
    }

    /// The lines that show with these folds.
    pub(crate) fn lines(&self, folds: &Folds) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.rows.len().min(4_096) + 1);
        let mut row = 0;
        while let Some(place) = self.rows.get(row) {
            if row == self.orphans_from {
                let tops = self.rows[row..].iter().filter(|r| r.depth == 0).count();
                lines.push(Line::Orphans(tops));
            }
            let is_folded = folds.is_folded(self, row);
            row = match self.group_end(row) {
                Some(end) if is_folded => {
                    lines.push(Line::Group(row, end));
                    end
                }
                _ => {
                    lines.push(Line::Row(row));
                    if is_folded { place.subtree_end } else { row + 1 }
                }
            };
        }
        lines
    }

    /// The line that shows a row: its own, or the one that it is folded into.
    pub(crate) fn line_of(lines: &[Line], layout: &Layout, row: usize) -> Option<usize> {
        let after = lines.partition_point(|line| match line {
            Line::Row(first) | Line::Group(first, _) => *first <= row,
            // The heading stands before the orphans.
            Line::Orphans(_) => layout.orphans_from <= row,
        });
        let at = after.checked_sub(1)?;
        match lines.get(at)? {
            Line::Orphans(_) => at.checked_sub(1),
            Line::Row(_) | Line::Group(..) => Some(at),
        }
    }

    /// The rows above a row, nearest first.
    pub(crate) fn ancestors(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.rows.get(row).and_then(|r| r.parent), |row| {
            self.rows[*row].parent
        })
    }
}

/// So many identical calls one after the other are a loop.
const LOOP_FROM: usize = 4;
/// So many calls of one name side by side are a crowd, in a run that is long.
const CROWD_FROM: usize = 8;
/// A run of more steps is long.
pub(crate) const LONG_RUN: usize = 1_000;

/// Where the calls end that can be folded into one line: neighbours of one name without children, that sent the same
/// prompt, or in a long run any.
fn group_ends(layout: &Layout, skeleton: &Skeleton, is_long: bool) -> Vec<usize> {
    let rows = &layout.rows;
    let mut ends = vec![0; rows.len()];
    let key = |row: usize| {
        let step = &skeleton.steps[rows[row].step];
        (rows[row].parent, rows[row].depth, step.name, step.kind)
    };
    let call = |row: usize| skeleton.steps[rows[row].step].same_call;
    let same = |a: usize, b: usize, with_prompt: bool| {
        !layout.is_parent(a)
            && !layout.is_parent(b)
            && b != layout.orphans_from
            && key(a) == key(b)
            && (!with_prompt || (call(a).is_some() && call(a) == call(b)))
    };
    let run_from = |first: usize, with_prompt: bool| {
        let mut end = first + 1;
        while end < rows.len() && same(end - 1, end, with_prompt) {
            end += 1;
        }
        end
    };
    let mut row = 0;
    while row < rows.len() {
        let (loops, crowd) = (run_from(row, true), run_from(row, false));
        let end = if is_long && crowd - row >= CROWD_FROM {
            Some(crowd)
        } else {
            (loops - row >= LOOP_FROM).then_some(loops)
        };
        match end {
            Some(end) => {
                ends[row] = end;
                row = end;
            }
            // A crowd that is too small may still hold a loop further on.
            None => row = loops.max(row + 1),
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::{call, skeleton, step};

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
        let skeleton = skeleton(&steps);
        let layout = Layout::of(&skeleton);
        assert_eq!(layout.rows.len(), steps.len(), "every step has one row");
        let folded: Vec<String> = folded.iter().map(|id| (*id).to_owned()).collect();
        let folds = Folds::of(&layout, &skeleton, &folded, None, true);
        let words: Vec<String> = layout
            .lines(&folds)
            .iter()
            .map(|line| match line {
                Line::Orphans(n) => format!("|{n}"),
                Line::Group(first, end) => format!("{first}..{end}"),
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
        let layout = Layout::of(&skeleton(&steps));
        assert_eq!(layout.rows.last().map(|r| r.depth), Some(4_999));
        assert_eq!(layout.rows[0].subtree_end, 5_000);
        assert_eq!(layout.ancestors(4_999).count(), 4_999);
    }

    #[test]
    fn levels_fold_and_single_steps_unfold() {
        let check = |level: usize, toggled: &[&str], expected: &str| {
            let steps = [
                step("a", None, 0, 9),
                step("b", Some("a"), 1, 2),
                step("c", Some("b"), 1, 1),
                step("d", Some("a"), 4, 1),
            ];
            let skeleton = skeleton(&steps);
            let layout = Layout::of(&skeleton);
            let toggled: Vec<String> = toggled.iter().map(|id| (*id).to_owned()).collect();
            let folds = Folds::of(&layout, &skeleton, &toggled, Some(level), true);
            let shown: Vec<&str> = layout
                .lines(&folds)
                .iter()
                .filter_map(|line| Some(skeleton.id_of(layout.rows[line.first_row()?].step)))
                .collect();
            assert_eq!(shown.join(" "), expected);
        };
        check(1, &[], "a");
        check(2, &[], "a b d");
        check(3, &[], "a b c d");
        check(1, &["a"], "a b d");
        check(2, &["b"], "a b c d");
    }

    #[test]
    fn identical_calls_are_one_line_and_every_row_has_a_line() {
        let mut steps = vec![step("root", None, 0, 100)];
        steps.extend((0..17).map(|n| call(&format!("c{n}"), "root", 10 + n)));
        steps.push(step("end", Some("root"), 90, 5));
        let skeleton = crate::timeline::sample::skeleton_of_calls(&steps);
        let layout = Layout::of(&skeleton);
        let folded = layout.lines(&Folds::of(&layout, &skeleton, &[], None, true));
        assert_eq!(folded, [Line::Row(0), Line::Group(1, 18), Line::Row(18)]);
        let open = layout.lines(&Folds::of(&layout, &skeleton, &["c0".to_owned()], None, true));
        assert_eq!(open.len(), 19);
        let off = layout.lines(&Folds::of(&layout, &skeleton, &[], None, false));
        assert_eq!(off.len(), 19);
        for row in 0..19 {
            let line = Layout::line_of(&folded, &layout, row).unwrap();
            assert_eq!(
                line,
                if row == 0 {
                    0
                } else if row < 18 {
                    1
                } else {
                    2
                },
                "{row}"
            );
        }
    }

    #[test]
    fn orphans_have_their_lines_behind_the_heading() {
        let steps = [step("a", None, 0, 9), step("x", Some("gone"), 1, 2)];
        let skeleton = skeleton(&steps);
        let layout = Layout::of(&skeleton);
        let lines = layout.lines(&Folds::default());
        assert_eq!(Layout::line_of(&lines, &layout, 0), Some(0));
        assert_eq!(Layout::line_of(&lines, &layout, 1), Some(2));
    }
}
