//! Which alerts a finding makes.

use domain::alert::{AlertContent, AlertedFinding, Trigger};
use domain::detector::Detector;
use domain::text::first_line;
use domain::{ProjectId, RunSummary, Severity, Timestamp};
use serde_json::json;
use storage::Db;
use storage::alerts::NewAlert;
use storage::detectors::NewFinding;

use super::plan::Plan;
use super::triggers::{spoken_to, summary_of};

/// Of each text that a message shows, in characters.
const MAX_TEXT_CHARS: usize = 600;
const MAX_NAME_CHARS: usize = 120;

/// Whom a project's findings are told to.
#[derive(Clone, Debug)]
pub struct FindingAlerts {
    project: ProjectId,
    plan: Plan,
}

impl FindingAlerts {
    /// As the project is set now.
    pub async fn of(db: &Db, project: ProjectId) -> storage::Result<Self> {
        let plan = Plan::read(db, project).await?;
        Ok(Self { project, plan })
    }

    /// The alerts to be written with a finding: one of a detector, in which what it finds while that is quiet is counted.
    pub fn alerts(
        &self,
        detector: &Detector,
        run: &RunSummary,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Vec<NewAlert> {
        let settings = &self.plan.settings;
        if !settings.findings || !settings.concerns(&run.key_label, run.environment.as_deref()) {
            return Vec::new();
        }
        let quote = finding.evidence.iter().find_map(|evidence| {
            let quote = evidence.quote.as_deref()?;
            Some((
                first_line(&evidence.step, MAX_NAME_CHARS),
                first_line(quote, MAX_TEXT_CHARS),
            ))
        });
        let content = AlertContent::Finding(Box::new(AlertedFinding {
            finding_id: finding.id,
            detector: first_line(&detector.name, MAX_NAME_CHARS),
            template: detector.definition.template.label().to_owned(),
            run_id: run.run_id.clone(),
            run_name: first_line(&run.name, MAX_NAME_CHARS),
            summary: first_line(&finding.summary, MAX_TEXT_CHARS),
            quote,
        }));
        let subject = json!({
            "finding_id": finding.id,
            "detector_id": detector.id,
            "run_id": run.run_id,
            "step_id": finding.evidence.first().map(|evidence| &evidence.step_id),
        });
        let trigger = Trigger::Finding;
        let of_channel = |channel| NewAlert {
            project_id: self.project,
            trigger,
            channel,
            group_key: detector.id.to_string(),
            quiet_s: settings.quiet_s(trigger, channel),
            not_before: self.plan.quiet_until(trigger, channel, now),
            occurrences: 1,
            severity: Severity::Warning,
            summary: summary_of(&content),
            subject: subject.clone(),
            content: serde_json::to_value(&content).unwrap_or_default(),
        };
        spoken_to(&self.plan, trigger).map(of_channel).collect()
    }
}
