//! Writing down what was judged: each incident under the id it has had, and nothing where nothing changed.

use domain::alert::IncidentMoment;
use domain::{ProjectId, Timestamp};
use engine::incidents::attribution::{NullCause, VerdictKind};
use engine::incidents::{Incident, Metric, Status};
use serde::Deserialize as _;
use storage::Db;
use storage::incidents::{Candidate, Finished, JudgedIncident, Judging, StoredIncident, Whole};
use uuid::Uuid;

use super::JudgeError;
use super::read::LEAST_BASELINE_MICROS;
use crate::alerts::{IncidentAlerts, IncidentNews};

/// What came of writing a judgement down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// Something changed that a page says in words.
    pub(super) changed: bool,
    /// What is known from now on, as the database numbers it.
    pub(super) history: i64,
}

/// Writes everything that went on since `judged_from`. `None` when another process has the lease by now.
pub(super) async fn write(
    db: &Db,
    project: ProjectId,
    lease: Uuid,
    incidents: &[Incident],
    judged_from: Timestamp,
    finished: Finished,
) -> Result<Option<Written>, JudgeError> {
    let told_to = IncidentAlerts::of(db, project).await?;
    let Some(mut judging) = Judging::begin(db, project, lease).await? else {
        return Ok(None);
    };
    let mut stored = judging.stored_since(judged_from).await?;
    let mut changed = false;
    let mut is_other = false;
    let mut news = Vec::new();
    for incident in incidents {
        let judged = judged(incident)?;
        let known = stored
            .iter()
            .position(|stored| is_same(incident, stored))
            .map(|place| stored.swap_remove(place));
        let Some(known) = known else {
            let id = Uuid::now_v7();
            judging.put(id, &judged, finished.now).await?;
            news.extend(moment(None, incident, &judged).map(|moment| IncidentNews { id, moment, incident }));
            (changed, is_other) = (true, true);
            continue;
        };
        if known.judgement == judged.judgement {
            continue;
        }
        judging.put(known.id, &judged, finished.now).await?;
        let id = known.id;
        news.extend(
            moment(Some(&known), incident, &judged).map(|moment| IncidentNews { id, moment, incident }),
        );
        if (known.verdict.as_str(), &known.deploy_id) != (judged.verdict, &judged.deploy_id) {
            let sentence = &incident.verdict.sentence;
            judging
                .note_verdict(known.id, sentence, judged.deploy_id.as_deref(), finished.now)
                .await?;
        }
        changed |= says_otherwise(&known, &judged);
        // What people settled is over whatever is judged.
        is_other |= known.settled.is_none() && known.ended_at.is_some() != judged.ended_at.is_some();
    }
    let mut withdrawn = Vec::new();
    // What began before the hours that were read, or too soon behind their first to be seen, is left as it was.
    let seen_from = finished
        .whole
        .and_then(|whole| whole.left_out_before)
        .map(|before| {
            // With few days what began since yesterday is judged all the same, given two days before it.
            let enough = before.plus_micros(LEAST_BASELINE_MICROS).min(judged_from);
            enough.max(before.plus_micros(48 * super::HOUR))
        });
    stored.retain(|stored| seen_from.is_none_or(|from| stored.onset_from >= from));
    // What nobody has touched and the data no longer shows never was one.
    for none in stored {
        let is_touched = none.settled.is_some() || none.acknowledged_at.is_some() || none.answer.is_some();
        if !is_touched {
            judging.remove(none.id).await?;
            (changed, is_other) = (true, true);
            if none.ended_at.is_none() {
                withdrawn.extend(Incident::deserialize(&none.judgement).map(|incident| (none.id, incident)));
            }
        }
    }
    news.extend(withdrawn.iter().map(|(id, incident)| IncidentNews {
        id: *id,
        moment: IncidentMoment::Withdrawn,
        incident,
    }));
    judging
        .tell(told_to.alerts(&news, finished.now), finished.now)
        .await?;
    let whole = finished.whole.map(|whole| Whole { is_other, ..whole });
    let history = judging.finish(Finished { whole, ..finished }).await?;
    Ok(Some(Written { changed, history }))
}

/// What happened to an incident since it was judged last, as far as people are to be told. What somebody has settled is
/// known to be over.
fn moment(
    known: Option<&StoredIncident>,
    incident: &Incident,
    judged: &JudgedIncident,
) -> Option<IncidentMoment> {
    let is_open = incident.status == Status::Open;
    let Some(known) = known else {
        return is_open.then_some(IncidentMoment::Opened);
    };
    if known.settled.is_some() {
        return None;
    }
    if known.ended_at.is_none() && !is_open {
        return Some(IncidentMoment::Closed);
    }
    if !is_open {
        return None;
    }
    if known.ended_at.is_some() {
        return Some(IncidentMoment::Opened);
    }
    let names_deploy = |verdict: &str| verdict == "deploy" || verdict == "probably";
    let is_named = names_deploy(judged.verdict)
        && (!names_deploy(&known.verdict) || known.deploy_id != judged.deploy_id);
    is_named.then_some(IncidentMoment::Attributed)
}

fn says_otherwise(known: &StoredIncident, judged: &JudgedIncident) -> bool {
    let percent = |share: f64| (share * 100.0).round();
    known.verdict != judged.verdict
        || known.deploy_id != judged.deploy_id
        || known.onset_at != judged.onset_at
        || known.ended_at.is_some() != judged.ended_at.is_some()
        || percent(known.probability) != percent(judged.probability)
        || known.last_at != judged.last_at
}

fn is_same(incident: &Incident, stored: &StoredIncident) -> bool {
    let metric = Metric::ALL
        .into_iter()
        .find(|metric| metric.as_str() == stored.metric);
    metric.is_some_and(|metric| {
        incident.step == stored.step
            && incident.is_same(stored.key.as_deref(), metric, stored.onset_from, stored.last_at)
    })
}

fn judged(incident: &Incident) -> Result<JudgedIncident, serde_json::Error> {
    let verdict = &incident.verdict;
    Ok(JudgedIncident {
        key: incident.key.clone(),
        step: incident.step.clone(),
        metric: incident.metric.as_str(),
        status: match incident.status {
            Status::Open => "open",
            Status::Closed => "closed",
            Status::Accepted => "accepted",
        },
        onset_at: incident.onset.at,
        onset_from: incident.onset.from,
        onset_to: incident.onset.to,
        opened_at: incident.opened_at,
        last_at: incident.last_at,
        ended_at: incident.ended_at,
        verdict: verdict_word(verdict.kind),
        deploy_id: verdict.deploy_id.clone(),
        release: verdict.release.clone(),
        null_cause: verdict.null_cause.map(null_word),
        probability: verdict.probability,
        candidates: incident
            .attributions
            .iter()
            .map(|candidate| Candidate {
                deploy_id: candidate.deploy_id.clone(),
                release: candidate.release.clone(),
                sha: candidate.sha.clone(),
                probability: candidate.probability,
                confidence_points: candidate.points.as_ref().map(|points| i16::from(points.points)),
                is_cleared: candidate.cleared_because.is_some(),
            })
            .collect(),
        judgement: serde_json::to_value(incident)?,
    })
}

pub(crate) const fn verdict_word(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Deploy => "deploy",
        VerdictKind::Probably => "probably",
        VerdictKind::NoDeploy => "no_deploy",
        VerdictKind::Unclear => "unclear",
        VerdictKind::Learning => "learning",
    }
}

pub(crate) const fn null_word(cause: NullCause) -> &'static str {
    match cause {
        NullCause::Traffic => "traffic",
        NullCause::Price => "price",
        NullCause::ProviderDrift => "provider_drift",
        NullCause::UserMix => "user_mix",
        NullCause::Configuration => "configuration",
        NullCause::Unknown => "unknown",
    }
}
