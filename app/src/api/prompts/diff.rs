//! Two texts compared by line, and within changed lines by word.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::{Change, DiffLine};

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 3;
/// After this long the comparison goes on with larger segments.
const DEADLINE: Duration = Duration::from_millis(100);

/// The lines of both texts in order, those far from any change left out.
pub(super) fn lines(before: &str, after: &str) -> Vec<DiffLine> {
    let diff = TextDiff::configure().timeout(DEADLINE).diff_lines(before, after);
    let mut lines = Vec::new();
    let mut end = 0;
    for group in diff.grouped_ops(CONTEXT_LINES) {
        let begin = group.first().map_or(0, |op| op.old_range().start);
        if begin > end {
            lines.push(cut(begin - end));
        }
        end = group.last().map_or(end, |op| op.old_range().end);
        for change in group.iter().flat_map(|op| diff.iter_inline_changes(op)) {
            let segments = change
                .iter_strings_lossy()
                .map(|(marked, text)| (marked, text.trim_end_matches(['\n', '\r']).to_owned()))
                .filter(|(_, text)| !text.is_empty())
                .collect();
            lines.push(DiffLine {
                change: match change.tag() {
                    ChangeTag::Equal => Change::Same,
                    ChangeTag::Insert => Change::Added,
                    ChangeTag::Delete => Change::Removed,
                },
                segments,
            });
        }
    }
    let all = before.lines().count();
    if all > end && !lines.is_empty() {
        lines.push(cut(all - end));
    }
    lines
}

fn cut(lines: usize) -> DiffLine {
    let count = i64::try_from(lines).unwrap_or(i64::MAX);
    DiffLine {
        change: Change::Cut,
        segments: vec![(false, domain::text::counted(count, "unchanged line"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changed_and_little_around_it() {
        let check = |before: &str, after: &str, expected: &str| {
            let shown: Vec<String> = lines(before, after)
                .iter()
                .map(|line| {
                    let sign = match line.change {
                        Change::Same => ' ',
                        Change::Added => '+',
                        Change::Removed => '-',
                        Change::Cut => '~',
                    };
                    let text: String = line
                        .segments
                        .iter()
                        .map(|(marked, text)| {
                            if *marked {
                                format!("[{text}]")
                            } else {
                                text.clone()
                            }
                        })
                        .collect();
                    format!("{sign}{text}")
                })
                .collect();
            assert_eq!(shown.join("\n"), expected);
        };
        check("same\ntext", "same\ntext", "");
        check(
            "Answer in JSON.\nBe brief.\n",
            "Answer in prose.\nBe brief.\n",
            "-Answer in [JSON.]\n+Answer in [prose.]\n Be brief.",
        );
        check("", "new\n", "+new");
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\nten\n",
            "1\n2\n3\n4\n5\n6\n7\n8\n9\nTEN\n",
            "~6 unchanged lines\n 7\n 8\n 9\n-[ten]\n+[TEN]",
        );
        check(
            "a\n1\n2\n3\n4\n5\n",
            "b\n1\n2\n3\n4\n5\n",
            "-[a]\n+[b]\n 1\n 2\n 3\n~2 unchanged lines",
        );
    }
}
