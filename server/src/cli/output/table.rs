//! Tables that fit: what is wider than the terminal is cut in columns of text, and then loses the columns that matter
//! least.

use std::io::IsTerminal as _;

use super::{Gone, printable, write_line};
use crate::config::{Colour, PrintFlags};

/// What a cell says beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    #[default]
    Plain,
    /// Above the others: a total, a name.
    Strong,
    /// Of less interest.
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    /// How a terminal is told.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Faint => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
        }
    }
}

/// A text of a table.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(in crate::cli) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Column<'a> {
    head: &'a str,
    is_number: bool,
    /// It is cut down to so many characters where there is little room.
    at_least: Option<usize>,
    /// It goes where there is less; those with the highest number first.
    goes: u8,
}

impl<'a> Column<'a> {
    /// Of texts that stay whole.
    pub(in crate::cli) const fn text(head: &'a str) -> Self {
        Self {
            head,
            is_number: false,
            at_least: None,
            goes: 0,
        }
    }

    /// Of numbers, which stand at the right.
    pub(in crate::cli) const fn number(head: &'a str) -> Self {
        Self {
            is_number: true,
            ..Self::text(head)
        }
    }

    /// It may be cut down to so many characters.
    pub(in crate::cli) const fn cut_to(self, at_least: usize) -> Self {
        Self {
            at_least: Some(at_least),
            ..self
        }
    }

    /// It may go; those with the highest number first.
    pub(in crate::cli) const fn goes(self, goes: u8) -> Self {
        Self { goes, ..self }
    }
}

/// For whom is printed.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Look {
    /// `None` is no limit.
    pub(in crate::cli) width: Option<usize>,
    pub(in crate::cli) colour: bool,
}

impl Look {
    /// As the flags say, and else as fits what stdout is.
    pub(in crate::cli) fn of(flags: &PrintFlags) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let own_width = is_terminal.then(terminal_width).flatten();
        Self::given(flags, is_terminal, own_width)
    }

    fn given(flags: &PrintFlags, is_terminal: bool, own_width: Option<usize>) -> Self {
        let is_refused = flags.no_color.as_deref().is_some_and(|value| !value.is_empty());
        Self {
            width: flags.width.filter(|width| *width > 0).or(own_width),
            colour: match flags.color {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => is_terminal && !is_refused,
            },
        }
    }

    /// A text in its tone.
    pub(in crate::cli) fn toned(self, text: &str, tone: Tone) -> String {
        if self.colour && tone != Tone::Plain {
            format!("{}{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Between two columns.
const GAP: usize = 2;

/// Prints a table.
pub(in crate::cli) fn print(look: Look, columns: &[Column<'_>], rows: &[Vec<Cell>]) -> Result<(), Gone> {
    for line in lines(look, columns, rows) {
        write_line(&line)?;
    }
    Ok(())
}

/// The lines of a table, its head first.
pub(in crate::cli) fn lines(look: Look, columns: &[Column<'_>], rows: &[Vec<Cell>]) -> Vec<String> {
    let natural = columns.iter().enumerate().map(|(place, column)| {
        let cells = rows.iter().filter_map(|row| row.get(place));
        let cells = cells.map(|cell| cell.text.chars().count());
        cells.chain([column.head.chars().count()]).max().unwrap_or(0)
    });
    let widths = widths(look.width, columns, natural.collect());
    let body = rows.iter().map(|row| line(look, columns, &widths, row));
    std::iter::once(head(look, columns, &widths))
        .chain(body)
        .collect()
}

/// The head and one row of a table that goes on: its columns have their widths from the start. Without a limit nothing
/// is cut.
pub(in crate::cli) fn fixed_lines(look: Look, columns: &[(Column<'_>, usize)], row: &[Cell]) -> [String; 2] {
    let natural = columns.iter().map(|(_, width)| *width).collect();
    let columns: Vec<Column<'_>> = columns.iter().map(|(column, _)| *column).collect();
    let widths = widths(look.width, &columns, natural);
    [head(look, &columns, &widths), line(look, &columns, &widths, row)]
}

fn head(look: Look, columns: &[Column<'_>], widths: &[usize]) -> String {
    let cells: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::new(column.head, Tone::Faint))
        .collect();
    line(look, columns, widths, &cells)
}

fn line(look: Look, columns: &[Column<'_>], widths: &[usize], row: &[Cell]) -> String {
    let mut out = String::new();
    let shown = columns.iter().zip(widths).zip(row);
    for ((column, width), cell) in shown.filter(|((_, width), _)| **width > 0) {
        let text = printable(&cell.text);
        let text = if look.width.is_some() {
            cut(&text, *width)
        } else {
            text
        };
        let padding = " ".repeat(width.saturating_sub(text.chars().count()));
        let text = look.toned(&text, cell.tone);
        if !out.is_empty() {
            out.push_str("  ");
        }
        out.push_str(&if column.is_number {
            format!("{padding}{text}")
        } else {
            format!("{text}{padding}")
        });
    }
    out.trim_end().to_owned()
}

/// How wide each column is within the limit, given how wide it would be; 0 where it goes.
fn widths(limit: Option<usize>, columns: &[Column<'_>], natural: Vec<usize>) -> Vec<usize> {
    let mut widths = natural.clone();
    let Some(limit) = limit else { return widths };
    let total = |widths: &[usize]| {
        let shown = widths.iter().filter(|width| **width > 0);
        shown.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
    };
    loop {
        let over = total(&widths).saturating_sub(limit);
        if over == 0 {
            return widths;
        }
        // The widest of those that can still be cut.
        let cuttable = (0..columns.len())
            .filter(|column| {
                let least = columns[*column].at_least;
                least.is_some_and(|least| widths[*column] > least.max(columns[*column].head.chars().count()))
            })
            .max_by_key(|column| widths[*column]);
        if let Some(column) = cuttable {
            widths[column] -= 1;
            continue;
        }
        let next = (0..columns.len())
            .filter(|column| columns[*column].goes > 0 && widths[*column] > 0)
            .max_by_key(|column| columns[*column].goes);
        match next {
            Some(column) => {
                widths[column] = 0;
                // What was cut for it has room again.
                for other in 0..columns.len() {
                    if columns[other].at_least.is_some() && widths[other] > 0 {
                        widths[other] = natural[other];
                    }
                }
            }
            None => return widths,
        }
    }
}

/// At most so many characters, the last of them `…` where some are missing.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column<'_>; 4] = [
        Column::text("RUN").cut_to(6),
        Column::number("COST"),
        Column::text("STATUS").goes(1),
        Column::text("PROBLEM").cut_to(8).goes(2),
    ];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![
                "demo-20261130-0001".into(),
                "$1.20".into(),
                Cell::new("error", Tone::Bad),
                "the model returned no JSON".into(),
            ],
            vec!["short".into(), "$0.0004".into(), "ok".into(), "".into()],
        ]
    }

    fn plain(width: Option<usize>) -> Vec<String> {
        let look = Look { width, colour: false };
        lines(look, &COLUMNS, &rows())
    }

    #[test]
    fn a_table_without_a_limit_is_whole() {
        assert_eq!(
            plain(None),
            [
                "RUN                    COST  STATUS  PROBLEM",
                "demo-20261130-0001    $1.20  error   the model returned no JSON",
                "short               $0.0004  ok",
            ]
        );
    }

    #[test]
    fn a_narrow_table_is_cut_and_loses_what_matters_least() {
        for width in [20, 30, 40, 50, 60, 80] {
            for line in plain(Some(width)) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        let check = |width: usize, expected: &str| assert_eq!(plain(Some(width))[1], expected, "{width}");
        check(56, "demo-20261130-0001    $1.20  error   the model returned…");
        check(38, "demo-2026…    $1.20  error   the mode…");
        check(28, "demo-20261…    $1.20  error");
        check(20, "demo-20261…    $1.20");
    }

    #[test]
    fn colours_are_for_terminals() {
        let flags = |color: Colour, no_color: Option<&str>| PrintFlags {
            color,
            no_color: no_color.map(str::to_owned),
            ..PrintFlags::default()
        };
        let check = |flags: PrintFlags, is_terminal: bool, expected: bool| {
            assert_eq!(
                Look::given(&flags, is_terminal, None).colour,
                expected,
                "{flags:?}"
            );
        };
        check(flags(Colour::Auto, None), true, true);
        check(flags(Colour::Auto, None), false, false);
        check(flags(Colour::Auto, Some("1")), true, false);
        check(flags(Colour::Auto, Some("0")), true, false);
        check(flags(Colour::Auto, Some("")), true, true);
        check(flags(Colour::Always, Some("1")), false, true);
        check(flags(Colour::Never, None), true, false);
        let look = Look {
            width: None,
            colour: true,
        };
        assert!(lines(look, &COLUMNS, &rows())[1].contains("\u{1b}[31merror\u{1b}[0m"));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let rows = vec![vec![Cell::from("a\u{1b}[2Jb")]];
        let look = Look {
            width: None,
            colour: false,
        };
        assert_eq!(lines(look, &COLUMNS[..1], &rows)[1], "a\u{fffd}[2Jb");
    }
}
