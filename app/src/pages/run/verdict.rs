//! What the run page says before anything is clicked. The same run always gets the same sentence.

mod cascade;

use cascade::{Cascade, cascade};
use domain::{RunStatus, RunSummary, Severity, StepStatus, StepSummary, text};

/// Longest excerpt of an error or a condition inside the sentence, in characters.
const REASON_CHARS: usize = 160;
/// At most so many names in a list before "and 3 more".
const NAMES: usize = 4;

/// The colour of the verdict's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Something failed or is critical.
    Critical,
    /// Completed without a finding.
    Ok,
    /// Running, or completed with warnings.
    Plain,
}

impl Tone {
    /// The value of `data-tone`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Ok => "ok",
            Self::Plain => "plain",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SentencePart {
    Text(String),
    Step { step_id: String, name: String },
}

/// The sentence, and at most a few reasons below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) tone: Tone,
    pub(crate) headline: Vec<SentencePart>,
    /// What else there is to know; may be empty.
    pub(crate) details: Vec<SentencePart>,
}

/// `is_part`: the steps are those with the gravest problems, not all.
pub(crate) fn verdict(run: &RunSummary, steps: &[StepSummary], is_part: bool) -> Verdict {
    let failed: Vec<&StepSummary> = steps.iter().filter(|s| s.status == StepStatus::Error).collect();
    let critical: Vec<&StepSummary> = steps
        .iter()
        .filter(|s| s.severity == Severity::Critical && s.status != StepStatus::Error)
        .collect();
    let warned: Vec<&StepSummary> = steps
        .iter()
        .filter(|s| s.severity == Severity::Warning && s.status != StepStatus::Error)
        .collect();
    let worst = worst_step(run, steps, &failed, &critical, &warned);
    let is_severe = !failed.is_empty() || !critical.is_empty() || run.status == RunStatus::Error;

    let mut headline = opening(run, is_severe);
    let mut mentioned = worst
        .as_ref()
        .map_or_else(Vec::new, |(step, _)| with_ancestors(step, steps));
    if let Some((step, reason)) = &worst {
        if !headline.is_empty() {
            headline.push(SentencePart::Text(": ".to_owned()));
        }
        headline.push(link(step));
        headline.push(SentencePart::Text(reason.clone()));
    }

    let mut details = Vec::new();
    if let Some(found) = worst.as_ref().and_then(|(step, _)| cascade(step, steps)) {
        headline.extend(where_it_began(&found));
        sentence(&mut details, how_it_travelled(&found));
        mentioned.push(&found.origin.step_id);
        let others = found.passed.iter().chain(&found.attempts);
        mentioned.extend(others.map(|step| step.step_id.as_str()));
    }
    let mut opening = match (mentioned.is_empty(), details.is_empty()) {
        (true, _) => "",
        (false, true) => "Also ",
        (false, false) => "Separately, ",
    };
    let loops = add_loops(&mut details, &warned, &mentioned, &mut opening);
    mentioned.extend(loops);
    for (list, one, many) in [
        (&failed, "failed", "failed"),
        (&critical, "is critical", "are critical"),
        (&warned, "has a warning", "have a warning"),
    ] {
        if !is_part {
            add_list(&mut details, list, &mentioned, &mut opening, [one, many]);
        }
    }
    if is_part && run.error_count > 0 {
        let failed = text::grouped(run.error_count.unsigned_abs());
        let all = text::counted(run.step_count, "step");
        sentence(
            &mut details,
            vec![SentencePart::Text(format!("{failed} of {all} failed"))],
        );
    }
    if run.unpriced_steps > 0 {
        let steps = text::counted(run.unpriced_steps, "step");
        sentence(
            &mut details,
            vec![SentencePart::Text(format!("The cost of {steps} is unknown"))],
        );
    }
    Verdict {
        tone: match (is_severe, run.status, warned.is_empty()) {
            (true, ..) => Tone::Critical,
            (false, RunStatus::Ok, true) => Tone::Ok,
            _ => Tone::Plain,
        },
        headline,
        details,
    }
}

/// How the run went as a whole; empty when the worst step says it all.
fn opening(run: &RunSummary, is_severe: bool) -> Vec<SentencePart> {
    let steps = text::counted(run.step_count, "step");
    let duration = text::duration(run.latency_ms);
    let words = match run.status {
        RunStatus::Running => format!("Running, {steps} so far"),
        RunStatus::Error if run.problem.is_none() => format!("Failed after {duration}"),
        RunStatus::Error => return Vec::new(),
        RunStatus::Ok if is_severe => format!("Completed in {duration} with problems"),
        RunStatus::Ok if run.severity == Severity::Warning => {
            format!("Completed in {duration} with a warning")
        }
        RunStatus::Ok => match run.cost_nano_usd {
            Some(cost) => format!("Completed in {duration}: {steps}, {cost}, nothing found"),
            None => format!("Completed in {duration}: {steps}, nothing found"),
        },
    };
    vec![SentencePart::Text(words)]
}

/// The step the sentence is about, and what it did: ` failed: timeout`, `: the answer does not parse`.
fn worst_step<'a>(
    run: &RunSummary,
    steps: &'a [StepSummary],
    failed: &[&'a StepSummary],
    critical: &[&'a StepSummary],
    warned: &[&'a StepSummary],
) -> Option<(&'a StepSummary, String)> {
    let named = run
        .problem
        .as_ref()
        .and_then(|problem| steps.iter().find(|s| s.step_id == problem.step_id));
    let by_score = |list: &[&'a StepSummary]| {
        // `max_by_key` keeps the last of equals; the earliest step is the better lead.
        list.iter().rev().copied().max_by_key(|s| s.score.unwrap_or(0))
    };
    let top = failed
        .iter()
        .find(|s| s.parent_step_id.is_none())
        .or(failed.first());
    let step = named
        .or(top.copied())
        .or_else(|| by_score(critical))
        .or_else(|| by_score(warned))?;
    let step = if step.status == StepStatus::Error {
        origin(step, failed)
    } else {
        step
    };
    Some((step, what_it_did(step)))
}

/// Where a failure came from: down from parent to child, each time the failed child that ended last, for that is
/// the one its parent did not get over.
fn origin<'a>(step: &'a StepSummary, failed: &[&'a StepSummary]) -> &'a StepSummary {
    let mut here = step;
    // As many rounds as there are steps: parent links may form a ring.
    for _ in failed {
        let children = failed.iter().rev().copied().filter(|s| is_child(s, here));
        match children.max_by_key(|s| s.ended_at.unwrap_or(s.started_at)) {
            Some(child) => here = child,
            None => break,
        }
    }
    here
}

fn is_child(step: &StepSummary, of: &StepSummary) -> bool {
    step.parent_step_id.as_deref() == Some(of.step_id.as_str()) && step.step_id != of.step_id
}

/// Ids of a step and of everything that contains it.
fn with_ancestors<'a>(step: &'a StepSummary, steps: &'a [StepSummary]) -> Vec<&'a str> {
    let mut ids = vec![step.step_id.as_str()];
    let mut parent = step.parent_step_id.as_deref();
    while let Some(id) = parent.filter(|id| !ids.contains(id)) {
        ids.push(id);
        parent = steps
            .iter()
            .find(|s| s.step_id == id)
            .and_then(|s| s.parent_step_id.as_deref());
    }
    ids
}

fn what_it_did(step: &StepSummary) -> String {
    let gravest = step
        .conditions
        .iter()
        .min_by_key(|c| (c.layer, -c.points, c.code));
    let error = step
        .error
        .as_deref()
        .map(|e| text::first_line(e, REASON_CHARS))
        .filter(|e| !e.is_empty());
    match (step.status, error, gravest) {
        (StepStatus::Error, Some(error), _) => format!(" failed: {}", without_dot(&error)),
        (StepStatus::Error, None, Some(found)) => format!(" failed: {}", uncapitalised(&found.message)),
        (StepStatus::Error, None, None) => " failed without an error text".to_owned(),
        (_, _, Some(found)) => format!(
            ": {}",
            uncapitalised(&text::first_line(&found.message, REASON_CHARS))
        ),
        (_, Some(error), None) => format!(": {}", without_dot(&error)),
        (_, None, None) => format!(" is {}", step.severity.as_str()),
    }
}

/// `. Probable origin: parse-request, 6.44 s earlier: the answer does not parse`
fn where_it_began(found: &Cascade<'_>) -> Vec<SentencePart> {
    let earlier = text::duration(found.travelled_ms());
    vec![
        SentencePart::Text(". Probable origin: ".to_owned()),
        link(found.origin),
        SentencePart::Text(format!(", {earlier} earlier{}", what_it_did(found.origin))),
    ]
}

/// `The cascade starts at parse-request (105), passes enrich-context (35) and fails generate-response 3 times`
fn how_it_travelled(found: &Cascade<'_>) -> Vec<SentencePart> {
    let points = |step: &StepSummary| step.score.map_or_else(String::new, |score| format!(" ({score})"));
    let mut words = vec![
        SentencePart::Text("The cascade starts at ".to_owned()),
        link(found.origin),
        SentencePart::Text(points(found.origin)),
    ];
    for (index, step) in found.passed.iter().take(NAMES).enumerate() {
        words.push(SentencePart::Text(
            if index == 0 { ", passes " } else { ", " }.to_owned(),
        ));
        words.push(link(step));
        words.push(SentencePart::Text(points(step)));
    }
    words.push(SentencePart::Text(" and fails ".to_owned()));
    words.extend(found.attempts.last().map(|step| link(step)));
    if found.attempts.len() > 1 {
        words.push(SentencePart::Text(format!(" {} times", found.attempts.len())));
    }
    words
}

/// `decide-next made 17 identical calls`, for each step that went round in circles. Returns the ids of steps about
/// which nothing else is to be said.
fn add_loops<'a>(
    details: &mut Vec<SentencePart>,
    warned: &[&'a StepSummary],
    mentioned: &[&str],
    opening: &mut &str,
) -> Vec<&'a str> {
    const SAME_CALL: u16 = 4012;
    let mut latest: Vec<(&StepSummary, &str)> = Vec::new();
    let mut ids = Vec::new();
    for step in warned.iter().filter(|s| !mentioned.contains(&s.step_id.as_str())) {
        let Some(found) = step.conditions.iter().find(|c| c.code == SAME_CALL) else {
            continue;
        };
        if step.conditions.len() == 1 {
            ids.push(step.step_id.as_str());
        }
        match latest.iter_mut().find(|(s, _)| s.name == step.name) {
            Some(entry) => *entry = (step, &found.observed),
            None => latest.push((step, &found.observed)),
        }
    }
    for (step, observed) in latest.iter().take(NAMES) {
        let words = [
            SentencePart::Text(std::mem::take(opening).to_owned()),
            link(step),
            SentencePart::Text(format!(" made {observed}")),
        ];
        sentence(details, words.to_vec());
    }
    ids
}

fn without_dot(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// A sentence in the middle of another: first letter small unless the word is an acronym, no final dot.
fn uncapitalised(sentence: &str) -> String {
    let sentence = without_dot(sentence);
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => sentence.to_owned(),
    }
}

/// `Also parse-request and 2 more failed`. Steps mentioned before are left out.
fn add_list(
    details: &mut Vec<SentencePart>,
    list: &[&StepSummary],
    mentioned: &[&str],
    opening: &mut &str,
    [one, many]: [&str; 2],
) {
    let mut named: Vec<(&StepSummary, usize)> = Vec::new();
    for step in list.iter().filter(|s| !mentioned.contains(&s.step_id.as_str())) {
        match named.iter_mut().find(|(s, _)| s.name == step.name) {
            Some((_, count)) => *count += 1,
            None => named.push((step, 1)),
        }
    }
    if named.is_empty() {
        return;
    }
    let total: usize = named.iter().map(|(_, count)| count).sum();
    let shown = &named[..named.len().min(NAMES)];
    let rest = total - shown.iter().map(|(_, count)| count).sum::<usize>();
    let mut words = Vec::new();
    for (index, (step, count)) in shown.iter().enumerate() {
        let is_last = index + 1 == shown.len() && rest == 0;
        words.push(SentencePart::Text(match index {
            0 => std::mem::take(opening).to_owned(),
            _ if is_last => " and ".to_owned(),
            _ => ", ".to_owned(),
        }));
        words.push(link(step));
        if *count > 1 {
            words.push(SentencePart::Text(format!(" ×{count}")));
        }
    }
    if rest > 0 {
        words.push(SentencePart::Text(format!(" and {rest} more")));
    }
    words.push(SentencePart::Text(format!(
        " {}",
        if total == 1 { one } else { many }
    )));
    sentence(details, words);
}

fn sentence(details: &mut Vec<SentencePart>, words: Vec<SentencePart>) {
    if !details.is_empty() {
        details.push(SentencePart::Text(". ".to_owned()));
    }
    details.extend(
        words
            .into_iter()
            .filter(|w| *w != SentencePart::Text(String::new())),
    );
}

fn link(step: &StepSummary) -> SentencePart {
    SentencePart::Step {
        step_id: step.step_id.clone(),
        name: if step.name.trim().is_empty() {
            "unnamed step".to_owned()
        } else {
            step.name.clone()
        },
    }
}

#[cfg(test)]
mod tests;
