//! Reading incidents: what left its baseline, and what caused it.

#[cfg(feature = "ssr")]
mod causes;
#[cfg(feature = "ssr")]
mod panels;

use domain::{CauseAnswer, Deploy, IncidentEventKind, IncidentStatus, NanoUsd, Timestamp};
use engine::incidents::attribution::VerdictKind;
use engine::incidents::incident::Amount;
use engine::incidents::{Incident, Metric, Settings};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

use super::fixes::FixView;
use super::inquiries::InquiryView;
use crate::error::ApiError;

/// The most incidents of one list.
#[cfg(feature = "ssr")]
const MAX_LISTED: u32 = 200;
/// Earlier incidents that one is compared with, and that are named.
#[cfg(feature = "ssr")]
const MAX_COMPARED: u32 = 200;
#[cfg(feature = "ssr")]
const MAX_SIMILAR: usize = 3;
#[cfg(feature = "ssr")]
const DAY_MICROS: i64 = 86_400_000_000;

/// An incident in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedIncident {
    pub(crate) id: String,
    pub(crate) status: IncidentStatus,
    /// `prod-frontend, cost`.
    pub(crate) name: String,
    /// `None` where one model moved on all keys at once.
    pub(crate) key: Option<String>,
    pub(crate) metric: Metric,
    pub(crate) onset: Timestamp,
    /// When it was closed or accepted; while it goes on the end of its last hour.
    pub(crate) until: Timestamp,
    pub(crate) baseline: Amount,
    pub(crate) actual: Amount,
    /// What was paid above the baseline so far.
    pub(crate) above: Option<NanoUsd>,
    pub(crate) verdict: VerdictKind,
    pub(crate) probability: f64,
    /// The rubric's, of the candidate with the highest.
    pub(crate) confidence: Option<f64>,
    /// `PR 2`, `Traffic`, `unclear`.
    pub(crate) cause: String,
    /// What else there is to say of the cause.
    pub(crate) cause_note: String,
    /// The deploy that the verdict names, or that people confirmed.
    pub(crate) deploy_id: Option<String>,
    pub(crate) answer: Option<CauseAnswer>,
    /// The whole verdict in a sentence.
    pub(crate) sentence: String,
}

/// The list of incidents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IncidentsView {
    /// When it was read.
    pub(crate) now: Timestamp,
    /// The latest first.
    pub(crate) items: Vec<ListedIncident>,
    /// What went live meanwhile, the latest first.
    pub(crate) deploys: Vec<Deploy>,
    /// Whether any run was ever received; read only when nothing was found.
    pub(crate) any_run: bool,
    /// Hours before this were not judged, because the project has too many.
    pub(crate) left_out_before: Option<Timestamp>,
}

/// The incidents of the last so many days.
#[server(prefix = "/ui", endpoint = "incidents/list", input = Json)]
pub(crate) async fn list_incidents(slug: String, days: u32) -> Result<IncidentsView, ApiError> {
    use storage::deploys::{self, DeployFilter};
    use storage::incidents::{self, IncidentFilter};

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let since = now.plus_micros(-DAY_MICROS * i64::from(days.clamp(1, 400)));
    let filter = IncidentFilter {
        since: Some(since),
        ..IncidentFilter::default()
    };
    let stored = incidents::list(&mut snapshot, project, &filter, MAX_LISTED).await?;
    let items: Vec<ListedIncident> = stored.iter().filter_map(listed).collect();
    let shipped = DeployFilter {
        from: Some(since),
        to: Some(now),
        sha: None,
    };
    let deploys = deploys::list(&mut snapshot, project, &shipped, None, deploys::MAX_PAGE)
        .await?
        .items;
    let any_run = !items.is_empty() || storage::runs::any(&mut snapshot, project).await?;
    let left_out_before = incidents::left_out_before(&mut snapshot, project).await?;
    Ok(IncidentsView {
        now,
        items,
        deploys: deploys.into_iter().filter(Deploy::went_live).collect(),
        any_run,
        left_out_before,
    })
}

/// The judgement of a stored incident. One that can't be read is of another version, and left out.
#[cfg(feature = "ssr")]
fn judgement(stored: &storage::incidents::StoredIncident) -> Option<Incident> {
    Incident::deserialize(&stored.judgement).ok()
}

/// An incident as lists show it.
#[cfg(feature = "ssr")]
pub(crate) fn listed(stored: &storage::incidents::StoredIncident) -> Option<ListedIncident> {
    use engine::incidents::words;

    let incident = judgement(stored)?;
    let named = words::named(&incident);
    let verdict = &incident.verdict;
    let confidences = incident
        .attributions
        .iter()
        .filter(|candidate| candidate.points.is_some())
        .map(|candidate| candidate.confidence());
    let (cause, cause_note) = match verdict.kind {
        VerdictKind::Deploy => (
            named.map_or_else(String::new, words::candidate_name),
            named.map_or_else(String::new, |named| named.title.clone()),
        ),
        VerdictKind::Probably => (
            format!(
                "probably {}",
                named.map_or_else(String::new, words::candidate_name)
            ),
            named.map_or_else(String::new, |named| named.title.clone()),
        ),
        VerdictKind::NoDeploy => (
            verdict
                .null_cause
                .map_or("No deploy", words::null_label)
                .to_owned(),
            "no deploy".to_owned(),
        ),
        VerdictKind::Unclear => ("unclear".to_owned(), "no cause stands out".to_owned()),
        VerdictKind::Learning => ("learning".to_owned(), "too little is known yet".to_owned()),
    };
    let zero = Amount::Whole(0);
    Some(ListedIncident {
        id: stored.id.to_string(),
        status: stored.status,
        name: words::name(&incident),
        key: stored.key.clone(),
        metric: incident.metric,
        onset: stored.onset_at,
        until: stored.ended_at.unwrap_or(stored.last_at),
        baseline: incident.day().map_or(zero, |day| day.baseline),
        actual: incident.day().map_or(zero, |day| day.actual),
        above: words::above_baseline(&incident),
        verdict: verdict.kind,
        probability: verdict.probability,
        confidence: confidences.max_by(f64::total_cmp),
        cause,
        cause_note,
        deploy_id: stored
            .confirmed_deploy_id
            .clone()
            .or_else(|| stored.deploy_id.clone()),
        answer: stored.answer,
        sentence: words::headline(&incident),
    })
}

/// A cause and what speaks for and against it, in logarithms of odds that add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cause {
    /// `PR 2 switch summary endpoint`, `Traffic`.
    pub(crate) name: String,
    /// A deploy with a record.
    pub(crate) deploy_id: Option<String>,
    /// It is a deploy or a release, and not a cause without one.
    pub(crate) is_deploy: bool,
    /// When its rollout began and was complete.
    pub(crate) rolled_out: Option<(Timestamp, Timestamp)>,
    pub(crate) probability: f64,
    /// The rubric's points as a share.
    pub(crate) confidence: Option<f64>,
    /// The verdict names it.
    pub(crate) is_named: bool,
    pub(crate) cleared_because: Option<String>,
    /// What it starts with before anything is known.
    pub(crate) prior: f64,
    /// Each adds to that; the sum is how likely it is against the others.
    pub(crate) factors: Vec<Factor>,
    pub(crate) rubric: Vec<RubricLine>,
}

impl Cause {
    /// Where it ends up.
    pub(crate) fn net(&self) -> f64 {
        self.prior + self.factors.iter().map(|factor| factor.log_odds).sum::<f64>()
    }
}

/// Something that makes a cause likelier or less likely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Factor {
    /// `time`, `share of the rise`.
    pub(crate) label: String,
    pub(crate) log_odds: f64,
    /// In words; empty where the label says it all.
    pub(crate) description: String,
    pub(crate) samples: Option<(i64, i64)>,
}

/// What the rubric looked for, and what it saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RubricLine {
    pub(crate) kind: String,
    pub(crate) points: f64,
    pub(crate) holds: bool,
    pub(crate) finding: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) calls: (i64, i64),
}

/// What one measure did in the hours around the onset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Panel {
    /// `Cost per hour`, `Share of claude-sonnet-4-6`.
    pub(crate) title: String,
    pub(crate) unit: domain::series::MetricUnit,
    /// One value for each hour.
    pub(crate) observed: Vec<Option<f64>>,
    /// The least and the most of the same hours of the seven days before the onset; empty where there is none.
    pub(crate) expected: Vec<Option<(f64, f64)>>,
}

/// What another key did meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) key: String,
    pub(crate) before: Option<f64>,
    pub(crate) after: Option<f64>,
    /// Calls in the hours after the onset.
    pub(crate) calls: i64,
    /// The incident's own key.
    pub(crate) is_own: bool,
}

/// Something that happened to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistoryItem {
    pub(crate) at: Timestamp,
    pub(crate) kind: IncidentEventKind,
    pub(crate) actor: String,
    /// What the deploy is called.
    pub(crate) deploy: Option<String>,
    pub(crate) note: Option<String>,
}

/// One incident with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IncidentView {
    pub(crate) id: String,
    pub(crate) status: IncidentStatus,
    /// People set the status.
    pub(crate) is_settled: bool,
    pub(crate) acknowledged_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) answer: Option<CauseAnswer>,
    /// What the deploy is called that people confirmed.
    pub(crate) confirmed: Option<String>,
    /// The judgement, without the onset's probabilities.
    pub(crate) incident: Incident,
    pub(crate) causes: Vec<Cause>,
    /// The hours of the panels: the first, and how many.
    pub(crate) hours: (Timestamp, usize),
    pub(crate) panels: Vec<Panel>,
    pub(crate) controls: Vec<Control>,
    /// What the controls' values are: `cost per call`.
    pub(crate) controls_of: String,
    pub(crate) controls_unit: domain::series::MetricUnit,
    pub(crate) history: Vec<HistoryItem>,
    /// Earlier incidents that are most like it, the nearest first.
    pub(crate) similar: Vec<SimilarIncident>,
    /// The latest investigation by a model.
    pub(crate) investigation: Option<InquiryView>,
    /// The latest fix that a model proposed.
    pub(crate) fix: Option<FixView>,
    /// The issue that was opened for it on GitHub.
    pub(crate) issue: Option<IssueView>,
    /// Whether a repository is connected in which it can become a pull request.
    pub(crate) has_repository: bool,
}

/// An issue on GitHub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IssueView {
    pub(crate) url: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) opened_by: String,
}

/// An earlier incident that is like this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SimilarIncident {
    pub(crate) incident: ListedIncident,
    /// `the same metric, the same mechanism`.
    pub(crate) alike_in: String,
    /// How it came out: `accepted as normal after 8 d 20 h`.
    pub(crate) outcome: String,
}

/// Those of `earlier` that are most like an incident, with how they came out.
#[cfg(feature = "ssr")]
fn similar(incident: &Incident, earlier: &[storage::incidents::StoredIncident]) -> Vec<SimilarIncident> {
    use engine::incidents::similar::{nearest, outcome};

    let known: Vec<_> = earlier
        .iter()
        .filter_map(|stored| Some((stored, judgement(stored)?)))
        .collect();
    let judged: Vec<Incident> = known.iter().map(|(_, incident)| incident.clone()).collect();
    nearest(incident, &judged, MAX_SIMILAR)
        .into_iter()
        .filter_map(|(place, likeness)| {
            let (stored, _) = known.get(place)?;
            Some(SimilarIncident {
                incident: listed(stored)?,
                alike_in: likeness.because.join(", "),
                outcome: outcome(stored.status, stored.onset_at, stored.ended_at),
            })
        })
        .collect()
}

/// One incident.
#[server(prefix = "/ui", endpoint = "incidents/get", input = Json)]
pub(crate) async fn read_incident(slug: String, incident_id: String) -> Result<IncidentView, ApiError> {
    use storage::incidents::{self, IncidentFilter};

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let id = incident_id.parse().map_err(|_no_id| ApiError::NotFound)?;
    let stored = incidents::get(&mut snapshot, project, id).await?;
    let mut incident = judgement(&stored).ok_or(ApiError::NotFound)?;
    let causes = causes::causes(&incident);
    let found = panels::read(&mut snapshot, project, &incident, now).await?;
    incident.onset.parts.clear();
    let called = |deploy_id: &str| {
        let own = incident
            .attributions
            .iter()
            .find(|own| own.deploy_id.as_deref() == Some(deploy_id));
        own.map_or_else(|| deploy_id.to_owned(), engine::incidents::words::candidate_name)
    };
    let history = incidents::events(&mut snapshot, project, id)
        .await?
        .into_iter()
        .map(|event| HistoryItem {
            at: event.at,
            kind: event.kind,
            actor: event.actor,
            deploy: event.deploy_id.as_deref().map(called),
            note: event.note,
        })
        .collect();
    let earlier = IncidentFilter {
        until: Some(stored.onset_from),
        ..IncidentFilter::default()
    };
    let similar = similar(
        &incident,
        &incidents::list(&mut snapshot, project, &earlier, MAX_COMPARED).await?,
    );
    let investigation = super::inquiries::investigation(&mut snapshot, project, id).await?;
    let fix = super::fixes::latest(&mut snapshot, project, id).await?;
    let issue = storage::issues::of(&mut snapshot, project, id).await?;
    let github = storage::integrations::get(&mut snapshot, project, storage::integrations::GITHUB).await?;
    Ok(IncidentView {
        id: incident_id,
        status: stored.status,
        is_settled: stored.settled.is_some(),
        acknowledged_at: stored.acknowledged_at,
        ended_at: stored.ended_at,
        answer: stored.answer,
        confirmed: stored.confirmed_deploy_id.as_deref().map(called),
        causes,
        hours: found.hours,
        panels: found.panels,
        controls: found.controls,
        controls_of: found.controls_of.to_owned(),
        controls_unit: found.controls_unit,
        history,
        similar,
        investigation,
        fix,
        issue: issue.map(|issue| IssueView {
            url: issue.url,
            opened_at: issue.opened_at,
            opened_by: issue.opened_by,
        }),
        has_repository: github.is_some(),
        incident,
    })
}

/// From when on a change is an incident in this project.
#[server(prefix = "/ui", endpoint = "incidents/settings", input = GetUrl)]
pub(crate) async fn read_incident_settings(slug: String) -> Result<Settings, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let stored = storage::incidents::settings(&mut snapshot, project).await?;
    Ok(Settings::stored(stored))
}
