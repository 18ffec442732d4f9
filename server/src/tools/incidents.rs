//! What left its baseline, and what was like it before.

use domain::IncidentStatus;
use engine::incidents::similar::{nearest, outcome};
use engine::incidents::{Incident, words};
use serde_json::{Value, json};
use storage::Snapshot;
use storage::incidents::{self, IncidentFilter, StoredIncident};
use uuid::Uuid;

use super::{Answer, Call, ToolError};
use crate::incidents::answer::{date, judgement};

const DAY: i64 = 86_400_000_000;
const MAX_LISTED: u32 = 50;
/// Earlier incidents that one is compared with, and that are named.
const MAX_COMPARED: u32 = 200;
const MAX_SIMILAR: usize = 5;
/// Of one incident.
const MAX_DAYS: usize = 14;
const MAX_LINES: usize = 12;
const MAX_EVIDENCE: usize = 6;

async fn meant(call: &Call<'_>, snapshot: &mut Snapshot) -> Result<(StoredIncident, Incident), ToolError> {
    let wanted = call.arguments.text("incident").unwrap_or_default();
    let none =
        || ToolError::Asked("There is no such incident; list_incidents lists those there are".to_owned());
    let id: Uuid = wanted.parse().map_err(|_no_id| none())?;
    let stored = match incidents::get(snapshot, call.project, id).await {
        Ok(stored) => stored,
        Err(storage::Error::NotFound) => return Err(none()),
        Err(other) => return Err(other.into()),
    };
    let incident = judgement(&stored).ok_or_else(none)?;
    Ok((stored, incident))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, ToolError> {
    let filter = IncidentFilter {
        since: Some(call.now.plus_micros(-DAY * call.arguments.integer("days"))),
        status: call.arguments.text("status").and_then(IncidentStatus::parse),
        key: call.arguments.owned("key"),
        ..IncidentFilter::default()
    };
    let mut snapshot = call.snapshot().await?;
    let stored = incidents::list(&mut snapshot, call.project, &filter, MAX_LISTED).await?;
    let items: Vec<Value> = stored
        .iter()
        .filter_map(|stored| {
            let incident = judgement(stored)?;
            Some(json!({
                "incident": stored.id, "name": words::name(&incident), "status": stored.status,
                "onset": stored.onset_at, "ended_at": stored.ended_at, "verdict": words::headline(&incident),
                "probability": stored.probability, "deploy_id": stored.deploy_id,
            }))
        })
        .collect();
    let open = stored
        .iter()
        .filter(|one| one.status == IncidentStatus::Open)
        .count();
    let line = format!(
        "{}, {open} open",
        domain::text::counted(items.len() as i64, "incident")
    );
    Ok(Answer::new(line, json!({ "incidents": items })))
}

/// One incident, as short as a model needs it.
pub(crate) fn summary(stored: &StoredIncident, incident: &Incident) -> Value {
    let metric = incident.metric;
    let days: Vec<Value> = incident
        .days
        .iter()
        .take(MAX_DAYS)
        .map(|day| {
            json!({
                "day": date(day.date), "actual": words::value(metric, day.actual),
                "baseline": words::value(metric, day.baseline),
                "change": words::difference(metric, day.actual.minus(day.baseline).as_f64()),
                "sigma": day.sigma.map(|sigma| format!("{sigma:.1}")), "calls": day.samples,
            })
        })
        .collect();
    let parts: Vec<Value> = words::parts(&incident.decomposition)
        .iter()
        .map(|part| {
            json!({
                "term": words::term_name(part.kind), "amount": words::difference(metric, part.amount),
                "because": part.because(),
            })
        })
        .collect();
    let lines: Vec<String> = words::lines(&incident.decomposition)
        .into_iter()
        .take(MAX_LINES)
        .map(|line| line.sentence)
        .collect();
    let candidates: Vec<Value> = incident
        .attributions
        .iter()
        .map(|own| {
            let evidence: Vec<&str> = own
                .evidence
                .iter()
                .take(MAX_EVIDENCE)
                .map(|evidence| evidence.description.as_str())
                .collect();
            json!({
                "deploy_id": own.deploy_id, "release": own.release, "name": words::candidate_name(own),
                "title": own.title, "rollout": [own.rolled_out.0, own.rolled_out.1],
                "probability": format!("{:.2}", own.probability), "rubric_confidence": format!("{:.2}", own.confidence()),
                "cleared_because": own.cleared_because, "evidence": evidence,
            })
        })
        .collect();
    let nulls: Vec<Value> = incident
        .nulls
        .iter()
        .map(|absent| json!({ "cause": absent.cause.words(), "probability": format!("{:.2}", absent.probability) }))
        .collect();
    let moved: Vec<Value> = incident
        .also_moved
        .iter()
        .map(|moved| {
            json!({ "key": moved.key, "step": moved.step, "metric": moved.metric.as_str(), "change": format!("{:+.2}", moved.change) })
        })
        .collect();
    json!({
        "incident": stored.id, "name": words::name(incident), "status": stored.status, "key": incident.key,
        "step": incident.step, "model": incident.model, "metric": metric.as_str(),
        "onset": { "at": incident.onset.at, "from": incident.onset.from, "to": incident.onset.to },
        "ended_at": stored.ended_at, "verdict_of_the_ledger": words::headline(incident),
        "probability": format!("{:.2}", incident.verdict.probability), "days": days, "change_by_mechanism": parts,
        "change_in_detail": lines, "candidates": candidates, "causes_without_a_deploy": nulls, "also_moved": moved,
        "what_people_say": { "answer": stored.answer, "deploy_id": stored.confirmed_deploy_id },
    })
}

pub(super) async fn get(call: &Call<'_>) -> Result<Answer, ToolError> {
    let mut snapshot = call.snapshot().await?;
    let (stored, incident) = meant(call, &mut snapshot).await?;
    Ok(Answer::new(
        words::headline(&incident),
        summary(&stored, &incident),
    ))
}

pub(super) async fn similar(call: &Call<'_>) -> Result<Answer, ToolError> {
    let mut snapshot = call.snapshot().await?;
    let (stored, incident) = meant(call, &mut snapshot).await?;
    let earlier = IncidentFilter {
        until: Some(stored.onset_from),
        ..IncidentFilter::default()
    };
    let others: Vec<(StoredIncident, Incident)> =
        incidents::list(&mut snapshot, call.project, &earlier, MAX_COMPARED)
            .await?
            .into_iter()
            .filter_map(|stored| Some((judgement(&stored)?, stored)))
            .map(|(incident, stored)| (stored, incident))
            .collect();
    let judged: Vec<Incident> = others.iter().map(|(_, incident)| incident.clone()).collect();
    let near = nearest(&incident, &judged, MAX_SIMILAR);
    let items: Vec<Value> = near
        .iter()
        .filter_map(|(place, likeness)| {
            let (stored, incident) = others.get(*place)?;
            Some(json!({
                "incident": stored.id, "name": words::name(incident), "onset": stored.onset_at,
                "likeness": format!("{:.2}", likeness.score), "alike_in": likeness.because,
                "cause": words::headline(incident), "what_people_say": stored.answer,
                "confirmed_deploy_id": stored.confirmed_deploy_id,
                "outcome": outcome(stored.status, stored.onset_at, stored.ended_at),
            }))
        })
        .collect();
    let line = match items.first() {
        None => format!("none of {} earlier ones is near", others.len()),
        Some(first) => format!(
            "{} near: {}, {}",
            items.len(),
            first["name"].as_str().unwrap_or_default(),
            first["outcome"].as_str().unwrap_or_default()
        ),
    };
    Ok(Answer::new(
        line,
        json!({ "compared": others.len(), "similar": items }),
    ))
}
