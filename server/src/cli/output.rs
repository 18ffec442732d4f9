//! What commands say: data on stdout, everything else on stderr. A reader that has gone away is no error.

mod table;

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use domain::Timestamp;

pub(super) use table::{Cell, Column, Look, Tone, fixed_lines, lines as table_lines, print as print_table};

/// Nobody reads stdout any more, as after `| head`: the command ends, and well.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output")]
pub(super) struct Gone;

/// A line of data, for commands that go on for long.
pub(super) fn write_line(text: &str) -> Result<(), Gone> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Err(Gone),
        // A full disk is seen by whoever reads the file.
        _ => Ok(()),
    }
}

pub(super) fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// A remark for people.
pub(super) fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// How far a command has come, in a line that the next one is written over; for people at a terminal alone.
pub(super) fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // To the beginning of the line, and what was there longer is wiped out.
        write!(stderr, "\r{text}\u{1b}[K").ok();
        stderr.flush().ok();
    }
}

/// Data for programs.
pub(super) fn json(value: &serde_json::Value) {
    line(&format!("{value:#}"));
}

/// Columns as wide as their widest cell; the last one is left as it is.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let print = |cells: [&str; N]| {
        let mut text = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            text.push_str(&format!(
                "{}{:width$}  ",
                printable(cell),
                "",
                width = width - cell.chars().count()
            ));
        }
        line(text.trim_end());
    };
    print(head);
    for row in rows {
        print(std::array::from_fn(|column| row[column].as_str()));
    }
}

/// `2026-11-20 09:07`, UTC.
pub(super) fn minute(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(16).collect();
    text.replace('T', " ")
}

/// `2026-11-20 09:07:31`, UTC.
pub(super) fn second(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(19).collect();
    text.replace('T', " ")
}

/// Labels come from elsewhere; what steers a terminal is not for it.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A paragraph in lines of at most so many characters; a word that is longer stays whole.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in printable(text).split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a unbreakable b", 4), ["a", "unbreakable", "b"]);
        assert!(wrapped("", 10).is_empty());
    }
}
