//! `plumbline incidents`, `correlate`, `explain`, `watch`: what left its baseline, and what caused it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{IncidentStatus, ProjectId, Timestamp};
use engine::incidents::attribution::VerdictKind;
use engine::incidents::{Incident, words};
use serde_json::json;
use storage::Db;
use storage::incidents::{self, IncidentFilter, StoredIncident};
use uuid::Uuid;

use super::source::require_local;
use super::{Exit, output, project, with_database};
use crate::alerts::look_at_budgets;
use crate::clock;
use crate::config::{Config, LocalFlags};
use crate::incidents::answer::{IncidentAnswer, IncidentDetails, date, judgement};
use crate::incidents::judge_project;

const DAY_MICROS: i64 = 86_400_000_000;
/// The most incidents of one answer.
const MAX_LISTED: u32 = 500;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Those that went on in so many days before now
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// open, closed or accepted
    #[arg(long, value_parser = parse_status)]
    status: Option<IncidentStatus>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// An incident's id, or its beginning or end, as `plumbline incidents` prints it
    id: String,
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

#[derive(Debug, clap::Args)]
pub(super) struct WatchArguments {
    /// Slug of the project [default: default]
    #[arg(long)]
    project: Option<String>,
    /// Seconds between two looks
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
    /// Look once and stop
    #[arg(long)]
    once: bool,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: LocalFlags,
}

fn parse_status(word: &str) -> Result<IncidentStatus, String> {
    IncidentStatus::parse(word).ok_or_else(|| "must be one of open, closed, accepted".to_owned())
}

async fn listed(db: &Db, project: ProjectId, arguments: &Arguments) -> Result<Vec<StoredIncident>, Exit> {
    judge_what_waits(db, project).await?;
    let filter = IncidentFilter {
        since: Some(clock::now().plus_micros(-DAY_MICROS * i64::from(arguments.days))),
        status: arguments.status,
        ..IncidentFilter::default()
    };
    let mut snapshot = db.snapshot(project).await?;
    Ok(incidents::list(&mut snapshot, project, &filter, MAX_LISTED).await?)
}

/// Without a server nobody has judged what came in since.
pub(super) async fn judge_what_waits(db: &Db, project: ProjectId) -> Result<(), Exit> {
    let now = clock::now();
    if incidents::due(db, now).await?.contains(&project) && judge_project(db, project, now).await? {
        // Whoever judges looks at the budgets: a server beside this one finds nothing to do any more.
        look_at_budgets(db, project, now).await?;
    }
    Ok(())
}

/// The list.
pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let stored = listed(db, project, arguments).await?;
        let left_out_before = incidents::left_out_before(&mut db.snapshot(project).await?, project).await?;
        if arguments.json {
            let items: Vec<_> = stored.iter().filter_map(IncidentAnswer::of).collect();
            let answer = json!({ "items": items, "next_cursor": null, "left_out_before": left_out_before });
            output::json(&answer);
            return Ok(());
        }
        if let Some(before) = left_out_before {
            output::note(&format!(
                "hours before {before} were not judged: the project has too many hours of series"
            ));
        }
        let rows: Vec<[String; 7]> = stored
            .iter()
            .filter_map(|stored| Some((stored, judgement(stored)?)))
            .map(|(stored, incident)| {
                [
                    short_id(stored.id),
                    minute(stored.onset_at),
                    stored.status.as_str().to_owned(),
                    words::name(&incident),
                    figures(&incident),
                    sigma(&incident),
                    cause(&incident),
                ]
            })
            .collect();
        if rows.is_empty() {
            output::note("nothing left its baseline in these days");
        }
        let head = [
            "ID",
            "ONSET (UTC)",
            "STATUS",
            "INCIDENT",
            "BASELINE -> ACTUAL",
            "SIGMA",
            "CAUSE",
        ];
        output::table(head, &rows);
        Ok(())
    })
    .await
}

/// Each incident with every candidate beside the others.
pub(super) async fn correlate(config: &Config, arguments: &Arguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let stored = listed(db, project, arguments).await?;
        if arguments.json {
            let items: Vec<_> = stored
                .iter()
                .filter_map(|stored| IncidentDetails::of(stored, Vec::new()))
                .collect();
            output::json(&json!({ "items": items, "next_cursor": null }));
            return Ok(());
        }
        for stored in &stored {
            let Some(incident) = judgement(stored) else {
                continue;
            };
            output::line(&words::headline(&incident));
            candidates(&incident);
            output::line("");
        }
        if stored.is_empty() {
            output::note("nothing left its baseline in these days");
        }
        Ok(())
    })
    .await
}

fn candidates(incident: &Incident) {
    let deploys = incident.attributions.iter().map(|own| {
        let confidence = match &own.points {
            Some(_) => format!("{:.2}", own.confidence()),
            None => "-".to_owned(),
        };
        let why = match &own.cleared_because {
            Some(reason) => format!("cleared: {reason}"),
            None => own
                .evidence
                .first()
                .map_or_else(String::new, |item| item.description.clone()),
        };
        let title = domain::text::first_line(&own.title, 44);
        [
            format!("{:.2}", own.probability),
            confidence,
            format!("{} {title}", words::candidate_name(own)),
            why,
        ]
    });
    let nulls = incident
        .nulls
        .iter()
        .filter(|null| null.probability >= 0.005)
        .map(|null| {
            [
                format!("{:.2}", null.probability),
                "-".to_owned(),
                words::null_label(null.cause).to_owned(),
                "no deploy".to_owned(),
            ]
        });
    let mut rows: Vec<[String; 4]> = deploys.chain(nulls).collect();
    rows.sort_by(|a, b| b[0].cmp(&a[0]));
    output::table(["PROBABILITY", "CONFIDENCE", "CAUSE", "WHY"], &rows);
}

/// The incident whose id begins or ends like this.
pub(super) async fn find(db: &Db, project: ProjectId, id: &str) -> Result<StoredIncident, Exit> {
    let mut snapshot = db.snapshot(project).await?;
    let all = incidents::list(&mut snapshot, project, &IncidentFilter::default(), MAX_LISTED).await?;
    let wanted = id.to_ascii_lowercase();
    let mut found = all.into_iter().filter(|stored| {
        let id = stored.id.to_string();
        id.starts_with(&wanted) || id.ends_with(&wanted)
    });
    let Some(stored) = found.next() else {
        return Err(Exit::NotFound(format!("there is no incident `{id}`")));
    };
    if found.next().is_some() {
        return Err(Exit::Usage(format!(
            "the ids of several incidents begin or end with `{id}`; say more of it"
        )));
    }
    Ok(stored)
}

/// One incident in words.
pub(super) async fn explain(config: &Config, arguments: &ExplainArguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        judge_what_waits(db, project).await?;
        let stored = find(db, project, &arguments.id).await?;
        let mut snapshot = db.snapshot(project).await?;
        let events = incidents::events(&mut snapshot, project, stored.id).await?;
        let Some(incident) = judgement(&stored) else {
            return Err(Exit::NotFound(
                "the incident was written by another version".to_owned(),
            ));
        };
        if arguments.json {
            output::json(&json!(IncidentDetails::of(&stored, events)));
            return Ok(());
        }
        output::line(&words::headline(&incident));
        output::line(&format!(
            "{}, onset between {} and {} UTC, opened by {}",
            stored.status.as_str(),
            minute(incident.onset.from),
            minute(incident.onset.to),
            words::door_words(incident.door)
        ));
        output::line("");
        candidates(&incident);
        output::line("");
        let parts = words::lines(&incident.decomposition);
        let parts: Vec<[String; 2]> = parts
            .into_iter()
            .map(|line| [words::term_words(line.kind).to_owned(), line.sentence])
            .collect();
        output::table(["PART", "OF THE CHANGE"], &parts);
        for event in events {
            let note = event.note.unwrap_or_default();
            output::line(&format!(
                "{} {} by {} {note}",
                minute(event.at),
                event.kind.as_str(),
                event.actor
            ));
        }
        Ok(())
    })
    .await
}

/// Says each incident that opens, ends or gets another verdict, until it is interrupted.
pub(super) async fn watch(config: &Config, arguments: &WatchArguments) -> Result<(), Exit> {
    require_local(&arguments.local)?;
    with_database(config, async |db| {
        let project = project(db, arguments.project.as_deref()).await?.id;
        let filter = || IncidentFilter {
            since: Some(clock::now().plus_micros(-7 * DAY_MICROS)),
            ..IncidentFilter::default()
        };
        let mut known: BTreeMap<Uuid, (IncidentStatus, String, Option<String>)> = BTreeMap::new();
        loop {
            judge_what_waits(db, project).await?;
            let mut snapshot = db.snapshot(project).await?;
            let stored = incidents::list(&mut snapshot, project, &filter(), MAX_LISTED).await?;
            drop(snapshot);
            for stored in stored.iter().rev() {
                let state = (stored.status, stored.verdict.clone(), stored.deploy_id.clone());
                if known.get(&stored.id) == Some(&state) {
                    continue;
                }
                known.insert(stored.id, state);
                if arguments.json {
                    output::line(&json!(IncidentAnswer::of(stored)).to_string());
                } else if let Some(incident) = judgement(stored) {
                    let (id, status) = (short_id(stored.id), stored.status.as_str());
                    output::line(&format!(
                        "{} {id} {status}: {}",
                        minute(stored.onset_at),
                        words::headline(&incident)
                    ));
                }
            }
            if arguments.once {
                return Ok(());
            }
            tokio::select! {
                _interrupted = tokio::signal::ctrl_c() => return Ok(()),
                () = tokio::time::sleep(Duration::from_secs(arguments.every)) => {}
            }
        }
    })
    .await
}

/// The last digits, which tell incidents apart that were found together.
fn short_id(id: Uuid) -> String {
    id.to_string().chars().skip(24).collect()
}

fn minute(at: Timestamp) -> String {
    format!("{} {}", date(at), words::clock(at))
}

fn figures(incident: &Incident) -> String {
    incident.day().map_or_else(String::new, |day| {
        format!(
            "{} -> {}{}",
            words::value(incident.metric, day.baseline),
            words::value(incident.metric, day.actual),
            words::per(incident.metric)
        )
    })
}

fn sigma(incident: &Incident) -> String {
    let sigma = incident.day().and_then(|day| day.sigma);
    sigma.map_or_else(|| "-".to_owned(), |sigma| format!("{sigma:.1}"))
}

fn cause(incident: &Incident) -> String {
    let verdict = &incident.verdict;
    let name = words::named(incident).map_or_else(String::new, words::candidate_name);
    let cause = match verdict.kind {
        VerdictKind::Deploy => name,
        VerdictKind::Probably => format!("probably {name}"),
        VerdictKind::NoDeploy => {
            let label = verdict.null_cause.map_or("unknown", words::null_label);
            format!("no deploy: {label}")
        }
        VerdictKind::Unclear => "unclear".to_owned(),
        VerdictKind::Learning => "learning".to_owned(),
    };
    format!("{cause} ({:.2})", verdict.probability)
}
