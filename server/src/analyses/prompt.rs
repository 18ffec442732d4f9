//! What a model is asked of a run, and how its answer is read: a call of one tool whose arguments are the report.

use engine::analysis::{Context, Recommendation, Report, RootCause};
use engine::citations::{Cite, Claim, Evidence, verify};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::models::fence::FENCE_RULE;
use crate::models::{Message, Request, Role, Tool};

pub(super) const TOOL: &str = "report_analysis";
const MAX_OUTPUT_TOKENS: u32 = 4_000;
/// Of an answer so much is looked at.
const MAX_CLAIMS: usize = 24;
const MAX_CLAIM_CHARS: usize = 1_200;

pub(super) fn request(context: &Context) -> Request {
    let system = format!(
        "You explain why one recorded run of a program that calls language models went wrong, to the engineers who own it. \
         You answer by calling the tool {TOOL} once, and with nothing else.\n{FENCE_RULE}\n\
         Rules of the answer:\n\
         - Each claim cites what it rests on: step ids, condition codes, deploy ids, exactly as they stand in the data. A \
         claim whose citation does not hold is thrown away.\n\
         - Figures are copied from the data, never computed or estimated. Quotes in backticks occur word for word in the \
         cited step.\n\
         - The root cause is the first step that made the failure unavoidable, not the one where it showed. The rules' \
         finding is a hint that may be wrong.\n\
         - Recommendations say what to change in the program, prompt or configuration, the most effective first.\n\
         - Say what is not known. Plain words, short sentences, no markup."
    );
    let question = format!(
        "{}\nWhy did this run go wrong, and what should be changed?",
        context.text
    );
    Request {
        system,
        messages: vec![Message::text(Role::User, question)],
        tools: vec![Tool {
            name: TOOL.to_owned(),
            description: "Hands over the finished analysis.".to_owned(),
            parameters: parameters(),
        }],
        must_call: Some(TOOL.to_owned()),
        max_output_tokens: MAX_OUTPUT_TOKENS,
    }
}

fn parameters() -> Value {
    let cites = json!({
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "step_id": { "type": "string" },
                "code": { "type": "integer" },
                "deploy_id": { "type": "string" },
            },
        },
    });
    let claim = json!({
        "type": "object",
        "properties": { "text": { "type": "string" }, "cites": cites },
        "required": ["text", "cites"],
    });
    json!({
        "type": "object",
        "properties": {
            "summary": { "type": "array", "items": claim, "description": "What happened, one sentence each." },
            "root_cause": {
                "type": "object",
                "properties": {
                    "step_id": { "type": "string" },
                    "text": { "type": "string" },
                    "cites": cites,
                },
                "required": ["step_id", "text", "cites"],
            },
            "recommendations": { "type": "array", "items": claim },
        },
        "required": ["summary", "root_cause", "recommendations"],
    })
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    summary: Summary,
    #[serde(default)]
    root_cause: Option<SaidCause>,
    #[serde(default)]
    recommendations: Vec<SaidClaim>,
}

/// Some models hand over one text where claims are asked for: it cites nothing, and is dropped.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Summary {
    Claims(Vec<SaidClaim>),
    Text(String),
}

impl Default for Summary {
    fn default() -> Self {
        Self::Claims(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
struct SaidClaim {
    text: String,
    #[serde(default)]
    cites: Vec<SaidCite>,
}

#[derive(Debug, Deserialize)]
struct SaidCause {
    #[serde(default)]
    step_id: Option<String>,
    text: String,
    #[serde(default)]
    cites: Vec<SaidCite>,
}

#[derive(Debug, Default, Deserialize)]
struct SaidCite {
    #[serde(default)]
    step_id: Option<String>,
    #[serde(default)]
    code: Option<Value>,
    #[serde(default)]
    deploy_id: Option<String>,
}

impl SaidCite {
    fn cites(self) -> Vec<Cite> {
        // A code that is none can't hold; it is kept, so that the claim falls.
        let code = self.code.filter(|code| !code.is_null()).map(|code| {
            let number = code.as_u64().or_else(|| code.as_str()?.trim().parse().ok());
            number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
        });
        let blank = |text: &String| !text.trim().is_empty();
        self.step_id
            .filter(blank)
            .map(Cite::Step)
            .into_iter()
            .chain(code.map(Cite::Code))
            .chain(self.deploy_id.filter(blank).map(Cite::Deploy))
            .collect()
    }
}

fn claim(said: SaidClaim, is_advice: bool) -> Claim {
    Claim {
        text: said.text.trim().chars().take(MAX_CLAIM_CHARS).collect(),
        cites: said.cites.into_iter().flat_map(SaidCite::cites).collect(),
        is_advice,
    }
}

/// The report that a model handed over, held to the evidence. `None` where it is none.
pub(super) fn report(
    arguments: &Value,
    evidence: &Evidence,
    rules: &Report,
    steps_read: u64,
) -> Option<Report> {
    let said = Said::deserialize(arguments).ok()?;
    let summary: Vec<Claim> = match said.summary {
        Summary::Claims(claims) => claims.into_iter().map(|said| claim(said, false)).collect(),
        Summary::Text(text) => vec![claim(
            SaidClaim {
                text,
                cites: Vec::new(),
            },
            false,
        )],
    };
    let summary = verify(summary.into_iter().take(MAX_CLAIMS).collect(), evidence);
    let cause = said.root_cause.map(|said| {
        let mut cites: Vec<Cite> = said.cites.into_iter().flat_map(SaidCite::cites).collect();
        // The step that it names is part of the claim.
        if let Some(step) = said.step_id.clone().map(Cite::Step)
            && !cites.contains(&step)
        {
            cites.insert(0, step);
        }
        let claim = Claim {
            text: said.text.trim().chars().take(MAX_CLAIM_CHARS).collect(),
            cites,
            is_advice: false,
        };
        (said.step_id, claim)
    });
    let (cause_step, cause) = cause.map_or((None, None), |(step, claim)| (step, Some(claim)));
    let mut cause = verify(cause.into_iter().collect(), evidence);
    let advice: Vec<Claim> = said
        .recommendations
        .into_iter()
        .map(|said| claim(said, true))
        .collect();
    let advice = verify(advice.into_iter().take(MAX_CLAIMS).collect(), evidence);
    let root_cause = cause.kept.pop().map(|claim| RootCause {
        step_name: cause_step
            .as_ref()
            .and_then(|id| evidence.steps.get(id))
            .map(|facts| facts.name.clone()),
        step_id: cause_step,
        text: claim.text,
        cites: claim.cites,
    });
    let sentences: Vec<String> = summary.kept.into_iter().map(|claim| claim.text).collect();
    let mut dropped = summary.dropped;
    dropped.extend(cause.dropped);
    dropped.extend(advice.dropped);
    Some(Report {
        summary: sentences.join(" "),
        root_cause,
        cascade: rules.cascade.clone(),
        recommendations: advice
            .kept
            .into_iter()
            .map(|claim| Recommendation {
                text: claim.text,
                because: String::new(),
                saves: None,
                cites: claim.cites,
            })
            .collect(),
        dropped,
        steps: rules.steps,
        steps_read,
    })
}
