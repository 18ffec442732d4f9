//! The report as Markdown.

use std::fmt::Write as _;

use app::report::{Report, Table};
use domain::filter::percent_encode;

pub(super) fn markdown(report: &Report) -> String {
    let verdict = report.verdict();
    let mut out = format!("# {}, {}\n\n", escaped(&report.project), report.days());
    let head = escaped(&verdict.head);
    let head = match &verdict.deploy_id {
        Some(id) => format!("[{head}]({}/deploys/{})", report.pages, percent_encode(id)),
        None => head,
    };
    _ = writeln!(out, "**{head}**\n\n{}\n", escaped(&verdict.reason));
    if let Some(key) = &report.key {
        _ = writeln!(out, "Only calls with the key {}.\n", escaped(key));
    }
    for sentence in &report.expected {
        _ = writeln!(out, "{}\n", escaped(sentence));
    }
    let figures = report.figures.iter().map(|figure| {
        let (now, before, change) = figure.words();
        vec![figure.metric.label().to_owned(), now, before, change]
    });
    let figures = Table {
        title: format!("{} in figures", report.length()),
        head: ["Metric", "Now", "Before", "Change"].map(str::to_owned).to_vec(),
        rows: figures.collect(),
    };
    for table in [&figures]
        .into_iter()
        .chain(&report.tables)
        .chain([&report.deploy_table()])
    {
        write_table(&mut out, table);
    }
    _ = writeln!(out, "Read from {}; days are those of UTC.", report.pages);
    out
}

fn write_table(out: &mut String, table: &Table) {
    if table.rows.is_empty() {
        return;
    }
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    _ = write!(out, "## {}\n\n{}", escaped(&table.title), row(&table.head));
    let rules = table.head.iter().enumerate();
    let rules: String = rules
        .map(|(place, _)| if place == 0 { "| --- " } else { "| ---: " })
        .collect();
    _ = writeln!(out, "{rules}|");
    for cells in &table.rows {
        out.push_str(&row(cells));
    }
    out.push('\n');
}

/// Names and titles come from anybody: nothing in them is markup, and none ends a line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check("prod-frontend", "prod-frontend");
        check("a|b\nc", "a\\|b c");
        check("[x](javascript:y)", "\\[x\\](javascript:y)");
        check("<img src=x>", "&lt;img src=x&gt;");
        check("![x] `y` *z*", "\\!\\[x\\] \\`y\\` \\*z\\*");
    }
}
