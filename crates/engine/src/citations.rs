//! Whether what a model says holds: each claim cites what it rests on, and what is cited has to be there, to bear the
//! claim's figures, and to have the words that it quotes. A claim that does not hold is dropped, with the reason.

mod figures;
mod quotes;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use figures::{Figure, Unit};

/// What a claim rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cite {
    /// A step, by its id.
    Step(String),
    /// A condition, by its code.
    Code(u16),
    /// A deploy, by its id.
    Deploy(String),
    /// What a tool answered, by an id that whoever asks the model gave it.
    Result(String),
}

/// What the model claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// In its words.
    pub text: String,
    /// What it cites.
    pub cites: Vec<Cite>,
    /// Whether it says what to do. What is proposed there (`to 3 s`) is no figure of the data.
    pub is_advice: bool,
}

/// What is known, by what can be cited.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// By step id.
    pub steps: BTreeMap<String, Facts>,
    /// By deploy id.
    pub deploys: BTreeMap<String, Facts>,
    /// By the id of a tool's answer.
    pub results: BTreeMap<String, Facts>,
    /// What every claim may say: the run's or the incident's own figures.
    pub whole: Facts,
}

/// What is known of one thing.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What it is called; a claim that says of it by this name that it failed is held to `failed`.
    pub name: String,
    /// Whether it failed; `None` where that means nothing.
    pub failed: Option<bool>,
    /// Its conditions.
    pub codes: BTreeSet<u16>,
    /// What is said of it: an error, a condition, a tool's answer. Quotes are looked for in them, and their figures are
    /// its own.
    pub texts: Vec<String>,
    /// What it was given and gave. Quotes are looked for in them; their figures are counts alone, for prompts and answers
    /// are full of numbers that measure nothing.
    pub bodies: Vec<String>,
    /// Figures that its texts do not spell out.
    pub figures: Vec<Figure>,
}

/// A claim that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The claim.
    pub claim: Claim,
    /// Why it does not hold, for people.
    pub reason: String,
}

/// What is left of a model's claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Those that hold, in their order.
    pub kept: Vec<Claim>,
    /// Those that do not.
    pub dropped: Vec<Dropped>,
}

impl Evidence {
    /// What a citation points at. A code points at all steps that have it.
    fn found(&self, cite: &Cite) -> Vec<&Facts> {
        match cite {
            Cite::Step(id) => self.steps.get(id).into_iter().collect(),
            Cite::Deploy(id) => self.deploys.get(id).into_iter().collect(),
            Cite::Result(id) => self.results.get(id).into_iter().collect(),
            Cite::Code(code) => self
                .steps
                .values()
                .filter(|step| step.codes.contains(code))
                .collect(),
        }
    }
}

impl Cite {
    /// For people.
    fn words(&self) -> String {
        match self {
            Self::Step(id) => format!("step {id}"),
            Self::Code(code) => format!("condition {code}"),
            Self::Deploy(id) => format!("deploy {id}"),
            Self::Result(id) => format!("result {id}"),
        }
    }
}

/// Keeps the claims that hold. Each needs at least one citation; all that it cites has to be there, each cited condition
/// on a cited step where steps are cited, each figure among those of what is cited or of the whole, each quote in what is
/// cited, and nothing may be said to have failed that did not.
pub fn verify(claims: Vec<Claim>, evidence: &Evidence) -> Verified {
    let mut verified = Verified::default();
    for claim in claims {
        match broken(&claim, evidence) {
            None => verified.kept.push(claim),
            Some(reason) => verified.dropped.push(Dropped { claim, reason }),
        }
    }
    verified
}

/// Why a claim does not hold; `None` where it does.
pub fn broken(claim: &Claim, evidence: &Evidence) -> Option<String> {
    if claim.text.trim().is_empty() {
        return Some("it says nothing".to_owned());
    }
    if claim.cites.is_empty() {
        return Some("it cites nothing".to_owned());
    }
    let mut cited: Vec<&Facts> = Vec::new();
    let cited_steps: Vec<&Facts> = claim
        .cites
        .iter()
        .filter(|cite| matches!(cite, Cite::Step(_)))
        .flat_map(|cite| evidence.found(cite))
        .collect();
    for cite in &claim.cites {
        let found = evidence.found(cite);
        if found.is_empty() {
            return Some(format!("there is no {}", cite.words()));
        }
        if let Cite::Code(code) = cite
            && !cited_steps.is_empty()
            && !cited_steps.iter().any(|step| step.codes.contains(code))
        {
            return Some(format!("none of the steps it cites has condition {code}"));
        }
        // A code that many steps have speaks of those that are cited, where some are.
        if !matches!(cite, Cite::Code(_)) || cited_steps.is_empty() {
            cited.extend(found);
        }
    }
    quotes::missing(&claim.text, &cited, &evidence.whole)
        .map(|quote| format!("`{quote}` is nowhere in what it cites"))
        .or_else(|| figures::contradicting(claim, &cited, &evidence.whole))
        .or_else(|| said_to_have_failed(&claim.text, &cited))
}

/// A step that the claim says failed though it did not.
fn said_to_have_failed(text: &str, cited: &[&Facts]) -> Option<String> {
    const FAILED: [&str; 8] = [
        "failed",
        "fails",
        "crashed",
        "crashes",
        "timed out",
        "threw",
        "raised",
        "errored",
    ];
    let text = text.to_lowercase();
    let wrong = cited.iter().find(|facts| {
        let name = facts.name.to_lowercase();
        // Another one of the same name may have failed.
        let did = cited
            .iter()
            .any(|other| other.name == facts.name && other.failed == Some(true));
        facts.failed == Some(false)
            && !did
            && !name.is_empty()
            && text.match_indices(&name).any(|(at, name)| {
                let rest = text.get(at + name.len()..).unwrap_or_default();
                let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "`\"'”’".contains(c));
                FAILED.iter().any(|word| rest.starts_with(word))
            })
    });
    wrong.map(|facts| format!("{} did not fail", facts.name))
}

#[cfg(test)]
mod tests;
