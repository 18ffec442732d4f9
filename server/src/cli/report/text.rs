//! The report for a terminal.

use std::fmt::Write as _;

use app::report::{MetricByKey, Report, Table};
use domain::Timestamp;

use crate::cli::output::{Cell, Column, Look, Tone, printable, table_lines, wrapped};

/// What stands for a value, from nothing to the highest.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the names beside the bars.
const NAME: usize = 16;
/// A text without a limit is as wide as one can read.
const READABLE: usize = 100;
/// Keys with bars of their own.
const NAMED: usize = 7;

pub(super) fn text(report: &Report, look: Look) -> String {
    let width = look.width.unwrap_or(READABLE).max(40);
    let mut out = String::new();
    let verdict = report.verdict();
    let narrowed = report.key.as_ref().map(|key| format!(", key {key}"));
    let head = format!(
        "{}, {} ({}, UTC){}",
        report.project,
        report.days(),
        report.length(),
        narrowed.unwrap_or_default()
    );
    _ = writeln!(out, "{}\n", look.toned(&printable(&head), Tone::Faint));
    let tone = if verdict.deploy_id.is_some() {
        Tone::Bad
    } else {
        Tone::Strong
    };
    for line in wrapped(&verdict.head, width) {
        _ = writeln!(out, "{}", look.toned(&line, tone));
    }
    for line in wrapped(&verdict.reason, width) {
        _ = writeln!(out, "{line}");
    }
    for sentence in &report.expected {
        out.push('\n');
        for line in wrapped(sentence, width) {
            _ = writeln!(out, "{line}");
        }
    }
    out.push('\n');
    write_figures(&mut out, report, look);
    for series in report.series.iter().filter(|series| !series.keys.is_empty()) {
        out.push('\n');
        write_bars(&mut out, report, series, look, width);
    }
    for table in report.tables.iter().chain([&report.deploy_table()]) {
        write_table(&mut out, table, look);
    }
    out
}

fn write_figures(out: &mut String, report: &Report, look: Look) {
    let rows: Vec<Vec<Cell>> = report
        .figures
        .iter()
        .map(|figure| {
            let (now, before, change) = figure.words();
            let tone = if figure.is_worse() { Tone::Bad } else { Tone::Plain };
            vec![
                figure.metric.label().into(),
                Cell::new(now, Tone::Strong),
                Cell::new(before, Tone::Faint),
                Cell::new(change, tone),
            ]
        })
        .collect();
    let columns = [
        Column::text(""),
        Column::number("NOW"),
        Column::number("BEFORE"),
        Column::number("CHANGE"),
    ];
    for line in table_lines(look, &columns, &rows) {
        _ = writeln!(out, "{line}");
    }
}

/// A line of bars for each key, and below them when something went live.
fn write_bars(out: &mut String, report: &Report, series: &MetricByKey, look: Look, width: usize) {
    let days = series.keys.first().map_or(0, |(_, values)| values.len());
    let room = width.saturating_sub(NAME + 14).max(10);
    let together = days.div_ceil(room).max(1);
    let title = match together {
        1 => format!("{} per day", series.metric.label()),
        n => format!("{}, {n} days a bar", series.metric.label()),
    };
    _ = writeln!(out, "{}", look.toned(&title, Tone::Strong));
    let folded: Vec<(&str, Vec<Option<f64>>)> = series
        .keys
        .iter()
        .take(NAMED)
        .map(|(name, values)| (name.as_str(), fold(values, together, series.metric.adds_up())))
        .collect();
    let highest = folded
        .iter()
        .flat_map(|(_, values)| values.iter().flatten())
        .fold(0.0_f64, |highest, value| highest.max(*value));
    for (name, values) in &folded {
        let bars: String = values.iter().map(|value| block(*value, highest)).collect();
        let last = values.iter().rev().copied().flatten().next();
        let last = last.map_or_else(String::new, |last| {
            engine::series::text(last, series.metric.unit())
        });
        let name = printable(&domain::text::first_line(name, NAME));
        _ = writeln!(out, "{name:NAME$} {bars} {last}");
    }
    let marks = marks(report, days.div_ceil(together), together);
    if !marks.trim().is_empty() {
        _ = writeln!(
            out,
            "{}",
            look.toned(&format!("{:NAME$} {marks}", "went live"), Tone::Faint)
        );
    }
}

/// `▲` where something went live, `◆` where the deploy did that the report names.
fn marks(report: &Report, bars: usize, together: usize) -> String {
    const DAY_MICROS: i64 = 86_400_000_000;
    let named = report.verdict().deploy_id;
    let place = |at: Timestamp| {
        let day = (at.micros() - report.from.micros()).div_euclid(DAY_MICROS);
        usize::try_from(day).ok().map(|day| day / together)
    };
    let mut marks = vec![' '; bars];
    for deploy in report.deploys.iter().filter(|deploy| deploy.went_live()) {
        if let Some(slot) = place(deploy.at()).and_then(|bar| marks.get_mut(bar)) {
            let is_named = named.as_deref() == Some(deploy.id.as_str());
            if is_named || *slot == ' ' {
                *slot = if is_named { '◆' } else { '▲' };
            }
        }
    }
    marks.into_iter().collect::<String>().trim_end().to_owned()
}

/// Several days as one: their sum, or of what does not add up their mean.
fn fold(values: &[Option<f64>], together: usize, adds_up: bool) -> Vec<Option<f64>> {
    values
        .chunks(together)
        .map(|chunk| {
            let known: Vec<f64> = chunk.iter().copied().flatten().collect();
            let sum: f64 = known.iter().sum();
            match (known.is_empty(), adds_up) {
                (true, _) => None,
                (false, true) => Some(sum),
                (false, false) => Some(sum / known.len() as f64),
            }
        })
        .collect()
}

/// A gap is not a zero: it stays empty, and a zero is a low line.
fn block(value: Option<f64>, highest: f64) -> char {
    let Some(value) = value else { return BLOCKS[0] };
    if highest <= 0.0 {
        return BLOCKS[1];
    }
    let step = (value / highest * 8.0).ceil().clamp(1.0, 8.0) as usize;
    BLOCKS.get(step).copied().unwrap_or(BLOCKS[1])
}

fn write_table(out: &mut String, table: &Table, look: Look) {
    if table.rows.is_empty() {
        return;
    }
    _ = writeln!(out, "\n{}", look.toned(&table.title, Tone::Strong));
    let columns: Vec<Column<'_>> = table
        .head
        .iter()
        .enumerate()
        .map(
            |(place, head)| match (place, u8::try_from(place).unwrap_or(u8::MAX)) {
                (0, _) => Column::text(head).cut_to(12),
                (1..=2, _) => Column::number(head),
                (_, place) => Column::number(head).goes(place),
            },
        )
        .collect();
    let rows: Vec<Vec<Cell>> = table
        .rows
        .iter()
        .map(|row| row.iter().map(|text| Cell::from(text.as_str())).collect())
        .collect();
    for line in table_lines(look, &columns, &rows) {
        _ = writeln!(out, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_no_zeros_and_the_highest_is_full() {
        let bars = |values: &[Option<f64>]| -> String {
            let highest = values.iter().flatten().fold(0.0_f64, |a, b| a.max(*b));
            values.iter().map(|value| block(*value, highest)).collect()
        };
        assert_eq!(
            bars(&[Some(0.0), None, Some(4.0), Some(8.0), Some(0.01)]),
            "▁ ▄█▁"
        );
        assert_eq!(bars(&[Some(0.0), None]), "▁ ");
    }

    #[test]
    fn many_days_are_folded() {
        let values = [Some(1.0), Some(3.0), None, None, Some(5.0)];
        assert_eq!(fold(&values, 2, true), [Some(4.0), None, Some(5.0)]);
        assert_eq!(fold(&values, 2, false), [Some(2.0), None, Some(5.0)]);
        assert_eq!(fold(&values, 1, true), values);
    }
}
