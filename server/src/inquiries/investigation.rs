//! The investigation of an incident: what the model is told, what it may look up, and how it ends.

use domain::deploy::Deploy;
use domain::{Feature, InquiryEventKind, OwnRunKind};
use engine::incidents::Incident;
use serde_json::Value;
use storage::deploys::{self, DeployFilter};
use storage::incidents::StoredIncident;
use uuid::Uuid;

use super::agent::{self, Ended, Task};
use super::verdict::{self, Case};
use super::{Inquiries, Journal, Stop};
use crate::incidents::answer::judgement;
use crate::models::fence::{FENCE_RULE, fenced};
use crate::models::{Message, ModelError, OwnRun, Role};
use crate::tools::incident_summary;

/// Tools of an investigation.
const MAY_CALL: &[&str] = &[
    "query_daily_cost",
    "query_model_distribution",
    "compare_keys",
    "get_deploys_in_window",
    "diff_prompt_model_mix",
    "get_fingerprint_diff",
    "fetch_pr_diff",
    "fetch_file",
    "list_recent_prs",
    "find_similar_incidents",
    "list_runs",
    "get_run",
    "get_step",
];
/// How much the model is told of the incident, in bytes.
const MAX_SUMMARY_BYTES: usize = 24_000;
/// Deploys that may be named: those of so long around the incident's onset.
const REACH_MICROS: i64 = 14 * 86_400_000_000;
const MAX_DEPLOYS: u32 = 200;

const TASK: &str = "You investigate an incident in software that calls language models: a metric left its baseline. Find \
out what caused it, with the tools. The ledger has already computed candidates and probabilities; check them, do not \
repeat them. Look first whether one key or all moved and when, then what was deployed, what each deploy switched, and what \
its diff says. A deploy close in time that switched nothing is no cause. Separate what a dearer call explains from what more \
calls explain. Before a look-up that changes your mind, say in one sentence why. End with submit_verdict. Each claim cites \
the look-ups it rests on by number, and every figure in it must stand there; claims that do not hold are dropped. You can \
only read: you change nothing.";

/// Investigates an incident.
pub(super) async fn investigate(
    inquiries: &Inquiries,
    journal: &Journal<'_>,
    incident_id: Uuid,
) -> Result<(), Stop> {
    let project = journal.taken.project_id;
    let mut snapshot = inquiries.toolbox.db.snapshot(project).await?;
    let stored: StoredIncident = match storage::incidents::get(&mut snapshot, project, incident_id).await {
        Ok(stored) => stored,
        Err(storage::Error::NotFound) => return Err(Stop::Impossible("The incident is gone".to_owned())),
        Err(other) => return Err(other.into()),
    };
    let incident = judgement(&stored)
        .ok_or_else(|| Stop::Impossible("The incident was judged by another version".to_owned()))?;
    let around = DeployFilter {
        from: Some(incident.onset.from.plus_micros(-REACH_MICROS)),
        to: Some(incident.onset.to.plus_micros(REACH_MICROS)),
        sha: None,
    };
    let known = deploys::list(&mut snapshot, project, &around, None, MAX_DEPLOYS)
        .await?
        .items;
    drop(snapshot);
    let summary = incident_summary(&stored, &incident);
    match ask(inquiries, journal, (&incident, &summary, &known)).await {
        Err(Stop::Model(ModelError::NotSet)) => {
            let remark = format!(
                "{}. Until then this is what the ledger concludes by itself.",
                ModelError::NotSet
            );
            journal.remark(1, &remark).await?;
            journal
                .note(InquiryEventKind::Verdict, verdict::of_rules(&incident))
                .await
        }
        other => other,
    }
}

async fn ask(
    inquiries: &Inquiries,
    journal: &Journal<'_>,
    (incident, summary, known): (&Incident, &Value, &[Deploy]),
) -> Result<(), Stop> {
    let question = format!(
        "Investigate this incident.\n\n{}",
        fenced("incident", &summary.to_string(), MAX_SUMMARY_BYTES)
    );
    let task = Task {
        feature: Feature::Investigation,
        run: OwnRun::about(OwnRunKind::Investigation, journal.taken.inquiry.id),
        system: format!("{TASK}\n\n{FENCE_RULE}"),
        opening: vec![Message::text(Role::User, question)],
        submit: Some(verdict::submit_tool()),
        may_call: MAY_CALL,
    };
    let mut happened = agent::stored(inquiries, journal).await?;
    match agent::work(inquiries, journal, &task, &mut happened).await? {
        Ended::Submitted(arguments) => {
            let case = Case {
                incident,
                summary,
                deploys: known,
                happened: &happened,
            };
            let verdict = verdict::of_model(&case, &arguments);
            journal.note(InquiryEventKind::Verdict, verdict).await
        }
        Ended::Said | Ended::OutOfRounds => Err(Stop::Impossible(format!(
            "The model gave no verdict within {} rounds; what it looked up stands above",
            agent::MAX_ROUNDS
        ))),
    }
}
