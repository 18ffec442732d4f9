//! The report as one file: no script, nothing loaded from anywhere, and good on paper.

use std::fmt::Write as _;

use domain::filter::percent_encode;
use domain::series::{Bucket, Metric, MetricUnit};

use super::{DAY_MICROS, MetricByKey, Report, Table, minute};
use crate::chart::{
    Chart, LineSeries, Lines, Marker, Marks, Moment, Role, escaped, group_markers, still, time_ticks,
};
use crate::models::rollout_words::deploy_name;

/// The sheets that the pages use too, and what only paper needs.
const SHEETS: [&str; 3] = [
    include_str!("../../../style/tokens.css"),
    include_str!("../../../style/charts.css"),
    include_str!("../../../style/report.css"),
];

/// Keys with a line of their own.
const NAMED: usize = 7;

impl Report {
    /// The whole document.
    pub fn to_html(&self) -> String {
        let verdict = self.verdict();
        let title = escaped(&format!("{}, {}", self.project, self.days()));
        let narrowed = match &self.key {
            Some(key) => format!("only calls with the key {}; ", escaped(key)),
            None => String::new(),
        };
        let (sheets, length) = (SHEETS.join("\n"), self.length());
        let (made, pages) = (minute(self.made_at), escaped(&self.pages));
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} — Plumbline report</title>\n<style>\n{sheets}</style>\n</head>\n<body class=\"paper\">\n\
             <header><p class=\"eyebrow\">Plumbline report</p><h1>{title}</h1><p class=\"sub\">{length}, days of UTC; \
             {narrowed}read {made} UTC from <a href=\"{pages}\">{pages}</a></p></header>\n"
        );
        let (head, tone) = match &verdict.deploy_id {
            Some(id) => {
                let href = escaped(&self.deploy_href(id));
                let link = format!("<a href=\"{href}\">{}</a>", escaped(&verdict.head));
                (link, " data-tone=\"critical\"")
            }
            None => (escaped(&verdict.head), ""),
        };
        _ = writeln!(
            out,
            "<section class=\"verdict\"{tone}><h2>{head}</h2><p>{}</p></section>",
            escaped(&verdict.reason)
        );
        self.write_figures(&mut out);
        for sentence in &self.expected {
            _ = writeln!(out, "<p class=\"expected\">{}</p>", escaped(sentence));
        }
        for series in &self.series {
            self.write_chart(&mut out, series, verdict.deploy_id.as_deref());
        }
        for table in self.tables.iter().chain([&self.deploy_table()]) {
            write_table(&mut out, table);
        }
        out.push_str("</body>\n</html>\n");
        out
    }

    fn deploy_href(&self, id: &str) -> String {
        format!("{}/deploys/{}", self.pages, percent_encode(id))
    }

    fn write_figures(&self, out: &mut String) {
        out.push_str("<dl class=\"figures\">\n");
        for figure in &self.figures {
            let (now, before, change) = figure.words();
            let tone = if figure.is_worse() { " class=\"up\"" } else { "" };
            let compared = match before.as_str() {
                "-" => "nothing before".to_owned(),
                _ => format!("<b{tone}>{change}</b> from {before}"),
            };
            _ = writeln!(
                out,
                "<div><dt>{}</dt><dd>{now}</dd><dd class=\"from\">{compared}</dd></div>",
                figure.metric.label()
            );
        }
        out.push_str("</dl>\n");
    }

    fn write_chart(&self, out: &mut String, series: &MetricByKey, named: Option<&str>) {
        let chart = self.chart(series, named);
        if chart.is_empty() {
            return;
        }
        let label = format!("{} per day by key", series.metric.label());
        let drawn = still(&chart, &label);
        let mut legend = String::new();
        for (index, (name, _)) in series.keys.iter().take(NAMED).enumerate() {
            let (class, name) = (Role::series(index).class(), escaped(name));
            _ = write!(legend, "<li><i class=\"swatch {class}\"></i>{name}</li>");
        }
        _ = writeln!(
            out,
            "<figure><figcaption>{label}</figcaption><ul class=\"legend\">{legend}</ul>{drawn}</figure>"
        );
    }

    fn chart(&self, series: &MetricByKey, named: Option<&str>) -> Chart {
        let length = (self.to.micros() - self.from.micros()).max(1);
        let share = |micros: i64| (micros - self.from.micros()) as f64 / length as f64;
        let moments = (0..length / DAY_MICROS).map(|day| {
            let at = self.from.plus_micros(day * DAY_MICROS);
            Moment {
                at: share(at.micros() + DAY_MICROS / 2),
                title: at.to_string().chars().take(10).collect(),
            }
        });
        let keys = series.keys.iter().take(NAMED).enumerate();
        let lines = keys.map(|(index, (name, values))| LineSeries {
            name: name.clone(),
            role: Role::series(index),
            usual: Vec::new(),
            href: None,
            values: values.clone(),
        });
        let unit = series.metric.unit();
        let is_first = series.metric == Metric::Cost;
        Chart {
            marks: Marks::Lines(Lines {
                moments: moments.collect(),
                series: lines.collect(),
                is_stacked: is_first,
                unit,
                markers: self.markers(named, share),
                ticks: time_ticks((self.from, self.to), Bucket::Day, |_| 0),
                is_last_unfinished: self.made_at < self.to,
            }),
            unit: if unit == MetricUnit::Calls { "call" } else { "" },
            across: "Day",
            height_px: if is_first { 240 } else { 180 },
        }
    }

    /// What went live, where it is; `named` is the deploy that the sentence names.
    fn markers(&self, named: Option<&str>, share: impl Fn(i64) -> f64) -> Vec<Marker> {
        let is_shown = |deploy: &&domain::Deploy| {
            deploy.went_live() && deploy.at() >= self.from && deploy.at() < self.to
        };
        let single = self.deploys.iter().filter(is_shown).map(|deploy| Marker {
            at: share(deploy.at().micros()),
            label: deploy.name(),
            title: format!("{}, {} UTC", deploy_name(deploy), minute(deploy.at())),
            href: self.deploy_href(&deploy.id),
            is_named: named == Some(deploy.id.as_str()),
        });
        let list = format!("{}/deploys", self.pages);
        group_markers(
            single.collect(),
            |count| format!("{count} deploys"),
            |group| {
                let named = group.iter().find(|marker| marker.is_named);
                named.map_or_else(|| list.clone(), |marker| marker.href.clone())
            },
        )
    }
}

fn write_table(out: &mut String, table: &Table) {
    if table.rows.is_empty() {
        return;
    }
    let cells = |tag: &str, cells: &[String]| {
        let mut row = String::new();
        for (place, text) in cells.iter().enumerate() {
            let class = if place > 0 { " class=\"n\"" } else { "" };
            _ = write!(row, "<{tag}{class}>{}</{tag}>", escaped(text));
        }
        row
    };
    let mut rows = String::new();
    for row in &table.rows {
        _ = writeln!(rows, "<tr>{}</tr>", cells("td", row));
    }
    let (title, head) = (escaped(&table.title), cells("th", &table.head));
    _ = writeln!(
        out,
        "<section><h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></section>"
    );
}
