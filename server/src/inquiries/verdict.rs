//! The verdict of an investigation: what the model says, held to what it looked up. A claim that cites nothing that bears
//! it is dropped and counted; a deploy that is none of this project's is no cause. How much of the change is price and how
//! much volume is never the model's to say: that is worked out.

use std::collections::BTreeMap;

use domain::deploy::Deploy;
use engine::citations::{Cite, Claim, Evidence, Facts, verify};
use engine::incidents::decomposition::TermKind;
use engine::incidents::{Incident, words};
use serde::Deserialize;
use serde_json::{Value, json};

use super::conversation::{Happened, LookUp};
use crate::models::Tool;

/// By which an investigation ends.
pub(super) const SUBMIT: &str = "submit_verdict";
/// Claims of each kind.
const MAX_CLAIMS: usize = 8;
/// Longest text, in characters.
const MAX_TEXT_CHARS: usize = 600;
/// What the model says in `deploy_id` where no deploy is the cause.
const NO_DEPLOY: &str = "none";

/// The tool that a verdict is given by.
pub(super) fn submit_tool() -> Tool {
    let claims = |what: &str| {
        json!({
            "type": "array", "maxItems": MAX_CLAIMS, "description": what,
            "items": { "type": "object", "required": ["text", "look_ups"], "additionalProperties": false, "properties": {
                "text": { "type": "string", "description": "One sentence. Every figure in it must stand in a look-up that it cites" },
                "look_ups": { "type": "array", "items": { "type": "integer" }, "description": "Numbers of the look-ups that it rests on" },
                "deploy_ids": { "type": "array", "items": { "type": "string" }, "description": "Deploys that it rests on" },
            } },
        })
    };
    Tool {
        name: SUBMIT.to_owned(),
        description:
            "Gives your verdict and ends the investigation. Claims whose citations do not hold are dropped."
                .to_owned(),
        parameters: json!({
            "type": "object", "additionalProperties": false,
            "required": ["deploy_id", "cause", "confidence", "evidence", "recommendations"],
            "properties": {
                "deploy_id": { "type": "string", "description": "Id of the deploy that is the cause, or none" },
                "cause": { "type": "string", "description": "What caused it, in one sentence" },
                "confidence": { "type": "number", "minimum": 0, "maximum": 1 },
                "evidence": claims("What speaks for it, and what clears the others"),
                "recommendations": claims("What to do, most useful first"),
            },
        }),
    }
}

/// What the model submits, read leniently: what is missing is nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Submitted {
    deploy_id: Option<String>,
    cause: String,
    confidence: f64,
    evidence: Vec<SubmittedClaim>,
    recommendations: Vec<SubmittedClaim>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SubmittedClaim {
    text: String,
    look_ups: Vec<u32>,
    deploy_ids: Vec<String>,
}

impl SubmittedClaim {
    fn claim(self, is_advice: bool) -> Claim {
        let results = self
            .look_ups
            .iter()
            .map(|number| Cite::Result(number.to_string()));
        Claim {
            cites: results
                .chain(self.deploy_ids.into_iter().map(Cite::Deploy))
                .collect(),
            text: self.text.trim().chars().take(MAX_TEXT_CHARS).collect(),
            is_advice,
        }
    }
}

/// What a verdict is held to.
pub(super) struct Case<'a> {
    pub(super) incident: &'a Incident,
    /// What the model was told of the incident, as JSON.
    pub(super) summary: &'a Value,
    /// The deploys that may be named.
    pub(super) deploys: &'a [Deploy],
    pub(super) happened: &'a [Happened],
}

impl Case<'_> {
    fn look_ups(&self) -> impl Iterator<Item = &LookUp> {
        self.happened.iter().filter_map(|one| match one {
            Happened::LookedUp(look_up) => Some(look_up),
            Happened::Said { .. } => None,
        })
    }

    fn evidence(&self) -> Evidence {
        let facts = |texts: Vec<String>, name: String| Facts {
            name,
            texts,
            ..Facts::default()
        };
        let results: BTreeMap<String, Facts> = self
            .look_ups()
            .map(|look_up| {
                let texts = vec![look_up.line.clone(), look_up.content.clone()];
                (look_up.number.to_string(), facts(texts, String::new()))
            })
            .collect();
        let deploys = self.deploys.iter().map(|deploy| {
            let text = serde_json::to_string(deploy).unwrap_or_default();
            (deploy.id.clone(), facts(vec![text], name_of(deploy)))
        });
        Evidence {
            results,
            deploys: deploys.collect(),
            whole: facts(vec![self.summary.to_string()], String::new()),
            ..Evidence::default()
        }
    }

    /// The deploy that is meant by what a model wrote.
    fn deploy(&self, said: &str) -> Option<&Deploy> {
        let said = said.trim();
        self.deploys.iter().find(|deploy| deploy.id == said).or_else(|| {
            self.deploys
                .iter()
                .find(|deploy| name_of(deploy).eq_ignore_ascii_case(said))
        })
    }
}

fn name_of(deploy: &Deploy) -> String {
    match deploy.pr_number {
        Some(number) => format!("PR {number}"),
        None => deploy.sha.chars().take(7).collect(),
    }
}

/// How much of the change is price, and how much volume, from the ledger.
pub(super) fn split(incident: &Incident) -> Value {
    let metric = incident.metric;
    let parts = words::parts(&incident.decomposition);
    let is_volume = |kind: TermKind| matches!(kind, TermKind::Volume | TermKind::CallsPerRun);
    let sum = |of_volume: bool| -> f64 {
        parts
            .iter()
            .filter(|part| is_volume(part.kind) == of_volume)
            .map(|part| part.amount)
            .sum()
    };
    let rows: Vec<Value> = parts
        .iter()
        .map(|part| {
            json!({
                "term": words::term_name(part.kind), "amount": words::difference(metric, part.amount),
                "because": part.because(), "is_volume": is_volume(part.kind),
            })
        })
        .collect();
    json!({
        "of": words::difference(metric, incident.delta().as_f64()), "per": words::per(metric).trim_start(),
        "price": words::difference(metric, sum(false)), "volume": words::difference(metric, sum(true)), "terms": rows,
    })
}

/// What the ledger itself says, beside which a model's verdict stands.
fn of_the_ledger(incident: &Incident) -> Value {
    let named = words::named(incident);
    json!({
        "deploy_id": incident.verdict.deploy_id, "sentence": words::headline(incident),
        "probability": incident.verdict.probability,
        "confidence": named.map(engine::incidents::attribution::Attribution::confidence),
    })
}

fn cites(claim: &Claim) -> Vec<Value> {
    claim
        .cites
        .iter()
        .map(|cite| match cite {
            Cite::Result(number) => json!({ "look_up": number.parse::<u32>().unwrap_or(0) }),
            Cite::Deploy(id) => json!({ "deploy_id": id }),
            Cite::Step(id) => json!({ "step_id": id }),
            Cite::Code(code) => json!({ "code": code }),
        })
        .collect()
}

fn rows(claims: &[&Claim]) -> Vec<Value> {
    claims
        .iter()
        .map(|claim| json!({ "text": claim.text, "cites": cites(claim) }))
        .collect()
}

/// The verdict of a model, with what holds of it.
pub(super) fn of_model(case: &Case<'_>, arguments: &Value) -> Value {
    let submitted = Submitted::deserialize(arguments).unwrap_or_default();
    let said = submitted.deploy_id.as_deref().map(str::trim).unwrap_or_default();
    let is_none = said.is_empty() || said.eq_ignore_ascii_case(NO_DEPLOY);
    let deploy = (!is_none).then(|| case.deploy(said)).flatten();
    let evidence: Vec<Claim> = submitted
        .evidence
        .iter()
        .take(MAX_CLAIMS)
        .map(|claim| claim.clone().claim(false))
        .collect();
    let recommendations = submitted
        .recommendations
        .iter()
        .take(MAX_CLAIMS)
        .map(|claim| claim.clone().claim(true));
    // The cause rests on what its evidence rests on.
    let cause = SubmittedClaim {
        text: submitted.cause.clone(),
        look_ups: submitted
            .evidence
            .iter()
            .flat_map(|claim| claim.look_ups.clone())
            .collect(),
        deploy_ids: deploy.map(|deploy| deploy.id.clone()).into_iter().collect(),
    };
    let mut cause = cause.claim(false);
    cause.cites.sort();
    cause.cites.dedup();
    // Those that do not exist fall with their own claims.
    let known = case.evidence();
    cause.cites.retain(|cite| match cite {
        Cite::Result(number) => known.results.contains_key(number),
        _ => true,
    });
    let claims: Vec<Claim> = evidence.into_iter().chain(recommendations).collect();
    let verified = verify(claims, &known);
    let of_cause = verify(vec![cause], &known);
    let (kept, dropped) = (&verified.kept, &verified.dropped);
    let evidence: Vec<&Claim> = kept.iter().filter(|claim| !claim.is_advice).collect();
    let advice: Vec<&Claim> = kept.iter().filter(|claim| claim.is_advice).collect();
    let names_a_stranger = !is_none && deploy.is_none();
    let deploy_id = deploy.map(|deploy| deploy.id.clone());
    let reasons: Vec<Value> = dropped
        .iter()
        .chain(&of_cause.dropped)
        .map(|dropped| json!({ "text": dropped.claim.text, "reason": dropped.reason }))
        .chain(names_a_stranger.then(|| json!({ "text": said.chars().take(80).collect::<String>(), "reason": "there is no such deploy" })))
        .collect();
    json!({
        "source": "model", "deploy_id": deploy_id, "deploy": deploy.map(name_of),
        "cause": of_cause.kept.first().map_or_else(|| words::headline(case.incident), |claim| claim.text.clone()),
        // Without a claim that holds there is nothing to be sure by.
        "confidence": if evidence.is_empty() { 0.0 } else { submitted.confidence.clamp(0.0, 1.0) },
        "evidence": rows(&evidence), "recommendations": rows(&advice), "dropped_claims": reasons.len(),
        "dropped": reasons, "split": split(case.incident), "ledger": of_the_ledger(case.incident),
        "agrees": deploy_id == case.incident.verdict.deploy_id,
    })
}

/// The verdict that the ledger comes to without a model.
pub(crate) fn of_rules(incident: &Incident) -> Value {
    let named = words::named(incident);
    let evidence: Vec<Value> = named
        .map(|own| own.evidence.iter().filter(|item| item.factor > 1.0).take(MAX_CLAIMS))
        .into_iter()
        .flatten()
        .map(|item| {
            let deploy = named.and_then(|own| own.deploy_id.clone());
            json!({ "text": item.description, "cites": deploy.map(|id| json!({ "deploy_id": id })).into_iter().collect::<Vec<_>>() })
        })
        .collect();
    let parts = words::parts(&incident.decomposition);
    let advice = match (named, parts.first()) {
        (Some(own), part) => {
            let because = part.map_or_else(String::new, |part| format!(": {}", part.because()));
            format!(
                "Look at what {} changed{because}. Undo that part if it was not meant",
                words::candidate_name(own)
            )
        }
        (None, Some(part)) => format!(
            "No deploy is named. The largest part of the change: {}",
            part.because()
        ),
        (None, None) => "No deploy is named; look at the candidates and why each is cleared".to_owned(),
    };
    json!({
        "source": "rules", "deploy_id": incident.verdict.deploy_id, "deploy": named.map(words::candidate_name),
        "cause": words::headline(incident), "confidence": incident.verdict.probability, "evidence": evidence,
        "recommendations": [{ "text": advice, "cites": [] }], "dropped_claims": 0, "dropped": [],
        "split": split(incident), "ledger": of_the_ledger(incident), "agrees": true,
    })
}
