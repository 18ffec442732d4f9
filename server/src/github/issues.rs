//! An issue for an incident. Only where somebody asks for it, or has told the watcher to.

use domain::{Timestamp, WatchSeverity};
use engine::incidents::{Incident, words};
use serde::Deserialize;
use serde_json::json;

use super::rest::{Rest, RestError};

/// Lines of the decomposition that are written.
const MAX_LINES: usize = 8;
/// Longest title, in characters.
const MAX_TITLE_CHARS: usize = 120;

/// An issue that was opened.
#[derive(Debug, Deserialize)]
pub struct Issue {
    pub number: i64,
    /// Where it can be read.
    pub html_url: String,
}

/// Opens an issue that says what happened, what caused it, and where to read on.
pub async fn open(
    rest: &mut Rest<'_>,
    incident: &Incident,
    severity: WatchSeverity,
    page: &str,
    now: Timestamp,
) -> Result<Issue, RestError> {
    let title = format!("Incident: {}", words::name(incident));
    let what = json!({
        "title": domain::text::first_line(&title, MAX_TITLE_CHARS),
        "body": body(incident, page),
        "labels": ["plumbline", "incident", format!("severity: {}", severity.as_str())],
    });
    rest.create("/issues", &what, now).await
}

/// What is said of an incident. Names in it come from elsewhere: they stand in a block in which nothing is a mention, a
/// link or markup.
fn body(incident: &Incident, page: &str) -> String {
    let lines = words::lines(&incident.decomposition);
    let parts = lines
        .iter()
        .take(MAX_LINES)
        .map(|line| format!("  {}", line.sentence));
    let mut said = vec![
        words::headline(incident),
        format!("Onset between {} and {}.", incident.onset.from, incident.onset.to),
    ];
    said.extend(parts);
    let said = said.join("\n").replace("```", "'''");
    format!("```text\n{said}\n```\n\n[The incident in Plumbline]({page})\n")
}
