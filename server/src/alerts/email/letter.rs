//! What an e-mail says: the same sentences, facts and links as text and as HTML.

use domain::Severity;
use domain::alert::{
    AlertContent, AlertedBudget, AlertedFinding, AlertedIncident, AlertedKeyLimit, AlertedStep,
};

use crate::alerts::facts::{
    a_day, budget_title, day, incident_title, key_limit_effect, key_limit_title, minute, percent,
};
use crate::alerts::message::{Message, Sending, repeated};
use crate::alerts::triggers::named;

/// A message without its form. Nothing in it is escaped.
#[derive(Debug, Default)]
pub(super) struct Letter {
    pub(super) title: String,
    paragraphs: Vec<String>,
    facts: Vec<(&'static str, String)>,
    points: Vec<String>,
    links: Vec<(String, String)>,
}

impl Letter {
    /// Of one alert, or of several as a list.
    pub(super) fn of(sending: &Sending, messages: &[Message]) -> Self {
        let mut letter = match messages {
            [one] => single(sending, one),
            several => digest(sending, several),
        };
        letter
            .links
            .push(("What is told to whom".to_owned(), sending.log_url()));
        letter
    }

    fn fact(&mut self, label: &'static str, value: Option<String>) {
        self.facts.extend(value.map(|value| (label, value)));
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for paragraph in &self.paragraphs {
            text.push_str(&format!("\n{paragraph}\n"));
        }
        if !self.facts.is_empty() {
            text.push('\n');
        }
        for (label, value) in &self.facts {
            text.push_str(&format!("{label}: {value}\n"));
        }
        if !self.points.is_empty() {
            text.push('\n');
        }
        for point in &self.points {
            text.push_str(&format!("- {point}\n"));
        }
        for (label, url) in &self.links {
            text.push_str(&format!("\n{label}\n{url}\n"));
        }
        text
    }

    pub(super) fn html(&self) -> String {
        let mut html = String::from("<!doctype html><html><head><meta charset=\"utf-8\"></head><body>");
        html.push_str(&format!("<h2>{}</h2>\n", escaped(&self.title)));
        for paragraph in &self.paragraphs {
            html.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
        }
        if !self.facts.is_empty() {
            html.push_str("<table>\n");
            for (label, value) in &self.facts {
                html.push_str(&format!(
                    "<tr><td><b>{}</b></td><td>{}</td></tr>\n",
                    escaped(label),
                    escaped(value)
                ));
            }
            html.push_str("</table>\n");
        }
        if !self.points.is_empty() {
            html.push_str("<ul>\n");
            for point in &self.points {
                html.push_str(&format!("<li>{}</li>\n", escaped(point)));
            }
            html.push_str("</ul>\n");
        }
        for (label, url) in &self.links {
            html.push_str(&format!(
                "<p><a href=\"{}\">{}</a></p>\n",
                escaped(url),
                escaped(label)
            ));
        }
        html.push_str("</body></html>");
        html
    }
}

fn single(sending: &Sending, message: &Message) -> Letter {
    let mut letter = Letter::default();
    let url = sending.url(&message.content);
    let open = match &message.content {
        AlertContent::Step(step) => {
            let what = match step.severity {
                Severity::Critical => "Critical",
                Severity::Warning => "Warning",
                Severity::Ok => "Failed",
            };
            letter.title = format!("{what}: {}", named(&step.name));
            of_step(&mut letter, sending, step);
            "Open the step"
        }
        AlertContent::ErrorRate {
            failed,
            of,
            limit_percent,
            step,
        } => {
            letter.title = format!("Error rate {} %", failed * 100 / (*of).max(1));
            letter.paragraphs.push(format!(
                "{failed} of the last {of} steps failed; told from {limit_percent} % on. The last one:"
            ));
            of_step(&mut letter, sending, step);
            "Open the step"
        }
        AlertContent::Incident(incident) => {
            letter.title = incident_title(incident);
            of_incident(&mut letter, sending, incident);
            "Open the incident"
        }
        AlertContent::Finding(finding) => {
            letter.title = format!("Found: {}", finding.detector);
            of_finding(&mut letter, sending, finding);
            "Open the finding"
        }
        AlertContent::Budget(budget) => {
            letter.title = budget_title(budget).to_owned();
            letter.paragraphs.push(format!("{}.", message.summary));
            of_budget(&mut letter, sending, budget);
            "Open the budgets"
        }
        AlertContent::KeyLimit(limit) => {
            letter.title = key_limit_title(limit);
            letter.paragraphs.push(key_limit_effect(limit));
            of_key_limit(&mut letter, sending, limit);
            "Open the keys"
        }
        AlertContent::IntegrationBroken { channel, answer } => {
            letter.title = format!("{} stopped", channel.label());
            letter
                .paragraphs
                .push(format!("{} answered: {answer}", channel.label()));
            letter
                .paragraphs
                .push("Nothing is sent there until it is mended in the settings.".to_owned());
            "Open the settings"
        }
        AlertContent::Test { by } => {
            letter.title = "Plumbline test".to_owned();
            letter.paragraphs.push(format!(
                "Alerts of {} arrive here. {by} sent this test.",
                sending.project
            ));
            "Open the settings"
        }
    };
    letter.paragraphs.extend(repeated(message));
    letter.links.push((open.to_owned(), url));
    letter
}

fn of_step(letter: &mut Letter, sending: &Sending, step: &AlertedStep) {
    let score = step.score.map(|score| match step.threshold {
        Some(threshold) => format!("{score} points, critical from {threshold}"),
        None => format!("{score} points"),
    });
    letter.fact("Project", Some(sending.project.clone()));
    letter.fact("Step", Some(named(&step.name).to_owned()));
    letter.fact("Run", Some(step.run_id.clone()));
    letter.fact("Key", Some(step.key.clone()));
    letter.fact("Model", step.model.clone());
    letter.fact("Score", score);
    letter.fact("Environment", step.environment.clone());
    letter.fact("Release", step.release.clone());
    letter.fact("Latency", step.latency_ms.map(domain::text::duration));
    letter.fact("Error", step.error.clone());
    for condition in &step.conditions {
        letter.points.push(format!(
            "{} {} +{}: {}",
            condition.code, condition.name, condition.points, condition.message
        ));
    }
    if step.more_conditions > 0 {
        letter.points.push(format!("and {} more", step.more_conditions));
    }
}

fn of_incident(letter: &mut Letter, sending: &Sending, incident: &AlertedIncident) {
    letter.paragraphs.push(incident.sentence.clone());
    letter.fact("Project", Some(sending.project.clone()));
    letter.fact("Probability", Some(percent(incident.probability)));
    letter.fact("Costs more", incident.nano_usd_a_day.map(a_day));
    letter.fact("Since", Some(minute(incident.onset_at)));
    letter.fact("Until", incident.ended_at.map(minute));
    letter.fact("Evidence", incident.evidence.clone());
    if let Some(deploy) = &incident.deploy {
        let name = format!("{} {}", deploy.name, deploy.title).trim_end().to_owned();
        letter.fact("Deploy", Some(name.clone()));
        if let Some(id) = &deploy.deploy_id {
            letter.links.push((name, sending.deploy_url(id)));
        }
    }
}

fn of_finding(letter: &mut Letter, sending: &Sending, finding: &AlertedFinding) {
    letter.paragraphs.push(finding.summary.clone());
    letter.fact("Project", Some(sending.project.clone()));
    letter.fact(
        "Detector",
        Some(format!("{} ({})", finding.detector, finding.template)),
    );
    letter.fact("Run", Some(format!("{} {}", finding.run_name, finding.run_id)));
    if let Some((step, quote)) = &finding.quote {
        letter.fact("Step", Some(named(step).to_owned()));
        letter.fact("Quote", Some(quote.clone()));
    }
}

fn of_budget(letter: &mut Letter, sending: &Sending, budget: &AlertedBudget) {
    letter.fact("Project", Some(sending.project.clone()));
    letter.fact(
        "Key",
        Some(budget.key.clone().unwrap_or_else(|| "all keys".to_owned())),
    );
    letter.fact("Budget of the month", Some(budget.monthly.to_short()));
    letter.fact("Spent", Some(budget.spent.to_short()));
    letter.fact(
        "Expected in the end",
        budget.expected.map(domain::NanoUsd::to_short),
    );
    letter.fact(
        "Used up on",
        budget.used_up_on.filter(|_| !budget.is_used_up).map(day),
    );
}

fn of_key_limit(letter: &mut Letter, sending: &Sending, limit: &AlertedKeyLimit) {
    letter.fact("Project", Some(sending.project.clone()));
    letter.fact("Key", Some(limit.key.clone()));
    letter.fact("Limit of the month", Some(limit.measure.said(limit.limit)));
    letter.fact("Used", Some(limit.measure.said(limit.used)));
}

fn digest(sending: &Sending, messages: &[Message]) -> Letter {
    let mut letter = Letter {
        title: format!("{} alerts", messages.len()),
        ..Letter::default()
    };
    letter.fact("Project", Some(sending.project.clone()));
    for message in messages {
        letter
            .links
            .push((message.summary.clone(), sending.url(&message.content)));
    }
    letter
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
