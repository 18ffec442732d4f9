//! The detectors that need no model.

use std::collections::{BTreeMap, BTreeSet};

use domain::detector::{Definition, Evidence, FoundIn, JudgedRun, JudgedStep, StepTexts, Template};
use domain::text::{counted, first_line};
use domain::{RunStatus, StepKind, StepStatus};
use serde_json::{Value, json};

use super::ending::final_step;
use super::found::Found;
use crate::schema::{Budget, violation};

/// From how many calls with one input on a tool counts as repeated.
const MIN_REPEATS: usize = 3;
/// Steps that a finding names.
const MAX_NAMED: usize = 20;
/// Of each name and error in a sentence, in characters.
const MAX_WORDS_CHARS: usize = 120;

/// What a rule finds in a run; `None` where it finds nothing, and for detectors of models. `texts` are those of
/// [`super::wanted_texts`].
pub fn judge(definition: &Definition, run: &JudgedRun, texts: &[StepTexts]) -> Option<Found> {
    match definition.template {
        Template::RequiredStep => missing_step(definition.required_step.as_deref()?, run),
        Template::RepeatedTool => repeated_tool(run),
        Template::SwallowedError => swallowed_error(run),
        Template::Schema => broken_schema(definition.schema.as_ref()?, texts.first()?),
        _ => None,
    }
}

fn missing_step(name: &str, run: &JudgedRun) -> Option<Found> {
    let has_it = run
        .steps
        .iter()
        .any(|step| step.name == name || step.called() == name);
    if has_it {
        return None;
    }
    let mut names: Vec<&str> = run.steps.iter().map(JudgedStep::called).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_NAMED);
    Some(Found {
        summary: format!("The run ended without {}", first_line(name, MAX_WORDS_CHARS)),
        data: json!({ "required_step": name, "steps": names }),
        evidence: final_step(&run.steps).map(of_step).into_iter().collect(),
    })
}

fn repeated_tool(run: &JudgedRun) -> Option<Found> {
    let mut calls: BTreeMap<(&str, &str), Vec<&JudgedStep>> = BTreeMap::new();
    for step in run.steps.iter().filter(|step| step.kind == StepKind::Tool) {
        if let Some(hash) = &step.input_hash {
            calls.entry((step.called(), hash)).or_default().push(step);
        }
    }
    let repeated: Vec<(&str, &[&JudgedStep])> = calls
        .iter()
        .filter(|(_, steps)| steps.len() >= MIN_REPEATS)
        .map(|((tool, _), steps)| (*tool, steps.as_slice()))
        .collect();
    // The first of those that were called most often.
    let (tool, steps) =
        repeated.iter().copied().reduce(
            |most, other| {
                if other.1.len() > most.1.len() { other } else { most }
            },
        )?;
    let ids: Vec<&str> = steps
        .iter()
        .take(MAX_NAMED)
        .map(|step| step.step_id.as_str())
        .collect();
    Some(Found {
        summary: format!(
            "{} was called {} times with one input",
            first_line(tool, MAX_WORDS_CHARS),
            steps.len()
        ),
        data: json!({ "tool": tool, "times": steps.len(), "step_ids": ids, "other_tools": repeated.len() - 1 }),
        evidence: steps.iter().take(MAX_NAMED).map(|step| of_step(step)).collect(),
    })
}

fn swallowed_error(run: &JudgedRun) -> Option<Found> {
    if run.summary.status != RunStatus::Ok {
        return None;
    }
    let failed: BTreeSet<&str> = run
        .steps
        .iter()
        .filter(|step| step.status == StepStatus::Error)
        .map(|step| step.step_id.as_str())
        .collect();
    // What a failed step contains has failed its parent: the error was passed on, not swallowed there.
    let is_topmost = |step: &JudgedStep| {
        step.parent_step_id
            .as_deref()
            .is_none_or(|parent| !failed.contains(parent))
    };
    let mut done: BTreeMap<(StepKind, &str), Vec<&JudgedStep>> = BTreeMap::new();
    for step in run.steps.iter().filter(|step| step.status == StepStatus::Ok) {
        done.entry((step.kind, step.called())).or_default().push(step);
    }
    let was_retried = |step: &JudgedStep| {
        done.get(&(step.kind, step.called()))
            .is_some_and(|others| others.iter().any(|other| other.started_at >= step.started_at))
    };
    let swallowed: Vec<&JudgedStep> = run
        .steps
        .iter()
        .filter(|step| step.status == StepStatus::Error && is_topmost(step) && !was_retried(step))
        .collect();
    let first = *swallowed.first()?;
    let ids: Vec<&str> = swallowed
        .iter()
        .take(MAX_NAMED)
        .map(|step| step.step_id.as_str())
        .collect();
    let error = first
        .error
        .as_deref()
        .map(|error| format!(": {}", first_line(error, MAX_WORDS_CHARS)));
    let more = match swallowed.len() {
        1 => String::new(),
        count => format!(", and {} more", counted(count as i64 - 1, "failed step")),
    };
    Some(Found {
        summary: format!(
            "{} failed, nothing retried it, and the run succeeded all the same{}{more}",
            first_line(first.called(), MAX_WORDS_CHARS),
            error.unwrap_or_default()
        ),
        data: json!({ "step_ids": ids, "failed_steps": swallowed.len() }),
        evidence: swallowed
            .iter()
            .take(MAX_NAMED)
            .map(|step| of_error(step))
            .collect(),
    })
}

fn broken_schema(schema: &Value, texts: &StepTexts) -> Option<Found> {
    let output = texts.output.as_deref()?;
    let of_output = |from: usize, to: usize| {
        let quote = output.get(from..to).map(str::to_owned);
        Evidence {
            step_id: texts.step_id.clone(),
            step: texts.step.clone(),
            text: Some(FoundIn::Output),
            from_byte: u32::try_from(from).ok(),
            to_byte: u32::try_from(to).ok(),
            quote,
        }
    };
    let head = first_line(output, MAX_WORDS_CHARS);
    let shown = head.trim_end_matches('…').trim_end().to_owned();
    let from = output.len() - output.trim_start().len();
    let evidence = vec![of_output(from, from + shown.len())];
    let Ok(value) = serde_json::from_str::<Value>(without_fence(output)) else {
        return Some(Found {
            summary: "The run’s last output is no JSON".to_owned(),
            data: json!({ "step": texts.step, "observed": "no JSON" }),
            evidence,
        });
    };
    let broken = violation(schema, &value, &mut Budget::default())?;
    Some(Found {
        summary: format!(
            "The run’s last output breaks the schema at {}: {} instead of {}",
            broken.place_words(),
            first_line(&broken.observed, MAX_WORDS_CHARS),
            first_line(&broken.expected, MAX_WORDS_CHARS)
        ),
        data: json!({
            "step": texts.step, "pointer": broken.pointer, "observed": broken.observed, "expected": broken.expected,
        }),
        evidence,
    })
}

/// What stands between the marks of a code block, where the text is one.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
        .and_then(|text| text.strip_suffix("```"));
    inner.unwrap_or(text)
}

fn of_step(step: &JudgedStep) -> Evidence {
    Evidence {
        step_id: step.step_id.clone(),
        step: step.called().to_owned(),
        text: None,
        quote: None,
        from_byte: None,
        to_byte: None,
    }
}

fn of_error(step: &JudgedStep) -> Evidence {
    let quote = step.error.as_deref().and_then(|error| {
        let line = error.lines().find(|line| !line.trim().is_empty())?;
        let from = error.find(line)?;
        Some((line.to_owned(), from))
    });
    match quote {
        Some((quote, from)) => Evidence {
            text: Some(FoundIn::Error),
            from_byte: u32::try_from(from).ok(),
            to_byte: u32::try_from(from + quote.len()).ok(),
            quote: Some(quote),
            ..of_step(step)
        },
        None => of_step(step),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use domain::{RunSummary, Severity, Timestamp, TokenUsage};

    use super::*;

    pub(in crate::detectors) fn step(id: &str, name: &str) -> JudgedStep {
        JudgedStep {
            step_id: id.to_owned(),
            parent_step_id: None,
            name: name.to_owned(),
            kind: StepKind::Llm,
            status: StepStatus::Ok,
            tool_name: None,
            error: None,
            started_at: Timestamp::from_micros(0),
            ended_at: Some(Timestamp::from_micros(1)),
            input_hash: None,
            text_bytes: (0, 0),
            cost_nano_usd: None,
            score: None,
        }
    }

    pub(in crate::detectors) fn run(steps: Vec<JudgedStep>) -> JudgedRun {
        let at = Timestamp::from_micros(0);
        JudgedRun {
            summary: RunSummary {
                run_id: "r".to_owned(),
                name: "answer".to_owned(),
                partition_at: at,
                started_at: at,
                ended_at: at,
                latency_ms: 0.0,
                status: RunStatus::Ok,
                key_label: "k".to_owned(),
                environment: None,
                release: None,
                session_id: None,
                user_id: None,
                tags: Vec::new(),
                models: Vec::new(),
                step_count: steps.len() as i64,
                error_count: 0,
                tokens: TokenUsage::default(),
                cost_nano_usd: None,
                unpriced_steps: 0,
                score_max: None,
                severity: Severity::Ok,
                problem: None,
            },
            steps,
            metadata: BTreeMap::new(),
            is_own: false,
        }
    }

    fn definition(template: Template) -> Definition {
        Definition {
            template,
            prompt: String::new(),
            schema: None,
            required_step: Some("guard-output".to_owned()),
            conditions: Vec::new(),
            model: None,
        }
    }

    fn tool(id: &str, name: &str, hash: &str) -> JudgedStep {
        JudgedStep {
            kind: StepKind::Tool,
            input_hash: Some(hash.to_owned()),
            ..step(id, name)
        }
    }

    #[test]
    fn a_tool_is_repeated_from_three_calls_with_one_input_on() {
        let rule = definition(Template::RepeatedTool);
        let judged = |steps| judge(&rule, &run(steps), &[]);
        assert_eq!(judged(vec![tool("a", "find", "1"), tool("b", "find", "1")]), None);
        let other_input = vec![
            tool("a", "find", "1"),
            tool("b", "find", "2"),
            tool("c", "find", "3"),
        ];
        assert_eq!(judged(other_input), None);
        let calls = ["a", "b", "c"].map(|id| step(id, "find"));
        assert_eq!(judged(calls.to_vec()), None, "no tools");
        let found = judged(vec![
            tool("a", "find", "1"),
            tool("x", "read", "1"),
            tool("b", "find", "1"),
            tool("c", "find", "1"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.summary, "find was called 3 times with one input");
        let ids: Vec<_> = found.evidence.iter().map(|item| item.step_id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }

    #[test]
    fn an_error_is_swallowed_when_nothing_retried_it_and_the_run_succeeded() {
        let rule = definition(Template::SwallowedError);
        let failed = |id: &str, name: &str, parent: Option<&str>| JudgedStep {
            status: StepStatus::Error,
            error: Some("\ntimeout after 30 s\nat x".to_owned()),
            parent_step_id: parent.map(str::to_owned),
            ..step(id, name)
        };
        let found = judge(
            &rule,
            &run(vec![step("root", "agent"), failed("a", "fetch", Some("root"))]),
            &[],
        );
        let found = found.unwrap();
        assert_eq!(
            found.summary,
            "fetch failed, nothing retried it, and the run succeeded all the same: timeout after 30 s"
        );
        let evidence = found.evidence.first().unwrap();
        assert_eq!(evidence.quote.as_deref(), Some("timeout after 30 s"));
        assert_eq!((evidence.from_byte, evidence.to_byte), (Some(1), Some(19)));

        let retried = run(vec![failed("a", "fetch", None), step("b", "fetch")]);
        assert_eq!(judge(&rule, &retried, &[]), None);
        let passed_on = run(vec![
            failed("a", "fetch", Some("b")),
            failed("b", "outer", None),
            step("c", "outer"),
        ]);
        assert_eq!(judge(&rule, &passed_on, &[]), None, "the outer one was retried");
        let mut failed_run = run(vec![failed("a", "fetch", None)]);
        failed_run.summary.status = RunStatus::Error;
        assert_eq!(judge(&rule, &failed_run, &[]), None);
    }

    #[test]
    fn a_required_step_is_one_of_its_name() {
        let rule = definition(Template::RequiredStep);
        assert!(judge(&rule, &run(vec![step("a", "answer")]), &[]).is_some());
        assert_eq!(
            judge(
                &rule,
                &run(vec![step("a", "answer"), step("b", "guard-output")]),
                &[]
            ),
            None
        );
    }

    #[test]
    fn the_last_output_is_held_to_the_schema() {
        let mut rule = definition(Template::Schema);
        rule.schema = Some(json!({ "type": "object", "required": ["answer"] }));
        let run = run(vec![step("a", "answer")]);
        let judged = |output: &str| {
            let texts = StepTexts {
                step_id: "a".to_owned(),
                step: "answer".to_owned(),
                output: Some(output.to_owned()),
                ..StepTexts::default()
            };
            judge(&rule, &run, &[texts])
        };
        assert_eq!(judged(r#"{"answer": 1}"#), None);
        assert_eq!(judged("```json\n{\"answer\": 1}\n```"), None);
        let found = judged("  {\"other\": 1}").unwrap();
        assert_eq!(
            found.summary,
            "The run’s last output breaks the schema at the top: no key “answer” instead of the key “answer”"
        );
        let evidence = found.evidence.first().unwrap();
        assert_eq!(evidence.quote.as_deref(), Some("{\"other\": 1}"));
        assert_eq!(evidence.from_byte, Some(2));
        assert_eq!(
            judged("Sorry!").unwrap().summary,
            "The run’s last output is no JSON"
        );
    }
}
