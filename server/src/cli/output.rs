//! What commands say: data on stdout, everything else on stderr. A reader that has gone away is no error.

use std::io::Write as _;

pub(super) fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// A remark for people.
pub(super) fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
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

/// Labels come from elsewhere; what steers a terminal is not for it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
