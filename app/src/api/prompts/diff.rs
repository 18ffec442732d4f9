//! Two texts compared by line, and within changed lines by word.

use std::time::{Duration, Instant};

use similar::{Change as TextChange, ChangeTag, TextDiff};
use tokio::sync::Semaphore;

use super::{Change, DiffLine};

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 3;
/// After this long the comparison goes on with larger segments, and marks no more words.
const DEADLINE: Duration = Duration::from_millis(200);
/// In longer changes no words are marked, in bytes: comparing words takes time with the square of their number.
const MARKED_BYTES: usize = 4 * 1024;
/// A line with more marks than this is shown as changed as a whole.
const MAX_SEGMENTS: usize = 200;

/// Comparisons are made one at a time: together they would take every core from those who wait for an answer.
static TURN: Semaphore = Semaphore::const_new(1);

/// As [`lines`], in turn. Pages are worked out on threads that serve no other request and give way, so it may take this
/// one: a thread made for it would have the priority of ingest.
pub(crate) async fn lines_in_turn(before: String, after: String) -> Vec<DiffLine> {
    // The semaphore is never closed.
    let Ok(_turn) = TURN.acquire().await else {
        return Vec::new();
    };
    lines(&before, &after)
}

/// The lines of both texts in order, those far from any change left out.
fn lines(before: &str, after: &str) -> Vec<DiffLine> {
    let deadline = Instant::now() + DEADLINE;
    let diff = TextDiff::configure().deadline(deadline).diff_lines(before, after);
    let mut lines = Vec::new();
    let mut end = 0;
    for group in diff.grouped_ops(CONTEXT_LINES) {
        let begin = group.first().map_or(0, |op| op.old_range().start);
        if begin > end {
            lines.push(cut(begin - end));
        }
        end = group.last().map_or(end, |op| op.old_range().end);
        for op in &group {
            let bytes: usize = diff.iter_changes(op).map(|change| change.value().len()).sum();
            if bytes > MARKED_BYTES || Instant::now() >= deadline {
                lines.extend(diff.iter_changes(op).map(|change| unmarked(&change)));
                continue;
            }
            lines.extend(
                diff.iter_inline_changes_deadline(op, Some(deadline))
                    .map(|change| {
                        let segments: Vec<(bool, String)> = change
                            .iter_strings_lossy()
                            .map(|(marked, text)| (marked, without_end(&text)))
                            .filter(|(_, text)| !text.is_empty())
                            .collect();
                        line(change.tag(), segments)
                    }),
            );
        }
    }
    let all = before.lines().count();
    if all > end && !lines.is_empty() {
        lines.push(cut(all - end));
    }
    lines
}

/// The first of the lines, so many and so many bytes of them at most, and whether that is not all. No line takes more than
/// a quarter, so that one that is long hides no other.
pub(super) fn beginning(lines: Vec<DiffLine>, (most, bytes): (usize, usize)) -> (Vec<DiffLine>, bool) {
    let mut is_cut = lines.len() > most;
    let mut left = bytes;
    let mut shown = Vec::new();
    for mut line in lines.into_iter().take(most) {
        if left == 0 {
            is_cut = true;
            break;
        }
        let mut of_line = left.min(bytes / 4);
        for (_, text) in &mut line.segments {
            let end = text.floor_char_boundary(of_line);
            is_cut |= end < text.len();
            text.truncate(end);
            of_line -= end;
            left -= end;
        }
        line.segments.retain(|(_, text)| !text.is_empty());
        shown.push(line);
    }
    (shown, is_cut)
}

fn unmarked(change: &TextChange<&str>) -> DiffLine {
    let text = without_end(change.value());
    let segments = if text.is_empty() {
        Vec::new()
    } else {
        vec![(false, text)]
    };
    line(change.tag(), segments)
}

fn line(tag: ChangeTag, mut segments: Vec<(bool, String)>) -> DiffLine {
    if segments.len() > MAX_SEGMENTS {
        segments = vec![(false, segments.into_iter().map(|(_, text)| text).collect())];
    }
    DiffLine {
        change: match tag {
            ChangeTag::Equal => Change::Same,
            ChangeTag::Insert => Change::Added,
            ChangeTag::Delete => Change::Removed,
        },
        segments,
    }
}

fn without_end(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).to_owned()
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

    #[test]
    fn the_beginning_is_in_bounds_and_says_that_it_is_one() {
        let added = |text: &str| line(ChangeTag::Insert, vec![(false, text.to_owned())]);
        let all = vec![added("ab"), added("éé"), added("c")];
        assert_eq!(beginning(all.clone(), (3, 40)), (all.clone(), false));
        assert_eq!(beginning(all.clone(), (2, 40)), (all[..2].to_vec(), true));
        let (cut, is_cut) = beginning(all, (3, 12));
        // A quarter is three bytes, and no half of a letter.
        assert_eq!((cut, is_cut), (vec![added("ab"), added("é"), added("c")], true));
    }

    /// What a template may be: 64 kB of words, all of them others, in few long lines or in many short ones.
    #[test]
    fn any_two_templates_are_compared_in_time_and_in_proportion() {
        let text = |line: &str, seed: usize| -> String {
            let words = (0..).map(|n| format!("{}{line}", (n * seed * 7_919) % 9_973));
            let mut text = String::new();
            words
                .take_while(|word| {
                    text.push_str(word);
                    text.len() < 64 * 1024
                })
                .for_each(drop);
            text
        };
        for line in [" ", "\n", " x\n y ", "e\u{301} ", "\u{200d}"] {
            let (before, after) = (text(line, 3), text(line, 5));
            let begun = Instant::now();
            let shown = lines(&before, &after);
            let took = begun.elapsed();
            assert!(took < DEADLINE * 20, "{line:?} took {took:?}");
            let said = serde_json::to_string(&shown).unwrap().len();
            assert!(
                said < 60 * (before.len() + after.len()),
                "{line:?} became {said} bytes"
            );
        }
    }
}
