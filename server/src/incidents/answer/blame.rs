//! The answer of `/api/attribution`: which deploy a commit is, and what it is blamed for.

use domain::deploy::Deploy;
use domain::series::MetricUnit;
use engine::incidents::attribution::Attribution;
use engine::incidents::incident::Amount;
use engine::incidents::{Incident, Metric, words};
use serde::Serialize;
use storage::incidents::StoredIncident;
use utoipa::ToSchema;

use super::{EvidenceAnswer, date, evidence, judgement};

/// Which deploy a commit is, and what it caused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttributionAnswer {
    /// As it was asked for.
    sha: String,
    /// Whether a deploy has it.
    matched: bool,
    deploy: Option<MatchedDeploy>,
    /// The incident for which its confidence is highest; null where it is no incident's candidate.
    attribution: Option<Blame>,
    note: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchedDeploy {
    id: String,
    pr_number: Option<i64>,
    title: Option<String>,
    commit_sha: String,
}

/// An incident that a deploy is a candidate for. Money is in dollars.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Blame {
    incident_id: String,
    /// `daily_cost`, else the incident's metric.
    metric: String,
    key: Option<String>,
    date: Option<String>,
    baseline: f64,
    actual: f64,
    delta: f64,
    sigma: Option<f64>,
    confidence: f64,
    probability: f64,
    cleared_because: Option<String>,
    evidence: Vec<EvidenceAnswer>,
}

impl AttributionAnswer {
    /// Of a sha that no deploy can have.
    pub(crate) fn unknown(sha: String, note: &str) -> Self {
        Self {
            sha,
            matched: false,
            deploy: None,
            attribution: None,
            note: Some(note.to_owned()),
        }
    }

    /// Of a sha, with the deploy that has it and the incidents that it is a candidate for.
    pub(crate) fn of(sha: String, deploy: Option<Deploy>, incidents: &[StoredIncident]) -> Self {
        let Some(deploy) = deploy else {
            return Self::unknown(sha, "No deploy with this sha is recorded in these days");
        };
        let blame = incidents
            .iter()
            .filter_map(|stored| {
                let incident = judgement(stored)?;
                let own = incident
                    .attributions
                    .iter()
                    .find(|own| own.deploy_id.as_deref() == Some(&deploy.id))?;
                Some((
                    own.confidence(),
                    own.probability,
                    Blame::of(stored, &incident, own),
                ))
            })
            .max_by(|a, b| {
                (a.0, a.1)
                    .partial_cmp(&(b.0, b.1))
                    .unwrap_or(std::cmp::Ordering::Equal)
            })
            .map(|(_, _, blame)| blame);
        let note = match &blame {
            None => Some("No incident began around this deploy".to_owned()),
            Some(blame) => blame
                .cleared_because
                .as_ref()
                .map(|reason| format!("Cleared: {reason}")),
        };
        Self {
            sha,
            matched: true,
            deploy: Some(MatchedDeploy {
                id: deploy.id,
                pr_number: deploy.pr_number,
                title: deploy.title,
                commit_sha: deploy.sha,
            }),
            attribution: blame,
            note,
        }
    }
}

impl Blame {
    fn of(stored: &StoredIncident, incident: &Incident, own: &Attribution) -> Self {
        let is_money = words::unit(incident.metric) == MetricUnit::NanoUsd;
        let number = |amount: Amount| {
            if is_money {
                amount.as_f64() / 1e9
            } else {
                amount.as_f64()
            }
        };
        let day = incident.day();
        Self {
            incident_id: stored.id.to_string(),
            metric: match incident.metric {
                Metric::Cost => "daily_cost".to_owned(),
                other => other.as_str().to_owned(),
            },
            key: stored.key.clone(),
            date: day.map(|day| date(day.date)),
            baseline: day.map_or(0.0, |day| number(day.baseline)),
            actual: day.map_or(0.0, |day| number(day.actual)),
            delta: number(incident.delta()),
            sigma: day.and_then(|day| day.sigma),
            confidence: own.confidence(),
            probability: own.probability,
            cleared_because: own.cleared_because.clone(),
            evidence: evidence(own),
        }
    }
}
