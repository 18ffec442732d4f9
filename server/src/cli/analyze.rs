//! `plumbline analyze`: a model investigates an incident, said as it happens.

use std::time::Duration;

use domain::inquiry::arguments_in_words;
use domain::{Feature, IncidentStatus, InquiryEventKind, ProjectId, WorkState};
use serde_json::{Value, json};
use storage::Db;
use storage::audit::COMMAND_LINE;
use storage::incidents::{self, IncidentFilter, StoredIncident};
use storage::inquiries::{self, Inquiry, InquiryEvent};
use tokio::time::{Instant, sleep};

use super::incidents::{find, judge_what_waits};
use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::clock;
use crate::config::{Config, LocalFlags};
use crate::incidents::answer::judgement;
use crate::inquiries::answer::InquiryAnswer;

const DAY_MICROS: i64 = 86_400_000_000;
/// How often it is looked for news.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
/// How long a server may take to begin.
const MAX_WAIT_FOR_SERVER: Duration = Duration::from_secs(20);
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An incident's id, or its beginning or end, as `plumbline incidents` prints it; without one the latest that is open,
    /// else the latest
    incident: Option<String>,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Where no incident is named: those that went on in so many days before now
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Print JSON, when it is over
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

/// Investigates, and says what happens.
pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        judge_what_waits(db, project).await?;
        let stored = wanted(db, project, arguments).await?;
        let has_model = storage::models::choice(db, project, Feature::Investigation)
            .await?
            .is_some();
        if !has_model {
            return without_model(&stored, arguments.json);
        }
        let id = inquiries::investigate(db, project, stored.id, COMMAND_LINE, clock::now()).await?;
        follow(db, project, id, arguments.json).await
    })
    .await
}

async fn wanted(db: &Db, project: ProjectId, arguments: &Arguments) -> Result<StoredIncident, Exit> {
    if let Some(id) = &arguments.incident {
        return find(db, project, id).await;
    }
    let filter = IncidentFilter {
        since: Some(clock::now().plus_micros(-DAY_MICROS * i64::from(arguments.days))),
        ..IncidentFilter::default()
    };
    let mut snapshot = db.snapshot(project).await?;
    let mut found = incidents::list(&mut snapshot, project, &filter, 100).await?;
    let open = found
        .iter()
        .position(|incident| incident.status == IncidentStatus::Open)
        .unwrap_or(0);
    if found.is_empty() {
        let days = arguments.days;
        return Err(Exit::NotFound(format!(
            "nothing left its baseline in the last {days} days"
        )));
    }
    Ok(found.swap_remove(open))
}

/// What the ledger concludes by itself.
fn without_model(stored: &StoredIncident, is_json: bool) -> Result<(), Exit> {
    let incident = judgement(stored)
        .ok_or_else(|| Exit::Failed(anyhow::anyhow!("the incident was judged by another version")))?;
    let verdict = crate::inquiries::verdict_of_rules(&incident);
    output::note(
        "no model is chosen for investigations (Settings, Model providers); this is what the ledger concludes",
    );
    if is_json {
        output::json(&json!({ "incident": stored.id, "state": WorkState::Done, "verdict": verdict }));
    } else {
        say_verdict(&verdict);
    }
    Ok(())
}

async fn follow(db: &Db, project: ProjectId, id: uuid::Uuid, is_json: bool) -> Result<(), Exit> {
    let begun = Instant::now();
    let mut seen = 0;
    loop {
        let mut snapshot = db.snapshot(project).await?;
        let inquiry: Inquiry = inquiries::get(&mut snapshot, project, id).await?;
        if !is_json {
            for event in inquiries::shown_events(&mut snapshot, project, id, seen).await? {
                seen = event.seq;
                say(&event)?;
            }
        }
        if inquiry.state.is_over() {
            if is_json {
                let events = inquiries::shown_events(&mut snapshot, project, id, 0).await?;
                output::json(&json!(InquiryAnswer::of(&inquiry, &events)));
            }
            return match inquiry.state {
                WorkState::Done => Ok(()),
                _ => Err(Exit::FailedAsReported),
            };
        }
        if inquiry.state == WorkState::Queued && begun.elapsed() > MAX_WAIT_FOR_SERVER {
            return Err(Exit::Failed(anyhow::anyhow!(
                "no server works at it: start `plumbline serve`, which goes on with it"
            )));
        }
        drop(snapshot);
        sleep(LOOK_INTERVAL).await;
    }
}

/// One event: a look-up is a line with its arguments and one with what was found.
fn say(event: &InquiryEvent) -> Result<(), Exit> {
    let text = |name: &str| output::printable(event.data[name].as_str().unwrap_or_default());
    match event.kind {
        InquiryEventKind::Tool => {
            let arguments = output::printable(&arguments_in_words(&event.data["arguments"]));
            output::write_line(&format!("{} {arguments}  {}", text("name"), text("line")))?;
        }
        InquiryEventKind::Text => {
            for line in output::wrapped(event.data["text"].as_str().unwrap_or_default(), WIDTH) {
                output::write_line(&format!("  {line}"))?;
            }
        }
        InquiryEventKind::Verdict => say_verdict(&event.data),
        InquiryEventKind::Error => output::note(&format!("error: {}", text("message"))),
    }
    Ok(())
}

fn say_verdict(verdict: &Value) {
    let text = |value: &Value| output::printable(value.as_str().unwrap_or_default());
    output::line("");
    for line in output::wrapped(verdict["cause"].as_str().unwrap_or_default(), WIDTH) {
        output::line(&line);
    }
    let split = &verdict["split"];
    output::line(&format!(
        "confidence {:.2}; of {} {}: price {}, volume {}",
        verdict["confidence"].as_f64().unwrap_or(0.0),
        text(&split["of"]),
        text(&split["per"]),
        text(&split["price"]),
        text(&split["volume"])
    ));
    for (title, name) in [("evidence", "evidence"), ("what to do", "recommendations")] {
        let claims = verdict[name].as_array().map(Vec::as_slice).unwrap_or_default();
        if !claims.is_empty() {
            output::line(title);
        }
        for claim in claims {
            for (place, line) in output::wrapped(claim["text"].as_str().unwrap_or_default(), WIDTH)
                .iter()
                .enumerate()
            {
                output::line(&format!("{} {line}", if place == 0 { " -" } else { "  " }));
            }
        }
    }
    let dropped = verdict["dropped_claims"].as_u64().unwrap_or(0);
    if dropped > 0 {
        output::line(&format!("{dropped} dropped, because they do not hold"));
    }
}
