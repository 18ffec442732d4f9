//! Which alerts a judgement makes: an incident that opened, whose deploy is known, or that is over.

use domain::alert::{AlertContent, AlertedDeploy, AlertedIncident, IncidentMoment, Trigger};
use domain::text::first_line;
use domain::{NanoUsd, ProjectId, Severity, Timestamp};
use engine::incidents::attribution::Attribution;
use engine::incidents::{Incident, Metric, words};
use serde_json::json;
use storage::Db;
use storage::alerts::NewAlert;
use uuid::Uuid;

use super::plan::Plan;
use super::triggers::{spoken_to, summary_of};

const DAY_MICROS: i64 = 86_400_000_000;
/// What a rate of a day is worked out from at least.
const LEAST_MICROS: i64 = 3_600_000_000;
/// Nobody is told that something began that ended earlier: it is history that was read late.
const MAX_AGE_MICROS: i64 = DAY_MICROS;
/// Of each text that a message shows, in characters.
const MAX_TEXT_CHARS: usize = 600;
const MAX_NAME_CHARS: usize = 120;

/// Something that happened to an incident.
#[derive(Clone, Copy, Debug)]
pub struct IncidentNews<'a> {
    pub id: Uuid,
    pub moment: IncidentMoment,
    pub incident: &'a Incident,
}

/// Whom a project's incidents are told to.
#[derive(Clone, Debug)]
pub struct IncidentAlerts {
    project: ProjectId,
    plan: Plan,
}

impl IncidentAlerts {
    /// As the project is set now.
    pub async fn of(db: &Db, project: ProjectId) -> storage::Result<Self> {
        let plan = Plan::read(db, project).await?;
        Ok(Self { project, plan })
    }

    /// The alerts to be written with a judgement.
    pub fn alerts(&self, news: &[IncidentNews<'_>], now: Timestamp) -> Vec<NewAlert> {
        if !self.plan.settings.incidents {
            return Vec::new();
        }
        news.iter()
            .filter(|news| is_news(news, now))
            .filter(|news| self.plan.settings.concerns_key(news.incident.key.as_deref()))
            .flat_map(|news| self.of_one(news, now))
            .collect()
    }

    fn of_one(&self, news: &IncidentNews<'_>, now: Timestamp) -> Vec<NewAlert> {
        let trigger = trigger(news.moment);
        let content = AlertContent::Incident(Box::new(alerted(news)));
        let incident = news.incident;
        let subject = json!({
            "incident_id": news.id,
            "key": incident.key,
            "step": incident.step,
            "metric": incident.metric.as_str(),
            "deploy_id": incident.verdict.deploy_id,
        });
        let of_channel = |channel| NewAlert {
            project_id: self.project,
            trigger,
            channel,
            group_key: news.id.to_string(),
            quiet_s: self.plan.settings.quiet_s(trigger, channel),
            not_before: self.plan.quiet_until(trigger, channel, now),
            occurrences: 1,
            severity: severity(news.moment),
            summary: summary_of(&content),
            subject: subject.clone(),
            content: serde_json::to_value(&content).unwrap_or_default(),
        };
        spoken_to(&self.plan, trigger).map(of_channel).collect()
    }
}

/// That something is over is worth saying however late: it was told that it began.
fn is_news(news: &IncidentNews<'_>, now: Timestamp) -> bool {
    let is_over = matches!(news.moment, IncidentMoment::Closed | IncidentMoment::Withdrawn);
    is_over || now.micros() - news.incident.last_at.micros() <= MAX_AGE_MICROS
}

const fn trigger(moment: IncidentMoment) -> Trigger {
    match moment {
        IncidentMoment::Opened => Trigger::IncidentOpened,
        IncidentMoment::Attributed => Trigger::IncidentAttributed,
        IncidentMoment::Closed | IncidentMoment::Withdrawn => Trigger::IncidentClosed,
    }
}

const fn severity(moment: IncidentMoment) -> Severity {
    match moment {
        IncidentMoment::Opened | IncidentMoment::Attributed => Severity::Critical,
        IncidentMoment::Closed | IncidentMoment::Withdrawn => Severity::Ok,
    }
}

fn alerted(news: &IncidentNews<'_>) -> AlertedIncident {
    let incident = news.incident;
    let deploy = words::named(incident);
    AlertedIncident {
        incident_id: news.id,
        moment: news.moment,
        name: first_line(&words::name(incident), MAX_NAME_CHARS),
        key: incident.key.clone(),
        step: incident.step.clone(),
        metric: incident.metric.as_str().to_owned(),
        sentence: first_line(&words::headline(incident), MAX_TEXT_CHARS),
        probability: incident.verdict.probability,
        deploy: deploy.map(|deploy| AlertedDeploy {
            deploy_id: deploy.deploy_id.clone(),
            name: first_line(&words::candidate_name(deploy), MAX_NAME_CHARS),
            title: first_line(&deploy.title, MAX_NAME_CHARS),
        }),
        evidence: deploy.and_then(evidence).or_else(|| {
            let largest = words::parts(&incident.decomposition).into_iter().next()?;
            Some(first_line(&largest.largest.sentence, MAX_TEXT_CHARS))
        }),
        nano_usd_a_day: nano_usd_a_day(incident),
        onset_at: incident.onset.at,
        ended_at: incident.ended_at,
    }
}

/// What speaks most for a deploy.
fn evidence(deploy: &Attribution) -> Option<String> {
    let most = deploy
        .evidence
        .iter()
        .filter(|evidence| evidence.factor > 1.0)
        .max_by(|a, b| a.factor.total_cmp(&b.factor))?;
    Some(first_line(&most.description, MAX_TEXT_CHARS))
}

/// What a day costs more, at the rate from its begin, or the onset, to its end, or the last hour. Of calls that became
/// dearer, times the calls of that time.
fn nano_usd_a_day(incident: &Incident) -> Option<NanoUsd> {
    let day = incident.day()?;
    let delta = incident.delta().as_f64();
    let more = match incident.metric {
        Metric::Cost => delta,
        Metric::CostPerCall => delta * day.samples as f64,
        _ => return None,
    };
    let from = incident.onset.at.max(day.date);
    let to = incident.last_at.min(day.date.plus_micros(DAY_MICROS));
    let lasted = (to.micros() - from.micros()).clamp(LEAST_MICROS, DAY_MICROS);
    Some(NanoUsd((more * DAY_MICROS as f64 / lasted as f64) as i64))
}

#[cfg(test)]
#[path = "incidents/tests.rs"]
mod tests;
