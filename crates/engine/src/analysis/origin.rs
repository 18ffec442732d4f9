//! Which step a failure came from. Earlier steps are weighed by what they did themselves and by what ties them to the
//! failure; of the heaviest, the one furthest up the flow of texts is named.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunSummary, Severity, StepStatus, StepSummary};

use super::{Link, ended_at};

/// From so much weight on an earlier step is named instead of the one that failed.
const LEAST_WEIGHT: i32 = 60;
/// A step that heavier ones got their input from may be so much lighter.
const UPSTREAM_MAY_LACK: i32 = 20;

/// Where a failure began and how it travelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) origin: &'a StepSummary,
    pub(super) why: Why,
    /// Steps between the two that were touched, in the order of time.
    pub(super) passed: Vec<&'a StepSummary>,
    /// What failed in the end, each attempt of it; the origin itself where nothing explains it.
    pub(super) attempts: Vec<&'a StepSummary>,
    /// Failed steps around it, from the inside out.
    pub(super) above: Vec<&'a StepSummary>,
}

/// What ties an origin to the failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing before it explains the failure.
    Itself,
    /// It is the failure, and of another's making.
    Outside,
    /// Its answer is what the failed step worked on, directly or through others.
    Flow { percent: u8 },
    /// The error names a word that its condition names too.
    Named { word: String },
    /// It deviated, right before, in the same place.
    Before,
}

impl Found<'_> {
    /// From the end of the origin to the first failure, in milliseconds.
    pub(super) fn travelled_ms(&self) -> f64 {
        let failed = self.attempts.first().map(|step| step.started_at);
        failed.map_or(0.0, |at| at.ms_since(ended_at(self.origin)).max(0.0))
    }
}

/// The origin of what went wrong; `None` where nothing did.
pub(super) fn origin<'a>(run: &RunSummary, steps: &'a [StepSummary], links: &[Link]) -> Option<Found<'a>> {
    let tree = Tree::new(steps);
    let failure = failure(run, steps, &tree)?;
    let attempts = attempts(failure, steps);
    let first = attempts.first().copied().unwrap_or(failure);
    let above = tree
        .ancestors(failure)
        .into_iter()
        .filter(|step| step.status == StepStatus::Error)
        .collect();
    let reach = reach(&attempts, links);
    let outside = failure.status == StepStatus::Error && comes_from_outside(failure);
    let words = quoted(failure.error.as_deref().unwrap_or_default());
    let mut suspects: Vec<Suspect<'a>> = steps
        .iter()
        .filter(|step| ended_at(step) <= first.started_at)
        .filter(|step| attempts.iter().all(|attempt| attempt.step_id != step.step_id))
        .filter_map(|step| {
            let own = own_weight(step, steps, first)?;
            let flow = reach.get(step.step_id.as_str()).copied();
            let word = words.iter().find(|word| names(step, word)).copied();
            let place = tree.nearness(step, failure);
            let tie = flow.map_or(0, |(hops, _)| if hops == 1 { 40 } else { 32 })
                + word.map_or(0, |_| 40)
                + place
                + i32::from(speaks_of_data(failure) && step.status == StepStatus::Ok) * 15;
            let is_tied = flow.is_some() || word.is_some() || !outside;
            is_tied.then_some(Suspect {
                step,
                weight: own + tie,
                flow: flow.map(|(_, percent)| percent),
                word,
            })
        })
        .filter(|suspect| suspect.weight >= LEAST_WEIGHT)
        .collect();
    suspects.sort_by_key(|suspect| (-suspect.weight, suspect.step.started_at));
    let Some(mut chosen) = suspects.first() else {
        return Some(Found {
            origin: first,
            why: if outside { Why::Outside } else { Why::Itself },
            passed: Vec::new(),
            attempts,
            above,
        });
    };
    // As many rounds as there are suspects: each goes further up.
    for _ in 0..suspects.len() {
        let upstream = suspects.iter().find(|suspect| {
            suspect.weight + UPSTREAM_MAY_LACK >= chosen.weight
                && suspect.step.started_at < chosen.step.started_at
                && links
                    .iter()
                    .any(|link| link.from == suspect.step.step_id && link.to == chosen.step.step_id)
        });
        match upstream {
            Some(upstream) => chosen = upstream,
            None => break,
        }
    }
    let why = match (chosen.flow, chosen.word) {
        (Some(percent), _) => Why::Flow { percent },
        (None, Some(word)) => Why::Named {
            word: word.to_owned(),
        },
        (None, None) => Why::Before,
    };
    let passed = passed(chosen.step, first, steps, links, &reach);
    Some(Found {
        origin: chosen.step,
        why,
        passed,
        attempts,
        above,
    })
}

/// A step that the failure may have come from.
struct Suspect<'a> {
    step: &'a StepSummary,
    weight: i32,
    flow: Option<u8>,
    word: Option<&'a str>,
}

/// What contains what.
struct Tree<'a> {
    steps: BTreeMap<&'a str, &'a StepSummary>,
}

impl<'a> Tree<'a> {
    fn new(steps: &'a [StepSummary]) -> Self {
        Self {
            steps: steps.iter().map(|step| (step.step_id.as_str(), step)).collect(),
        }
    }

    /// What contains a step, from the inside out. Parents may form a ring.
    fn ancestors(&self, step: &StepSummary) -> Vec<&'a StepSummary> {
        let mut found: Vec<&StepSummary> = Vec::new();
        let mut seen = BTreeSet::from([step.step_id.as_str()]);
        let mut parent = step.parent_step_id.as_deref();
        while let Some(above) = parent.and_then(|id| self.steps.get(id).copied()) {
            if !seen.insert(&above.step_id) {
                break;
            }
            found.push(above);
            parent = above.parent_step_id.as_deref();
        }
        found
    }

    /// How near a step lies to the failure: beside it, in something beside it, or elsewhere.
    fn nearness(&self, step: &StepSummary, failure: &StepSummary) -> i32 {
        if step.parent_step_id == failure.parent_step_id {
            return 25;
        }
        let around: Vec<&str> = self
            .ancestors(failure)
            .iter()
            .map(|above| above.step_id.as_str())
            .collect();
        let shared = self
            .ancestors(step)
            .iter()
            .find_map(|above| around.iter().position(|id| *id == above.step_id));
        match shared {
            Some(0) => 20,
            Some(1) => 14,
            _ => 8,
        }
    }
}

/// The step that decided how the run ended: down from what failed at the top, each time the failed child that ended
/// last. Without a failure, the gravest critical step.
fn failure<'a>(run: &RunSummary, steps: &'a [StepSummary], tree: &Tree<'a>) -> Option<&'a StepSummary> {
    let is_failed = |step: &&StepSummary| step.status == StepStatus::Error;
    let top = steps
        .iter()
        .filter(is_failed)
        .find(|step| step.parent_step_id.is_none())
        .or_else(|| {
            let problem = run.problem.as_ref()?;
            let named = tree.steps.get(problem.step_id.as_str()).copied();
            named.filter(is_failed)
        });
    let Some(mut here) = top.or_else(|| steps.iter().filter(is_failed).max_by_key(|step| ended_at(step)))
    else {
        let critical = steps
            .iter()
            .rev()
            .filter(|step| step.severity == Severity::Critical);
        return critical.max_by_key(|step| step.score.unwrap_or(0));
    };
    for _ in 0..steps.len() {
        let child = steps
            .iter()
            .filter(is_failed)
            .filter(|step| {
                step.parent_step_id.as_deref() == Some(here.step_id.as_str()) && step.step_id != here.step_id
            })
            .max_by_key(|step| ended_at(step));
        match child {
            Some(child) => here = child,
            None => break,
        }
    }
    Some(here)
}

/// The failed step and the attempts before it.
fn attempts<'a>(failure: &'a StepSummary, steps: &'a [StepSummary]) -> Vec<&'a StepSummary> {
    let mut attempts: Vec<&StepSummary> = steps
        .iter()
        .filter(|step| {
            step.status == failure.status
                && step.name == failure.name
                && step.parent_step_id == failure.parent_step_id
                && step.started_at <= failure.started_at
                && (step.status == StepStatus::Error || step.step_id == failure.step_id)
        })
        .collect();
    attempts.sort_by_key(|step| step.started_at);
    attempts
}

/// Which steps' answers reached the attempts: over how many links, and how much of the answer at the least.
fn reach<'l>(attempts: &[&StepSummary], links: &'l [Link]) -> BTreeMap<&'l str, (u32, u8)> {
    let mut found: BTreeMap<&str, (u32, u8)> = BTreeMap::new();
    let mut front: Vec<(&str, u32, u8)> = attempts
        .iter()
        .map(|step| (step.step_id.as_str(), 0, 100))
        .collect();
    let targets: BTreeSet<String> = attempts.iter().map(|step| step.step_id.clone()).collect();
    let mut seen: BTreeSet<String> = targets;
    while let Some((to, hops, percent)) = front.pop() {
        let to = to.to_owned();
        for link in links.iter().filter(|link| link.to == to) {
            let way = (hops + 1, percent.min(link.percent));
            let known = found.entry(link.from.as_str()).or_insert(way);
            *known = (known.0.min(way.0), known.1.max(way.1));
            if seen.insert(link.from.clone()) {
                front.push((link.from.as_str(), way.0, way.1));
            }
        }
    }
    found
}

/// What a step did wrong itself; `None` where that can't make a later one fail.
fn own_weight(step: &StepSummary, steps: &[StepSummary], first: &StepSummary) -> Option<i32> {
    if step.status == StepStatus::Error {
        let made_good = steps.iter().any(|later| {
            later.name == step.name
                && later.parent_step_id == step.parent_step_id
                && later.status == StepStatus::Ok
                && later.started_at >= step.started_at
                && later.started_at <= first.started_at
        });
        return (!made_good).then_some(45);
    }
    let weight_of = |code: u16| match code {
        1009 => 50,
        1003 | 1010 | 1014 | 2001 | 2007 | 3012 => 45,
        3018 => 40,
        2002 | 2003 | 3014 | 3015 => 35,
        3011 | 3017 => 30,
        2004 | 2005 | 3016 => 25,
        2006 => 15,
        _ => 0,
    };
    let weights = step.conditions.iter().map(|found| weight_of(found.code));
    let heavy = weights.clone().filter(|weight| *weight > 0).count();
    let heaviest = weights.max().filter(|weight| *weight > 0)?;
    Some(heaviest + if heavy > 1 { 5 } else { 0 })
}

/// Steps after the origin that worked with what it gave, or deviated beside the failure.
fn passed<'a>(
    origin: &StepSummary,
    first: &StepSummary,
    steps: &'a [StepSummary],
    links: &[Link],
    reach: &BTreeMap<&str, (u32, u8)>,
) -> Vec<&'a StepSummary> {
    let touched: BTreeSet<&str> = links
        .iter()
        .filter(|link| link.from == origin.step_id)
        .map(|link| link.to.as_str())
        .collect();
    steps
        .iter()
        .filter(|step| step.started_at >= ended_at(origin) && ended_at(step) <= first.started_at)
        .filter(|step| step.step_id != origin.step_id && step.step_id != first.step_id)
        .filter(|step| {
            let id = step.step_id.as_str();
            let deviates = step.parent_step_id == first.parent_step_id && !step.conditions.is_empty();
            touched.contains(id) || reach.contains_key(id) || deviates
        })
        .collect()
}

/// Failures that no answer of an earlier step can cause.
fn comes_from_outside(step: &StepSummary) -> bool {
    const CLASSES: [&str; 10] = [
        "rate_limit",
        "overloaded",
        "timeout",
        "unavailable",
        "unreachable",
        "authentication",
        "permission",
        "billing",
        "api_error",
        "disconnected",
    ];
    const WORDS: [&str; 16] = [
        "timeout",
        "timed out",
        "rate limit",
        "too many requests",
        "overloaded",
        "429",
        "500 ",
        "502",
        "503",
        "504",
        "529",
        "connection",
        "econn",
        "unauthorized",
        "401",
        "deadline exceeded",
    ];
    let holds = |text: &str, words: &[&str]| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let first_line = step
        .error
        .as_deref()
        .and_then(|error| error.lines().next())
        .unwrap_or_default();
    holds(step.error_class.as_deref().unwrap_or_default(), &CLASSES) || holds(first_line, &WORDS)
}

/// Whether an error is about what a step was given: a parser, a missing value.
fn speaks_of_data(step: &StepSummary) -> bool {
    const WORDS: [&str; 20] = [
        "json",
        "parse",
        "unexpected",
        "undefined",
        "null",
        "none",
        "nil",
        "missing",
        "required",
        "keyerror",
        "typeerror",
        "valueerror",
        "valid",
        "schema",
        "expected",
        "empty",
        "not found",
        "unknown",
        "cannot read",
        "decode",
    ];
    let error = step.error.as_deref().unwrap_or_default().to_lowercase();
    let line = error.lines().next().unwrap_or_default();
    WORDS.iter().any(|word| line.contains(word))
}

/// The words that the first line of an error puts in quotes, at most a few.
fn quoted(error: &str) -> Vec<&str> {
    const MAX_QUOTES: usize = 8;
    let line = error.lines().next().unwrap_or("");
    ['"', '\'', '`']
        .iter()
        .flat_map(|quote| line.split(*quote).skip(1).step_by(2))
        .filter(|word| word.len() > 1 && !word.contains(char::is_whitespace))
        .take(MAX_QUOTES)
        .collect()
}

/// Whether a finding about a step quotes this word, as a missing key does.
fn names(step: &StepSummary, word: &str) -> bool {
    step.conditions.iter().any(|found| {
        [&found.message, &found.observed, &found.expected]
            .iter()
            .any(|text| {
                ['"', '`', '“', '\''].iter().any(|quote| {
                    text.split(*quote)
                        .skip(1)
                        .any(|behind| behind.strip_prefix(word).is_some_and(ends_word))
                })
            })
    })
}

fn ends_word(rest: &str) -> bool {
    rest.chars()
        .next()
        .is_none_or(|c| !c.is_alphanumeric() && c != '_')
}
